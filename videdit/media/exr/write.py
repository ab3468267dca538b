"""Edited OpenEXR pictures, one or numbered: files that are otherwise the source.

Into a file go the source's own channels with the pixels that changed, so all others keep their bits, NaN and infinity
too (:mod:`videdit.media.exr.file`). Compression that loses something (DWAA, DWAB, B44) would lose again all over the
picture: ZIP takes its place.

A segment of numbered pictures has no packets. They lie in a folder beside it, and its record names them, each with its
size and CRC-32:

    000000.segment     {"pictures": {"out_1001.exr": [4711, 2882343476], ...}, ...}
    000000.pictures/   out_1001.exr, ...

When all are there they are moved to where they belong, one by one. Whoever is stopped amidst that can go on: a picture
that has left the folder is known by size and CRC-32 under its final name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from videdit.datatypes import Frame
from videdit.errors import MediaError
from videdit.media.encode.segments import SegmentFile, read_record, sync_folder
from videdit.media.encode.target import check_target, sweep
from videdit.media.exr.file import read
from videdit.media.exr.read import NOTES
from videdit.media.failures import writing
from videdit.media.image_sequence import files, picture
from videdit.media.info import MediaInfo
from videdit.storage.outputs import ExistsError, put, same, temporary_name

_CHUNK = 1 << 20


class ExrWriter:
    """Writes edited pictures beside their source: "out_%04d.exr", numbered as the source is, or one picture.

    Used as a ``VideoWriter`` is; the pictures appear with ``commit``.
    """

    def __init__(
        self,
        path: Path,
        info: MediaInfo,
        metadata: dict[str, str] | None = None,
        temporary: Path | None = None,
        replace: bool = False,
    ) -> None:
        """temporary: the folder of pictures that are given to ``write``, by default hidden beside `path`.

        replace: pictures that are there by then.

        Raises:
            MediaError: no such folder, not writable, disk full, or it is the source itself.
        """
        self.path, self.info, self.metadata, self._replace = path, info, metadata or {}, replace
        self.warnings: list[str] = []
        self.frames = 0
        self._sources = self._numbered(info)
        self._numbers = list(self._sources)
        self._finished: list[Path] = []
        # What lies in segments needs no room again.
        done = sum(file.stat().st_size for file in temporary.parent.glob("*.pictures/*")) if temporary else 0
        check_target(self._target(self._numbers[0]), dataclasses.replace(info, size=max(0, info.size - 2 * done)))
        sweep(path)
        self.temporary = temporary or temporary_name(path)
        with writing(path):
            self.temporary.mkdir()

    def __enter__(self) -> ExrWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.abort()
        else:
            try:
                self.commit()
            except BaseException:
                self.abort()
                raise

    def write(self, frame: Frame) -> None:
        """Write one picture; its pts says which of the source it was. Raises MediaError: the disk is full, ..."""
        self._finished.append(self.put(frame, self.temporary))
        self.frames += 1

    def segment(self, path: Path) -> ExrSegment:
        """A segment that ``join`` can take."""
        return ExrSegment(path, self)

    def headers(self) -> str:
        """Pictures need nothing of each other to fit together."""
        return ""

    def join(self, segments: Sequence[Path], end_pts: int) -> None:
        """Take the pictures of finished segments in place of frames."""
        for path in segments:
            record = read_record(path)
            if record is None:
                raise MediaError(f"{path} is damaged; run again to make it anew")
            self._finished += [_folder(path) / name for name in record["pictures"]]
            self.frames += record["frames"]
            self.warnings += [said for said in record["warnings"] if said not in self.warnings]

    def commit(self) -> None:
        """Give the pictures their names."""
        if not self.temporary.exists():
            return
        with writing(self.path):
            # Others have been moved by a run that was stopped.
            moves = {file: self.path.parent / file.name for file in self._finished if file.exists()}
            for file, target in () if self._replace else moves.items():  # all, before the first has moved
                if os.path.lexists(target) and not same(file, target):
                    raise ExistsError(target)
            for file, target in moves.items():
                put(file, target, self._replace)
            sync_folder(self.path.parent)
            self.temporary.rmdir()

    def abort(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self.temporary)

    def put(self, frame: Frame, folder: Path) -> Path:
        """Write one picture into a folder under its final name, and see it safe on the disk."""
        number = self._numbers[frame.pts or 0]
        image = read(self._sources[number])
        said = image.put(frame.picture.planes)
        if said and said not in self.warnings:
            self.warnings.append(said)
        for text in self.metadata.values():
            old = image.header.get(NOTES)
            image.header[NOTES] = f"{old} | {text}" if isinstance(old, str) and text not in old else text
        target = folder / self._target(number).name
        with writing(self.path):
            try:
                image.file.write(str(target))
                read(target)  # where the last bytes find no room the library keeps silent
            except (RuntimeError, ValueError, MediaError) as error:
                full = shutil.disk_usage(folder).free < image.nbytes
                why = "the disk is full; make room and run again" if full else " ".join(str(error).split())
                raise MediaError(f"cannot write {self.path}: {why}") from None
            with target.open("rb+") as file:
                os.fsync(file.fileno())
        return target

    def _numbered(self, info: MediaInfo) -> dict[int, Path]:
        """The pictures of the source by their numbers."""
        return files(info.path) if info.kind == "video" else {0: info.path}

    def _target(self, number: int) -> Path:
        return picture(self.path, number) if self.info.kind == "video" else self.path


class ExrSegment:
    """A segment of numbered pictures; used as a ``SegmentWriter`` is."""

    def __init__(self, path: Path, writer: ExrWriter) -> None:
        """Raises MediaError: it cannot be written."""
        self.path = path
        self._writer = writer
        self._pictures: dict[str, list[int]] = {}
        self._end_pts = 0
        with writing(path):
            _folder(path).mkdir()
            self._file = SegmentFile(path)
        self._done = False

    @property
    def frames(self) -> int:
        """How many pictures were written."""
        return len(self._pictures)

    def write(self, frame: Frame) -> None:
        """Write one picture. Raises MediaError: the disk is full, ..."""
        assert frame.pts is not None
        file = self._writer.put(frame, _folder(self.path))
        stamp = _stamp(file)
        assert stamp is not None
        self._pictures[file.name] = stamp
        self._end_pts = frame.pts + 1

    def commit(self, record: dict[str, Any]) -> dict[str, Any]:
        """Finish the segment with `record`, which is given back with what a clip's segment adds, and the pictures."""
        record = record | {"frames": self.frames, "end_pts": self._end_pts, "headers": self._writer.headers()}
        record |= {"pictures": self._pictures, "warnings": self._writer.warnings}
        with writing(self.path):
            sync_folder(_folder(self.path))
            self._file.commit(record)
        self._done = True
        return record

    def abort(self) -> None:
        """Forget an unfinished segment."""
        if not self._done:
            self._file.abort()
            shutil.rmtree(_folder(self.path), ignore_errors=True)


def whole(path: Path, record: dict[str, Any], final: Path) -> bool:
    """Whether every picture of the segment at `path` is as it was written, there or in the folder `final` already.

    True of the segment of a clip, which has none.
    """
    pictures: dict[str, list[int]] = record.get("pictures", {})
    return all(stamp in map(_stamp, (_folder(path) / name, final / name)) for name, stamp in pictures.items())


def _folder(segment: Path) -> Path:
    return segment.with_suffix(".pictures")


def _stamp(file: Path) -> list[int] | None:
    """Size and CRC-32 of a file; None where there is none."""
    size, found = 0, 0
    try:
        with file.open("rb") as stream:
            while piece := stream.read(_CHUNK):
                size, found = size + len(piece), zlib.crc32(piece, found)
    except OSError:
        return None
    return [size, found]
