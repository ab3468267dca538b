"""What a page edits: whom, what, and how to render it. It is a :class:`RenderJob` in other words, and becomes one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from videdit import paths
from videdit.edits.catalogue import catalogue
from videdit.edits.keyframes import EASINGS
from videdit.edits.parse import parse_edits
from videdit.errors import UsageError
from videdit.jobs.job_file import job_of
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob

WORDS = ("largest", "all", "left")
_DAY = 86400.0
# Fields of a job that a page says elsewhere, or that name files: those it may not.
_OURS = frozenset({"input", "edit", "faces", "per_face"})
_FILES = frozenset({"output", "checkpoint", "alpha_out", "crops_out", "analysis", "sign", "sign_key"})
SETTINGS = frozenset(RenderJob.model_fields) - _OURS - _FILES
_MAY_NAME_FILES = ("restore", "detector")  # behind a colon
_MOST_BATCH = 64
RESTING = "smile=0"  # a job needs an edit; this one does nothing


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Key(_Model):
    """A keyframe."""

    time: float = Field(ge=0, le=_DAY)  # seconds
    strength: float
    easing: str = "linear"


class Strength(_Model):
    """How much of an edit: a number, or keyframes in order of time."""

    strength: float | None = None
    keys: Annotated[tuple[Key, ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _one_of_them(self) -> Strength:
        if (self.strength is None) == (not self.keys):
            raise ValueError("an edit has either a strength or keyframes")
        return self

    def words(self) -> str:
        """As the command line has it."""
        if self.strength is not None:
            return number(self.strength)
        return ",".join(
            f"{number(key.strength)}@{number(key.time)}s" + ("" if key.easing == "linear" else f":{key.easing}")
            for key in self.keys
        )

    @property
    def rests(self) -> bool:
        """Whether it does nothing at any time."""
        return not self.strength and not any(key.strength for key in self.keys)


class Target(_Model):
    """The edits of somebody: of "largest", "all" or "left", or of a face by its number."""

    who: str
    edits: Annotated[dict[str, Strength], Field(max_length=100)] = {}

    @model_validator(mode="after")
    def _is_somebody(self) -> Target:
        if self.who not in WORDS and not re.fullmatch(r"\d{1,6}", self.who):
            raise ValueError(f"{self.who[:20]!r} is nobody: largest, all, left or the number of a face")
        return self

    def words(self) -> str:
        """The edits as the command line has them."""
        return ",".join(f"{name}={strength.words()}" for name, strength in self.edits.items())


class Document(_Model):
    """All that a page knows of a job, but for its clip."""

    targets: Annotated[tuple[Target, ...], Field(max_length=200)] = ()
    settings: Annotated[dict[str, Any], Field(max_length=60)] = {}
    name: Annotated[str, Field(max_length=200)] = ""  # of the output, beside the clip; "": as the command would call it
    matte: bool = False  # whether the edit's mask is written beside it

    def job(self, source: Path, **more: Any) -> RenderJob:
        """The job of a clip.

        Args:
            source: the clip.
            more: further fields.

        Raises:
            UsageError: it makes no sense.
        """
        self._check_settings()
        known = catalogue()
        at_work = [target for target in self.targets if target.edits]
        for target in at_work:
            if strange := [name for name in target.edits if name not in known]:
                raise UsageError(f"there is no edit {strange[0][:40]!r}")
            for name, strength in target.edits.items():
                if bad := [key.easing for key in strength.keys if key.easing not in EASINGS]:
                    raise UsageError(f"{name}: there is no easing {bad[0][:20]!r}")
        if len({target.who for target in at_work}) != len(at_work):
            raise UsageError("somebody has two lists of edits")
        first = next(iter(sorted(at_work, key=lambda target: target.who not in WORDS)), Target(who="largest"))
        words = {
            "input": str(source),
            "edit": first.words() or RESTING,
            "faces": first.who,
            "per_face": {target.who: target.words() for target in at_work if target is not first},
        }
        job = job_of({**self.settings, **words, **more})
        if self.name:
            output = plain_file(source, self.name)
            if not output.suffix:  # it would be the name of a folder
                output = output.with_name(output.name + output_of(job).suffix)
            job = job_of({**self.settings, **words, **more, "output": str(output)})
        return job.model_copy(update={"alpha_out": str(matte_of(job))}) if self.matte else job

    def _check_settings(self) -> None:
        if unknown := self.settings.keys() - SETTINGS:
            raise UsageError(f"a page may not set {', '.join(sorted(unknown))}")
        for name in _MAY_NAME_FILES:
            if ":" in str(self.settings.get(name, "")):
                raise UsageError(f"a page may not name a file for {name}")
        batch = self.settings.get("batch")
        if isinstance(batch, int) and batch > _MOST_BATCH:
            raise UsageError(f"a page may set a batch of {_MOST_BATCH} at most")

    @property
    def rests(self) -> bool:
        """Whether nothing is edited."""
        return all(strength.rests for target in self.targets for strength in target.edits.values())


def plain_file(source: Path, name: str) -> Path:
    """A file beside a clip. Raises UsageError: it is no plain name of a file."""
    plain = name.strip()
    if not plain or plain.startswith(".") or len(os.fsencode(plain)) > 200 or not plain.isprintable():
        raise UsageError(f"{plain[:60]!r} is no name for a file")
    if any(letter in plain for letter in '/\\:*?"<>|{}'):
        raise UsageError(f'the name {plain[:60]!r} of a file holds none of / \\ : * ? " < > | {{ }}')
    return source.with_name(plain)


def output_of(job: RenderJob) -> Path:
    """Where a job of one clip writes. Raises UsageError: it cannot."""
    return make_plan([job.model_copy(update={"overwrite": True, "alpha_out": None})]).clips[0].output


def matte_of(job: RenderJob) -> Path:
    """Where the studio lets a job write its matte: beside the output. Raises UsageError: it cannot write."""
    output = output_of(job)
    return output.with_name(f"{output.stem}_matte.mp4")


def document_of(words: Any) -> Document:
    """A document from what a page sent. Raises UsageError: it is none."""
    try:
        return Document.model_validate(words)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None


def page_document(job: RenderJob, time_of: Any = None) -> dict[str, Any]:
    """A job in the words of a page.

    Args:
        job: from a file.
        time_of: the number of a frame -> its time in seconds: for keyframes that name frames.

    Raises:
        UsageError: it has more than a page can show.
    """
    values = job.model_dump(mode="json", exclude_defaults=True)
    if lost := sorted(values.keys() & (_FILES - {"output", "alpha_out"})):
        raise UsageError(f"the job file sets {', '.join(lost)}, which the studio would lose")
    targets = []
    for who, words in {**{str(job.faces): job.edit}, **job.per_face}.items():
        edits = _edits(words, time_of)
        for one in who.split(","):
            if one not in WORDS and not re.fullmatch(r"\d{1,6}", one):
                raise UsageError("the job file means somebody by a picture, whom the studio cannot show")
            if edits:
                targets.append({"who": one, "edits": edits})
    settings = {name: value for name, value in values.items() if name in SETTINGS}
    found: dict[str, Any] = {"targets": targets, "settings": settings}
    if job.output is not None:
        output, source = paths.expanded(job.output), paths.expanded(job.input[0])
        if output.parent.resolve() != source.parent.resolve() or output.is_dir() or job.output.endswith(os.sep):
            raise UsageError(f"the job file writes to {job.output}, which is not beside the clip")
        found["name"] = output.name
    if job.alpha_out is not None:
        if paths.expanded(job.alpha_out) != matte_of(job):
            raise UsageError("the job file has a name of its own for the matte, which the studio would lose")
        found["matte"] = True
    return found


def _edits(words: str, time_of: Any) -> dict[str, Any]:
    edits: dict[str, Any] = {}
    for edit in parse_edits(words):
        if edit.keyframes:
            keys = [
                {
                    "time": time_of(int(key.place)) if key.in_frames else key.place,
                    "strength": key.strength,
                    "easing": key.easing,
                }
                for key in edit.keyframes
            ]
            edits[edit.name] = {"keys": keys}
        elif edit.strength:
            edits[edit.name] = {"strength": edit.strength}
    if unknown := edits.keys() - catalogue().keys():
        raise UsageError(f"the job file names the edit {min(unknown)}, a file that the studio does not list")
    return edits


def number(value: float) -> str:
    """A number in as few digits as it needs, six behind the point at most: 1.5, -20, 0.033333."""
    words = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if words == "-0" else words


def catalogue_for_pages() -> list[Mapping[str, Any]]:
    """Every edit with what a slider needs: from the one catalogue there is."""
    return [
        {
            "name": info.name,
            "description": info.description,
            "unit": info.unit,
            "recommended": info.recommended,
            "range": info.range,
            "limits": info.limits,
            "experimental": info.experimental,
            "attribute_leakage": [
                [name, round(value, 1)] for name, value in info.attribute_leakage if abs(value) >= 0.1
            ],
            "own": info.source is not None,
        }
        for info in catalogue().values()
    ]
