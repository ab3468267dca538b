"""The queue: jobs are put in, tasks are taken out by lease, and whatever a dead worker held is taken up again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from videdit.errors import UsageError
from videdit.farm.schema import DONE, HOOK, PLAN, writing
from videdit.farm.tasks import ATTEMPTS, LEASE, Task, TaskEnds
from videdit.jobs import clip_record
from videdit.jobs.plan import Clip
from videdit.storage.outputs import hidden

# In the order of the indices: job by job, and none that is not looked at.
_OPEN_TASK = """
SELECT task.*, job.clip, job.folder, job.staged, job.upload,
    job.seconds AS segment_seconds, job.on_done, job.on_fail, job.error AS why,
    job.state AS job_state
FROM job INDEXED BY job_order CROSS JOIN task INDEXED BY task_state
WHERE job.open AND task.job = job.id AND task.state = 'waiting'
    -- What waits for longer than any pause was put off by a clock that has been set back since.
    AND (task.not_before <= :now OR task.not_before > :now + 60)
    AND NOT EXISTS (SELECT 1 FROM after LEFT JOIN job AS other ON other.id = after.other
        WHERE after.job = job.id AND other.state NOT IN ('done', 'skipped'))
ORDER BY job.priority DESC, job.position, task.id LIMIT 1
"""


class Queue(TaskEnds):
    """The queue in one file. Each process, and each thread, opens it for itself."""

    def log_file(self, task: Task) -> Path:
        """The log of a task."""
        return self.logs(task.job) / f"{task.name}.log"

    def logs(self, job: int) -> Path:
        """The folder of a job's logs."""
        return self.file.with_name(f"{self.file.name}.logs") / str(job)

    def submit(
        self,
        clips: Iterable[Clip],
        *,
        priority: int = 0,
        after: Sequence[int] = (),
        seconds: float | None = None,
        on_done: Sequence[str] = (),
        on_fail: Sequence[str] = (),
        staged: Path | None = None,
        upload: str | None = None,
    ) -> list[int]:
        """Put clips in, all or none, and give their numbers.

        Args:
            clips: see :func:`videdit.jobs.clip_record.absolute`.
            priority: the highest is next.
            after: jobs that have to be done before.
            seconds: how long a segment is; None: as a run on one machine has them, and short clips have none.
            on_done: a command, word by word.
            on_fail: the same for a job that failed, or in which no face was found.
            staged: a folder of copies (:mod:`videdit.farm.staging`) that goes with the job.
            upload: a URL where the output of the one clip goes.

        Raises:
            UsageError: an open job writes the same output, or there is no job of `after`.
        """
        numbers = []
        with writing(self.connection):
            for other in after:
                if not self._one("SELECT 1 FROM job WHERE id = ?", other):
                    raise UsageError(f"there is no job {other} to wait for")
            for clip in clips:
                numbers.append(self._put(clip, priority, seconds, on_done, on_fail))
                self.connection.execute(
                    "UPDATE job SET staged = ?, upload = ? WHERE id = ?",
                    (str(staged) if staged else None, upload, numbers[-1]),
                )
                rows = [(numbers[-1], other) for other in after]
                self.connection.executemany("INSERT OR IGNORE INTO after VALUES (?, ?)", rows)
        return numbers

    def _put(
        self, clip: Clip, priority: int, seconds: float | None, on_done: Sequence[str], on_fail: Sequence[str]
    ) -> int:
        self._check_output(str(clip.output))
        cursor = self.connection.execute(
            "INSERT INTO job (source, output, clip, folder, seconds, state, open, priority, position, on_done, on_fail,"
            " submitted) VALUES (?, ?, ?, ?, ?, 'waiting', 1, ?, 0, ?, ?, ?)",
            (
                str(clip.source),
                str(clip.output),
                json.dumps(clip_record.to_values(clip)),
                str(hidden(clip.output, ".plan")),
                seconds,
                priority,
                json.dumps(list(on_done)) if on_done else None,
                json.dumps(list(on_fail)) if on_fail else None,
                self.clock(),
            ),
        )
        number = cursor.lastrowid
        assert number is not None
        self.connection.execute("UPDATE job SET position = id WHERE id = ?", (number,))
        self._add(number, PLAN)
        return number

    def check_copy(self, folder: Path) -> None:
        """Raises UsageError: a job has the copies that lie in a folder."""
        busy = "SELECT id FROM job WHERE staged = ? AND state IN ('waiting', 'running', 'paused', 'failed')"
        if row := self._one(busy, str(folder)):
            raise UsageError(f"job {row['id']} renders this file to this output already; cancel or retry it")

    def check_output(self, job: int) -> None:
        """Raises UsageError: another open job writes the same output."""
        row = self._one("SELECT output FROM job WHERE id = ?", job)
        self._check_output(row["output"] if row else "")

    def _check_output(self, output: str) -> None:
        busy = self._one("SELECT id FROM job WHERE output = ? AND state IN ('waiting', 'running', 'paused')", output)
        if busy:
            raise UsageError(f"job {busy['id']} writes {output} already; cancel it, or choose another with -o")

    def take(self, worker: str, lease: float = LEASE) -> Task | None:
        """The next task for a worker, who holds it for `lease` seconds; None where there is none now."""
        now = self.clock()
        if not self._one(_OPEN_TASK, now=now) and not self._one(
            "SELECT 1 FROM task WHERE state = 'running' AND lease < ?", now
        ):
            return None  # without keeping others from writing
        with writing(self.connection):
            self._reclaim(now)
            row = self._one(_OPEN_TASK, now=now)
            if row is None:
                return None
            self.connection.execute(
                "UPDATE task SET state = 'running', token = token + 1, attempts = attempts + 1, worker = ?, lease = ?,"
                " started = ?, frames_done = 0, error = NULL WHERE id = ?",
                (worker, now + lease, now, row["id"]),
            )
            if row["kind"] != HOOK:
                self.connection.execute(
                    "UPDATE job SET state = 'running', started = COALESCE(started, ?) WHERE id = ?", (now, row["job"])
                )
        words = row["on_done"] if row["job_state"] == DONE else row["on_fail"]
        return Task(
            row["id"],
            row["job"],
            row["kind"],
            row["number"],
            row["token"] + 1,
            row["attempts"] + 1,
            row["clip"],
            Path(row["folder"]),
            row["segment_seconds"],
            tuple(json.loads(words)) if row["kind"] == HOOK and words else (),
            row["staged"],
            row["upload"],
            row["error"] is not None,
            row["job_state"],
            row["why"] or "",
        )

    def _reclaim(self, now: float) -> None:
        """Give back what workers held who have been silent for too long; what has killed several has failed."""
        lost = self.connection.execute(
            "SELECT id, job, kind, attempts, worker FROM task WHERE state = 'running' AND lease < ?", (now,)
        ).fetchall()
        for row in lost:
            said = f"its worker {row['worker']} was lost"
            if row["attempts"] < ATTEMPTS:
                self.connection.execute("UPDATE task SET state = 'waiting', error = ? WHERE id = ?", (said, row["id"]))
                self._rest(row["job"])
            else:
                self._fail(row["id"], row["job"], row["kind"], f"{said}, as {row['attempts'] - 1} were before", 1)

    def plan_again(self, job: int) -> None:
        """Begin a job anew."""
        self.connection.execute("DELETE FROM task WHERE job = ?", (job,))
        self._add(job, PLAN)

    def plan_folder(self, job: int) -> Path | None:
        """Where the plan of a job is, or is to be; None: there is no such job."""
        row = self._one("SELECT folder FROM job WHERE id = ?", job)
        return Path(row["folder"]) if row else None

    def left(self, running: bool = True) -> bool:
        """Whether anything is left that is, or will be, for a worker. running: also what others are at work on."""
        busy = "SELECT 1 FROM task WHERE state = 'running' LIMIT 1"
        if running and self._one(busy):
            return True
        return self._one(_OPEN_TASK, now=float("inf")) is not None
