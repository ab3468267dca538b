"""`videdit bench`: how fast this machine renders a clip, and where the time goes.

The clip is rendered twice into a temporary folder: a few frames first, so that networks are loaded and compiled, then
all of it, measured. A GPU works beside the stages and is counted as one more of them, in its own time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch

from videdit.engine import devices, profiler
from videdit.jobs.plan import Clip
from videdit.jobs.result import RenderResult
from videdit.rendering.renderer import Renderer
from videdit.storage.outputs import scratch
from videdit.threads import cores

WARM_UP = 0.4  # seconds of the clip


@dataclass
class Usage:
    """What the process tree used while it was watched."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0  # resident, whole process tree
    cores: int = 1
    device: str = ""  # name of the GPU that was used, if any
    device_peak_bytes: int = 0  # of its memory, with what torch keeps for later

    @property
    def busy(self) -> float:
        """The part of the cores' time that was used, 0..1."""
        return self.cpu_seconds / (self.seconds * self.cores) if self.seconds else 0.0


@dataclass(frozen=True)
class Bench:
    """What one measured render showed."""

    result: RenderResult
    usage: Usage
    passes: dict[str, profiler.Passes]

    @property
    def overlap(self) -> float:
        """The slowest stage's own work / wall: 1 where everything else hides behind it."""
        waited = self.passes[profiler.WAITING].seconds if profiler.WAITING in self.passes else 0.0
        own = [stage.busy - (waited if stage.name == "paste" else 0) for stage in self.result.stages]
        return max(*own, self.device_seconds) / self.result.seconds

    @property
    def network_seconds(self) -> float:
        """Seconds inside network passes, summed."""
        return sum(passes.seconds for passes in self.passes.values())

    @property
    def device_seconds(self) -> float:
        """Seconds of a GPU's work, networks and pixels, in its own time."""
        return sum(passes.seconds for passes in self.passes.values() if passes.on_device)

    @property
    def faces_per_second(self) -> float:
        """Faces edited a second of the render's wall time."""
        return self.result.faces / self.result.seconds

    def __str__(self) -> str:
        result, usage = self.result, self.usage
        times = f"{'cpu s':>8}{'busy s':>9}{'of wall':>9}{'waits in':>10}{'waits out':>11}"
        lines = [f"{'stage':10}{'packets':>9}{times}{'passes on MiB':>15}"]
        lines += [
            f"{s.name:10}{s.packets:9d}{s.cpu:8.2f}{s.busy:9.2f}{100 * s.busy / result.seconds:8.0f}%"
            f"{s.waiting_input:10.2f}{s.waiting_output:11.2f}{s.passed / 2**20:15.0f}"
            for s in result.stages
        ]
        lines += [f"{'network':24}{'passes':>7}{'seconds':>9}{'ms a pass':>11}{'copies MiB':>12}"]
        lines += [
            f"{name:24}{p.count:7d}{p.seconds:9.2f}{1000 * p.seconds / max(p.count, 1):11.1f}{p.copied / 2**20:12.0f}"
            for name, p in sorted(self.passes.items())
        ]
        lines += [
            f"frames               {result.frames}, {result.faces} faces edited",
            *([f"seen by networks     {100 * result.rendered:.0f} %"] if result.rendered is not None else []),
            f"wall                 {result.seconds:.2f} s: {result.speed:.2f} frames a second, "
            f"{self.faces_per_second:.2f} faces a second",
            *([self._look()] if result.look else []),
            self._compute(),
            f"overlap efficiency   {self.overlap:.2f} (slowest stage / wall)",
            f"cores busy           {100 * usage.busy:.0f} % of {usage.cores}",
            f"processor time       {usage.cpu_seconds:.2f} s, all cores together",
            f"peak memory          {usage.peak_bytes / 2**20:.0f} MiB resident, whole process tree",
        ]
        if usage.device:
            lines += [f"device               {usage.device}, peak memory {usage.device_peak_bytes / 2**20:.0f} MiB"]
        return "\n".join(lines)

    def _look(self) -> str:
        look, render = self.result.look, self.result.seconds - self.result.look
        return (
            f"first look           {look:.2f} s; the render after it {render:.2f} s, {render / look:.1f} times as long"
        )

    def _compute(self) -> str:
        if self.usage.device:
            share = self.device_seconds / self.result.seconds
            return f"device busy          {self.device_seconds:.2f} s, {100 * share:.0f} % of wall"
        ratio = self.result.seconds / self.network_seconds if self.network_seconds else float("inf")
        return f"network passes       {self.network_seconds:.2f} s; wall / passes {ratio:.2f}"


def bench_clip(clip: Clip) -> Bench:
    """Render `clip` into a temporary folder and measure it. Raises what rendering raises."""
    renderer = Renderer()
    clip = replace(clip, job=clip.job.model_copy(update={"cache": False}))
    start = clip.job.start or 0.0
    with scratch() as folder:
        warm_up = clip.job.model_copy(update={"end": min(clip.job.end or start + WARM_UP, start + WARM_UP)})
        renderer.render(elsewhere(replace(clip, job=warm_up), folder / "warm"))
        profiler.reset_passes()
        with watch(devices.resolve_device(clip.job.device)) as usage:
            result = renderer.render(elsewhere(clip, folder / "measured"))
    return Bench(result, usage, profiler.passes())


def elsewhere(clip: Clip, folder: Path) -> Clip:
    """The clip with all that it writes in a folder."""
    names = ("output", "alpha", "compare", "debug", "crops")
    moved = {name: folder / file.name for name in names if (file := getattr(clip, name)) is not None}
    return replace(clip, state=None, **moved)


@contextmanager
def watch(device: str = "cpu", every: float = 0.05) -> Iterator[Usage]:
    """Watch this process and its children: processor time and peak of resident memory; and a GPU's memory."""
    process = psutil.Process()
    usage = Usage(cores=cores())
    over = threading.Event()

    def sample() -> None:
        while True:
            usage.peak_bytes = max(usage.peak_bytes, resident(process))
            if over.wait(every):
                return

    watcher = threading.Thread(target=sample, name="videdit-watch", daemon=True)
    gpu = torch.device(device) if device.startswith("cuda") else None
    if gpu is not None:
        torch.cuda.synchronize(gpu)
        torch.cuda.reset_peak_memory_stats(gpu)
    watcher.start()
    begun, cpu = time.perf_counter(), process.cpu_times()
    try:
        yield usage
        devices.synchronize(device)
    finally:
        now = process.cpu_times()
        usage.seconds = time.perf_counter() - begun
        usage.cpu_seconds = now.user + now.system - cpu.user - cpu.system
        over.set()
        watcher.join()
        if gpu is not None:
            usage.device = torch.cuda.get_device_name(gpu)
            usage.device_peak_bytes = torch.cuda.max_memory_reserved(gpu)


def resident(process: psutil.Process) -> int:
    """Resident bytes of a process and all its children."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
