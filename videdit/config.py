"""RenderJob: everything a user can say about one render, in one validated, frozen model.

The command line, job files and the Python API all end here, with the same names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from videdit.edits.keyframes import EASINGS
from videdit.errors import VideditError

SUFFIXES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
BYTES_PATTERN = r"^\s*(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(?:i?[bB])?\s*$"
TIME_PATTERN = r"^(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)$"
RATE_PATTERN = r"^\d{1,9}(\.\d{1,9}|/\d{1,9})?$"
SCENE_PATTERN = r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*"
BOX_PATTERN = r"^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*$"
RESTORE_PATTERN = r"^(none|small|auto|(gfpgan|realesrgan)(:.+)?)$"
DETECTOR_PATTERN = r"^(mtcnn|insightface(:.+)?)$"
DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"


def parse_bytes(value: Any) -> Any:
    """ "1.5G", "800 MiB" or a number of bytes -> bytes."""
    if isinstance(value, str):
        match = re.match(BYTES_PATTERN, value)
        if not match:
            raise ValueError(f"{value!r} is not an amount of memory; write it like 2G or 800M")
        return int(float(match[1]) * SUFFIXES[match[2].lower()])
    return value


def parse_time(value: Any) -> Any:
    """ "75.5", "1:15.5" or "0:01:15.5" -> seconds."""
    if isinstance(value, str):
        match = re.match(TIME_PATTERN, value.strip())
        if not match:
            raise ValueError(f"{value!r} is not a time; write seconds (75.5) or hours:minutes:seconds (0:01:15.5)")
        return int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + float(match[3])
    return value


def parse_rate(value: Any) -> Any:
    """ "24", "29.97" or "24000/1001" -> frames a second."""
    if value is None or isinstance(value, Fraction):
        return value
    match = re.match(RATE_PATTERN, str(value).strip())
    rate = Fraction(match[0]) if match and not re.search(r"/0+$", match[0]) else Fraction(0)
    if not 0 < rate <= 1000:
        raise ValueError(f"{value!r} is not a frame rate; write it like 24, 29.97 or 24000/1001")
    return rate


def parse_edit(value: Any) -> Any:
    """A string, a list of strings or a mapping of name to strength or keyframes -> one string "smile=1.5,age=-1"."""
    if isinstance(value, Mapping):
        value = [name if strength is None else f"{name}={_strength(strength)}" for name, strength in value.items()]
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return value


def _strength(value: Any) -> str:
    """A number, "0@0s,2@1.5s", or a list of keyframes as in a job file -> words."""
    if not isinstance(value, list | tuple):
        return str(value)
    if not value:
        raise ValueError("a list of keyframes should hold at least one, such as {strength: 0, at: 0s}")
    return ",".join(_keyframe(item) for item in value)


def _keyframe(value: Any) -> str:
    if isinstance(value, Mapping):
        if not {"strength", "at"} <= value.keys() <= {"strength", "at", "easing"}:
            raise ValueError("a keyframe should have strength, at and perhaps easing, and nothing else")
        easing = value.get("easing")
        return f"{value['strength']}@{value['at']}" + (f":{easing}" if easing else "")
    if "@" not in str(value):
        raise ValueError(f"{value!r} is not a keyframe; write 2@1.5s, or {{strength: 2, at: 1.5s}}")
    return str(value)


def parse_scenes(value: Any) -> Any:
    """ "1,3-5", a number or a list of such -> (1, 3, 4, 5)."""
    scenes: set[int] = set()
    for item in value if isinstance(value, list | tuple) else [value]:
        for word in str(item).split(","):
            match = re.fullmatch(SCENE_PATTERN, word)
            first = int(match[1]) if match else 0
            last = int(match[2] or first) if match else 0
            if not 0 < first <= last < 100_000:
                raise ValueError(f"{word.strip()!r} is not a scene; write 1, 3 or 1-3,5 (the first scene is 1)")
            scenes.update(range(first, last + 1))
    return tuple(sorted(scenes))


def parse_inputs(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def parse_number(value: Any) -> Any:
    """Words of the command line that are whole numbers become numbers."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def parse_faces(value: Any) -> Any:
    from videdit.people.choice import parse_choice

    try:
        return parse_number(parse_choice(value))
    except VideditError as error:
        raise ValueError(str(error)) from None


def parse_per_face(value: Any) -> Any:
    """A mapping of words for faces to edits, both in their plain form."""
    if not isinstance(value, Mapping):
        return value
    return {str(parse_faces(face)): parse_edit(edit) for face, edit in value.items()}


def parse_restore(value: Any) -> Any:
    if isinstance(value, str) and not re.match(RESTORE_PATTERN, value):
        raise ValueError(f"{value!r} is not a restoration; there is none, small, gfpgan, realesrgan and auto")
    return value


def parse_detector(value: Any) -> Any:
    if isinstance(value, str) and not re.match(DETECTOR_PATTERN, value):
        raise ValueError(f"{value!r} is not a detector; there is mtcnn, insightface and insightface:PACK")
    return value


