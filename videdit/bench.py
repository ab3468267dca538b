"""`videdit bench`: how fast this machine renders a clip, and where the time goes.

The clip is rendered twice into a temporary folder: a few frames first, so that networks are loaded and compiled, then
all of it, measured.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from videdit import backend
from videdit.plan import Clip
from videdit.render import Renderer
from videdit.report import RenderResult

WARM_UP = 0.4  # seconds of the clip


@dataclass
class Usage:
    """What the process tree used while it was watched."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0  # resident, whole process tree
    cores: int = 1

    @property
    def busy(self) -> float:
        """The part of the cores' time that was used, 0..1."""
        return self.cpu_seconds / (self.seconds * self.cores) if self.seconds else 0.0


@dataclass(frozen=True)
class Bench:
    """What one measured render showed."""

    result: RenderResult
    usage: Usage
    passes: dict[str, backend.Passes]

    @property
    def overlap(self) -> float:
        """The slowest stage's own work / wall: 1 where everything else hides behind it."""
        return max(stage.busy for stage in self.result.stages) / self.result.seconds

    @property
    def network_seconds(self) -> float:
        """Seconds inside network passes, summed."""
        return sum(passes.seconds for passes in self.passes.values())

    @property
    def faces_per_second(self) -> float:
        return self.result.faces / self.result.seconds

    def __str__(self) -> str:
        result, usage = self.result, self.usage
        lines = [f"{'stage':10}{'packets':>9}{'busy s':>9}{'waits in':>10}{'waits out':>11}"]
        lines += [
            f"{s.name:10}{s.packets:9d}{s.busy:9.2f}{s.waiting_input:10.2f}{s.waiting_output:11.2f}"
            for s in result.stages
        ]
        lines += [f"{'network':24}{'passes':>7}{'seconds':>9}{'ms a pass':>11}"]
        lines += [
            f"{name:24}{p.count:7d}{p.seconds:9.2f}{1000 * p.seconds / max(p.count, 1):11.1f}"
            for name, p in sorted(self.passes.items())
        ]
        lines += [
            f"frames               {result.frames}, {result.faces} faces edited",
            f"wall                 {result.seconds:.2f} s: {result.fps:.2f} frames a second, "
            f"{self.faces_per_second:.2f} faces a second",
            f"network passes       {self.network_seconds:.2f} s; wall / passes {self._ratio():.2f}",
            f"overlap efficiency   {self.overlap:.2f} (slowest stage / wall)",
            f"cores busy           {100 * usage.busy:.0f} % of {usage.cores}",
            f"peak memory          {usage.peak_bytes / 2**20:.0f} MiB resident, whole process tree",
        ]
        return "\n".join(lines)

    def _ratio(self) -> float:
        return self.result.seconds / self.network_seconds if self.network_seconds else float("inf")


def bench_clip(clip: Clip) -> Bench:
    """Render `clip` into a temporary folder and measure it. Raises what rendering raises."""
    renderer = Renderer()
    start = clip.job.start or 0.0
    with tempfile.TemporaryDirectory(prefix="videdit-bench-") as folder:
        warm_up = clip.job.model_copy(update={"end": min(clip.job.end or start + WARM_UP, start + WARM_UP)})
        warm = replace(clip, job=warm_up, output=Path(folder) / f"warm{clip.output.suffix}", state=None)
        renderer.render(warm)
        backend.reset_passes()
        with watch() as usage:
            result = renderer.render(replace(clip, output=Path(folder) / f"out{clip.output.suffix}", state=None))
    return Bench(result, usage, backend.passes())


@contextmanager
def watch(every: float = 0.05) -> Iterator[Usage]:
    """Watch this process and its children: processor time and peak of resident memory."""
    process = psutil.Process()
    usage = Usage(cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    over = threading.Event()

    def sample() -> None:
        while True:
            usage.peak_bytes = max(usage.peak_bytes, resident(process))
            if over.wait(every):
                return

    watcher = threading.Thread(target=sample, name="videdit-watch", daemon=True)
    watcher.start()
    begun, cpu = time.perf_counter(), process.cpu_times()
    try:
        yield usage
    finally:
        now = process.cpu_times()
        usage.seconds = time.perf_counter() - begun
        usage.cpu_seconds = now.user + now.system - cpu.user - cpu.system
        over.set()
        watcher.join()


def resident(process: psutil.Process) -> int:
    """Resident bytes of a process and all its children."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
