"""Where weights/ and configs/ are: beside the library in a checkout, inside it when installed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from functools import cache
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
    home = home_dir()
    if base := os.environ.get("XDG_CACHE_HOME") or (home and home / ".cache"):
        return Path(base) / "videdit"
    return _own_temporary()


def state_dir() -> Path:
    """The folder for what cannot be made again, as the queue; the environment variable VIDEDIT_STATE names another."""
    if override := os.environ.get("VIDEDIT_STATE"):
        return Path(override)
    home = home_dir()
    if base := os.environ.get("XDG_STATE_HOME") or (home and home / ".local" / "state"):
        return Path(base) / "videdit"
    return _own_temporary()


def home_dir() -> Path | None:
    """The user's home; None where there is none, as in a container that runs under a bare number.

    A file, as services have it in /dev/null, or a folder that only another user may enter, is none.
    """
    home = os.path.expanduser("~")
    there = os.path.isabs(home) and (not os.path.lexists(home) or (os.path.isdir(home) and os.access(home, os.X_OK)))
    return Path(home) if there else None


def expanded(words: str | os.PathLike[str]) -> Path:
    """The path, with a home in place of ~ where there is one: a file may be called ~x.mp4."""
    path = os.fspath(words)
    return Path(path if os.path.lexists(path) else os.path.expanduser(path))


def real(path: Path) -> Path:
    """The path without links, absolute. Of links that lead in a circle, as far as they lead anywhere: no error."""
    return Path(os.path.realpath(path))


@cache
def _own_temporary() -> Path:
    """A folder among temporary files that is this user's alone."""
    number = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"videdit-{number}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if not folder.is_symlink() and folder.stat().st_uid == number:
            return folder
    return Path(tempfile.mkdtemp(prefix="videdit-"))


def _folder(name: str) -> Path:
    installed = _HERE / f"_{name}"
    return installed if installed.is_dir() else _HERE.parent / name
