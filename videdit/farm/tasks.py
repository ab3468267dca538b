"""Tasks: a piece of work that a worker has taken, and how it ends."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from videdit.farm import schema
from videdit.farm.failures import Failure
from videdit.farm.schema import BLOCKED, DONE, FAILED, HOOK, JOIN, RENDER, RUNNING, SEGMENT, SKIPPED, WAITING, writing
from videdit.jobs import clip_record
from videdit.jobs.plan import Clip

ATTEMPTS = 3  # of a task, before its job has failed
LEASE = 60.0  # seconds that a worker may be silent
STOPPED = "its worker was stopped"  # of a task that was given back
PAUSE = 5.0  # seconds before a task that failed is tried again; twice as long with every further time


@dataclass(frozen=True)
class Piece:
    """A segment of a plan, or another task of a job; whoever does it sees all files under these paths."""

    folder: Path  # of the plan
    number: int = 0  # of the segment
    kind: str = SEGMENT
    clip: str = ""  # JSON, videdit.jobs.clip_record; a segment needs none
    seconds: float | None = None  # how long segments are to be, for a plan
    again: bool = field(default=False, compare=False)  # an earlier try was lost, maybe after it had written the output

    @property
    def name(self) -> str:
        """For people."""
        return f"segment {self.number}" if self.kind == SEGMENT else f"the {self.kind}"


@dataclass(frozen=True)
class Task:
    """A piece of work that a worker has taken."""

    id: int
    job: int
    kind: str
    number: int  # of the segment
    token: int
    attempt: int  # 1, 2, ...
    clip_words: str  # JSON, videdit.jobs.clip_record
    folder: Path  # of the plan
    seconds: float | None  # how long a segment is to be
    command: tuple[str, ...] = ()  # of a hook
    staged: str | None = None  # a folder of copies
    upload: str | None = None  # where the output goes, as a URL
    again: bool = False  # an earlier try was stopped or lost, maybe after it had written the output
    job_state: str = RUNNING
    why: str = ""  # the job has failed

    @cached_property
    def clip(self) -> Clip:
        """What is rendered. Raises UsageError: this version does not know the job's words."""
        return clip_record.from_values(json.loads(self.clip_words))

    @property
    def name(self) -> str:
        """For people and for the name of its log."""
        return f"{self.kind}-{self.number:06d}" if self.kind == SEGMENT else self.kind

    @property
    def piece(self) -> Piece:
        """What is to be done, without what only the queue knows."""
        clip = "" if self.kind == SEGMENT else self.clip_words
        return Piece(self.folder, self.number, self.kind, clip, self.seconds, again=self.again)


