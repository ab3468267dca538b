"""Memory of pictures is used again, in place of fetched from the system each time."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from videdit.engine.allocator import keep_freed_memory

PICTURES = """
import resource, sys
import numpy as np
from videdit.engine.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
one = np.ones((512, 512, 3), np.float32)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        sums = [one]
        while len(sums) < 9:
            sums.append(sums[-1] + one)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this system's allocator is not glibc's")
def test_pictures_take_no_new_pages_from_the_system() -> None:
    """Each of them has 768 pages; fifty times eight of them had 300,000 before."""
    kept = subprocess.run([sys.executable, "-c", PICTURES, "kept"], capture_output=True, text=True, check=True)
    assert int(kept.stdout) < 1000


def test_it_may_be_asked_again_and_anywhere() -> None:
    assert keep_freed_memory() is keep_freed_memory()
