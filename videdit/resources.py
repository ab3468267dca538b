"""Where weights/ and configs/ are: beside the library in a checkout, inside it when installed."""

from __future__ import annotations

import os
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def weights_dir() -> Path:
    """The folder of manifest.yaml and the weight files; the environment variable VIDEDIT_WEIGHTS names another."""
    override = os.environ.get("VIDEDIT_WEIGHTS")
    return Path(override) if override else _folder("weights")


def user_weights_dir() -> Path:
    """The folder of what users fetch themselves; the environment variable VIDEDIT_USER_WEIGHTS names another."""
    if override := os.environ.get("VIDEDIT_USER_WEIGHTS"):
        return Path(override)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "videdit" / "weights"


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
