"""What goes wrong while writing, in words."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import av

from videdit.errors import AwayError, MediaError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Inside, whatever a disk or FFmpeg has to say about writing `path` becomes one clear MediaError."""
    try:
        yield
    except MemoryError:  # FFmpeg's own is one too: the disk is not to blame
        raise
    except (av.FFmpegError, OSError) as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: Exception) -> MediaError:
    """Why a file cannot be written. A folder that has gone while one was at work may be back soon: its storage has."""
    gone = getattr(error, "errno", None) in (errno.ENOENT, errno.ENOTDIR)
    return (AwayError if gone else MediaError)(write_failure(path, error))


def write_failure(path: Path, error: Exception) -> str:
    """Why a file cannot be written and what to do, in a line."""
    code = getattr(error, "errno", None)
    if code in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot write {path}: the disk is full; make room and run again"
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot write {path}: no permission to write in {path.parent}"
    reason = getattr(error, "strerror", None) or error
    return f"cannot write {path}: {reason}"
