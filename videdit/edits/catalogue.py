"""The catalogue of edits: those that ship, released ones whose files the user has, and the user's own.

One YAML a name in configs/edits, beside numbers measured when its direction was made; one in configs/released for edits
that others published (:mod:`videdit.edits.published_edits`); and whatever lies in the user's own folder.
"""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from pathlib import Path

from videdit import paths
from videdit.edits.direction_files import SUFFIXES, read_note
from videdit.edits.edit_info import USER_LIMITS, USER_RANGE, EditInfo, pair, regions_named
from videdit.edits.expression_easing import parse_speech
from videdit.edits.published_edits import RECIPES, RELEASED, info_of_recipe, read_yaml, released, released_sources
from videdit.errors import UsageError

SHIPPED = "directions.safetensors"


def edits_dir() -> Path:
    """The folder of the user's own directions: $VIDEDIT_EDITS, else videdit/edits in the user's configuration."""
    if folder := os.environ.get("VIDEDIT_EDITS"):
        return paths.expanded(folder)
    home = paths.home_dir()
    base = os.environ.get("XDG_CONFIG_HOME") or (home and home / ".config")
    return Path(base) / "videdit" / "edits" if base else paths.cache_dir() / "edits"


def catalogue() -> dict[str, EditInfo]:
    """Every edit by its name: those that ship, released ones whose files are there, then those of :func:`edits_dir`.

    Raises:
        UsageError: a recipe in that folder makes no sense, or two files there have one name.
    """
    return shipped() | released(edits_dir()) | own(edits_dir())


def shipped(folder: Path | None = None) -> dict[str, EditInfo]:
    """The edits that ship, from configs/edits (or `folder`), with what was measured of each."""
    directions = paths.weights_dir() / SHIPPED
    recipes = sorted((folder or paths.configs_dir() / "edits").glob("*.yaml"))
    return dict(_shipped(tuple((path, _stamp(path)) for path in (directions, *recipes))))


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@functools.lru_cache(maxsize=8)
def _shipped(files: tuple[tuple[Path, int], ...]) -> dict[str, EditInfo]:
    """Those of the directions' file and of recipes, read once as long as these stay: each with when it changed."""
    (directions, _), *recipes = files
    measured = read_note(directions)
    infos = {}
    for path, _ in recipes:
        recipe = read_yaml(path)
        numbers = measured.get(path.stem)
        if numbers is None:  # a recipe whose direction was not made yet
            continue
        infos[path.stem] = EditInfo(
            name=path.stem,
            description=recipe["description"],
            unit=f"{numbers['unit']:.3g} {recipe['unit']}",
            recommended=float(recipe["recommended"]),
            range=pair(recipe["range"]),
            limits=pair(recipe["limits"]),
            layers=(int(recipe["layers"][0]), int(recipe["layers"][1])),
            regions=tuple(recipe["regions"]),
            scale=pair(recipe.get("scale", (1.0, 1.0))),
            speech=parse_speech(recipe.get("speech")),
            blinks=bool(recipe.get("blinks", False)),
            purses=bool(recipe.get("purses", False)),
            smiles=bool(recipe.get("smiles", False)),
            gapes=bool(recipe.get("gapes", False)),
            consulted=both_ways(recipe.get("consulted", True)),
            attribute_leakage=tuple(sorted(numbers["attribute_leakage"].items(), key=lambda item: -abs(item[1]))),
            identity=numbers["identity"],
            response=pair(recipe.get("response", (1.0, 1.0))),
            method=str(recipe.get("method", "hfgi")),
            takes=str(recipe.get("takes", "")),
            experimental=str(recipe.get("experimental", "")),
            correlation=numbers.get("correlation"),
            mahalanobis=numbers.get("mahalanobis"),
        )
    return infos


