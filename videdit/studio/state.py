"""What the studio remembers: one SQLite file in the user's state folder, whose tables belong to who uses them."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from videdit.errors import UsageError, VideditError
from videdit.storage import locks

_VERSION = 1
_TABLES = """
CREATE TABLE name (clip TEXT NOT NULL, track INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (clip, track));
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class State:
    """The file, held by one studio at a time. Threads take turns."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError: another studio holds it. VideditError: it cannot be used."""
        self.folder, self.file = folder, folder / "studio.sqlite"
        self._turn = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (folder / "studio.lock").open("a+b")
            os.chmod(folder / "studio.lock", 0o600)
            locks.lock(self._lock)
            self._connection = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False)
            os.chmod(self.file, 0o600)
            self._connection.row_factory = sqlite3.Row
            self._prepare()
        except BlockingIOError:
            raise UsageError(
                f"another studio works with {folder}; close it, or give this one a folder of its own with --state"
            ) from None
        except (sqlite3.DatabaseError, OSError) as error:
            raise VideditError(f"cannot use what the studio keeps in {folder}: {error}") from None

    def _prepare(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == _VERSION:
            return
        if version:
            raise UsageError(f"{self.file} is of another version of videdit; give this one another folder with --state")
        self._connection.execute("PRAGMA journal_mode = WAL")
        with self.writing() as connection:
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All of the block, or nothing of it."""
        with self._turn:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, words: str, *values: object) -> list[sqlite3.Row]:
        """What a query finds."""
        with self._turn:
            return self._connection.execute(words, values).fetchall()

    def setting(self, key: str, default: str) -> str:
        """A value that is kept under a key; the default is kept where there is none yet."""
        with self.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO setting VALUES (?, ?)", (key, default))
            (value,) = connection.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
        return str(value)

    def set(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        with self.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))

    def secret(self) -> str:
        """What cookies hold: the same after a restart, so that an open page goes on."""
        return self.setting("secret", secrets.token_urlsafe(32))

    def names(self, clip: str) -> dict[str, str]:
        """The names that were given to the faces of a clip, by their numbers."""
        return {str(row["track"]): row["name"] for row in self.rows("SELECT * FROM name WHERE clip = ?", clip)}

    def give_name(self, clip: str, track: int, name: str) -> None:
        """Name a face; "" takes its name away."""
        with self.writing() as connection:
            connection.execute("DELETE FROM name WHERE clip = ? AND track = ?", (clip, track))
            if name:
                connection.execute("INSERT INTO name VALUES (?, ?, ?)", (clip, track, name))

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._connection.close()
            self._lock.close()
