"""What people ask of a queue: how it stands, and to pause, go on, cancel, retry, move and forget jobs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from videdit.errors import UsageError, VideditError
from videdit.farm.queue import Queue
from videdit.farm.schema import CANCELLED, FAILED, OVER, PAUSED, RUNNING, SKIPPED, WAITING, writing

_COUNTS = """
SELECT job.*, SUM(task.kind = 'segment') AS segments,
    SUM(task.kind = 'segment' AND task.state = 'done') AS segments_done,
    SUM(task.state = 'running') AS workers, MIN(CASE WHEN task.state = 'running' THEN task.lease END) AS lease,
    MAX(CASE WHEN task.kind = 'hook' AND task.state = 'failed' THEN task.error END) AS command_error,
    SUM(CASE WHEN task.kind IN ('segment', 'render') THEN task.frames_done ELSE 0 END) AS frames_done,
    SUM(CASE WHEN task.kind = 'segment' AND task.state = 'done' THEN task.seconds END)
        / SUM(CASE WHEN task.kind = 'segment' AND task.state = 'done' THEN task.frames END) AS pace
FROM job LEFT JOIN task ON task.job = job.id {where} GROUP BY job.id ORDER BY job.open DESC, job.priority DESC,
    job.position, job.id
"""

_PLAIN = ("id", "source", "output", "state", "priority", "submitted", "started", "finished") + (
    ("frames", "faces", "error", "exit_code", "upload")
)


def tally(queue: Queue) -> dict[str, int]:
    """How many jobs are in which state."""
    return dict(queue.connection.execute("SELECT state, COUNT(*) FROM job GROUP BY state ORDER BY state").fetchall())


def jobs(queue: Queue, states: Sequence[str] = ()) -> list[dict[str, Any]]:
    """All jobs, those that are next first, or those in some states, as plain values."""
    where = f"WHERE job.state IN ({', '.join('?' * len(states))})" if states else ""
    rows = queue.connection.execute(_COUNTS.format(where=where), tuple(states)).fetchall()
    waits = _waits(queue)
    return [_values(dict(row), waits.get(row["id"], {}), queue.clock()) for row in rows]


def job(queue: Queue, number: int) -> dict[str, Any]:
    """One job with its tasks. Raises UsageError: there is none of that number."""
    row = queue.connection.execute(_COUNTS.format(where="WHERE job.id = ?"), (number,)).fetchone()
    if row is None:
        raise UsageError(f"there is no job {number}")
    tasks = queue.connection.execute(
        "SELECT kind, number, state, attempts, worker, frames, frames_done, seconds, error FROM task WHERE job = ?"
        " ORDER BY id",
        (number,),
    )
    clip = json.loads(row["clip"])
    return _values(dict(row), _waits(queue).get(number, {}), queue.clock()) | {
        "settings": clip["job"],
        "plan": row["folder"],
        "logs": str(queue.logs(number)),
        "tasks": [dict(task) for task in tasks],
    }


def _values(row: dict[str, Any], waits: dict[int, str], now: float) -> dict[str, Any]:
    """A job's row in words and numbers."""
    frames, pace = row["frames"], row["pace"]
    left = None
    if row["state"] == RUNNING and frames and pace:
        left = round(max(0, frames - (row["frames_done"] or 0)) * pace / max(1, row["workers"] or 0), 1)
    return {name: row[name] for name in _PLAIN} | {
        "segments": row["segments"] or 0,
        "segments_done": row["segments_done"] or 0,
        "frames_done": row["frames_done"] or 0,
        "workers": row["workers"] or 0,
        "silent": (row["lease"] or now) < now,  # one of them, for longer than its lease
        "seconds_left": left,
        "waits_for": list(waits),
        "held_up_by": [number for number, state in waits.items() if state in (FAILED, CANCELLED)],
        "command_error": row["command_error"],
        "result": json.loads(row["result"]) if row["result"] else None,
    }


def _waits(queue: Queue) -> dict[int, dict[int, str]]:
    """Of each job, those that it waits for and that are not done, with their states."""
    found: dict[int, dict[int, str]] = {}
    rows = queue.connection.execute(
        "SELECT after.job, after.other, other.state FROM after JOIN job AS other ON other.id = after.other"
        " WHERE other.state NOT IN ('done', 'skipped') ORDER BY after.other"
    )
    for number, other, state in rows:
        found.setdefault(number, {})[other] = state
    return found


def pause(queue: Queue, numbers: Sequence[int], now: bool = False) -> None:
    """Begin nothing more of some jobs. now: also stop what is being worked on, which is begun again later."""
    with writing(queue.connection):
        for number in _checked(queue, numbers, (WAITING, RUNNING, PAUSED), "paused"):
            queue.connection.execute("UPDATE job SET state = 'paused', open = 0 WHERE id = ?", (number,))
            if now:
                _stop(queue, number, WAITING)


