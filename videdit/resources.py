"""Where weights/ and configs/ are: beside the library in a checkout, inside it when installed."""

from __future__ import annotations

import os
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def weights_dir() -> Path:
    """The folder of manifest.yaml and the weights that ship; the variable VIDEDIT_SHIPPED names one under trial."""
    override = os.environ.get("VIDEDIT_SHIPPED")
    return Path(override) if override else _folder("weights")


def configs_dir() -> Path:
    """The folder of profiles/, edits/, jobs/ and job.schema.json."""
    return _folder("configs")


def cache_dir() -> Path:
    """The folder for what can be made again; the environment variable VIDEDIT_CACHE names another."""
    if override := os.environ.get("VIDEDIT_CACHE"):
        return Path(override)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "videdit"


def _folder(name: str) -> Path:
    installed = _HERE / f"_{name}"
    return installed if installed.is_dir() else _HERE.parent / name
