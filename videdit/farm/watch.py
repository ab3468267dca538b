"""A folder in which clips arrive: what has stopped growing goes into the queue, once."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videdit.errors import MediaError, VideditError
from videdit.farm.queue import Queue
from videdit.farm.schema import DONE, OVER
from videdit.media.source_identity import SourceIdentity
from videdit.storage.outputs import put_text

LOOK = 2.0  # seconds between two looks at the folder
MARKS = ".videdit-watch.json"  # in the folder: what was taken, so that no start takes it again


@dataclass(frozen=True)
class Event:
    """A file was "taken", "refused", "moved" (its job is done), or its job "ended" otherwise."""

    kind: str
    file: Path
    said: str
    jobs: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}: {self.kind}: {self.said}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for --json."""
        return {"event": self.kind, "file": str(self.file), "said": self.said, "jobs": list(self.jobs)}


class Watch:
    """Looks at one folder, not at those in it. Hidden files are still being written by whoever put them there."""

    def __init__(
        self,
        folder: Path,
        queue: Queue,
        take: Callable[[Path], list[int]],
        settle: float = 10.0,
        done_to: Path | None = None,
    ) -> None:
        """Of which folder, and what is done with a file.

        Args:
            folder: what is watched.
            queue: where jobs go.
            take: puts a file into the queue and gives its jobs.
            settle: seconds without a change of size or time.
            done_to: the folder for sources whose jobs are done; None: they stay, and are marked as taken.

        Raises:
            MediaError: the folder cannot be read, or no marks be made in it.
        """
        self.folder, self.queue, self.take, self.settle, self.done_to = folder, queue, take, settle, done_to
        self._seen: dict[str, tuple[list[int], float]] = {}  # name -> size and time, and since when they are so
        self._marks = self._read()
        self._write()  # before anything is taken that could not be marked

    def events(self, once: bool = False, idle: Callable[[float], None] = time.sleep) -> Iterator[Event]:
        """Watch, and tell what happens. once: end when nothing is left that grows, or whose job is to be waited for."""
        while True:
            waiting = yield from self.look(time.monotonic())
            if once and not waiting:
                return
            idle(min(LOOK, self.settle))

    def look(self, now: float) -> Generator[Event, None, bool]:
        """Look once. Its value is whether something is to be waited for."""
        waiting = False
        there = {file.name: file for file in self._files()}
        self._seen = {name: seen for name, seen in self._seen.items() if name in there}
        for name, file in there.items():
            state = SourceIdentity.known(file)
            if state is None:
                continue
            stamp = state.values
            if name in self._marks and (self._marks[name]["stamp"] == stamp or self._at_work(name)):
                waiting |= bool(self.done_to and not self._marks[name]["over"])
                continue
            known, since = self._seen.get(name, (None, now))
            if known != stamp:
                self._seen[name], since = (stamp, now), now
            if now - since < self.settle:
                waiting = True
                continue
            if not state.size:  # whoever made it may write to it yet, but nobody waits for that
                continue
            yield self._taken(file, stamp)
            waiting |= bool(self.done_to and not self._marks[name]["over"])
        if self.done_to:
            yield from self._move_done()
        return waiting

    def _files(self) -> list[Path]:
        try:
            return sorted(f for f in self.folder.iterdir() if f.is_file() and not f.name.startswith("."))
        except OSError as error:
            raise MediaError(f"cannot watch {self.folder}: {error.strerror}") from None

    def _taken(self, file: Path, stamp: list[int]) -> Event:
        """Put a file into the queue, or say why not; either is done once."""
        try:
            jobs = self.take(file)
        except VideditError as error:
            self._mark(file, stamp, [], over=True)
            return Event("refused", file, str(error))
        self._mark(file, stamp, jobs, over=not jobs)
        said = f"job {', '.join(map(str, jobs))}" if jobs else "its output is there already"
        return Event("taken", file, said, tuple(jobs))

    def _move_done(self) -> Iterator[Event]:
        """Move the sources of jobs that are done."""
        assert self.done_to is not None
        for name, mark in list(self._marks.items()):
            if mark["over"] or not mark["jobs"]:
                continue
            states = [self._state(number) for number in mark["jobs"]]
            if not all(state is None or state in OVER for state in states):
                continue
            file = self.folder / name
            if not all(state == DONE for state in states):
                self._mark(file, mark["stamp"], mark["jobs"], over=True)
                yield Event("ended", file, f"its job is {states[0] or 'gone'}; the file stays", tuple(mark["jobs"]))
                continue
            said = self._move(file, self.done_to / name, mark["stamp"])
            self._mark(file, mark["stamp"], mark["jobs"], over=True)
            yield Event(
                "ended" if said else "moved", file, said or f"done, now {self.done_to / name}", tuple(mark["jobs"])
            )

    def _move(self, file: Path, target: Path, stamp: list[int]) -> str | None:
        """Move a source, unless it is another by now. What went wrong, or None."""
        try:
            identity = SourceIdentity.known(file)
            if identity is None:
                return "done; the file is not there any more"
            if identity.values != stamp:
                return "done, but it has changed since, and stays"
            target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(target):
                return f"done, but it stays: {target} is there already"
            shutil.move(file, target)
        except OSError as error:
            return f"done, but it stays: {error.strerror or error}"
        return None

    def _at_work(self, name: str) -> bool:
        """Whether a job of a file is not over: until then nothing else is taken under that name."""
        return any(state is not None and state not in OVER for state in map(self._state, self._marks[name]["jobs"]))

    def _state(self, number: int) -> str | None:
        row = self.queue.connection.execute("SELECT state FROM job WHERE id = ?", (number,)).fetchone()
        return row["state"] if row else None

    def _mark(self, file: Path, stamp: list[int], jobs: list[int], over: bool) -> None:
        self._marks[file.name] = {"stamp": stamp, "jobs": jobs, "over": over}
        there = {path.name for path in self._files()}
        self._marks = {name: mark for name, mark in self._marks.items() if name in there}
        self._write()

    def _write(self) -> None:
        try:
            put_text(self.folder / MARKS, json.dumps(self._marks, indent=1) + "\n", replace=True)
        except OSError as error:
            raise MediaError(f"cannot write {self.folder / MARKS}: {error.strerror}") from None

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads((self.folder / MARKS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
