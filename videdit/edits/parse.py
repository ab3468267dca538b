"""The user's words for edits: "smile=1.5,age=-1@0s,0@2s,beard" -> (Edit, Edit, Edit)."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from videdit import paths
from videdit.edits.catalogue import SHIPPED, catalogue, info_of_file
from videdit.edits.direction_files import NUM_LAYERS, SUFFIXES, read_direction, read_layers
from videdit.edits.edit_info import EditInfo
from videdit.edits.keyframes import Keyframe, check_order, continues, parse_keyframe
from videdit.edits.pca_components import component_direction
from videdit.edits.published_edits import how_to_get
from videdit.errors import UsageError
from videdit.weights.shipped import verified

FAINT = 0.15  # of the recommended strength: what is weaker is hardly seen


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: a name of the catalogue or the path of a direction's file, how much of it, and what is known of it."""

    name: str
    strength: float  # of one with keyframes: the strength furthest from 0
    keyframes: tuple[Keyframe, ...] = ()
    info: EditInfo = field(kw_only=True, compare=False, repr=False)
    bare: bool = field(default=False, kw_only=True, compare=False, repr=False)  # nobody said how much: the recommended

    @property
    def consulted(self) -> bool:
        """Whether any of its strengths looks best where the generator is conditioned: see EditInfo."""
        strengths = [key.strength for key in self.keyframes] or [self.strength]
        minus, plus = self.info.consulted
        return (minus and min(strengths) < 0) or (plus and max(strengths) > 0)


def parse_edits(words: str) -> tuple[Edit, ...]:
    """Read edits as the user writes them: names or files, each with "=strength", with keyframes
    (:mod:`videdit.edits.keyframes`) or with its recommended strength.

    Raises:
        UsageError: an unknown name or file, a strength that is no number or out of its limits, an edit given twice,
            keyframes that make no sense or are not in order of time.
    """
    infos = catalogue()
    edits: list[Edit] = []
    for word in _split(words):
        name, equals, number = (part.strip() for part in word.partition("="))
        if not name:
            raise UsageError(f"the edit {word.strip()!r} has no name; write it as smile or smile=1.5, joined by commas")
        info = find(name, infos)
        if any(edit.name == name for edit in edits):
            raise UsageError(f"the edit {name!r} is given twice; add the strengths up")
        keyframes = tuple(map(parse_keyframe, number.split(","))) if "@" in number else ()
        check_order(name, keyframes)
        numbers = [f"{key.strength:g}" for key in keyframes] or [number]
        strengths = [_strength(name, given, info) for given in numbers] if equals else [info.recommended]
        edits.append(Edit(name, max(strengths, key=abs), keyframes, info=info, bare=not equals))
    return tuple(edits)


def _split(words: str) -> list[str]:
    """The words for each edit; keyframes are joined by commas too."""
    parts: list[str] = []
    for word in words.split(","):
        if parts and word.strip().isdigit() and re.search(r"=\s*[+-]?\d+\s*$", parts[-1]):
            said = f"{parts[-1].strip()},{word.strip()}"
            raise UsageError(f"{said}: a comma begins the next edit; a part of 1 is {said.replace(',', '.')}")
        if not continues(word):
            parts.append(word)
        elif parts and "@" in parts[-1].partition("=")[2]:
            parts[-1] += f",{word}"
        else:
            raise UsageError(f"the keyframe {word.strip()!r} belongs to no edit; write smile=0@0s,2@1.5s")
    return parts


def cautions(edits: Iterable[Edit], subject: str = "face") -> list[str]:
    """A sentence for each edit beyond its recommended range, too weak to be seen, or that nobody gave a place.

    subject: of the profile; only of faces parts are told apart.
    """
    said = []
    for edit in edits:
        info = edit.info
        low, high = info.range
        if 0 < abs(edit.strength) < FAINT * abs(info.recommended):
            said.append(
                f"{edit.name}={edit.strength:g} will hardly be seen: 1 means {info.unit}, {info.recommended:g} is usual"
            )
        if not info.placed and subject == "face":
            said.append(
                f"{edit.name} changes the face alone, not the hair, for nobody says where it may show: write "
                f"`{{file: {info.source.name if info.source else ''}, regions: [face, hair]}}` into "
                f"{info.source.with_suffix('.yaml') if info.source else ''}"
            )
        strengths = [key.strength for key in edit.keyframes] or [edit.strength]
        if beyond := [strength for strength in strengths if not low <= strength <= high]:
            strength = max(beyond, key=abs)
            said.append(f"{edit.name}={strength:g} is beyond the recommended {low:g}..{high:g}; expect artefacts")
    return said


def find(name: str, infos: dict[str, EditInfo] | None = None) -> EditInfo:
    """The edit of a name, or of a file when the name looks like one's path.

    Raises:
        UsageError: there is none; the nearest name is suggested.
        WeightsError: it is one that ships, but the file of its direction is missing or damaged.
    """
    infos = catalogue() if infos is None else infos
    if name in infos:
        info = infos[name]
    elif is_file(name):
        info = info_of_file(paths.expanded(name), name)
    else:
        if (paths.configs_dir() / "edits" / f"{name}.yaml").exists():  # a recipe without what its file says of it
            verified(SHIPPED.removesuffix(".safetensors"))
        if way := how_to_get(name):
            raise UsageError(f"the file of the released edit {name!r} is not here; {way}")
        near = difflib.get_close_matches(name.lower(), infos, 1, 0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"unknown edit {name!r}; {hint}There is: {', '.join(infos)} (see --list-edits)")
    if info.source is not None:  # a broken file is told now, not in the middle of a batch
        if info.component:
            component_direction(info.source, info.component, info.num_ws or NUM_LAYERS)
        else:
            read_direction(info.source, info.num_ws)
    return info


def check_codes(edits: Iterable[Edit], profile: str, count: int) -> None:
    """Raise UsageError where an edit is one of codes of another number of layers than the profile's, `count`."""
    for edit in edits:
        info = edit.info
        layers = info.num_ws
        if info.source is not None and info.component is None:
            layers = len(read_layers(info.source))
            layers = None if layers == 1 else layers
        if layers not in (None, count):
            raise UsageError(
                f"{edit.name} is an edit of codes of {layers} layers; those of profile {profile} have {count}"
            )


def is_file(name: str) -> bool:
    """Whether a name means a direction's file."""
    return "/" in name or "\\" in name or Path(name).suffix.lower() in SUFFIXES


def _strength(name: str, number: str, info: EditInfo) -> float:
    try:
        strength = float(number)
    except ValueError:
        raise UsageError(f"the strength {number!r} of {name!r} is not a number; write {name}=1.5") from None
    low, high = info.limits
    if not math.isfinite(strength) or not low <= strength <= high:
        good = f"{info.range[0]:g} to {info.range[1]:g}"
        raise UsageError(f"{name}={number} is out of range: {low:g} to {high:g} is possible, {good} recommended")
    return strength
