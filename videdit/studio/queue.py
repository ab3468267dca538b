"""The jobs that wait for their render, in order: kept through restarts. What renders them is in :mod:`.renders`."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

from videdit.errors import UsageError
from videdit.jobs.job_file import job_of
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob
from videdit.studio.state import State

WAITING, RUNNING, DONE, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
MOST = 1000  # jobs that are kept
_LOG_BYTES = 64 << 10


class RenderQueue:
    """The queue of one studio."""

    def __init__(self, state: State) -> None:
        self._state = state
        with state.writing() as connection:
            connection.execute(
                "UPDATE job SET state = 'waiting', log = log || 'the studio was closed; it goes on where it was\n'"
                " WHERE state = 'running'"
            )

    @property
    def paused(self) -> bool:
        """Whether no further job is begun."""
        return self._state.setting("paused", "") == "yes"

    @paused.setter
    def paused(self, value: bool) -> None:
        self._state.set("paused", "yes" if value else "")

    def add(self, clip: str, planned: Clip) -> int:
        """Put a job at the end. Raises UsageError: another that is not over writes the same file, or it is full."""
        values = json.dumps(planned.job.model_dump(mode="json", exclude_defaults=True))
        with self._state.writing() as connection:
            if connection.execute("SELECT count(*) FROM job").fetchone()[0] >= MOST:
                raise UsageError(f"the queue holds {MOST} jobs at most; take away those that are done")
            self._check_output(connection, str(planned.output))
            (last,) = connection.execute("SELECT COALESCE(MAX(position), 0) FROM job").fetchone()
            cursor = connection.execute(
                "INSERT INTO job (position, state, clip, source, output, job, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (last + 1, WAITING, clip, str(planned.source), str(planned.output), values, time.time()),
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    @staticmethod
    def _check_output(connection: sqlite3.Connection, output: str) -> None:
        busy = connection.execute(
            "SELECT id FROM job WHERE output = ? AND state IN ('waiting', 'running')", (output,)
        ).fetchone()
        if busy:
            raise UsageError("a job of the queue writes a file of that name already; choose another name")

    def rows(self) -> list[dict[str, Any]]:
        """All jobs: those that run or wait in their order, then what is over, the newest first."""
        found = self._state.rows(
            "SELECT id, position, state, clip, source, output, job, phase, done, frames, share, error, result, created,"
            " started, finished FROM job ORDER BY state NOT IN ('waiting', 'running'),"
            " CASE WHEN state IN ('waiting', 'running') THEN position ELSE -finished END"
        )
        return [dict(row) for row in found]

    def row(self, number: int) -> dict[str, Any]:
        """One job. Raises UsageError: there is none."""
        found = self._state.rows("SELECT * FROM job WHERE id = ?", number) if number < 1 << 62 else []
        if not found:
            raise UsageError("that job is not in the queue any more")
        return dict(found[0])

    def job(self, number: int) -> RenderJob:
        """The job of a row."""
        return job_of(json.loads(self.row(number)["job"]))

    def take(self) -> int | None:
        """The next job, which runs from now on; None where none waits, or the queue is paused."""
        if self.paused:
            return None
        with self._state.writing() as connection:
            row = connection.execute("SELECT id FROM job WHERE state = 'waiting' ORDER BY position LIMIT 1").fetchone()
            if row is None:
                return None
            connection.execute(
                "UPDATE job SET state = 'running', started = ?, finished = NULL, error = NULL, share = NULL, done = 0,"
                " phase = 'look' WHERE id = ?",
                (time.time(), row["id"]),
            )
            return int(row["id"])

    def progress(self, number: int, phase: str, done: int, frames: int | None, share: float | None) -> None:
        """How far the running job is."""
        with self._state.writing() as connection:
            connection.execute(
                "UPDATE job SET phase = ?, done = ?, frames = ?, share = ? WHERE id = ?",
                (phase, done, frames, share, number),
            )

    def say(self, number: int, line: str) -> None:
        """A line of a job's log."""
        with self._state.writing() as connection:
            stamp = time.strftime("%H:%M:%S")
            connection.execute(
                "UPDATE job SET log = substr(log || ?, ?) WHERE id = ?", (f"{stamp} {line}\n", -_LOG_BYTES, number)
            )

    def end(self, number: int, state: str, error: str = "", result: dict[str, Any] | None = None) -> None:
        """The running job is over; of state "waiting", it is not."""
        with self._state.writing() as connection:
            connection.execute(
                "UPDATE job SET state = ?, error = ?, result = ?, finished = ? WHERE id = ?",
                (state, error, json.dumps(result) if result else None, time.time(), number),
            )

    def retry(self, number: int) -> None:
        """Put a job that is over at the end again. Raises UsageError: it is not over."""
        row = self.row(number)
        if row["state"] not in (FAILED, STOPPED):
            raise UsageError("only a job that failed or was stopped can be tried again")
        with self._state.writing() as connection:
            self._check_output(connection, row["output"])
            connection.execute(
                "UPDATE job SET state = 'waiting', error = NULL, position = (SELECT MAX(position) + 1 FROM job)"
                " WHERE id = ?",
                (number,),
            )

    def stop_waiting(self, number: int) -> bool:
        """Stop a job that waits; False where it does not."""
        with self._state.writing() as connection:
            cursor = connection.execute(
                "UPDATE job SET state = 'stopped', finished = ? WHERE id = ? AND state = 'waiting'",
                (time.time(), number),
            )
            return cursor.rowcount == 1

    def remove(self, number: int) -> None:
        """Forget a job that does not run; its output stays. Raises UsageError: it runs."""
        with self._state.writing() as connection:
            cursor = connection.execute("DELETE FROM job WHERE id = ? AND state != 'running'", (number,))
            if cursor.rowcount != 1:
                raise UsageError("a job that runs cannot be taken away; stop it first")

    def move(self, number: int, by: int) -> None:
        """Let a waiting job change places with the one before it (by < 0) or after it."""
        way, order = ("<", "DESC") if by < 0 else (">", "ASC")
        with self._state.writing() as connection:
            own = connection.execute(
                "SELECT position FROM job WHERE id = ? AND state = 'waiting'", (number,)
            ).fetchone()
            if own is None:
                raise UsageError("only a job that waits can be moved")
            other = connection.execute(
                f"SELECT id, position FROM job WHERE state = 'waiting' AND position {way} ?"
                f" ORDER BY position {order} LIMIT 1",
                (own["position"],),
            ).fetchone()
            if other is not None:
                connection.execute("UPDATE job SET position = ? WHERE id = ?", (other["position"], number))
                connection.execute("UPDATE job SET position = ? WHERE id = ?", (own["position"], other["id"]))
