"""The queue's database: SQLite in a file that all workers of one machine open.

A job is one clip. Its work is in tasks: look and plan, one for each segment, and join; or a single one that renders the
clip as the command does, where there is nothing to split. A task that is being worked on belongs to a worker for as
long as its lease is renewed; with every worker that takes it its ``token`` grows, and who comes with an older one has
lost it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from videdit.errors import UsageError, VideditError

VERSION = 1
_WAIT = 30.0  # seconds for which a write waits for another's

WAITING, RUNNING, DONE, FAILED, SKIPPED, CANCELLED = "waiting", "running", "done", "failed", "skipped", "cancelled"
PAUSED, BLOCKED = "paused", "blocked"
OVER = (DONE, FAILED, SKIPPED, CANCELLED)  # jobs of which nothing is left to do
RENDER, PLAN, SEGMENT, JOIN, HOOK = "render", "plan", "segment", "join", "hook"  # kinds of tasks

_TABLES = """
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    output TEXT NOT NULL,
    clip TEXT NOT NULL,               -- JSON, videdit.jobs.clip_record
    folder TEXT NOT NULL,             -- of the plan
    seconds REAL,                     -- how long a segment is, NULL: as a run on one machine has them
    state TEXT NOT NULL,
    open INTEGER NOT NULL,            -- 1: its tasks may be taken
    priority INTEGER NOT NULL,
    position REAL NOT NULL,           -- among jobs of one priority, smaller is sooner
    on_done TEXT, on_fail TEXT,       -- JSON, the words of a command
    staged TEXT,                      -- a folder of copies that goes with the job
    upload TEXT,                      -- where the output goes, as a URL
    submitted REAL NOT NULL, started REAL, finished REAL,
    frames INTEGER, faces INTEGER,
    error TEXT, exit_code INTEGER, result TEXT
);
CREATE INDEX job_order ON job (priority DESC, position) WHERE open;
CREATE INDEX job_output ON job (output);
CREATE TABLE after (job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE, other INTEGER NOT NULL,
    PRIMARY KEY (job, other)) WITHOUT ROWID;
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,          -- of the segment
    state TEXT NOT NULL,
    token INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    worker TEXT, lease REAL, started REAL, seconds REAL,
    frames INTEGER, frames_done INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    UNIQUE (job, kind, number)
);
CREATE INDEX task_state ON task (job, state, kind, number);
CREATE INDEX task_lease ON task (lease) WHERE state = 'running';
"""


class _Connection(sqlite3.Connection):
    """Takes any text. Names of files need not be UTF-8, which SQLite's text is: those that are not are bytes there."""

    def execute(self, words: str, values: Any = (), /) -> sqlite3.Cursor:
        return super().execute(words, _stored(values))

    def executemany(self, words: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        return super().executemany(words, map(_stored, rows))


def _stored(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _bytes_of(value) for name, value in values.items()}
    return tuple(map(_bytes_of, values))


def _bytes_of(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape")
    return value


def _row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> sqlite3.Row:
    text = (value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value for value in values)
    return sqlite3.Row(cursor, tuple(text))


def connect(file: Path) -> sqlite3.Connection:
    """Open the database, and make it where there is none.

    Raises:
        UsageError: something else is in the file.
        VideditError: it cannot be opened.
    """
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is {'a folder' if file.is_dir() else 'no file'}; name a file with --queue")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        connection = _opened(file)
        connection.row_factory = _row
        connection.execute("PRAGMA foreign_keys = ON")
        _prepare(connection, file)
    except sqlite3.DatabaseError as error:
        raise failed(file, error) from None
    except OSError as error:
        raise VideditError(f"cannot open the queue {file}: {error.strerror}") from None
    return connection


def _opened(file: Path) -> sqlite3.Connection:
    name, only_read = str(file), False
    if file.exists() and not file.with_name(f"{file.name}-wal").exists():
        only_read = bool(os.statvfs(file).f_flag & os.ST_RDONLY) or not os.access(file.parent, os.W_OK)
    if only_read:  # nobody writes to it, and to look SQLite would make files beside it
        name = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(name, timeout=_WAIT, isolation_level=None, factory=_Connection, uri=only_read)


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        connection.execute("PRAGMA synchronous = NORMAL")
        return
    if version or connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise UsageError(f"{file} is no queue of this version of videdit; choose another with --queue")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    with writing(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == VERSION:  # another has been faster
            return
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block, or nothing of it. Raises VideditError: it cannot be written."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):  # the disk is full, another holds it for too long
            raise VideditError(f"the queue cannot be written: {error}") from None
        raise


def failed(file: Path, error: sqlite3.DatabaseError) -> VideditError:
    """What went wrong with the database, as one line."""
    words = str(error)
    if "not a database" in words or "malformed" in words:
        return UsageError(f"{file} is no queue ({words}); choose another with --queue")
    with contextlib.suppress(OSError):
        if not shutil.disk_usage(file.parent).free:
            return VideditError(f"the queue {file} cannot be used: its disk is full; make room first")
    hint = "; a queue lies on a disk of this machine" if "locked" in words or "I/O" in words else ""
    if "unable to open" in words:
        hint = "; its folder has to be there and to be written to, or choose another with --queue"
    return VideditError(f"the queue {file} cannot be used: {words}{hint}")
