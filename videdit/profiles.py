"""Model profiles: which weights make up a generator, its encoder and its HFGI networks."""

from __future__ import annotations

import difflib

import yaml
from pydantic import BaseModel, ConfigDict

from videdit import resources
from videdit.errors import UsageError


class Profile(BaseModel):
    """One file of configs/profiles; the values are names in weights/manifest.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    generator: tuple[str, ...]
    encoder: str
    hfgi: str
    layers: int = 18  # of a code


def load_profile(name: str) -> Profile:
    """Read a profile by its name.

    Raises:
        UsageError: there is no profile of that name.
    """
    folder = resources.configs_dir() / "profiles"
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"unknown profile {name!r}; {hint}There is: {', '.join(names)}")
    return Profile.model_validate(yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8")))
