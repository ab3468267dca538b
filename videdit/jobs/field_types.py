"""Words of the command line and of job files -> values of a RenderJob's fields, and the JSON schemas of these words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from videdit.edits.keyframes import EASINGS
from videdit.errors import VideditError

if TYPE_CHECKING:
    from videdit.edits import Edit

SUFFIXES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
BYTES_PATTERN = r"^\s*(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(?:i?[bB])?\s*$"
TIME_PATTERN = r"^(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)$"
RATE_PATTERN = r"^\d{1,9}(\.\d{1,9}|/\d{1,9})?$"
SCENE_PATTERN = r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*"
BOX_PATTERN = r"^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*$"
RESTORE_PATTERN = r"^(none|small|auto|(gfpgan|realesrgan)(:.+)?)$"
DETECTOR_PATTERN = r"^(mtcnn|insightface(:.+)?)$"
TRACK_PATTERN = r"^([1-9]\d?|[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*)$"
LAYOUT_PATTERN = r"^(yuva?4(20|22|44)p|gbra?p|gray)((9|10|12|14|16)le)?$"
DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"


@dataclass(frozen=True)
class Option:
    """How the command line has a field of a job: its name, its help and what it may be are the field's own."""

    group: str  # under which heading of --help: "what", "output" or "how"
    value: str | None = None  # what stands for its value there; None: a switch
    short: str = ""  # one letter beside its name: "-o"
    repeated: bool = False  # said again, it adds to what was said
    bare: str | None = None  # what it means without a value; None: it needs one
    positional: bool = False


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


def parse_track(value: Any) -> Any:
    """2 or "ENG" -> "2", "eng"."""
    if value is None:
        return None
    if not re.match(TRACK_PATTERN, str(value)):
        raise ValueError(f"{value!r} is no video track; write its number (2) or its language (eng)")
    return str(value).lower()


def parse_layout(value: Any) -> Any:
    """The name of a planar layout, as FFmpeg calls it."""
    if value is not None and not re.match(LAYOUT_PATTERN, str(value)):
        raise ValueError(f"{value!r} is no layout of pictures; write it like yuv420p, yuv422p10le, gbrp or gray")
    return value


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
    """One input is a list of one."""
    return [value] if isinstance(value, str) else value


def parse_number(value: Any) -> Any:
    """Words of the command line that are whole numbers become numbers."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def parse_faces(value: Any) -> Any:
    """Words for faces, checked: a number, several, or a picture."""
    from videdit.tracks.selection import parse_choice

    try:
        return parse_number(parse_choice(value))
    except VideditError as error:
        raise ValueError(str(error)) from None


def parse_per_face(value: Any) -> Any:
    """A mapping of words for faces to edits, both in their plain form."""
    if not isinstance(value, Mapping):
        return value
    return {str(parse_faces(face)): parse_edit(edit) for face, edit in value.items()}


class ParsedWords(str):
    """Words for edits on their way into a job, with what they mean."""

    edits: tuple[Edit, ...]

    def __new__(cls, words: str) -> Self:
        """Raises ValueError where they mean nothing, with what :func:`videdit.edits.parse_edits` says."""
        from videdit.edits import parse_edits

        parsed = super().__new__(cls, words)
        try:
            parsed.edits = parse_edits(words)
        except VideditError as error:
            raise ValueError(str(error)) from None
        return parsed


def parse_restore(value: Any) -> Any:
    """The name of a restorer, checked."""
    if isinstance(value, str) and not re.match(RESTORE_PATTERN, value):
        raise ValueError(f"{value!r} is not a restoration; there is none, small, gfpgan, realesrgan and auto")
    return value


def parse_detector(value: Any) -> Any:
    """The name of a detector, checked."""
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
    """The word "auto" means that nothing was chosen."""
    return None if value == "auto" else parse_number(value)


def schema(*kinds: dict[str, Any], **more: Any) -> WithJsonSchema:
    """What a field may be, in the words of a JSON schema."""
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

Inputs = Annotated[tuple[str, ...], BeforeValidator(parse_inputs), schema(STRING, STRINGS)]
EDITS_SCHEMA: dict[str, Any] = {
    "anyOf": [STRING, STRINGS, {"type": "object", "additionalProperties": {"anyOf": [*STRENGTHS, KEYFRAMES]}}]
}
EditWords = Annotated[str, BeforeValidator(parse_edit), WithJsonSchema(EDITS_SCHEMA)]
Scenes = Annotated[
    tuple[int, ...],
    BeforeValidator(parse_scenes),
    schema({"type": "integer", "minimum": 1}, STRING, {"type": "array", "items": {"type": ["integer", "string"]}}),
]
Seconds = Annotated[
    float | None, BeforeValidator(parse_time), schema(NUMBER, {"type": "string", "pattern": TIME_PATTERN}, NULL)
]
Rate = Annotated[
    Fraction | None,
    BeforeValidator(parse_rate),
    PlainSerializer(lambda rate: None if rate is None else str(rate)),
    schema({"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": RATE_PATTERN}, NULL),
]
Bytes = Annotated[
    int | None,
    BeforeValidator(parse_bytes),
    schema({"type": "integer", "minimum": 0}, {"type": "string", "pattern": BYTES_PATTERN}, NULL),
]
Faces = Annotated[
    str | int,
    BeforeValidator(parse_faces),
    schema({"enum": ["largest", "all", "left"]}, {"type": "integer", "minimum": 0}, STRING),
]
PerFace = Annotated[
    dict[str, str],
    BeforeValidator(parse_per_face),
    WithJsonSchema({"type": "object", "additionalProperties": EDITS_SCHEMA}),
]
Box = Annotated[
    tuple[float, float, Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None,
    BeforeValidator(parse_box),
    schema(
        {"type": "string", "pattern": BOX_PATTERN},
        {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        NULL,
    ),
]
Batch = Annotated[
    int | None,
    BeforeValidator(auto_is_none),
    schema({"type": "integer", "minimum": 1, "maximum": 256}, {"enum": ["auto", None]}),
]
