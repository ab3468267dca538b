"""Locks of files between runs, wherever the system has them."""

from __future__ import annotations

from typing import IO

try:
    import fcntl
except ImportError:  # Windows: runs are not kept apart there
    fcntl = None  # type: ignore[assignment]

AVAILABLE = fcntl is not None


def lock(file: IO | int, *, shared: bool = False) -> None:
    """Lock an open file until it is closed, or its process ends. Without locks of the system, nothing.

    Args:
        file: open, or its descriptor.
        shared: others may hold it too, as long as none of them wants it alone; waits for one that does.

    Raises:
        BlockingIOError: another run holds it.
        OSError: its file system has no locks.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
