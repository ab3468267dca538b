"""Model profiles: which weights make up a generator, its encoder and its HFGI networks."""

from __future__ import annotations

import difflib
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from videdit import paths
from videdit.errors import UsageError


class Profile(BaseModel):
    """One file of configs/profiles; the values are names of weights, that ship or that others published."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    layout: Literal["mobile", "published"] = "mobile"
    subject: Literal["face", "car"] = "face"
    layers: int = 18  # of a code

    # of the layout "mobile"
    generator: tuple[str, ...] = ()
    encoder: str | None = None
    hfgi: str | None = None

    # of the layout "published": files that together make it up, the better choice first; or the user's own
    weights: tuple[tuple[str, ...], ...] = ()
    checkpoint: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pixels at which a crop can be rendered."""
        return (256, 512, 1024) if self.subject == "face" else (256, 512)

    def consults(self, wish: str, wanted: bool = False) -> bool:
        """Whether ADA and the consultation encoder condition the generator.

        wish: "always", "never", or "auto": where edits look better for it, as those of published networks do. wanted:
        whether an edit does by itself (``Edit.consulted``).
        """
        return wish == "always" or (wish == "auto" and (wanted or self.layout == "published"))

    @property
    def rows(self) -> tuple[int, int]:
        """Which rows of a crop at 256 px the networks see: cars are 3 high to 4 wide, in the middle of a square."""
        return (0, 256) if self.subject == "face" else (32, 224)


def load_profile(name: str, checkpoint: tuple[str, ...] = ()) -> Profile:
    """Read a profile by its name. checkpoint: files of its networks, instead of those that are installed.

    Raises:
        UsageError: there is no profile of that name, or its weights are not the user's to choose.
    """
    folder = paths.configs_dir() / "profiles"
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"unknown profile {name!r}; {hint}There is: {', '.join(names)}")
    words = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    profile = Profile.model_validate(words | {"name": name, "checkpoint": checkpoint})
    if checkpoint and profile.layout != "published":
        raise UsageError(f"profile {name} has weights of its own; a checkpoint is for profile hfgi-ffhq or hfgi-car")
    return profile