def parse_box(value: Any) -> Any:
    """ "120,80,640,480" -> (120, 80, 640, 480)."""
    if isinstance(value, str):
        match = re.match(BOX_PATTERN, value)
        if not match:
            raise ValueError(f"{value!r} is not a box; write it x,y,width,height in pixels, like 120,80,640,480")
        return tuple(map(float, match.groups()))
    return value


def auto_is_none(value: Any) -> Any:
    return None if value == "auto" else parse_number(value)


def _schema(*kinds: dict[str, Any], **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": list(kinds), **more})


STRING: dict[str, Any] = {"type": "string"}
STRINGS: dict[str, Any] = {"type": "array", "items": STRING, "minItems": 1}
NUMBER: dict[str, Any] = {"type": "number", "minimum": 0}
NULL: dict[str, Any] = {"type": "null"}
STRENGTHS: list[dict[str, Any]] = [{"type": ["number", "null"]}, STRING]
KEYFRAME: dict[str, Any] = {
    "type": "object",
    "properties": {
        "strength": {"type": "number"},
        "at": {"type": ["number", "string"], "description": "Seconds, h:mm:ss, or a frame as 36f."},
        "easing": {"enum": list(EASINGS)},
    },
    "required": ["strength", "at"],
    "additionalProperties": False,
}
KEYFRAMES: dict[str, Any] = {"type": "array", "items": {"anyOf": [STRING, KEYFRAME]}, "minItems": 1}

Inputs = Annotated[tuple[str, ...], BeforeValidator(parse_inputs), _schema(STRING, STRINGS)]
EDITS_SCHEMA: dict[str, Any] = {
    "anyOf": [STRING, STRINGS, {"type": "object", "additionalProperties": {"anyOf": [*STRENGTHS, KEYFRAMES]}}]
}
EditWords = Annotated[str, BeforeValidator(parse_edit), WithJsonSchema(EDITS_SCHEMA)]
Scenes = Annotated[
    tuple[int, ...],
    BeforeValidator(parse_scenes),
    _schema({"type": "integer", "minimum": 1}, STRING, {"type": "array", "items": {"type": ["integer", "string"]}}),
]
Seconds = Annotated[
    float | None, BeforeValidator(parse_time), _schema(NUMBER, {"type": "string", "pattern": TIME_PATTERN}, NULL)
]
Rate = Annotated[
    Fraction | None,
    BeforeValidator(parse_rate),
    PlainSerializer(lambda rate: None if rate is None else str(rate)),
    _schema({"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": RATE_PATTERN}, NULL),
]
Bytes = Annotated[
    int | None,
    BeforeValidator(parse_bytes),
    _schema({"type": "integer", "minimum": 0}, {"type": "string", "pattern": BYTES_PATTERN}, NULL),
]
Faces = Annotated[
    str | int,
    BeforeValidator(parse_faces),
    _schema({"enum": ["largest", "all", "left"]}, {"type": "integer", "minimum": 0}, STRING),
]
PerFace = Annotated[
    dict[str, str],
    BeforeValidator(parse_per_face),
    WithJsonSchema({"type": "object", "additionalProperties": EDITS_SCHEMA}),
]
Box = Annotated[
    tuple[float, float, Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None,
    BeforeValidator(parse_box),
    _schema(
        {"type": "string", "pattern": BOX_PATTERN},
        {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        NULL,
    ),
]
Batch = Annotated[
    int | None, BeforeValidator(auto_is_none), _schema({"type": "integer", "minimum": 1}, {"enum": ["auto", None]})
]


class RenderJob(BaseModel):
    """One render: which inputs, which edits, where to and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Inputs = Field(min_length=1, description="Files, folders or globs; relative to the job file.")
    edit: EditWords = Field(
        min_length=1,
        description="What to change: `smile`, `smile=1.5,age=-1`, a list of such, or name: strength or keyframes.",
    )
    output: str | None = Field(
        None,
        description="A file, a folder, or a template with {stem}, {edit} and {ext}; default: beside the input.",
    )
    profile: str = Field("mobile", pattern=r"^[\w-]+$", description="The model profile: a name in configs/profiles.")
    checkpoint: Annotated[tuple[str, ...], BeforeValidator(parse_inputs), _schema(STRING, STRINGS)] = Field(
        (), description="Files of the networks of profile hfgi-ffhq or hfgi-car, instead of the installed ones."
    )
    box: Box = Field(None, description="Profile hfgi-car: x,y,width,height of the car in pixels; default: all.")
    faces: Faces = Field(
        "largest",
        description="Whom to edit: largest, all, left, numbers that `videdit faces` tells (0 or `0,2`), or the file of "
        "a picture of the person.",
    )
    per_face: PerFace = Field(
        {}, description="Edits of their own for some faces, whom `faces` need not mean: {left: smile, 2: age=-1}."
    )
    tune: int = Field(
        0, ge=0, le=2000, description="Steps by which the generator is tuned to each clip before it is rendered."
    )
    size: Annotated[Literal["auto", 256, 512, 1024], BeforeValidator(parse_number)] = Field(
        "auto", description="Pixels at which a face is rendered; auto: what its size in the picture needs."
    )
    prealign: Literal["auto", "landmarks", "flow", "none"] = Field(
        "auto", description="How lost detail finds its place in a turned head; auto: landmarks where it turns far."
    )
    detector: Annotated[str, BeforeValidator(parse_detector)] = Field(
        "mtcnn",
        json_schema_extra={"pattern": DETECTOR_PATTERN},
        description="What finds faces: mtcnn (ships) or insightface, with buffalo_l or another pack: insightface:PACK.",
    )
    restore: Annotated[str, BeforeValidator(parse_restore)] = Field(
        "auto",
        json_schema_extra={"pattern": RESTORE_PATTERN},
        description="Face restoration before the edit: none, small (ships), gfpgan or realesrgan, whose file can be "
        "named (gfpgan:FILE); auto: of faces that are small and soft, by gfpgan where it is there, else small.",
    )
    restore_strength: float = Field(1.0, ge=0, le=1, description="How much of the restoration reaches the picture.")

    smooth_codes: float = Field(0.07, ge=0, le=0.3, description="Seconds (Gaussian) over which codes are smoothed.")
    smooth_fine: float = Field(0.0, ge=0, le=0.3, description="The same for their fine layers, where it is more.")

    fps: Rate = Field(None, description="Frames a second of numbered pictures, e.g. 24000/1001; default: 25.")
    start: Seconds = Field(None, description="Cut the clip: seconds or hours:minutes:seconds.")
    end: Seconds = Field(None, description="Cut the clip here.")
    scenes: Scenes = Field((), description="Edit only these shots of what is rendered: 1-3,5; default: all.")

    codec: str | None = Field(
        None,
        description="h264, hevc, av1, vp9, prores, ffv1 or an encoder, e.g. hevc_nvenc; default: the source's family.",
    )
    encoder_backend: Literal["pyav", "ffmpeg"] = Field(
        "pyav", description="Whose encoders: the ones built in, or those of an ffmpeg program of yours."
    )
    crf: float | None = Field(None, ge=0, le=63, description="Quality of the encoder: lower is better and larger.")
    preset: str | None = Field(None, description="Speed preset of the encoder.")
    lossless: bool = Field(False, description="Encode without any loss.")
    transcode: bool = Field(False, description="Encode sound and text anew that the container cannot hold.")

    device: str = Field("auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:N.")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="Number format of the networks.")
    batch: Batch = Field(None, ge=1, description="Crops a network pass; auto chooses for the device.")
    decoder: str = Field(
        "cpu", pattern=r"^[a-z0-9]{2,16}$", description="cpu, auto or a kind of device: cuda, vaapi, videotoolbox, qsv."
    )
    memory: Bytes = Field(None, ge=1 << 20, description="Bytes that frames in flight may hold, e.g. 1G.")

    cache: bool = Field(True, description="Keep what is found in a clip, so that its next edit need not look again.")
    analysis: str | None = Field(None, description="The folder where that is kept; default: the user's cache.")
    overwrite: bool = Field(False, description="Replace outputs that exist.")
    resume: bool = Field(True, description="Keep finished parts of long clips, and go on with them after a crash.")
    keep_unedited: bool = Field(False, description="Write clips in which no face was found, unedited.")
    alpha_out: str | None = Field(None, description="Also write the edit's matte, in grey: a file or a folder.")
    compare: Literal["side", "wipe"] | None = Field(
        None, description="Also write OUT_compare: source and edit side by side, or under a moving wipe."
    )
    debug_video: bool = Field(False, description="Also write OUT_debug: tracks, landmarks, masks, confidence drawn.")
    mark: str | None = Field(
        None, pattern=r"^[ -~]{1,60}$", description="Words (ASCII) drawn in a corner of every frame: AI-edited."
    )
    sign: str | None = Field(None, description="PEM file of certificates: sign a C2PA manifest into the output.")
    sign_key: str | None = Field(None, description="PEM file of the private key of the first of them.")
    sidecar: bool = Field(False, description="Write a JSON file beside the output that says what was done to it.")

    @field_validator("edit")
    @classmethod
    def _edit_is_known(cls, value: str) -> str:
        from videdit.edits import parse_edits

        try:
            parse_edits(value)
        except VideditError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("per_face")
    @classmethod
    def _edits_are_known(cls, value: dict[str, str]) -> dict[str, str]:
        for words in value.values():
            cls._edit_is_known(words)
        return value

    @field_validator("profile")
    @classmethod
    def _profile_is_known(cls, value: str) -> str:
        from videdit.profiles import load_profile

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
        if self.lossless and self.crf is not None:
            raise ValueError("lossless and crf exclude each other")
        return self

    def _check_profile(self) -> None:
        """Raises ValueError for words that the profile has no use for."""
        from videdit.edits import check_codes, parse_edits
        from videdit.profiles import load_profile

        try:
            profile = load_profile(self.profile, self.checkpoint)
            check_codes(parse_edits(self.edit), self.profile, profile.layers)
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