def resume(queue: Queue, numbers: Sequence[int]) -> None:
    """Go on with paused jobs."""
    with writing(queue.connection):
        for number in _checked(queue, numbers, (PAUSED,), "resumed"):
            queue.connection.execute(
                "UPDATE job SET open = 1, state = CASE WHEN EXISTS (SELECT 1 FROM task WHERE job = job.id"
                " AND task.state = 'running') THEN 'running' ELSE 'waiting' END WHERE id = ?",
                (number,),
            )


def cancel(queue: Queue, numbers: Sequence[int]) -> None:
    """Give jobs up; who works on one stops within seconds. Plans and segments go, outputs that are complete stay."""
    with writing(queue.connection):
        wanted = _checked(queue, numbers, (WAITING, RUNNING, PAUSED), "cancelled")
        for number in wanted:
            queue.connection.execute(
                "UPDATE job SET state = 'cancelled', open = 0, finished = ? WHERE id = ?", (queue.clock(), number)
            )
            _stop(queue, number, CANCELLED)
    for number in wanted:
        _forget_plan(queue, number)


def retry(queue: Queue, numbers: Sequence[int]) -> None:
    """Try again what failed or was cancelled, and nothing else: segments that are there stay.

    What has no plan, or one of which nothing more can come, for its source is another by now, is planned again. Of a
    job that is done the command for its end is run again, if that has failed.
    """
    plans = {number: queue.plan_folder(number) for number in numbers}
    useless = {number for number, folder in plans.items() if folder and not _usable(folder)}
    with writing(queue.connection):
        numbers = [number for number in numbers if not _command_again(queue, number)]
        for number in _checked(queue, numbers, (FAILED, SKIPPED, CANCELLED), "tried again"):
            queue.check_output(number)
            if number in useless:
                queue.plan_again(number)
            queue.connection.execute(
                "UPDATE task SET state = CASE kind WHEN 'join' THEN 'blocked' ELSE 'waiting' END, attempts = 0,"
                " not_before = 0, error = NULL WHERE job = ? AND state IN ('failed', 'cancelled') AND kind != 'hook'",
                (number,),
            )
            queue.connection.execute("DELETE FROM task WHERE job = ? AND kind = 'hook'", (number,))
            queue.unblock(number)
            anew = "state = 'waiting', open = 1, finished = NULL, error = NULL, exit_code = NULL"
            queue.connection.execute(f"UPDATE job SET {anew} WHERE id = ?", (number,))


def _command_again(queue: Queue, number: int) -> bool:
    """Have the command for the end of a job that is done run again. False: it is not done, or that has not failed."""
    cursor = queue.connection.execute(
        "UPDATE task SET state = 'waiting', attempts = 0, error = NULL WHERE job = ? AND kind = 'hook'"
        " AND state = 'failed' AND EXISTS (SELECT 1 FROM job WHERE id = task.job AND state = 'done')",
        (number,),
    )
    queue.connection.execute("UPDATE job SET open = 1 WHERE id = ? AND ?", (number, cursor.rowcount))
    return cursor.rowcount > 0


def move(queue: Queue, number: int, *, priority: int | None = None, before: int | None = None) -> None:
    """Give a job another priority, or the place before another job, whose priority it then has.

    Without either it becomes the first of its priority.
    """
    with writing(queue.connection):
        _checked(queue, [number], (WAITING, RUNNING, PAUSED), "moved")
        execute = queue.connection.execute
        if before is not None:
            _checked(queue, [before], (WAITING, RUNNING, PAUSED), "waited for")
            if before == number:
                raise UsageError(f"there is no other job {before} to move it before")
            (rank,) = execute("SELECT priority FROM job WHERE id = ?", (before,)).fetchone()
            execute("UPDATE job SET priority = ? WHERE id = ?", (rank, number))
            rows = execute(
                "SELECT id FROM job WHERE priority = ? AND state IN ('waiting', 'running', 'paused') AND id != ?"
                " ORDER BY position, id",
                (rank, number),
            ).fetchall()
            order = [row["id"] for row in rows]
            order.insert(order.index(before), number)
            # Anew from 1: of a job that is put in later the position is its number, which is larger.
            queue.connection.executemany("UPDATE job SET position = ? WHERE id = ?", enumerate(order, 1))
            return
        if priority is not None:
            execute("UPDATE job SET priority = ? WHERE id = ?", (priority, number))
            return
        first = "SELECT MIN(position) FROM job WHERE open AND priority = (SELECT priority FROM job WHERE id = ?)"
        execute(f"UPDATE job SET position = ({first}) - 1 WHERE id = ?", (number, number))


