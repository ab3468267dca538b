"""Recipes: the numbers of a training, read from configs/train/*.yaml, and which there are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import yaml

from videdit.errors import UsageError

# What each trains. Its module videdit.training.NAME has a class Recipe (its numbers) and either a class Training (a
# step, see training.py) or a function run.
RECIPES = {
    "head256": "train the generator's head for 256 px",
    "encoder": "train the basic encoder (E0)",
    "hfgi": "train ADA and the consultation encoder, with encoder and generator frozen",
    "hfgi_ffhq": "train HFGI for faces, to the letter of its paper",
    "hfgi_car": "train HFGI for cars, to the letter of its paper",
    "directions": "fit the directions of edits on samples of the generator",
    "parser": "train the face parser on CelebAMask-HQ",
    "restorer": "train the blind face restorer",
    "student": "train the student on pairs of the generator",
}


@dataclass
class Recipe:
    """What the YAML of any trained network may say; each recipe adds its own keys and defaults."""

    steps: int = 0  # how long the training is; 0: as long as the time budget, and the learning rate follows the clock
    seed: int = 0
    schedule: str = "cosine"  # of the learning rate, or "constant"
    warmup: int = 100  # steps until the learning rate is at its peak
    clip: float = 1.0  # gradients are shortened to this length; 0: they are not
    ema: float = 0.995  # of the weights: the average is what is validated and exported; 0: there is none
    held: int = 50  # the last faces of the pack, which no step sees: validation is on them


R = TypeVar("R")


def recipe_module(name: str) -> ModuleType:
    """The module of a recipe, imported only when it is wanted."""
    return importlib.import_module(f"videdit.training.{name}")


def read_recipe(kind: type[R], path: Path | None, own: Mapping[str, str] | None = None) -> R:
    """A recipe from its YAML file, or its defaults; own: values that count in place of those.

    Raises:
        UsageError: the file cannot be read, has a key that the recipe has not, or a value of another kind.
    """
    values = {} if path is None else _read(path)
    values |= {key: yaml.safe_load(word) if word else word for key, word in (own or {}).items()}
    path = path or Path("--set")
    defaults = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(map(str, set(values) - set(defaults))):
        raise UsageError(f"{path}: unknown key {unknown[0]!r}; a recipe has {', '.join(sorted(defaults))}")
    return kind(**{key: _like(path, key, value, defaults[key]) for key, value in values.items()})


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"cannot read the recipe {path}: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path} is no recipe: it should be lines of `key: value`")
    return values


def _like(path: Path, key: str, value: Any, default: Any) -> Any:
    """A value in its default's type: YAML reads 1e-4 as a word, and 1 as a whole number."""
    try:
        same = type(default)(value)
        if isinstance(value, bool) != isinstance(default, bool) or (isinstance(default, int) and same != value):
            raise ValueError
        return same
    except (TypeError, ValueError):
        raise UsageError(f"{path}: {key}: {value!r} should be of the kind of {default!r}") from None