class TaskEnds:
    """How tasks end. What a worker says of a task counts only while the task is its own: while its token is right."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        """Raises what :func:`videdit.farm.schema.connect` raises."""
        self.file, self.clock = file, clock
        self.connection = schema.connect(file)

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def renew(self, task: Task, lease: float = LEASE, frames_done: int = 0) -> bool:
        """Go on holding a task. False: it is another's, or is not wanted any more."""
        cursor = self.connection.execute(
            "UPDATE task SET lease = ?, frames_done = ? WHERE id = ? AND token = ? AND state = 'running'",
            (self.clock() + lease, frames_done, task.id, task.token),
        )
        return cursor.rowcount == 1

    def release(self, task: Task) -> bool:
        """Give a task back that was not finished, through no fault of its own. False: it is another's by now."""
        return self._give_back(task.id, task.job, task.token)

    def _give_back(self, number: int, job: int, token: int) -> bool:
        with writing(self.connection):
            cursor = self.connection.execute(
                "UPDATE task SET state = 'waiting', attempts = attempts - 1, worker = NULL, error = ?"
                " WHERE id = ? AND token = ? AND state = 'running'",
                (STOPPED, number, token),
            )
            self._rest(job)
        return cursor.rowcount == 1

    def release_all(self, worker: str) -> list[int]:
        """Give back all that a worker holds, as :meth:`release` does, and tell of which jobs it was."""
        held = "SELECT id, job, token FROM task WHERE worker = ? AND state = 'running'"
        rows = self.connection.execute(held, (worker,)).fetchall()
        return [row["job"] for row in rows if self._give_back(row["id"], row["job"], row["token"])]

    def planned(self, task: Task, segments: Sequence[tuple[int, int]], seconds: float) -> bool:
        """A plan is there, with segments (number, frames); without any the clip is rendered as one. False: lost it."""
        with writing(self.connection):
            if not self._end(task, DONE, seconds):
                return False
            self._rest(task.job)
            if not segments:
                self._add(task.job, RENDER)
                return True
            for number, frames in segments:
                self._add(task.job, SEGMENT, number, frames=frames)
            self._add(task.job, JOIN, state=BLOCKED)
            total = sum(frames for _, frames in segments)
            self.connection.execute("UPDATE job SET frames = ? WHERE id = ?", (total, task.job))
        return True

    def segment_done(self, task: Task, frames: int, seconds: float) -> bool:
        """A segment is there; after the last one the job can be joined. False: another has the task now."""
        with writing(self.connection):
            if not self._end(task, DONE, seconds, frames):
                return False
            self._rest(task.job)
            self.unblock(task.job)
        return True

    def job_done(self, task: Task, result: dict[str, Any], seconds: float) -> bool:
        """The output is there. False: another has the task now."""
        with writing(self.connection):
            if not self._end(task, DONE, seconds):
                return False
            self.connection.execute(
                "UPDATE job SET state = 'done', finished = ?, frames = ?, faces = ?, result = ?, exit_code = 0,"
                " error = NULL, open = on_done IS NOT NULL WHERE id = ?",
                (self.clock(), result.get("frames"), result.get("faces"), json.dumps(result), task.job),
            )
            if self._one("SELECT 1 FROM job WHERE id = ? AND on_done IS NOT NULL", task.job):
                self._add(task.job, HOOK)
        return True

    def hook_done(self, task: Task, said: str | None, seconds: float) -> None:
        """The command for the end of a job was run. said: what went wrong."""
        with writing(self.connection):
            if self._end(task, FAILED if said else DONE, seconds, error=said):
                self.connection.execute("UPDATE job SET open = 0 WHERE id = ?", (task.job,))

    def task_failed(self, task: Task, failure: Failure, seconds: float) -> bool:
        """A task went wrong. False: another has it now, or it is tried again."""
        said, tries = failure.said, task.attempt - (not failure.spent)
        with writing(self.connection):
            if not self.holds(task):
                return False
            if failure.again and tries < ATTEMPTS:
                self.connection.execute(
                    "UPDATE task SET state = 'waiting', error = ?, not_before = ?, worker = NULL, attempts = ?"
                    " WHERE id = ?",
                    (said, self.clock() + PAUSE * 2 ** max(0, tries - 1), tries, task.id),
                )
                self._rest(task.job)
                return False
            self.connection.execute("UPDATE task SET seconds = ? WHERE id = ?", (seconds, task.id))
            self._fail(task.id, task.job, task.kind, said, failure.exit_code)
        return True

    def render_again(self, task: Task, numbers: Iterable[int], said: str) -> bool:
        """The join found segments that are not as they should be: they are rendered again, and then it is tried again.

        False: it was tried too often, and the job has failed; or another has the task now.
        """
        with writing(self.connection):
            if not self.holds(task):
                return False
            if task.attempt >= ATTEMPTS:
                self._fail(task.id, task.job, task.kind, said, 1)
                return False
            rows = [(said, task.job, number) for number in numbers]
            self.connection.executemany(
                "UPDATE task SET state = 'waiting', error = ? WHERE job = ? AND kind = 'segment' AND number = ?", rows
            )
            self.connection.execute(
                "UPDATE task SET state = 'blocked', error = ?, worker = NULL WHERE id = ?", (said, task.id)
            )
            self._rest(task.job)
        return True

    def unblock(self, job: int) -> None:
        """Let a job be joined if all its segments are there."""
        left = (
            "SELECT 1 FROM task WHERE job = ? AND state IN ('waiting', 'running', 'failed', 'cancelled')"
            " AND kind = 'segment' LIMIT 1"
        )
        if not self._one(left, job):
            self.connection.execute(
                "UPDATE task SET state = 'waiting' WHERE job = ? AND kind = 'join' AND state = 'blocked'", (job,)
            )

    def holds(self, task: Task) -> bool:
        """Whether a task is still its taker's, and wanted."""
        held = "SELECT 1 FROM task WHERE id = ? AND token = ? AND state = 'running'"
        return self._one(held, task.id, task.token) is not None

    def _rest(self, job: int) -> None:
        """A job at which nobody is at work waits, however far it has come."""
        self.connection.execute(
            "UPDATE job SET state = 'waiting' WHERE id = ? AND state = 'running'"
            " AND NOT EXISTS (SELECT 1 FROM task WHERE job = job.id AND task.state = 'running')",
            (job,),
        )

    def _end(self, task: Task, state: str, seconds: float, frames: int | None = None, error: str | None = None) -> bool:
        cursor = self.connection.execute(
            "UPDATE task SET state = ?, seconds = ?, error = ?, frames = COALESCE(?, frames),"
            " frames_done = COALESCE(?, frames, 0) WHERE id = ? AND token = ? AND state = 'running'",
            (state, seconds, error, frames, frames, task.id, task.token),
        )
        return cursor.rowcount == 1

    def _fail(self, task: int, job: int, kind: str, said: str, exit_code: int) -> None:
        """A task has failed for good, and its job with it; what others render of it may become of use by a retry."""
        self.connection.execute("UPDATE task SET state = 'failed', error = ? WHERE id = ?", (said, task))
        if kind == HOOK:
            self.connection.execute("UPDATE job SET open = 0 WHERE id = ?", (job,))
            return
        state = SKIPPED if exit_code == 3 else FAILED
        self.connection.execute(
            "UPDATE job SET state = ?, finished = ?, error = ?, exit_code = ?, open = on_fail IS NOT NULL"
            " WHERE id = ? AND state NOT IN ('cancelled', 'failed')",
            (state, self.clock(), said, exit_code, job),
        )
        self.connection.execute(
            "UPDATE task SET state = 'cancelled' WHERE job = ? AND state IN ('waiting', 'blocked')", (job,)
        )
        if self._one("SELECT 1 FROM job WHERE id = ? AND open", job):
            self._add(job, HOOK)

    def _add(self, job: int, kind: str, number: int = 0, state: str = WAITING, frames: int | None = None) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO task (job, kind, number, state, frames) VALUES (?, ?, ?, ?, ?)",
            (job, kind, number, state, frames),
        )

    def _one(self, words: str, *values: Any, **named: Any) -> sqlite3.Row | None:
        return self.connection.execute(words, named or values).fetchone()
