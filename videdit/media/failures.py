"""What goes wrong while writing, in words."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import av

from videdit.errors import MediaError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Inside, whatever a disk or FFmpeg has to say about writing `path` becomes one clear MediaError."""
    try:
        yield
    except MemoryError:  # FFmpeg's own is one too: the disk is not to blame
        raise
    except (av.FFmpegError, OSError) as error:
        raise MediaError(write_failure(path, error)) from None


def write_failure(path: Path, error: Exception) -> str:
    """Why a file cannot be written and what to do, in a line."""
    code = getattr(error, "errno", None)
    if code in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot write {path}: the disk is full; make room and run again"
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot write {path}: no permission to write in {path.parent}"
    reason = getattr(error, "strerror", None) or error
    return f"cannot write {path}: {reason}"
