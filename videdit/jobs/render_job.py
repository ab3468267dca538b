"""RenderJob: everything a user can say about one render, in one validated, frozen model.

The command line, job files and the Python API all end here, with the same names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import field_validator, model_validator

from videdit.errors import VideditError
from videdit.jobs.field_types import ParsedWords
from videdit.jobs.job_fields import JobFields
from videdit.jobs.network_choice import NetworkChoice

if TYPE_CHECKING:
    from videdit.edits import Edit


_PATHS = ("input", "output", "alpha_out", "crops_out", "analysis", "checkpoint", "sign", "sign_key")


class RenderJob(JobFields):
    """One render: which inputs, which edits, where to and how."""

    @cached_property
    def edits(self) -> tuple[Edit, ...]:
        """What `edit` means: worked out once, when the job is validated."""
        from videdit.edits import parse_edits

        return parse_edits(self.edit)

    @cached_property
    def edits_of_faces(self) -> dict[str, tuple[Edit, ...]]:
        """What `per_face` means, by its words for faces."""
        from videdit.edits import parse_edits

        return {face: parse_edits(words) for face, words in self.per_face.items()}

    @property
    def all_edits(self) -> list[Edit]:
        """What anybody gets."""
        return [*self.edits, *chain.from_iterable(self.edits_of_faces.values())]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values in some fields; what was worked out of these is worked out anew."""
        copy = super().model_copy(update=update, deep=deep)
        for field, derived in (("edit", "edits"), ("per_face", "edits_of_faces")):
            if update and field in update:
                copy.__dict__.pop(derived, None)
        return copy

    @field_validator(*_PATHS, mode="before")
    @classmethod
    def _paths_are_not_empty(cls, value: Any) -> Any:
        """An empty path would mean the folder that one is in."""
        if value == "" or (isinstance(value, list | tuple) and "" in value):
            raise ValueError("should not be empty")
        return value

    @field_validator("edit")
    @classmethod
    def _edit_is_known(cls, value: str) -> str:
        return ParsedWords(value)

    @field_validator("per_face")
    @classmethod
    def _edits_are_known(cls, value: dict[str, str]) -> dict[str, str]:
        return {face: ParsedWords(words) for face, words in value.items()}

    @model_validator(mode="after")
    def _edits_are_kept(self) -> Self:
        """Fields hold plain words; what they mean was found out when they were checked."""
        edit, own = cast(ParsedWords, self.edit), cast(dict[str, ParsedWords], self.per_face)
        mine = vars(self)  # for this is frozen
        mine["edits"], mine["edit"] = edit.edits, str(edit)
        mine["edits_of_faces"] = {face: words.edits for face, words in own.items()}
        mine["per_face"] = {face: str(words) for face, words in own.items()}
        return self

    @field_validator("profile")
    @classmethod
    def _profile_is_known(cls, value: str) -> str:
        from videdit.hfgi.profile import load_profile

        try:
            load_profile(value)
        except VideditError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("start", "end")
    @classmethod
    def _time_is_a_place_in_the_clip(cls, value: float | None) -> float | None:
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ValueError("should be zero or more seconds")
        return value

    @model_validator(mode="after")
    def _words_agree(self) -> Self:
        if self.end is not None and self.end <= (self.start or 0.0):
            raise ValueError(f"end ({self.end:g} s) should come after start ({self.start or 0.0:g} s)")
        if (self.sign is None) != (self.sign_key is None):
            raise ValueError("sign and sign_key belong together: the certificates and the key of the first")
        self._check_profile()
        self._check_plain()
        if self.lossless and self.crf is not None:
            raise ValueError("lossless and crf exclude each other")
        return self

    def _check_profile(self) -> None:
        """Raises ValueError for words that the profile has no use for."""
        from videdit.edits import check_codes
        from videdit.hfgi.profile import load_profile

        try:
            profile = load_profile(self.profile, self.checkpoint)
            check_codes(self.all_edits, self.profile, profile.layers)
        except VideditError as error:
            raise ValueError(str(error)) from None
        if profile.subject == "face":
            if self.box is not None:
                raise ValueError(f"profile {self.profile} finds faces by itself; a box is for profile hfgi-car")
            return
        if self.restore not in ("none", "auto"):
            raise ValueError(f"restore={self.restore} is of faces; profile {self.profile} edits a {profile.subject}")
        if self.faces != "largest":
            raise ValueError(f"profile {self.profile} edits a {profile.subject}: say where with box, not with faces")
        if self.size != "auto" and self.size not in profile.sizes:
            raise ValueError(f"profile {self.profile} renders at {' or '.join(map(str, profile.sizes))} pixels")

    def _check_plain(self) -> None:
        """Raises ValueError for words that only HFGI as it is released has a use for, or has none for."""
        if self.method != "plain" and self.crops_out is not None:
            raise ValueError("crops_out is of method plain: the other methods change a crop only where the edit is")
        if self.method == "plain" and self.tune:
            raise ValueError("method plain is HFGI as it is released; a generator is tuned for method hfgi")
        if self.method == "plain" and self.prealign not in ("auto", "none"):
            raise ValueError(f"method plain has no pre-alignment; prealign={self.prealign} is of method hfgi")
        if self.method == "plain" and self.consultation == "never":
            raise ValueError("method plain consults, as HFGI is released; consultation=never is of method hfgi")

    @property
    def networks_precision(self) -> str:
        """What the networks compute in: as released, unless the user says otherwise, where the method is plain."""
        return "fp32" if self.method == "plain" and self.precision == "auto" else self.precision

    @property
    def networks(self) -> NetworkChoice:
        """Which networks it needs, and how they run."""
        wanted = self.consultation == "auto" and any(edit.consulted for edit in self.all_edits)
        return NetworkChoice(
            self.profile,
            self.checkpoint,
            self.detector,
            self.device,
            self.networks_precision,
            self.batch,
            "always" if wanted else self.consultation,
        )

    def settings(self) -> dict[str, Any]:
        """What decides how an output looks: the fields by which a folder knows that a clip is done already."""
        return self.model_dump(
            exclude={
                "input",
                "output",
                "device",
                "precision",
                "batch",
                "decoder",
                "memory",
                "cache",
                "analysis",
                "overwrite",
                "resume",
                "sign_key",
                "sidecar",
            }
        )