def prune(queue: Queue, older: float = 0.0, states: Sequence[str] = OVER) -> list[int]:
    """Forget jobs that ended more than `older` seconds ago, with their logs and what is left of their plans."""
    limit = queue.clock() - older
    with writing(queue.connection):
        rows = queue.connection.execute(
            f"SELECT id FROM job WHERE state IN ({', '.join('?' * len(states))}) AND NOT open AND finished <= ?"
            " AND NOT EXISTS (SELECT 1 FROM task WHERE job = job.id AND task.state = 'running')"
            " AND NOT EXISTS (SELECT 1 FROM after JOIN job AS later ON later.id = after.job"
            "     WHERE after.other = job.id AND later.state IN ('waiting', 'paused'))",
            (*states, limit),
        ).fetchall()
        numbers = [row["id"] for row in rows]
        for number in numbers:
            _forget_plan(queue, number)
            shutil.rmtree(queue.logs(number), ignore_errors=True)
        queue.connection.executemany("DELETE FROM job WHERE id = ?", [(number,) for number in numbers])
    return numbers


def remove(queue: Queue, number: int) -> None:
    """Forget one job that is over, with its logs; its output stays. Raises UsageError: it is not, or is waited for."""
    with writing(queue.connection):
        _checked(queue, [number], OVER, "taken away")
        waiting = queue.connection.execute(
            "SELECT job FROM after JOIN job ON job.id = after.job WHERE other = ? AND state IN ('waiting', 'paused')"
            " AND NOT EXISTS (SELECT 1 FROM job AS done WHERE done.id = other AND done.state IN ('done', 'skipped'))",
            (number,),
        ).fetchone()
        if waiting:
            raise UsageError(f"job {number} stays, for job {waiting['job']} waits for it")
        queue.connection.execute("DELETE FROM job WHERE id = ?", (number,))
    shutil.rmtree(queue.logs(number), ignore_errors=True)


def log_words(queue: Queue, number: int, segment: int | None = None) -> str:
    """The logs of a job, or of one of its segments. Raises UsageError: there is none."""
    job(queue, number)
    folder = queue.logs(number)
    pattern = "*.log" if segment is None else f"segment-{segment:06d}.log"
    files = sorted(folder.glob(pattern), key=lambda file: file.stat().st_mtime) if folder.is_dir() else []
    if not files:
        raise UsageError(f"there is no log yet of job {number}" + ("" if segment is None else f", segment {segment}"))
    with contextlib.suppress(OSError):
        return "\n".join(f"== {file.name}\n{file.read_text('utf-8', 'replace').rstrip()}" for file in files)
    return ""


def _checked(queue: Queue, numbers: Sequence[int], states: Sequence[str], done: str) -> list[int]:
    """The numbers, if all are of jobs in such states. Raises UsageError: one is not."""
    for number in dict.fromkeys(numbers):
        row = queue.connection.execute("SELECT state FROM job WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise UsageError(f"there is no job {number}")
        if row["state"] not in states:
            raise UsageError(f"job {number} is {row['state']} and cannot be {done}")
    return list(dict.fromkeys(numbers))


def _stop(queue: Queue, number: int, state: str) -> None:
    """Take running tasks from their workers, who notice; and, if nobody is to go on, those that wait."""
    queue.connection.execute(
        "UPDATE task SET state = ?, token = token + 1, attempts = attempts - 1, worker = NULL, error = ?"
        " WHERE job = ? AND state = 'running'",
        (state, "it was paused" if state == WAITING else "it was cancelled", number),
    )
    if state == CANCELLED:
        queue.connection.execute(
            "UPDATE task SET state = 'cancelled' WHERE job = ? AND state IN ('waiting', 'blocked')", (number,)
        )


def _usable(folder: Path) -> bool:
    """Whether segments of a plan can be rendered here; a source that cannot be read may come back."""
    from videdit.jobs import shot_plan
    from videdit.tracks.analysis_store import Analysis, DamagedError

    try:
        plan = shot_plan.read_plan(folder)
        shot_plan.check_versions(plan)
        Analysis(folder / shot_plan.ANALYSIS)
        source = plan.clip().source
        if os.access(source, os.R_OK):
            shot_plan.check_source(plan, source)
    except (VideditError, DamagedError):
        return False
    return True


def _forget_plan(queue: Queue, number: int) -> None:
    row = queue.connection.execute("SELECT folder, staged FROM job WHERE id = ?", (number,)).fetchone()
    if row is None:
        return
    forget(Path(row["folder"]))
    if row["staged"]:
        shutil.rmtree(row["staged"], ignore_errors=True)


def forget(folder: Path) -> None:
    """Remove a plan with all segments, and what killed workers left beside it; what cannot be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        for left in folder.parent.glob(f".{folder.name}.*.part*"):
            shutil.rmtree(left, ignore_errors=True)
