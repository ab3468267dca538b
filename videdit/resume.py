"""What of a clip is done already: a hidden folder of finished segments beside the output, until that is complete.

The folder belongs to one output and one way of making it: a key over source, settings, version and weights says which.
Anything else found in it is thrown away. A segment counts only if every byte of it is as it was written, and only if
all before it are there.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from videdit.config import RenderJob
from videdit.errors import MediaError, UsageError
from videdit.state import fingerprint

try:
    import fcntl
except ImportError:  # a system without it: two runs for one output are then not told apart
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

_KEY, _LOCK, _SUFFIX = "key.json", "lock", ".segment"
_OURS = re.compile(r"key\.json|lock|\d{6}(-[a-z]+)?\.(segment|part)|joined(-[a-z]+)?\.\w+")
_LAYOUT = 4  # of the folder; raised when segments are cut or written in another way


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment begins. Times are pts of the source."""

    index: int  # 0, 1, 2, ...
    pts: int  # its first frame
    scene_pts: int  # the first frame of that frame's shot: whoever begins there finds and tracks the same faces
    scene: int  # the number of that shot, from 0


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished one."""

    path: Path
    start: Place
    next: Place | None  # None: the clip is complete
    frames: int
    faces: int
    end_pts: int
    headers: str


class Work:
    """The folder of one output; a context manager that keeps other runs out of it while it is open."""

    def __init__(self, output: Path, source: Path, job: RenderJob) -> None:
        self.folder = output.with_name(f".{output.name}.unfinished")
        self.segments: list[Segment] = []
        wanted = {"": True, "matte": job.alpha_out, "compare": job.compare, "debug": job.debug_video}
        self._parts = [part for part, there in wanted.items() if there]
        self._key = key(source, job)
        self._lock: IO[str] | None = None

    def __enter__(self) -> Work:
        """Take the folder, and look at what is in it.

        Raises:
            UsageError: another run is writing the same output.
            MediaError: the folder cannot be made.
        """
        if self.folder.is_symlink():
            raise UsageError(f"{self.folder} is a link, where a folder of unfinished work should be; remove it")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / _LOCK).open("w")
            if fcntl is not None:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._unlock()
            raise UsageError(f"another run is at work on the same output (its folder is {self.folder})") from None
        except OSError as error:
            raise MediaError(f"cannot write to {self.folder}: {error.strerror}") from None
        self._tidy()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder; without a finished segment it goes too."""
        if not self.segments:
            self.remove()
        self._unlock()

    @property
    def next(self) -> Place | None:
        """Where to go on; None: at the beginning, or (``complete``) nowhere."""
        return self.segments[-1].next if self.segments else None

    @property
    def complete(self) -> bool:
        """Every segment is there, only the joining is left."""
        return bool(self.segments) and self.segments[-1].next is None

    @property
    def frames(self) -> int:
        return sum(segment.frames for segment in self.segments)

    @property
    def faces(self) -> int:
        return sum(segment.faces for segment in self.segments)

    def path(self, index: int, part: str = "") -> Path:
        """The file of a segment, or of its part of a file beside the output, which is on disk before the segment is."""
        return self.folder / f"{index:06d}{_dashed(part)}{_SUFFIX}"

    def unjoined(self, suffix: str, part: str = "") -> Path:
        """The file in which the output, or a file beside it, grows while segments are joined."""
        return self.folder / f"joined{_dashed(part)}{suffix}"

    def add(self, record: dict[str, Any]) -> None:
        """Count a segment that is on disk."""
        self.segments.append(_segment(self.path(record["start"]["index"]), record))

    def remove(self) -> None:
        """Forget the work: it is done, or of no use. What somebody else put into the folder stays."""
        with contextlib.suppress(OSError):
            for file in self._ours():
                file.unlink()
            self.folder.rmdir()
        self.segments = []

    def _ours(self) -> list[Path]:
        """The files that are here and could be of an earlier run."""
        return [file for file in self.folder.iterdir() if _OURS.fullmatch(file.name)]

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _tidy(self) -> None:
        """Keep the segments that can be used, and nothing else but the key and the lock."""
        path = self.folder / _KEY
        with contextlib.suppress(OSError, ValueError):
            if json.loads(path.read_text(encoding="utf-8")) == self._key:
                while not self.complete and (record := self._record(len(self.segments))):
                    self.add(record)
        done = range(len(self.segments))
        keep = {_LOCK, _KEY, *(self.path(i, part).name for i in done for part in self._parts)}
        try:
            for file in self._ours():
                if file.name not in keep:
                    file.unlink()
            path.write_text(json.dumps(self._key), encoding="utf-8")
        except OSError as error:
            raise MediaError(f"cannot write to {self.folder}: {error.strerror}") from None

    def _record(self, index: int) -> dict[str, Any] | None:
        """The record of a segment; None if it, or its part of a file beside the output, is not there as written."""
        from videdit.media.segments import read_record

        records = [read_record(self.path(index, part)) for part in self._parts]
        return records[0] if all(record is not None for record in records) else None


def _dashed(part: str) -> str:
    return f"-{part}" if part else ""


def key(source: Path, job: RenderJob) -> dict[str, Any]:
    """All that decides how the frames of an output look.

    The machine (device, precision, batch) is left out: whoever goes on with another wants to, after a failure of the
    first, and the difference is invisible. With the same one the frames are the same to the last bit.
    """
    from videdit.media.codecs import versions

    return {"layout": _LAYOUT, "made of": fingerprint(source, job), "codecs": versions()}


def record_of(start: Place, following: Place | None, faces: int) -> dict[str, Any]:
    """What a segment's file remembers beside its packets."""
    return {"start": asdict(start), "next": asdict(following) if following else None, "faces": faces}


def _segment(path: Path, record: dict[str, Any]) -> Segment:
    start, following = record["start"], record["next"]
    return Segment(
        path,
        Place(**start),
        Place(**following) if following else None,
        record["frames"],
        record["faces"],
        record["end_pts"],
        record["headers"],
    )
