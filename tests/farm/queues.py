"""What tests of the queue have in common: a clock, clips, and tasks that are taken."""

from __future__ import annotations

from pathlib import Path

from videdit.farm.queue import Queue
from videdit.farm.schema import PLAN
from videdit.farm.tasks import Task
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


def clip(folder: Path, name: str = "a") -> Clip:
    job = RenderJob(input=str(folder / f"{name}.mp4"), edit="smile")
    return Clip(job, folder / f"{name}.mp4", folder / f"{name}_smile.mp4")


def taken(queue: Queue, worker: str = "w") -> Task:
    task = queue.take(worker)
    assert task is not None
    return task


def planned(queue: Queue, segments: int = 3) -> int:
    """A job with a plan of so many segments, ten frames each."""
    task = taken(queue)
    assert task.kind == PLAN
    assert queue.planned(task, [(i, 10) for i in range(segments)], 0.1)
    return task.job
