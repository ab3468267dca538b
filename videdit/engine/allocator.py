"""Memory that pixel work has freed is kept for the next picture, in place of given back to the system.

Every formula on a picture makes arrays of a few megabytes and drops them again. By default glibc asks the system for
each of these, and hands it back: most of the time of a sum of two pictures then goes into pages that the system fills
with zeros. Kept, the same work takes a half to a third of the processor time.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# <malloc.h>
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
LARGEST = 32 << 20  # bytes of a block that is kept: the most that every glibc allows
KEPT = 256 << 20  # bytes at the end of a heap that are kept
AHEAD = 16 << 20  # bytes by which a heap grows at least


@cache
def keep_freed_memory() -> bool:
    """Ask the process's allocator for it, once; False where it cannot be asked (not glibc, not Linux)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        process = ctypes.CDLL(None)
        mallopt, _ = process.mallopt, process.gnu_get_libc_version  # others have a mallopt that does nothing
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    wanted = {_MMAP_THRESHOLD: LARGEST, _TRIM_THRESHOLD: KEPT, _TOP_PAD: AHEAD}
    return all([mallopt(option, value) == 1 for option, value in wanted.items()])
