"""What tells a clip, or a sequence of pictures, from what lay at its place before, and where else the same one lies."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from videdit.errors import AwayError, MediaError
from videdit.media.image_sequence import existing, is_sequence
from videdit.paths import real
from videdit.storage.hashes import sha256

_COARSE = 2_000_000_000  # ns: some file systems tell times no finer, so what is written twice meanwhile looks unchanged


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """A file, or numbered pictures, as they are now.

    Two of these are equal while nobody has written to the files: whatever is kept beside them, or in memory, goes by
    that. What is kept for the same clip wherever it lies goes by its :meth:`content`.
    """

    path: Path  # resolved
    stamps: tuple[tuple[int, int], ...]  # (bytes, nanoseconds of the last change) of the file, or of each picture

    @classmethod
    def of(cls, path: Path) -> SourceIdentity:
        """What lies at a path now. Raises MediaError: nothing does, or it cannot be read."""
        try:
            parts = list(existing(path).values()) if is_sequence(path) else [path]
            states = [part.stat() for part in parts]
            place = real(path)
        except OSError as error:
            away = isinstance(error, FileNotFoundError) and not path.parent.is_dir()
            raise (AwayError if away else MediaError)(f"cannot read {path}: {error.strerror}") from None
        if not states:
            raise MediaError(f"no file is named like {path}")
        return cls(place, tuple((state.st_size, state.st_mtime_ns) for state in states))

    @classmethod
    def known(cls, path: Path) -> SourceIdentity | None:
        """What lies at a path now; None where nothing does."""
        try:
            return cls.of(path)
        except MediaError:
            return None

    @property
    def size(self) -> int:
        """Bytes, of all pictures together."""
        return sum(size for size, _ in self.stamps)

    @property
    def modified(self) -> int:
        """Nanoseconds: when somebody last wrote to it."""
        return max(written for _, written in self.stamps)

    @property
    def values(self) -> list[Any]:
        """The stamps as plain values, for files that say of what something was made: [bytes, time], or several."""
        stamps: list[Any] = [list(stamp) for stamp in self.stamps]
        return stamps[0] if len(stamps) == 1 else stamps

    def content(self, fresh: bool = False) -> str:
        """The SHA-256 of a file; of pictures, that of their own, in their order. Takes a look at every byte.

        fresh: also where that was done before and the stamps say that nothing has changed since.

        Raises:
            OSError: the files cannot be read.
        """
        if fresh or time.time_ns() - self.modified < _COARSE:
            return content_hash(self.path)
        return _content(self)


def check_unchanged(path: Path, before: SourceIdentity) -> None:
    """Raises MediaError: something has been written to a path since, or in its place.

    A file that is gone may be read to its end by who has it open, and further pictures of a sequence change none.
    """
    now = SourceIdentity.known(path)
    if now is not None and not set(before.stamps) <= set(now.stamps):
        raise MediaError(f"{path} was changed while it was rendered; nothing is written, render it again")


@lru_cache(maxsize=256)
def _content(identity: SourceIdentity) -> str:
    return content_hash(identity.path)


def content_hash(path: Path) -> str:
    """What :meth:`SourceIdentity.content` says of a path. Raises OSError: its files cannot be read."""
    if not is_sequence(path):
        return sha256(path)
    return hashlib.sha256("".join(map(sha256, existing(path).values())).encode()).hexdigest()
