"""What of a clip is done already: a hidden folder of finished segments beside the output, until that is complete.

The folder belongs to one output and one way of making it: a key over source, settings, version and weights says which.
Anything else found in it is thrown away. A segment counts only if every byte of it is as it was written, and only if
all before it are there.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from videdit.datatypes import SegmentStart
from videdit.errors import BusyError, MediaError, UsageError
from videdit.jobs.fingerprint import fingerprint
from videdit.jobs.render_job import RenderJob
from videdit.storage.locks import lock
from videdit.storage.outputs import hidden

log = logging.getLogger(__name__)

_KEY, _LOCK, _SUFFIX = "key.json", "lock", ".segment"
_HANDED_OVER, _UNEDITED = "handed-over", "unedited"  # signs: empty files
_OURS = re.compile(
    r"(key\.json|handed-over|unedited)(\.part)?|lock|\d{6}(-[a-z]+)?\.(segment|part)|\d{6}\.pictures|joined(-[a-z]+)?\.\w+"
)
_LAYOUT = 5  # of the folder; raised when segments are cut or written in another way


@dataclass(frozen=True, slots=True)
class Span:
    """What is read of a clip to render a single segment of it. Times are pts of the source, both ends included."""

    first: int  # the first frame that is decoded
    last: int
    following: SegmentStart | None  # the segment after it; None: the clip ends with this one


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished one."""

    path: Path
    start: SegmentStart
    next: SegmentStart | None  # None: the clip is complete
    frames: int
    faces: int
    end_pts: int
    headers: str


class Segments:
    """Finished segments in a folder: what the stages that write them and join them need to know."""

    unedited = False  # whether the segments are of a clip without a face, written as it is
    # How long a segment is at most (videdit.stages.split_segments.SplitSegments); None: as usual.
    crops: int | None = None
    frames_most: int | None = None
    span: Span | None = None  # of a single segment that is rendered by itself: what is read for it

    def __init__(self, folder: Path) -> None:
        """folder: where their files are; none is looked for."""
        self.folder = folder
        self.segments: list[Segment] = []

    @property
    def next(self) -> SegmentStart | None:
        """Where to go on; None: at the beginning, or (``complete``) nowhere."""
        return self.segments[-1].next if self.segments else None

    @property
    def complete(self) -> bool:
        """Every segment is there, only the joining is left."""
        return bool(self.segments) and self.segments[-1].next is None

    @property
    def frames(self) -> int:
        """How many frames the finished segments have."""
        return sum(segment.frames for segment in self.segments)

    @property
    def faces(self) -> int:
        """How many faces were edited in them, counted in each frame."""
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

    def begin_commit(self) -> None:
        """From here on finished files take their names: a run that finds some of them there may go on."""

    def take_back(self) -> None:
        """A file that is nobody's of ours has a name: what is there is no longer known to be our own."""


