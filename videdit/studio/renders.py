"""Renders the jobs of the queue: a worker of the farm in a thread of the studio, with the networks of its session."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from videdit.farm.execution import TaskRunner
from videdit.farm.queue import Queue, Task
from videdit.farm.worker import Worker
from videdit.pipeline.executor import StageStats
from videdit.rendering.progress import Moment, Progress
from videdit.rendering.session import Session
from videdit.studio.queue import RenderQueue

log = logging.getLogger(__name__)

LEASE = 8.0  # seconds after which a studio that was killed has lost its task: it is begun again then
IDLE = 1.0  # seconds between two looks at an empty queue
_EVERY = 0.4  # seconds between two words about progress
_PATIENCE = 20.0  # seconds for a render to stop when the studio ends


class Renders:
    """The thread. What is rendered is what the command would render."""

    def __init__(self, session: Session, queue: RenderQueue, told: Callable[[int], None]) -> None:
        """told: called with a job's number whenever something about it has changed, from this thread."""
        self._queue, self._told = queue, told
        self._progress = _Live(self._say)
        self._runner = TaskRunner(session=session, progress=self._progress)
        self._wake, self._ending = threading.Event(), threading.Event()
        self._task: Task | None = None
        self._thread = threading.Thread(target=self._work, name="videdit-studio-renders", daemon=True)

    def start(self) -> None:
        """Begin, with what waits."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def moment(self, number: int) -> Moment | None:
        """How far a job is that this studio works on; None for others."""
        task = self._task
        return self._progress.moment if task is not None and task.job == number else None

    def close(self) -> None:
        """Stop; what runs waits for the next start of the studio, and goes on there."""
        self._ending.set()
        self._wake.set()
        if (task := self._task) is not None:
            with self._queue.opened() as queue:
                queue.release(task)  # the worker notices, and stops
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def _say(self) -> None:
        if (task := self._task) is not None:
            self._told(task.job)

    def _work(self) -> None:
        with self._queue.opened() as queue:
            worker = Worker(queue, lease=LEASE, runner=self._runner)
            while not self._ending.is_set():
                try:
                    if not self._one(queue, worker):
                        self._wake.wait(IDLE)
                        self._wake.clear()
                except Exception:  # a disk that is full, say: the thread has to live
                    log.exception("the queue")
                    self._wake.wait(10 * IDLE)

    def _one(self, queue: Queue, worker: Worker) -> bool:
        """Do one task; False where there is none, or the queue is paused."""
        task = None if self._queue.paused else queue.take(worker.name, worker.lease)
        if task is None:
            return False
        self._progress.begin()
        self._task = task
        if self._ending.is_set():
            queue.release(task)
            return False
        try:
            self._told(task.job)
            worker.do(task)
        finally:
            self._task = None
            self._told(task.job)
        return True


class _Live(Progress):
    """How far the render is, for pages."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._tell = told
        self.frames = 0
        self.begin()

    def begin(self) -> None:
        """A task begins."""
        self.moment = Moment("look", 0, None, 0.0)
        self._of: int | None = None
        self._said, self._begun = 0.0, time.monotonic()

    def start(self, name: str, frames: int | None) -> None:
        self._of, self.frames = frames, 0

    def look(self, stats: Sequence[StageStats]) -> None:
        self._at("look", stats[-1].packets)

    def update(self, stats: Sequence[StageStats]) -> None:
        self.frames = stats[-1].packets
        self._at("render", self.frames)

    def _at(self, phase: str, done: int) -> None:
        now = time.monotonic()
        self.moment = Moment(phase, done, self._of, now - self._begun)
        if now - self._said >= _EVERY:
            self._said = now
            self._tell()
