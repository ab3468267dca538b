"""Edits described by a YAML beside the file that they are taken from: those that others released, and the user's.

    description: wider eyes         # what a list of edits says
    file: ffhq_pca.pt               # beside the YAML; released edits name weights of weights/published.yaml instead
    component: {index: 54, layers: [7, 7], coordinate: 20}      # of a file of principal components; else a direction
    unit: the release's own edit    # what strength 1 is
    recommended: 1
    range: [-1, 1.5]
    limits: [-5, 5]                 # what is beyond is refused
    regions: [face, hair]           # where the edit may show (docs/edits.md); else on the face alone
    num_ws: 18                      # layers of the codes that it is for

Only file and, of components, component are needed.
"""

from __future__ import annotations

import functools
from collections.abc import Container
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from videdit import paths
from videdit.edits.direction_files import NUM_LAYERS, SUFFIXES, current_keys
from videdit.edits.edit_info import USER_LIMITS, USER_RANGE, EditInfo, pair, regions_named
from videdit.edits.pca_components import parse_component
from videdit.errors import UsageError
from videdit.weights import published

RELEASED = "released"  # the folder of configs/
RECIPES = (".yaml", ".yml")
_FIELDS = {"description", "file", "weights", "component", "unit", "recommended", "range", "limits", "regions", "num_ws"}


def info_of_recipe(path: Path, folder: Path) -> EditInfo:
    """What a recipe says; its file is looked for in `folder`.

    Raises:
        UsageError: it cannot be read, or makes no sense.
    """
    fields = read_yaml(path)
    try:
        if unknown := set(fields) - _FIELDS:
            raise ValueError(f"unknown setting {', '.join(map(repr, sorted(map(str, unknown))))}")
        source = folder / str(fields["file"]) if "file" in fields else None
        component = parse_component(fields["component"]) if "component" in fields else None
        return EditInfo(
            name=path.stem,
            description=str(fields.get("description", "your own edit")),
            unit=str(fields.get("unit", "as the file has it")),
            recommended=float(fields.get("recommended", 1)),
            range=pair(fields.get("range", USER_RANGE)),
            limits=pair(fields.get("limits", USER_LIMITS)),
            regions=regions_named(fields.get("regions", ["face"]), path),
            placed="regions" in fields,
            source=source,
            component=component,
            num_ws=int(fields.get("num_ws", NUM_LAYERS)) if component else fields.get("num_ws"),
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        problem = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UsageError(f"{path} is not an edit ({problem}); see videdit/edits/published_edits.py") from None


def released(folder: Path) -> dict[str, EditInfo]:
    """The released edits whose files are installed or lie in a folder of the user's."""
    infos, copies = {}, published.installed()
    for path in _released_paths():
        if source := _source(read_yaml(path)["weights"], folder, copies):
            info = info_of_recipe(path, folder)
            infos[info.name] = replace(info, source=source, placed=True)
    return infos


def released_sources(folder: Path) -> set[Path]:
    """Files of components in a folder that released edits are taken from: they are no directions themselves."""
    recipes = map(read_yaml, _released_paths())
    return {file for recipe in recipes if "component" in recipe if (file := _dropped(recipe["weights"], folder))}


def how_to_get(name: str) -> str | None:
    """The command that brings a released edit's file in; None where no released edit is called so."""
    path = paths.configs_dir() / RELEASED / f"{name}.yaml"
    return published.how_to_get(published.entry(read_yaml(path)["weights"])) if path in _released_paths() else None


def _released_paths() -> list[Path]:
    return sorted((paths.configs_dir() / RELEASED).glob("*.yaml"))


def _source(weights: str, folder: Path, copies: Container[str]) -> Path | None:
    if weights in copies and published.is_installed(weights):
        return published.target(published.entry(weights))
    return _dropped(weights, folder)


def _dropped(weights: str, folder: Path) -> Path | None:
    """A file of components that the user put into the folder under the name that its publishers gave it."""
    if not folder.is_dir():
        return None
    stem = published.entry(weights).file.rpartition(".")[0]
    if not stem.endswith("_pca"):  # any direction may be called age.pt
        return None
    return next((path for suffix in SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()), None)


def read_yaml(path: Path) -> dict[str, Any]:
    """The settings of a recipe, read once as long as its file stays. Raises UsageError where it cannot be read."""
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise UsageError(f"cannot read the edit {path}: {error.strerror}") from None
    return _parsed(path, stamp)


@functools.lru_cache(maxsize=64)
def _parsed(path: Path, stamp: int) -> dict[str, Any]:
    try:
        text, loader = path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader)):
            raise UsageError(f"{path} has aliases (*), by which a few lines can grow without end; write them out")
        fields = yaml.load(text, Loader=loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"cannot read the edit {path}: {' '.join(str(error).split())[:120]}") from None
    if not isinstance(fields, dict):
        raise UsageError(f"{path} is not an edit; see videdit/edits/published_edits.py")
    return current_keys(fields)
