"""How long a night's work takes on so many workers, and how fast the queue's database is: the tables of docs/farm.md.

The first part is a simulation, seeded: clips whose segments take as long as measured ones did (``--times``: the lines
of ``videdit work --json``, or the figures below), given out in the queue's own order, on workers that die now and then
and are missed when their lease ends. The second part is no simulation: the queue itself, with 10,000 jobs.

    python scripts/farm_simulation.py --seed 1
    python scripts/farm_simulation.py --database --jobs 10000 --workers 4
"""

from __future__ import annotations

import argparse
import heapq
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from videdit.farm import admin
from videdit.farm.queue import Queue
from videdit.farm.schema import PLAN, SEGMENT
from videdit.farm.tasks import LEASE
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob

# Seconds, of one core: a segment of 900 faces at 3.9 faces a second on two cores, and its spread (DESIGN: where the
# time goes); the look at a clip, and joining, in parts of its rendering.
SEGMENT_SECONDS, SPREAD = 460.0, 0.35
LOOK, JOIN_SECONDS = 0.08, 2.0


@dataclass
class Job:
    """A clip: what is left of its tasks."""

    number: int
    priority: int
    segments: list[float]
    planned: bool = False
    left: int = 0
    begun: float | None = None
    ended: float = 0.0
    waiting: list[tuple[str, int]] = field(default_factory=list)

    def seconds(self, kind: str, number: int) -> float:
        """What a task takes."""
        return {"plan": LOOK * sum(self.segments), "join": JOIN_SECONDS}.get(kind) or self.segments[number]

    @property
    def total(self) -> float:
        """Of all its tasks."""
        return (1 + LOOK) * sum(self.segments) + JOIN_SECONDS

    @property
    def longest(self) -> float:
        """What cannot be done side by side."""
        return LOOK * sum(self.segments) + max(self.segments) + JOIN_SECONDS


def clips(count: int, rng: random.Random, times: list[float]) -> list[Job]:
    """Clips of one to forty segments, most of them short; one in ten is urgent, as many may wait."""
    made = []
    for number in range(count):
        length = max(1, min(40, round(rng.lognormvariate(1.0, 1.0))))
        priority = rng.choices((10, 0, -10), (1, 8, 1))[0]
        made.append(Job(number, priority, [rng.choice(times) for _ in range(length)]))
    return made


def simulate(jobs: list[Job], workers: int, mean_life: float, rng: random.Random) -> tuple[float, float, int]:
    """Seconds until all is done, the share of the workers' time that was wasted, and how many of them died.

    mean_life: seconds after which a worker dies, on average; one that died is there again after a minute.
    """
    for job in jobs:
        job.planned, job.left, job.begun, job.ended = False, len(job.segments), None, 0.0
        job.waiting = [("plan", 0)]
    order = [(-job.priority, job.number) for job in jobs]  # the queue's own order
    heapq.heapify(order)
    free = workers
    events: list[tuple[float, int, str, int, str, int]] = []  # time, tie, what, job, kind, number
    now, wasted, died, tie = 0.0, 0.0, 0, 0
    while True:
        while free and order:
            job = jobs[order[0][1]]
            if not job.waiting:
                heapq.heappop(order)
                continue
            kind, number = job.waiting.pop(0)
            job.begun = now if job.begun is None else job.begun
            seconds, life = job.seconds(kind, number), rng.expovariate(1 / mean_life)
            free -= 1
            tie += 1
            if life < seconds:
                died += 1
                wasted += life + 60.0
                heapq.heappush(events, (now + life + LEASE, tie, "lost", job.number, kind, number))
                heapq.heappush(events, (now + life + 60.0, -tie, "worker", 0, "", 0))
            else:
                heapq.heappush(events, (now + seconds, tie, "done", job.number, kind, number))
        if not events:
            break
        now, _, what, at, kind, number = heapq.heappop(events)
        if what == "worker":
            free += 1
            continue
        job = jobs[at]
        if what == "lost":
            job.waiting.insert(0, (kind, number))
        else:
            free += 1
            if kind == "plan":
                job.waiting = [("segment", i) for i in range(len(job.segments))]
            elif kind == "segment":
                job.left -= 1
                if not job.left:
                    job.waiting = [("join", 0)]
            else:
                job.ended = now
        if job.waiting:
            heapq.heappush(order, (-job.priority, job.number))
    end = max(job.ended for job in jobs)
    assert all(job.ended for job in jobs)
    return end, wasted / (workers * end), died


