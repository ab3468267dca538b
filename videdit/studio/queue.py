"""The queue of a studio: that of :mod:`videdit.farm`, in a file of its own, which `videdit jobs` can read too."""

from __future__ import annotations

import re
from typing import Any

from videdit.errors import UsageError
from videdit.farm import admin, schema
from videdit.farm.queue import Queue
from videdit.jobs import clip_record
from videdit.jobs.plan import Clip
from videdit.studio.state import State

MOST = 1000  # jobs that are kept
_WORDS = {schema.PAUSED: "stopped", schema.CANCELLED: "stopped", schema.SKIPPED: "failed"}
_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d |== )", re.MULTILINE)  # where a record of a log begins
_FAR = 1 << 62  # numbers beyond are no jobs' and no database's


class RenderQueue:
    """What a page may do with the queue. Threads may ask at once."""

    def __init__(self, state: State) -> None:
        """state: says in which folder the queue is, and whether it is paused."""
        self._state = state
        self.file = state.folder / "queue.sqlite"
        with self.opened():
            pass

    def opened(self) -> Queue:
        """The queue, open: a context manager for one thread."""
        return Queue(self.file)

    @property
    def paused(self) -> bool:
        """Whether the studio begins no further job."""
        return self._state.setting("paused", "") == "yes"

    @paused.setter
    def paused(self, value: bool) -> None:
        self._state.set("paused", "yes" if value else "")

    def add(self, planned: Clip) -> int:
        """Put a job at the end. Raises UsageError: another that is not over writes the same file, or it is full."""
        with self.opened() as queue:
            if sum(admin.tally(queue).values()) >= MOST:
                raise UsageError(f"the queue holds {MOST} jobs at most; take away those that are done")
            (number,) = queue.submit([clip_record.absolute(planned)])
            return number

    def rows(self) -> list[dict[str, Any]]:
        """All jobs: those that run or wait in their order, then what is over, the newest first."""
        with self.opened() as queue:
            found = admin.jobs(queue)
        at_work = [row for row in found if row["state"] in (schema.RUNNING, schema.WAITING)]
        others = [row for row in found if row["state"] not in (schema.RUNNING, schema.WAITING)]
        others.sort(key=lambda row: -(row["finished"] or row["submitted"]))
        return [row | {"state": _WORDS.get(row["state"], row["state"])} for row in at_work + others]

    def log(self, number: int) -> str:
        """What was said while a job was at work, without traces of the program's stack.

        Raises:
            UsageError: there is no such job, or nothing was said.
        """
        with self.opened() as queue:
            return _without_traces(admin.log_words(queue, _checked(number)))

    def stop(self, number: int) -> None:
        """Stop a job that runs or waits; finished parts are kept for when it is tried again. Raises UsageError."""
        with self.opened() as queue:
            admin.pause(queue, [_checked(number)], now=True)

    def retry(self, number: int) -> None:
        """Go on with a job that failed or was stopped. Raises UsageError: it did not, or its file is another's now."""
        with self.opened() as queue:
            state = admin.job(queue, _checked(number))["state"]
            (admin.resume if state == schema.PAUSED else admin.retry)(queue, [number])

    def remove(self, number: int) -> None:
        """Forget a job that does not run or wait; its output stays. Raises UsageError: it does."""
        with self.opened() as queue:
            if admin.job(queue, _checked(number))["state"] == schema.PAUSED:
                admin.cancel(queue, [number])
            admin.remove(queue, number)

    def move(self, number: int, by: int) -> None:
        """Let a job change places with the one before it (by < 0) or after it. Raises UsageError: it is over."""
        with self.opened() as queue:
            order = [row["id"] for row in admin.jobs(queue, (schema.RUNNING, schema.WAITING))]
            if number not in order:
                raise UsageError("only a job that waits can be moved")
            at = order.index(number)
            if by < 0 and at > 0:
                admin.move(queue, number, before=order[at - 1])
            elif by > 0 and at + 1 < len(order):
                admin.move(queue, order[at + 1], before=number)


def _without_traces(words: str) -> str:
    """A log, where records with traces are their first lines."""
    records = _RECORD.split(words)
    return "".join(one.split("\n")[0] + "\n" if "\nTraceback (most recent" in one else one for one in records)


def _checked(number: int) -> int:
    if not 0 < number < _FAR:
        raise UsageError(f"there is no job {number}")
    return number
