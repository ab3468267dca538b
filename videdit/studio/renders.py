"""Renders the jobs of the queue, one after the other, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from videdit.errors import Cancelled, VideditError, machine_failure
from videdit.rendering.progress import Moment
from videdit.rendering.session import Session, planned
from videdit.studio.queue import DONE, FAILED, STOPPED, WAITING, RenderQueue

log = logging.getLogger(__name__)

_EVERY = 0.4  # seconds between two words about progress
_PATIENCE = 20.0  # seconds for a render to stop when the studio ends


class Renders:
    """The thread. What is rendered is what the command would render."""

    def __init__(self, session: Session, queue: RenderQueue, told: Callable[[int], None]) -> None:
        """told: called with a job's number whenever something about it has changed, from this thread."""
        self._session, self._queue, self._told = session, queue, told
        self._wake, self._ending = threading.Event(), threading.Event()
        self._running: tuple[int, threading.Event] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="videdit-studio-renders", daemon=True)

    def start(self) -> None:
        """Begin, with what waits."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop(self, number: int) -> bool:
        """Stop the running job now, if it is this one."""
        with self._lock:
            if self._running is None or self._running[0] != number:
                return False
            self._running[1].set()
            return True

    def close(self) -> None:
        """Stop; what runs waits for the next start of the studio, and goes on there."""
        self._ending.set()
        self._wake.set()
        with self._lock:
            if self._running is not None:
                self._running[1].set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                number = self._queue.take()
            except Exception:  # a disk that is full, say: the thread has to live
                log.exception("the queue cannot be read")
                number = None
            if number is None:
                self._wake.wait(2.0)
                self._wake.clear()
                continue
            try:
                self._render(number)
            except Exception:
                log.exception("job %d", number)
            self._told(number)

    def _render(self, number: int) -> None:
        cancel = threading.Event()
        with self._lock:
            self._running = number, cancel
            if self._ending.is_set():
                cancel.set()
        said = 0.0

        def progress(moment: Moment) -> None:
            nonlocal said
            now = time.monotonic()
            if now - said >= _EVERY or moment.share == 1:
                said = now
                self._queue.progress(number, moment.phase, moment.done, moment.frames, moment.share)
                self._told(number)

        self._queue.say(number, "begins")
        self._told(number)
        try:
            result = self._session.render(planned(self._queue.job(number)), progress=progress, cancel=cancel)
        except Cancelled:
            ended = self._ending.is_set()
            self._queue.say(number, "the studio ends" if ended else "stopped")
            self._queue.end(number, WAITING if ended else STOPPED)
        except VideditError as error:
            self._failed(number, str(error))
        except Exception as error:
            log.exception("job %d", number)
            failure = machine_failure(error)
            self._failed(number, str(failure or f"unexpected {type(error).__name__}; the log of the studio has more"))
        else:
            for line in result.summary().splitlines():
                self._queue.say(number, line)
            self._queue.end(number, DONE, result=result.as_dict())
        finally:
            with self._lock:
                self._running = None

    def _failed(self, number: int, words: str) -> None:
        self._queue.say(number, words)
        self._queue.end(number, FAILED, words)
