"""The catalogue of edits: one YAML a name in configs/edits, numbers measured when its direction was made, and whatever
lies in the user's own folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from videdit import resources
from videdit.edits.files import SUFFIXES, read_note
from videdit.errors import UsageError

SHIPPED = "directions.safetensors"
USER_RANGE, USER_HARD = (-3.0, 3.0), (-100.0, 100.0)  # of a direction whose file says nothing about itself


@dataclass(frozen=True, slots=True)
class EditInfo:
    """What the user may know of an edit, and what the stages must."""

    name: str
    meaning: str
    unit: str  # what strength 1 is
    recommended: float  # what a bare name means
    range: tuple[float, float]  # beyond it: a warning
    hard: tuple[float, float]  # beyond it: refused
    layers: tuple[int, int] = (0, 17)  # first and last layer of the code that it changes
    regions: tuple[str, ...] = ("face",)  # parts of the face where it may show
    drags: tuple[tuple[str, float], ...] = ()  # other scores at the recommended strength, in their standard deviations
    identity: float | None = None  # cosine of face embeddings before and after, at the recommended strength
    source: Path | None = None  # the user's own file; None for what ships


def edits_dir() -> Path:
    """The folder of the user's own directions: $VIDEDIT_EDITS, else videdit/edits in the user's configuration."""
    if folder := os.environ.get("VIDEDIT_EDITS"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "videdit" / "edits"


def catalogue() -> dict[str, EditInfo]:
    """Every edit by its name: those that ship, then the files of :func:`edits_dir`, which may not take their names.

    Raises:
        UsageError: a file of the user's folder is called like an edit that ships.
    """
    return shipped() | own(edits_dir())


def shipped(folder: Path | None = None) -> dict[str, EditInfo]:
    """The edits that ship, from configs/edits (or `folder`), with what was measured of each."""
    measured = read_note(resources.weights_dir() / SHIPPED)
    infos = {}
    for path in sorted((folder or resources.configs_dir() / "edits").glob("*.yaml")):
        recipe = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        numbers = measured.get(path.stem)
        if numbers is None:  # a recipe whose direction was not made yet
            continue
        infos[path.stem] = EditInfo(
            name=path.stem,
            meaning=recipe["meaning"],
            unit=f"{numbers['unit']:.3g} {recipe['unit']}",
            recommended=float(recipe["recommended"]),
            range=_pair(recipe["range"]),
            hard=_pair(recipe["hard"]),
            layers=(int(recipe["layers"][0]), int(recipe["layers"][1])),
            regions=tuple(recipe["regions"]),
            drags=tuple(sorted(numbers["drags"].items(), key=lambda item: -abs(item[1]))),
            identity=numbers["identity"],
        )
    return infos


def own(folder: Path) -> dict[str, EditInfo]:
    """The directions that lie in a folder of the user's, by their files' names."""
    infos: dict[str, EditInfo] = {}
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        if path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem in infos or (resources.configs_dir() / "edits" / f"{path.stem}.yaml").exists():
            raise UsageError(f"{path}: there is an edit called {path.stem!r} already; rename the file")
        infos[path.stem] = info_of_file(path)
    return infos


def info_of_file(path: Path, name: str | None = None) -> EditInfo:
    """What a direction's file says about itself; files that say nothing get a wide range.

    Raises:
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"the direction {path} does not exist")
    note = read_note(path)
    return EditInfo(
        name=name or path.stem,
        meaning=str(note.get("meaning", "your own direction")),
        unit=str(note.get("unit", "as the file has it")),
        recommended=float(note.get("recommended", 1.0)),
        range=_pair(note.get("range", USER_RANGE)),
        hard=_pair(note.get("hard", USER_HARD)),
        source=path,
    )


def catalogue_table() -> str:
    """The catalogue for people: a few lines an edit."""
    infos = catalogue()
    width = max(map(len, infos), default=0)
    lines = [f"{'name':{width}}  a bare name means / recommended / at most; strength 1 is ...; drags along"]
    for info in infos.values():
        ranges = f"{info.recommended:g} / {_words(info.range)} / {_words(info.hard)}"
        lines.append(f"{info.name:{width}}  {info.meaning}")
        lines.append(f"{'':{width}}    {ranges}; 1 = {info.unit}")
        drags = ", ".join(f"{name} {value:+.1f}" for name, value in info.drags if abs(value) >= 0.1)
        if info.identity is not None:
            lines.append(f"{'':{width}}    drags along: {drags or 'nothing much'} (sd); identity {info.identity:.2f}")
        if info.source is not None:
            lines.append(f"{'':{width}}    from {info.source}")
    lines.append(f"Your own directions: --edit path/to/file.npy=1.5, or files in {edits_dir()}")
    return "\n".join(lines)


def _pair(values: Sequence[float]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _words(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}..{pair[1]:g}"
