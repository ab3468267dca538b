"""Who uses how many cores: the one place where that is decided, for renders, programs around them and tests alike.

| who | threads | why |
|---|---|---|
| stages | one each, and :func:`workers` for what is pure a frame | they overlap: see :mod:`videdit.pipeline` |
| OpenCV | none beside the caller's | each call comes from a stage that has its thread, and is over in milliseconds |
| networks (OpenVINO, PyTorch) | :func:`networks`, one network at a time | a pass is long enough to be worth a team |
| mesh, detector | the caller's | they must not stand in line behind a large network |
| decoder, encoder | :data:`CODEC` each | an encoder's pictures depend on it, and are to be the same on every machine |

A process may be kept to fewer cores than the machine has: by its affinity (taskset), by a limit of its control group (a
container's ``--cpus``), or, for networks alone, by the variable OMP_NUM_THREADS. A program that has chosen how many
threads OpenCV takes keeps its choice.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

CODEC = 2  # of x264 and its like; of decoders, which keep pace with it
_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_PR_CAPBSET_DROP, _CAP_SYS_NICE = 24, 23  # Linux: prctl's word for "from now on without", the right to raise a priority


def cores() -> int:
    """How many this process may use at once, at least 1."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _limit_of_groups(_OWN_GROUPS, _GROUPS)
    return max(1, min(mine, math.ceil(share))) if share else mine


def networks() -> int:
    """How many a large network's pass takes: all, or as many as OMP_NUM_THREADS says."""
    word = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    wanted = int(word) if word.isascii() and word.isdigit() else 0
    return min(cores(), wanted) if wanted else cores()


def workers() -> int:
    """How many frames a stage that is pure a frame works on at once: more than one where there are cores to spare."""
    return max(1, min(4, cores() // 4))


@cache
def settle() -> None:
    """Have OpenCV work in the thread that calls it, unless this program has already said how it is to. Once."""
    import cv2

    if cv2.getNumThreads() == cv2.getNumberOfCPUs():  # what it begins with
        cv2.setNumThreads(1)


def settle_torch() -> None:
    """Keep PyTorch's own passes to :func:`networks`: it counts the machine's cores, not those of a control group."""
    import torch

    if torch.get_num_threads() > networks():
        torch.set_num_threads(networks())


@contextlib.contextmanager
def ordinary_priority() -> Iterator[None]:
    """Threads keep the scheduling that they had, and those that begin in here have the caller's.

    SVT-AV1, opened by root (as in most containers), puts the thread that opens it, and its own, above everything else
    on the machine (SCHED_FIFO 99), and leaves them there; threads and programs that are begun later inherit it.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = _scheduling()
    try:
        yield
    finally:
        if (now := _scheduling()) != before:
            caller = threading.get_native_id()
            for thread, (policy, level) in now.items():
                wanted, at = before.get(thread, before.get(caller, (os.SCHED_OTHER, 0)))
                if (policy, level) != (wanted, at):
                    with contextlib.suppress(OSError):  # it has ended, or it is not ours to change
                        os.sched_setscheduler(thread, wanted, os.sched_param(at))


def ordinary_program(command: tuple[str, ...], **words: Any) -> subprocess.Popen[bytes]:
    """:class:`subprocess.Popen` of a program that cannot put itself above the rest of the machine, not as root either.

    An ffmpeg with SVT-AV1 would, see :func:`ordinary_priority`, and what another process does is put right from here
    only when it is done. On Linux rights are a thread's own, and what it starts has no more of them: the right to do so
    is taken from a thread that starts the program, and ends.
    """

    def start() -> subprocess.Popen[bytes]:
        _give_up_raising()
        return subprocess.Popen(command, **words)

    with ThreadPoolExecutor(1, thread_name_prefix="videdit-start") as starter:
        process = starter.submit(start).result()
    if sys.platform == "linux":
        import resource

        with contextlib.suppress(OSError):  # it has ended
            resource.prlimit(process.pid, resource.RLIMIT_RTPRIO, (0, 0))  # how far anybody may, without that right
    return process


def _give_up_raising() -> None:
    """Programs that this thread starts from now on cannot raise their priority; only root can, and has to, do this."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_SYS_NICE, 0, 0, 0)


def _scheduling() -> dict[int, tuple[int, int]]:
    """Policy and level of each of this process's threads, by the system's number."""
    found: dict[int, tuple[int, int]] = {}
    with contextlib.suppress(OSError):  # no /proc
        for thread in map(int, os.listdir("/proc/self/task")):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found[thread] = (os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority)
    return found


def _limit_of_groups(own: Path, root: Path) -> float | None:
    """The cores that this process's control groups allow together, the narrowest; None: no limit is known.

    own: lists the groups, a line each: ``0::/name`` of version 2, ``4:cpu,cpuacct:/name`` of version 1.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None  # not Linux
    found: list[float] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if not controllers:
            base, two = root, True
        elif "cpu" in controllers.split(","):
            base, two = (
                next((root / folder for folder in (controllers, "cpu") if (root / folder).is_dir()), root),
                False,
            )
        else:
            continue
        group = base / name.strip("/")
        # In a container the name is often one of outside, and the files are at the root.
        for folder in (group, *group.parents):
            if share := _share_v2(folder) if two else _share_v1(folder):
                found.append(share)
            if folder == base:
                break
    return min(found, default=None)


def _share_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max 100000": no limit
        return None


def _share_v1(folder: Path) -> float | None:
    try:
        quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