def both_ways(said: bool | list[bool]) -> tuple[bool, bool]:
    """Of a minus and of a plus: what a recipe says of each, or of both."""
    minus, plus = said if isinstance(said, list) else (said, said)
    return bool(minus), bool(plus)


def own(folder: Path) -> dict[str, EditInfo]:
    """The user's own edits: recipes and directions in a folder, by their files' names, "own_" before names that ship.

    Raises:
        UsageError: a recipe makes no sense, or two files have one name.
    """
    infos: dict[str, EditInfo] = {}
    files = sorted(path for path in folder.glob("*") if not path.name.startswith(".")) if os.path.isdir(folder) else []
    written = {path: info_of_recipe(path, folder) for path in files if path.suffix.lower() in RECIPES}
    used = {info.source for info in written.values()} | released_sources(folder)
    for path in files:
        if path not in written and (path.suffix.lower() not in SUFFIXES or path in used):
            continue
        name = f"own_{path.stem}" if is_taken(path.stem) else path.stem
        if name in infos:
            raise UsageError(f"{path}: there is an edit called {name!r} already; rename the file")
        infos[name] = replace(written[path], name=name) if path in written else info_of_file(path, name)
    return infos


def is_taken(name: str) -> bool:
    """Whether an edit that ships, or one that others released, is called so."""
    return any((paths.configs_dir() / kind / f"{name}.yaml").exists() for kind in ("edits", RELEASED))


def info_of_file(path: Path, name: str | None = None) -> EditInfo:
    """What a direction's file says about itself, or a recipe of its name beside it; else it gets a wide range.

    Raises:
        UsageError: there is no such file, or the recipe makes no sense.
    """
    if not path.is_file():
        raise UsageError(f"the direction {path} does not exist")
    for suffix in RECIPES:
        recipe = path.with_suffix(suffix)
        if recipe.is_file() and read_yaml(recipe).get("file") == path.name:
            return replace(info_of_recipe(recipe, path.parent), name=name or path.stem)
    note = read_note(path)
    regions = note.get("regions")
    return EditInfo(
        name=name or path.stem,
        description=str(note.get("description", "your own direction")),
        unit=str(note.get("unit", "as the file has it")),
        recommended=float(note.get("recommended", 1.0)),
        range=pair(note.get("range", USER_RANGE)),
        limits=pair(note.get("limits", USER_LIMITS)),
        regions=regions_named(regions, path) if regions else ("face",),
        source=path,
        placed=bool(regions),
        num_ws=None,
    )


def catalogue_table(verbose: bool = False) -> str:
    """The catalogue for people: a few lines an edit; verbose: with what is known of its direction."""
    infos = catalogue()
    width = max(map(len, infos), default=0)
    lines = [f"{'name':{width}}  a bare name means / recommended / at most; strength 1 is ...; attribute leakage"]
    for info in infos.values():
        ranges = f"{info.recommended:g} / {_words(info.range)} / {_words(info.limits)}"
        lines.append(f"{info.name:{width}}  {info.description}")
        lines.append(f"{'':{width}}    {ranges}; 1 = {info.unit}")
        leakage = ", ".join(f"{name} {value:+.1f}" for name, value in info.attribute_leakage if abs(value) >= 0.1)
        if info.identity is not None:
            lines.append(
                f"{'':{width}}    attribute leakage: {leakage or 'hardly any'} (sd); identity {info.identity:.2f}"
            )
        if info.correlation is not None and verbose:
            known = f"correlation with its score {info.correlation:.2f}; 1 is {info.mahalanobis:.2f} sd of codes long"
            lines.append(f"{'':{width}}    {known}; by {info.method}")
        if info.experimental:
            lines.append(f"{'':{width}}    experimental: {info.experimental}")
        if info.source is not None:
            lines.append(f"{'':{width}}    from {info.source}")
    lines.append(f"Your own directions: --edit path/to/file.npy=1.5, or files in {edits_dir()}")
    return "\n".join(lines)


def _words(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}..{pair[1]:g}"
