"""The weights of the networks that judge: fetched once by ``videdit weights fetch judges``, read from here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from videdit.errors import WeightsError
from videdit.paths import cache_dir

if TYPE_CHECKING:
    from torch import Tensor


def judges_dir() -> Path:
    """The folder of the judges' weights: $VIDEDIT_JUDGES, else videdit/judges in the user's cache."""
    if folder := os.environ.get("VIDEDIT_JUDGES"):
        return Path(folder)
    return cache_dir() / "judges"


def have_judges() -> bool:
    """Whether the judges' weights were fetched."""
    return all(os.path.isfile(judges_dir() / f"{name}.safetensors") for name in ("faceres", "mobileface", "expression"))


def load_judge(name: str) -> dict[str, Tensor]:
    """The state dict of one judge.

    Raises:
        WeightsError: it was not fetched.
    """
    path = judges_dir() / f"{name}.safetensors"
    if not path.is_file():
        raise WeightsError(
            f"{path} is missing: run `videdit weights fetch judges` (or set VIDEDIT_JUDGES to their folder)"
        )
    from safetensors.torch import load_file  # who only asks whether they are there needs no torch

    return load_file(path)
