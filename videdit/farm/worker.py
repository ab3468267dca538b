"""A worker: takes one task after the other, says that it is alive while it works, and stops what is not wanted more."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from videdit import shutdown
from videdit.errors import VideditError
from videdit.farm import admin, hooks, staging
from videdit.farm.execution import TaskRunner, remember, sweep_lost
from videdit.farm.failures import in_words
from videdit.farm.queue import Queue
from videdit.farm.schema import CANCELLED, HOOK, JOIN, PLAN, SEGMENT
from videdit.farm.tasks import LEASE, Task

log = logging.getLogger(__name__)

IDLE = 1.0  # seconds between two looks at an empty queue
BEAT = 1.0  # seconds between two looks at whether a task is still wanted


@dataclass(frozen=True)
class TaskOutcome:
    """How a task ended: "done", "failed", "again" (it is tried again) or "lost" (another's, or nobody wants it)."""

    task: Task
    state: str
    said: str = ""
    seconds: float = 0.0
    frames: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for --json."""
        return {
            "job": self.task.job,
            "task": self.task.kind,
            "segment": self.task.number if self.task.kind == SEGMENT else None,
            "state": self.state,
            "said": self.said,
            "seconds": round(self.seconds, 3),
            "frames": self.frames,
        }


class Worker:
    """Works on a queue, in this process and one task at a time."""

    def __init__(
        self, queue: Queue, *, lease: float = LEASE, device: str | None = None, runner: TaskRunner | None = None
    ) -> None:
        """What a worker works on, and with what.

        Args:
            queue: where the tasks are.
            lease: seconds of silence after which others take this worker for dead.
            device: see :class:`TaskRunner`.
            runner: what renders, if it is there already.
        """
        self.queue, self.lease, self.device = queue, lease, device
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        self._runner = runner
        self._given_back: set[int] = set()  # jobs

    @property
    def runner(self) -> TaskRunner:
        """What renders; made when it is first needed."""
        if self._runner is None:
            self._runner = TaskRunner(self.device)
        return self._runner

    def work(self, until_empty: bool = False, idle: Callable[[float], None] = time.sleep) -> Iterator[TaskOutcome]:
        """Do what there is to do, and tell of each task as it ends.

        Args:
            until_empty: end when nothing is left that anyone is at work on or could begin; else go on waiting.
            idle: waits so many seconds.
        """
        with self._giving_back():
            while True:
                task = self.queue.take(self.name, self.lease)
                if task is not None:
                    yield self.do(task)
                elif until_empty and not self.queue.left():
                    return
                else:
                    idle(IDLE)

    def do(self, task: Task) -> TaskOutcome:
        """Do a task that was taken. Only what stops this process is raised, after the task was given back."""
        begun = time.monotonic()
        with self._logged(task):
            log.info("job %d %s: attempt %d by %s", task.job, task.name, task.attempt, self.name)
            try:
                outcome = self._do(task, begun)
            except BaseException:
                log.info("stopped; the task is given back")
                with contextlib.suppress(VideditError, sqlite3.Error):  # or its lease ends
                    if self.queue.release(task):
                        self._given_back.add(task.job)
                raise
            log.info("%s%s", outcome.state, f": {outcome.said}" if outcome.said else "")
        return outcome

    @contextlib.contextmanager
    def _giving_back(self) -> Iterator[None]:
        """What this worker holds when the block is left is given back at once, also where nobody unwinds."""
        with shutdown.ending(self._give_back):
            try:
                yield
            finally:
                with contextlib.suppress(VideditError, sqlite3.Error):  # or its lease ends
                    if said := self._give_back():
                        log.warning("%s", said)

    def _give_back(self) -> str | None:
        """Give back what this worker holds, and say so."""
        with Queue(self.queue.file, self.queue.clock) as queue:  # this may be another thread
            self._given_back.update(queue.release_all(self.name))
        jobs, self._given_back = sorted(self._given_back), set()
        if not jobs:
            return None
        names = f"job {jobs[0]} waits" if len(jobs) == 1 else f"jobs {', '.join(map(str, jobs))} wait"
        return f"{names} for the next videdit work, which goes on there"

    def _do(self, task: Task, begun: float) -> TaskOutcome:
        lost = threading.Event()
        try:
            with self._alive(task, lost):
                return self._dispatch(task, lost, begun)
        except Exception as error:
            return self._went_wrong(task, error, lost.is_set(), time.monotonic() - begun)

    def _went_wrong(self, task: Task, error: Exception, lost: bool, seconds: float) -> TaskOutcome:
        if lost or not self.queue.holds(task):
            return self._lost(task, seconds)
        log.debug("where", exc_info=True)
        failure = in_words(error)
        final = self.queue.task_failed(task, failure, seconds)
        return TaskOutcome(task, "failed" if final else "again", failure.said, seconds)

    def _dispatch(self, task: Task, lost: threading.Event, begun: float) -> TaskOutcome:
        if task.kind != HOOK:
            told = self.runner.run(task.piece, lost)
            return self._settled(task, told, time.monotonic() - begun)
        said = hooks.run(task)
        seconds = time.monotonic() - begun
        self.queue.hook_done(task, said, seconds)
        return TaskOutcome(task, "failed" if said else "done", said or "", seconds)

    def _settled(self, task: Task, told: dict[str, Any], seconds: float) -> TaskOutcome:
        """Write into the queue what has become of a task, as :meth:`TaskRunner.run` has told it."""
        if task.kind == JOIN and "wrong" in told:
            wrong: dict[int, str] = told["wrong"]
            number, why = next(iter(wrong.items()))
            said = f"segment {number} {why}" + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else "")
            again = self.queue.render_again(task, wrong, said)
            return TaskOutcome(task, "again" if again else "failed", said, seconds)
        if task.kind == PLAN:
            kept = self.queue.planned(task, told["segments"], seconds)
        elif task.kind == SEGMENT:
            kept = self.queue.segment_done(task, told["frames"], seconds)
        else:
            kept = self._finished(task, told, seconds)
        return TaskOutcome(task, "done", "", seconds, told.get("frames", 0)) if kept else self._lost(task, seconds)

    def _finished(self, task: Task, result: dict[str, Any], seconds: float) -> bool:
        if task.upload:
            digest = staging.send(task.clip.output, task.upload, task.clip.job.overwrite)
            result = result | {"output": task.upload, "sha256": digest}
        kept = self.queue.job_done(task, result, seconds)
        if kept:
            remember(task.clip)
            if task.staged:
                shutil.rmtree(task.staged, ignore_errors=True)
            if task.kind == JOIN:
                admin.forget(task.folder)
        return kept

    def _lost(self, task: Task, seconds: float) -> TaskOutcome:
        """Somebody else has the task, or its job was cancelled: then nothing of it is to be left."""
        state = admin.job(self.queue, task.job)["state"] if self._known(task) else CANCELLED
        if state == CANCELLED and task.kind != HOOK:
            admin.forget(task.folder)
            with contextlib.suppress(VideditError):  # this version may not know the job's words
                sweep_lost(task.clip)
        return TaskOutcome(task, "lost", f"the job is {state}", seconds)

    def _known(self, task: Task) -> bool:
        return self.queue.connection.execute("SELECT 1 FROM job WHERE id = ?", (task.job,)).fetchone() is not None

    @contextlib.contextmanager
    def _alive(self, task: Task, lost: threading.Event) -> Iterator[None]:
        """Renew the lease while the block runs; `lost` is set when that is refused."""
        over = threading.Event()

        def beat() -> None:
            last = time.monotonic()
            with Queue(self.queue.file, self.queue.clock) as queue:
                while not over.wait(min(BEAT, self.lease / 4)):
                    with contextlib.suppress(sqlite3.Error):  # the next time it may go
                        if not queue.holds(task):
                            lost.set()
                            return
                        if time.monotonic() - last >= self.lease / 4:
                            queue.renew(task, self.lease, self._runner.frames_done if self._runner else 0)
                            last = time.monotonic()

        thread = threading.Thread(target=beat, name="videdit-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextlib.contextmanager
    def _logged(self, task: Task) -> Iterator[None]:
        """What is said while the block runs goes to the task's log too. A log that cannot be written stops nothing."""
        file = self.queue.log_file(task)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            log.warning("job %d goes on without its log, for %s cannot be written: %s", task.job, file, error.strerror)
            yield
            return
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)
            handler.close()
