"""Segments: pieces of an encoded video that are safe on disk before the whole is done, and how they become one.

A segment is a file of packets, each complete in itself (it begins with a key frame of a newly opened encoder):

    packets   one after the other: pts (8 bytes), duration (4), key frame (4), its size (4) and that of what lies beside
              it (4), then the bytes of both
    record    JSON: what the packets do not say, and whatever the caller wants to remember
    tail      where the record begins (8 bytes), CRC-32 of all before (4), magic (8)

It gets its name only when all of it has reached the disk; one that is damaged later is found out by its checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av

from videdit.datatypes import Frame
from videdit.media.encode.alpha import beside
from videdit.media.encode.codecs import VideoEncoder
from videdit.media.encode.encoding import FrameEncoder, stand_alone
from videdit.media.encode.ffmpeg_process import ExternalEncoder
from videdit.media.failures import writing
from videdit.media.info import MediaInfo

_PACKET = struct.Struct("<qIIII")
_TAIL = struct.Struct("<QI8s")
_MAGIC = b"VDESEG2\n"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Encoded:
    """One packet of the edited video; times in units of the source's time base."""

    data: bytes
    pts: int
    dts: int
    duration: int
    key: bool
    beside: bytes = b""  # see videdit.media.encode.alpha


class SegmentFile:
    """A segment's file while it grows; ``path`` exists after ``commit`` and not before, and then to stay."""

    def __init__(self, path: Path) -> None:
        """Raises OSError: it cannot be written."""
        self.path = path
        self._temporary = path.with_suffix(".part")
        self._crc = 0
        self._file: BinaryIO | None = self._temporary.open("wb")

    def append(self, data: bytes) -> None:
        """Bytes of one packet, after those before. Raises OSError: the disk is full, ..."""
        assert self._file is not None
        self._file.write(data)
        self._crc = zlib.crc32(data, self._crc)

    def commit(self, record: dict[str, Any]) -> None:
        """Close it with `record`. Raises OSError: the disk is full, ..."""
        assert self._file is not None
        begin = self._file.tell()
        self.append(json.dumps(record).encode())
        self._file.write(_TAIL.pack(begin, self._crc, _MAGIC))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        os.replace(self._temporary, self.path)
        sync_folder(self.path.parent)

    def abort(self) -> None:
        """Forget it, if it is unfinished."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            self._temporary.unlink(missing_ok=True)


class SegmentWriter:
    """Encodes frames into a segment; ``path`` exists after ``commit`` and not before."""

    def __init__(self, path: Path, info: MediaInfo, encoder: VideoEncoder, threads: int) -> None:
        """info: the source. threads: of the encoder. Raises MediaError: it cannot be written."""
        self.path = path
        with writing(path):
            context = stand_alone(info, encoder, threads)
            self._encoder = FrameEncoder(context.encode, info, encoder)
            self._headers = headers_hash(context.extradata)
            self._close = context.close if isinstance(context, ExternalEncoder) else lambda: None
            self._file = SegmentFile(path)

    @property
    def frames(self) -> int:
        """How many were written."""
        return self._encoder.frames

    def write(self, frame: Frame) -> None:
        """Encode one frame. Raises MediaError: the disk is full, ..."""
        with writing(self.path):
            self._put(self._encoder.encode(frame))

    def commit(self, record: dict[str, Any]) -> dict[str, Any]:
        """Finish the segment with `record`, which is given back with "frames", "end_pts" and "headers" added."""
        with writing(self.path):
            self._put(self._encoder.flush())
            record = record | {
                "frames": self.frames,
                "end_pts": self._encoder.end_pts,
                "headers": self._headers,
            }
            self._file.commit(record)
            self._close()
        return record

    def abort(self) -> None:
        """Forget an unfinished segment."""
        self._close()
        self._file.abort()

    def _put(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            data, more = bytes(packet), beside(packet)
            assert packet.pts is not None
            self._file.append(_PACKET.pack(packet.pts, packet.duration or 0, packet.is_keyframe, len(data), len(more)))
            self._file.append(data + more)


def read_record(path: Path) -> dict[str, Any] | None:
    """The record of a segment; None if there is none at `path` or any of its bytes is damaged."""
    try:
        with path.open("rb") as file:
            begin, crc = _read_tail(file)
            file.seek(0)
            left = os.fstat(file.fileno()).st_size - _TAIL.size
            if not 0 <= begin <= left:
                return None
            found = 0
            while left:
                piece = file.read(min(left, _CHUNK))
                found, left = zlib.crc32(piece, found), left - len(piece)
            if found != crc:
                return None
            file.seek(begin)
            return json.loads(file.read()[: -_TAIL.size])
    except (OSError, ValueError, struct.error):
        return None


def joined(paths: Sequence[Path]) -> Iterator[Encoded]:
    """The packets of segments as one stream, in decoding order.

    The encoders knew nothing of each other, so their decoding times may overlap: they are set anew. With d the most
    places by which any packet comes later in decoding order than it is shown, and p the sorted presentation times,
    packet i is decoded at p[i - d]: the latest times that never run backwards nor past a packet's own presentation.
    """
    times = [pts for path in paths for pts, *_ in _walk(path, data=False)]
    shown = sorted(times)
    place = {pts: i for i, pts in enumerate(shown)}
    delay = max((i - place[pts] for i, pts in enumerate(times)), default=0)
    first = shown[delay] - shown[0] if delay else 0
    i = 0
    for path in paths:
        for pts, duration, key, data, more in _walk(path, data=True):
            dts = shown[i - delay] if i >= delay else shown[i] - first
            yield Encoded(data, pts, dts, duration, bool(key), more)
            i += 1


def headers_hash(extradata: bytes | None) -> str:
    """Stands for an encoder's headers: packets of encoders with different ones cannot be joined."""
    return hashlib.sha256(bytes(extradata or b"")).hexdigest()


def _walk(path: Path, data: bool) -> Iterator[tuple[int, int, int, bytes, bytes]]:
    with path.open("rb") as file:
        end, _ = _read_tail(file)
        file.seek(0)
        at = 0
        while at < end:
            pts, duration, key, *sizes = _PACKET.unpack(file.read(_PACKET.size))
            packet, more = (file.read(size) if data else b"" for size in sizes)
            yield pts, duration, key, packet, more
            at += _PACKET.size + sum(sizes)
            file.seek(at)


def _read_tail(file: BinaryIO) -> tuple[int, int]:
    file.seek(-_TAIL.size, os.SEEK_END)
    begin, crc, magic = _TAIL.unpack(file.read(_TAIL.size))
    if magic != _MAGIC:
        raise ValueError("not a segment")
    return begin, crc


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
