"""A worker that has an engine do its tasks: it holds as many as the engine has room for."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

from videdit.farm.engines.base import Ended, Engine
from videdit.farm.failures import Failure
from videdit.farm.queue import Queue
from videdit.farm.schema import SEGMENT
from videdit.farm.tasks import LEASE, Piece, Task
from videdit.farm.worker import BEAT, IDLE, TaskOutcome, Worker

log = logging.getLogger(__name__)

WAIT = 0.5  # seconds for which an engine is asked at a time
ASK = 5.0  # seconds between two questions for frames that are done


class Dispatcher(Worker):
    """Hands tasks to an engine; those of kinds that the engine does not take are done in this process."""

    def __init__(self, queue: Queue, engine: Engine, *, lease: float = LEASE, device: str | None = None) -> None:
        """engine: who does tasks; it is not closed. lease, device: as of :class:`Worker`."""
        super().__init__(queue, lease=lease, device=device)
        self.engine = engine
        self._held: dict[Piece, Task] = {}
        self._lost_pieces: set[Piece] = set()
        self._frames: dict[Piece, int] = {}
        self._asked = time.monotonic()

    def work(self, until_empty: bool = False, idle: Callable[[float], None] = time.sleep) -> Iterator[TaskOutcome]:
        """As :meth:`Worker.work`; tasks end in any order."""
        over = threading.Event()
        beat = threading.Thread(target=self._beat, args=(over,), name="videdit-leases", daemon=True)
        beat.start()
        with self._giving_back():
            try:
                yield from self._work(until_empty, idle)
            finally:
                over.set()
                beat.join()
                self._held.clear()
                self.engine.cancel()

    def _work(self, until_empty: bool, idle: Callable[[float], None]) -> Iterator[TaskOutcome]:
        while True:
            task = self.queue.take(self.name, self.lease) if len(self._held) < self.engine.slots else None
            if task is not None and self._for_engine(task):
                self._submit(task)
                continue
            if task is not None:
                yield self.do(task)
            elif self._held:
                yield from map(self._ended, self.engine.poll(WAIT))
                self._ask()
            elif until_empty and not self.queue.left():
                return
            else:
                idle(IDLE)
            yield from self._stop_lost()

    def _for_engine(self, task: Task) -> bool:
        """Whether a task is the engine's. Copies of files elsewhere (:mod:`videdit.farm.staging`) lie on this machine:
        others may not see them. Segments are given away all the same, for that is what a farm is there for.
        """
        near = task.kind == SEGMENT or not (task.staged and self.engine.far)
        return near and task.kind in self.engine.kinds

    def _submit(self, task: Task) -> None:
        piece = task.piece
        with self._logged(task):
            log.info("job %d %s: attempt %d by %s", task.job, task.name, task.attempt, type(self.engine).__name__)
        if piece in self._held:  # its lease had ended, and nobody else has taken it
            self.engine.cancel(piece)
        self._lost_pieces.discard(piece)
        self._held[piece] = task
        self.engine.submit(piece)

    def _ended(self, ended: Ended) -> TaskOutcome:
        task = self._held[ended.piece]  # and is held on to: an output that is sent elsewhere may take hours
        with self._logged(task):
            log.info("%s%s", f"{ended.log}\n" if ended.log else "", ended.error or f"done in {ended.seconds:.1f} s")
        try:
            if ended.error is None:
                return self._settled(task, ended.told, ended.seconds)
            if not self.queue.holds(task):
                return self._lost(task, ended.seconds)
            failure = Failure(ended.error, ended.exit_code, ended.again, ended.spent)
            final = self.queue.task_failed(task, failure, ended.seconds)
            return TaskOutcome(task, "failed" if final else "again", ended.error, ended.seconds)
        except Exception as error:
            return self._went_wrong(task, error, ended.piece in self._lost_pieces, ended.seconds)
        finally:
            self._held.pop(ended.piece)
            self._lost_pieces.discard(ended.piece)

    def _ask(self) -> None:
        """Learn now and then how far the engine is, for those who look at the queue."""
        if time.monotonic() - self._asked >= ASK:
            self._frames, self._asked = self.engine.progress(), time.monotonic()

    def _beat(self, over: threading.Event) -> None:
        """Go on holding what is being rendered, also while this process plans or joins."""
        with Queue(self.queue.file, self.queue.clock) as queue:
            while not over.wait(min(BEAT, self.lease / 4)):
                for piece, task in list(self._held.items()):
                    with contextlib.suppress(sqlite3.Error):  # the next time it may go
                        if not queue.renew(task, self.lease, self._frames.get(piece, 0)):
                            self._lost_pieces.add(piece)

    def _stop_lost(self) -> Iterator[TaskOutcome]:
        """Have stopped what is another's, or is not wanted any more."""
        for piece in list(self._lost_pieces):
            self._lost_pieces.discard(piece)
            if (task := self._held.pop(piece, None)) is not None:
                self.engine.cancel(piece)
                yield self._lost(task, 0.0)
