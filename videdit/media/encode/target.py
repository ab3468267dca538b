"""The file that is written: refused early where it cannot be, and put in its place when it is done."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

import psutil

from videdit.errors import AwayError, MediaError
from videdit.media.encode.codecs import CONTAINERS
from videdit.media.encode.segments import sync_folder
from videdit.media.info import MediaInfo
from videdit.storage.outputs import put, short

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}

_MIN_FREE = 16 << 20  # bytes
_STALE = 3600  # seconds; on a shared disk the process may be another machine's


def container_for(path: Path) -> str:
    """FFmpeg's name of the container that a file name asks for. Raises MediaError: it is none that is written."""
    container = FORMATS.get(path.suffix.lower())
    if container not in CONTAINERS:
        raise MediaError(f"cannot write {path}: '{path.suffix}' is not supported; use {', '.join(FORMATS)}")
    return container


def check_target(path: Path, info: MediaInfo) -> None:
    """Refuse a target that cannot work before any time is spent.

    Raises:
        MediaError: it is the source itself or a folder, its folder is missing or not writable, or the disk is full.
    """
    folder = path.parent
    if path.is_dir():
        raise MediaError(f"{path} is a folder; name a file in it")
    if not folder.is_dir():
        raise AwayError(f"cannot write {path}: the folder {folder} does not exist")
    if path.exists() and info.path.exists() and path.samefile(info.path):
        raise MediaError(f"{path} is the source itself; choose another name for the result")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise MediaError(f"cannot write {path}: no permission to write in {folder}")
    free = shutil.disk_usage(folder).free
    if free < _MIN_FREE + info.size // 2:
        raise AwayError(f"cannot write {path}: only {free >> 20} MiB are free in {folder}; make room first")


def sweep(path: Path, older: float = _STALE) -> None:
    """Remove what killed runs have left beside a target: their processes are gone, and it is so many seconds old.

    A process of another machine is not seen from here. older: less than by default is for who knows that there is none.
    """
    name = re.compile(rf"\.{re.escape(short(path.stem))}\.(\d+)-[0-9a-f]{{6}}\.part{re.escape(path.suffix)}")
    with contextlib.suppress(OSError):
        for file in path.parent.iterdir():
            match = name.fullmatch(file.name)
            if match and not psutil.pid_exists(int(match[1])) and time.time() - file.stat().st_mtime >= older:
                shutil.rmtree(file) if file.is_dir() else file.unlink()


def commit_file(temporary: Path, path: Path, replace: bool = False) -> None:
    """Put a finished file in its place (:func:`videdit.storage.outputs.put`), after it has reached the disk."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    put(temporary, path, replace)
    sync_folder(path.parent)
