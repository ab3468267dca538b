"""RenderJob: everything a user can say about one render, in one validated, frozen model.

The command line, job files and the Python API all end here, with the same names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from videdit.errors import VideditError
from videdit.jobs.field_types import (
    DETECTOR_PATTERN,
    DEVICE_PATTERN,
    LAYOUT_PATTERN,
    RESTORE_PATTERN,
    STRING,
    STRINGS,
    TRACK_PATTERN,
    Batch,
    Box,
    Bytes,
    EditWords,
    Faces,
    Inputs,
    Option,
    ParsedWords,
    PerFace,
    Rate,
    Scenes,
    Seconds,
    parse_detector,
    parse_inputs,
    parse_layout,
    parse_number,
    parse_restore,
    parse_track,
    schema,
)

if TYPE_CHECKING:
    from videdit.edits import Edit


class RenderJob(BaseModel):
    """One render: which inputs, which edits, where to and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Annotated[Inputs, Option("what", "INPUT", positional=True)] = Field(
        min_length=1,
        description="Videos, pictures, folders, globs or shot_%04d.png (in a job file: relative to that file).",
    )
    edit: Annotated[EditWords, Option("what", "EDITS", short="-e", repeated=True)] = Field(
        min_length=1,
        description="What to change: smile, or smile=1.5,age=-10; over time smile=0@0s,2@1.5s; repeatable.",
    )
    output: Annotated[str | None, Option("output", "OUT", short="-o")] = Field(
        None,
        description="A file, a folder, or a template with {stem}, {edit}, {strength} and {ext}; default: beside the "
        "input.",
    )
    profile: Annotated[str, Option("how", "NAME")] = Field(
        "mobile",
        pattern=r"^[\w-]+$",
        description="Model profile: mobile (ships), hfgi-ffhq, hfgi-car, or another of configs/profiles.",
    )
    method: Annotated[Literal["auto", "student", "hfgi", "plain"], Option("how", "NAME")] = Field(
        "auto",
        description="How faces are edited: student (one small network), hfgi (inversion, edit and consultation by the "
        "generator), plain (exactly what HFGI's release computes, frame by frame), or auto (what looks best for these "
        "edits).",
    )
    checkpoint: Annotated[
        tuple[str, ...], BeforeValidator(parse_inputs), schema(STRING, STRINGS), Option("how", "FILE", repeated=True)
    ] = Field(
        (), description="File of a network of profile hfgi-ffhq or hfgi-car, repeatable; default: the installed ones."
    )
    box: Annotated[Box, Option("how", "X,Y,W,H")] = Field(
        None, description="With profile hfgi-car: x,y,width,height of the car in pixels; default: all of the picture."
    )
    faces: Annotated[Faces, Option("what", "WHICH")] = Field(
        "largest",
        description="Faces to edit: largest, left (leftmost), all, numbers as `videdit faces` shows (0 or `0,2`), "
        "or the file of a picture of the person.",
    )
    per_face: PerFace = Field(
        {}, description="Edits of their own for some faces, whom `faces` need not mean: {left: smile, 2: age=-10}."
    )
    tune: Annotated[int, Option("how", "STEPS")] = Field(
        0,
        ge=0,
        le=2000,
        description="First tune the generator to each clip, in so many steps, up to 2000; takes minutes (default: 0).",
    )
    size: Annotated[Literal["auto", 256, 512, 1024], BeforeValidator(parse_number), Option("how", "PX")] = Field(
        "auto",
        description="Size of the face crop: 256, 512 or 1024 pixels, or auto (by the size of the face in the picture).",
    )
    prealign: Annotated[Literal["auto", "landmarks", "flow", "none"], Option("how", "KIND")] = Field(
        "auto",
        description="What carries detail along when a head is turned: landmarks, flow, none, or auto (landmarks for "
        "large turns).",
    )
    detector: Annotated[str, BeforeValidator(parse_detector), Option("how", "KIND")] = Field(
        "mtcnn",
        json_schema_extra={"pattern": DETECTOR_PATTERN},
        description="Face detector: mtcnn (ships), insightface (its pack buffalo_l) or insightface:PACK.",
    )
    restore: Annotated[str, BeforeValidator(parse_restore), Option("how", "KIND")] = Field(
        "auto",
        json_schema_extra={"pattern": RESTORE_PATTERN},
        description="Face restoration before the edit: none, small (ships), gfpgan or realesrgan (a file of yours: "
        "gfpgan:FILE), or auto (small and soft faces only, by gfpgan if it is installed, else by small).",
    )
    restore_strength: Annotated[float, Option("how", "0..1")] = Field(
        1.0, ge=0, le=1, description="How much of the restoration is used: 0 is none, 1 all of it."
    )

    smooth_codes: float = Field(0.07, ge=0, le=0.3, description="Seconds (Gaussian) over which codes are smoothed.")
    smooth_fine: float = Field(0.0, ge=0, le=0.3, description="The same for their fine layers, where it is more.")

    fps: Annotated[Rate, Option("what", "RATE")] = Field(
        None, description="Frames per second of numbered pictures, e.g. 24 or 24000/1001; default: 25."
    )
    video_track: Annotated[str | None, BeforeValidator(parse_track), Option("what", "N|LANG")] = Field(
        None,
        json_schema_extra={"pattern": TRACK_PATTERN},
        description="Video track, where a file has several: number from 1, or language (eng); default: the first.",
    )
    start: Annotated[Seconds, Option("what", "TIME")] = Field(
        None, description="Begin at this time: seconds or h:mm:ss; default: the beginning of the clip."
    )
    end: Annotated[Seconds, Option("what", "TIME")] = Field(
        None, description="Stop before this time: seconds or h:mm:ss; default: the end of the clip."
    )
    scenes: Annotated[Scenes, Option("what", "LIST", repeated=True)] = Field(
        (), description="Edit only these shots, counted from 1: 1-3,5 (--dry-run lists them); default: all."
    )

    codec: Annotated[str | None, Option("output", "NAME")] = Field(
        None,
        description="Video codec: h264, hevc, av1, vp9, prores, ffv1, or an encoder such as hevc_nvenc; default: that "
        "of the source.",
    )
    encoder_backend: Annotated[Literal["pyav", "ffmpeg"], Option("output", "NAME")] = Field(
        "pyav", description="Where encoders come from: pyav (built in) or ffmpeg (an ffmpeg program on this machine)."
    )
    crf: Annotated[float | None, Option("output", "N")] = Field(
        None,
        ge=0,
        le=63,
        description="Encoder quality, 0 to 63: lower is better and larger; default: visually lossless (h264: 16).",
    )
    preset: Annotated[str | None, Option("output", "NAME")] = Field(
        None, description="Speed preset in the encoder's own words, e.g. slow; default: medium, or what is alike."
    )
    lossless: Annotated[bool, Option("output")] = Field(
        False, description="Encode without loss; files become many times larger."
    )
    pix_fmt: Annotated[str | None, BeforeValidator(parse_layout), Option("output", "NAME")] = Field(
        None,
        json_schema_extra={"pattern": LAYOUT_PATTERN},
        description="Pixel format of the output, e.g. yuv420p; default: the source's, or what players need.",
    )
    transcode: Annotated[bool, Option("output")] = Field(
        False,
        description="Re-encode sound and subtitles that the container cannot hold; default: leave them out, said.",
    )

    device: Annotated[str, Option("how", "NAME")] = Field(
        "auto", pattern=DEVICE_PATTERN, description="Where the networks run: auto, cpu, cuda or cuda:N."
    )
    precision: Annotated[Literal["auto", "fp32", "bf16"], Option("how", "KIND")] = Field(
        "auto", description="Number format of the networks: fp32, bf16 or auto (bf16 where it is fast)."
    )
    batch: Annotated[Batch, Option("how", "N")] = Field(
        None, ge=1, description="Face crops per network pass; default: auto, chosen for the device."
    )
    decoder: Annotated[str, Option("how", "NAME")] = Field(
        "cpu",
        pattern=r"^[a-z0-9]{2,16}$",
        description="Where video is decoded: cpu, auto, cuda, vaapi, videotoolbox or qsv.",
    )
    memory: Annotated[Bytes, Option("how", "SIZE")] = Field(
        None,
        ge=1 << 20,
        description="Most memory for frames on their way through, e.g. 500M or 1G; default: by the device.",
    )

    cache: Annotated[bool, Option("how")] = Field(
        True, description="Keep what is found in a clip, so that its next edit begins at once (default: on)."
    )
    analysis: Annotated[str | None, Option("how", "DIR")] = Field(
        None, description="Folder of what --cache keeps; default: the user's cache."
    )
    overwrite: Annotated[bool, Option("output")] = Field(
        False, description="Replace outputs that exist; default: they are refused."
    )
    resume: Annotated[bool, Option("output")] = Field(
        True, description="Keep finished parts of long clips, and go on from them after a crash (default: on)."
    )
    keep_unedited: Annotated[bool, Option("output")] = Field(
        False, description="Also write clips in which no face was found, unedited."
    )
    alpha_out: Annotated[str | None, Option("output", "OUT")] = Field(
        None, description="Also write the matte of the edit, white where it changed the picture: a file or a folder."
    )
    crops_out: Annotated[str | None, Option("output", "DIR")] = Field(
        None, description="With method plain: also write each crop and its whole result, as PNG, into this folder."
    )
    compare: Annotated[Literal["side", "wipe"] | None, Option("output", "KIND", bare="side")] = Field(
        None,
        description="Also write OUT_compare, source and edit: side (side by side, also without KIND) or wipe (moving).",
    )
    debug_video: Annotated[bool, Option("output")] = Field(
        False, description="Also write OUT_debug: the clip with tracks, landmarks, masks and confidence drawn in."
    )
    mark: Annotated[str | None, Option("output", "WORDS")] = Field(
        None,
        pattern=r"^[ -~]{1,60}$",
        description='Words (ASCII) drawn into the lower right corner of every frame, e.g. "AI-edited".',
    )
    sign: Annotated[str | None, Option("output", "CERTS")] = Field(
        None, description="Sign the output with content credentials (C2PA): PEM file of your certificates."
    )
    sign_key: Annotated[str | None, Option("output", "KEY")] = Field(
        None, description="PEM file of the private key of the first certificate of --sign."
    )
    sidecar: Annotated[bool, Option("output")] = Field(
        False, description="Also write OUT.json, which says what was done to the clip."
    )

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
            check_codes(self.edits, self.profile, profile.layers)
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

    @property
    def networks_precision(self) -> str:
        """What the networks compute in: as released, unless the user says otherwise, where the method is plain."""
        return "fp32" if self.method == "plain" and self.precision == "auto" else self.precision

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