def table(seed: int, count: int, times: list[float], mean_life: float) -> list[dict]:
    """A row for each number of workers."""
    rows = []
    for workers in (1, 10, 100, 1000):
        rng = random.Random(seed)
        jobs = clips(count, rng, times)
        bound = max(sum(job.total for job in jobs) / workers, max(job.longest for job in jobs))
        end, wasted, died = simulate(jobs, workers, mean_life, rng)
        waited = defaultdict(list)
        for job in jobs:
            waited[job.priority].append((job.begun or 0.0) / 3600)
        rows.append(
            {
                "workers": workers,
                "hours": end / 3600,
                "lower_bound_hours": bound / 3600,
                "over_bound": end / bound - 1,
                "died": died,
                "wasted": wasted,
                "median_wait_hours": {p: statistics.median(waited[p]) for p in sorted(waited, reverse=True)},
            }
        )
    return rows


def database(count: int, workers: int) -> dict:
    """What the queue itself does with so many jobs: how often a second of the clock, and of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "queue.sqlite"
        job = RenderJob(input="in.mp4", edit="smile")
        names = [Path(folder) / f"{number}.mp4" for number in range(count)]
        told: dict[str, float] = {}

        def timed(name: str, times: int, run: Callable[[], object]) -> None:
            clock, processor = time.perf_counter(), time.process_time()
            run()
            told[f"{name} a second"] = times / (time.perf_counter() - clock)
            told[f"{name} a second of the processor"] = times / (time.process_time() - processor)

        def submit() -> None:
            for number, name in enumerate(names):
                queue.submit([Clip(job, name, name.with_suffix(".mkv"))], priority=number % 3)

        def renew() -> None:
            task = queue.take("w")
            assert task is not None
            for _ in range(1000):
                queue.renew(task)

        tasks = min(2000, count)
        with Queue(file) as queue:
            timed("submitted", count, submit)
            timed("listed", 1, lambda: admin.jobs(queue))
            _open(file)
            timed("tasks taken and finished", tasks, lambda: _some(tasks))
            timed("leases renewed", 1000, renew)
        begun = time.perf_counter()
        done = sum(_parallel(file, workers, tasks))
        told[f"the same by {workers} processes a second, their start included"] = done / (time.perf_counter() - begun)
        told["megabytes of the file"] = file.stat().st_size / 1e6
        return told


def _parallel(file: Path, workers: int, tasks: int) -> list[int]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _open, (file,)) as pool:
        return pool.map(_some, [tasks // workers] * workers, chunksize=1)


def _open(file: Path) -> None:
    global _queue
    _queue = Queue(file)


def _some(count: int) -> int:
    """Take so many tasks, and finish them."""
    for _ in range(count):
        task = _queue.take("w")
        assert task is not None
        if task.kind == PLAN:
            _queue.planned(task, [(0, 10), (1, 10)], 0.1)
        elif task.kind == SEGMENT:
            _queue.segment_done(task, 10, 0.1)
        else:
            _queue.job_done(task, {"frames": 20, "faces": 20}, 0.1)
    return count


def measured(file: Path) -> list[float]:
    """The seconds of segments from what `videdit work --json` has printed."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [line["seconds"] for line in lines if line["task"] == "segment" and line["state"] == "done"]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--times", type=Path, metavar="JSONL", help="what `videdit work --json` printed")
    parser.add_argument("--hours-to-failure", type=float, default=24.0, help="of a worker, on average (24)")
    parser.add_argument("--database", action="store_true", help="measure the queue itself")
    parser.add_argument("--workers", type=int, default=4, help="processes at once, with --database (4)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.database:
        told = database(args.jobs, args.workers)
        print(json.dumps(told) if args.json else "\n".join(f"{name}: {value:.4g}" for name, value in told.items()))
        return
    rng = random.Random(args.seed)
    drawn = [SEGMENT_SECONDS * rng.lognormvariate(0.0, SPREAD) for _ in range(500)]
    rows = table(args.seed, args.jobs, measured(args.times) if args.times else drawn, 3600 * args.hours_to_failure)
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'workers':>7} {'hours':>9} {'bound':>9} {'over':>6} {'died':>5} {'wasted':>7}  median wait in hours")
    for row in rows:
        waits = ", ".join(f"{p}: {hours:.3g}" for p, hours in row["median_wait_hours"].items())
        print(
            f"{row['workers']:7} {row['hours']:9.2f} {row['lower_bound_hours']:9.2f} {row['over_bound']:6.1%} "
            f"{row['died']:5} {row['wasted']:7.2%}  {waits}"
        )


if __name__ == "__main__":
    main()