class SegmentStore(Segments):
    """The folder of one output; a context manager that keeps other runs out of it while it is open."""

    def __init__(self, output: Path, source: Path, job: RenderJob) -> None:
        """output, source: of the clip. job: what its segments, and those of the files beside it, are made with."""
        super().__init__(folder_of(output))
        wanted = {"": True, "matte": job.alpha_out, "compare": job.compare, "debug": job.debug_video}
        self._parts = [part for part, there in wanted.items() if there]
        self._key = key(source, job)
        self._lock: IO[str] | None = None

    def __enter__(self) -> SegmentStore:
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
            lock(self._lock)
        except BlockingIOError:
            self._unlock()
            raise BusyError(f"another run is at work on the same output (its folder is {self.folder})") from None
        except OSError as error:
            raise MediaError(f"cannot write to {self.folder}: {error.strerror}") from None
        self._tidy()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder; without a finished segment it goes too."""
        if not self.segments:
            self.remove()
        self._unlock()

    def begin_commit(self) -> None:
        """Leave a mark in the folder."""
        self._write(_HANDED_OVER, "")

    def take_back(self) -> None:
        """Remove the mark, if it can be."""
        with contextlib.suppress(OSError):
            (self.folder / _HANDED_OVER).unlink()

    def clear(self, unedited: bool) -> None:
        """Forget the segments: no face is in the clip. unedited: those that follow are of the clip as it is."""
        self.segments, self.unedited = [], unedited
        self._keep(_LOCK, _KEY)
        if unedited:
            self._parts = [""]
            self._write(_UNEDITED, "")

    def remove(self) -> None:
        """Forget the work: it is done, or of no use. What somebody else put into the folder stays."""
        with contextlib.suppress(OSError):
            (self.folder / _KEY).unlink(missing_ok=True)  # first: without it what is left is nobody's
            for file in self._ours():
                _delete(file)
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
        known = False
        with contextlib.suppress(OSError, ValueError):
            known = json.loads((self.folder / _KEY).read_text(encoding="utf-8")) == self._key
        if known and (self.folder / _UNEDITED).exists():
            self.unedited, self._parts = True, [""]
        while known and not self.complete and (record := self._record(len(self.segments))):
            self.add(record)
        signs = {_UNEDITED: self.unedited, _HANDED_OVER: self.complete}
        done = range(len(self.segments))
        parts = (self.path(i, part).name for i in done for part in self._parts)
        pictures = (self.path(i).with_suffix(".pictures").name for i in done)
        self._keep(_LOCK, _KEY, *parts, *pictures, *(sign for sign, stays in signs.items() if stays))
        if not known:
            self._write(_KEY, json.dumps(self._key))

    def _keep(self, *names: str) -> None:
        """Delete all else that is ours. Raises MediaError: it cannot be deleted."""
        try:
            for file in self._ours():
                if file.name not in names:
                    _delete(file)
        except OSError as error:
            raise MediaError(f"cannot write to {self.folder}: {error.strerror}") from None

    def _write(self, name: str, words: str) -> None:
        """Put a small file into the folder, whole or not at all: without its key the work would be nobody's."""
        from videdit.media.encode.segments import sync_folder

        unfinished = self.folder / f"{name}.part"
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                file.write(words)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, self.folder / name)
            sync_folder(self.folder)
        except OSError as error:
            raise MediaError(f"cannot write to {self.folder}: {error.strerror}") from None

    def _record(self, index: int) -> dict[str, Any] | None:
        """The record of a segment; None if it, or its part of a file beside the output, is not there as written."""
        from videdit.media.encode.segments import read_record
        from videdit.media.exr.write import whole

        records = [read_record(self.path(index, part)) for part in self._parts]
        if records[0] is None or not whole(self.path(index), records[0], self.folder.parent):
            return None
        return records[0] if all(record is not None for record in records) else None


def folder_of(output: Path) -> Path:
    """The hidden folder of an output."""
    return hidden(output, ".unfinished")


def handing_over(output: Path, source: Path, job: RenderJob) -> bool:
    """Whether this very job was stopped while its files took their names: those that are there are its own."""
    folder = folder_of(output)
    if not (folder / _HANDED_OVER).exists():
        return False
    try:
        made_of = json.loads((folder / _KEY).read_text(encoding="utf-8"))["made of"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return made_of == fingerprint(source, job)


def _delete(file: Path) -> None:
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    else:
        file.unlink()


def _dashed(part: str) -> str:
    return f"-{part}" if part else ""


def key(source: Path, job: RenderJob) -> dict[str, Any]:
    """All that decides how the frames of an output look.

    The machine (device, precision, batch) is left out: whoever goes on with another wants to, after a failure of the
    first, and the difference is invisible. With the same one the frames are the same to the last bit.
    """
    from videdit.media.encode.codecs import versions

    return {"layout": _LAYOUT, "made of": fingerprint(source, job), "codecs": versions()}


def record_of(start: SegmentStart, following: SegmentStart | None, faces: int) -> dict[str, Any]:
    """What a segment's file remembers beside its packets."""
    return {"start": asdict(start), "next": asdict(following) if following else None, "faces": faces}


def _segment(path: Path, record: dict[str, Any]) -> Segment:
    start, following = record["start"], record["next"]
    return Segment(
        path,
        SegmentStart(**start),
        SegmentStart(**following) if following else None,
        record["frames"],
        record["faces"],
        record["end_pts"],
        record["headers"],
    )
