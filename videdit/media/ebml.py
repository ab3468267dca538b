"""What a Matroska file says of its tracks, read and set anew where the muxer has no words for it.

FFmpeg's muxer is driven by its binding, which hands on neither the shape of pixels nor stereo, projection and cropping,
and refuses sound that Matroska holds only under its Windows name. So a track gets a placeholder in place of its title,
as long as what is to be said, and once the file is closed the track's entry is written again in its own place: of the
same length, so that nothing else moves.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SEGMENT, TRACKS, CLUSTER, CRC, VOID = 0x18538067, 0x1654AE6B, 0x1F43B675, 0xBF, 0xEC
ENTRY, NUMBER, NAME, CODEC, PRIVATE, VIDEO, AUDIO = 0xAE, 0xD7, 0x536E, 0x86, 0x63A2, 0xE0, 0xE1
CHANNELS, BIT_DEPTH, CODEC_DELAY = 0x9F, 0x6264, 0x56AA
WIDE, HIGH, UNIT = 0x54B0, 0x54BA, 0x54B2  # as it is displayed
CROP = {"bottom": 0x54AA, "top": 0x54BB, "left": 0x54CC, "right": 0x54DD}
STEREO, PROJECTION = 0x53B8, 0x7670
_UNKNOWN = -1  # size of what was never finished
_MOST = 64 << 20  # bytes of a header that are looked at

Elements = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Change:
    """What a track's entry is to say. Elements in `inside` a master replace those of the same name there."""

    title: str | None
    inside: dict[int, Elements]  # VIDEO or AUDIO -> what is set in it
    set: Elements  # of the entry itself

    @property
    def room(self) -> int:
        """Bytes that the entry grows by at most."""
        told = [*self.set, *(one for elements in self.inside.values() for one in elements)]
        return 64 + sum(len(element(*one)) for one in told) + len((self.title or "").encode())


def element(name: int, data: bytes) -> bytes:
    """An element with its header; the length takes eight bytes where data is long."""
    return _name(name) + _size(len(data)) + data


def number(value: int) -> bytes:
    """An unsigned integer as it is written."""
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def children(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements in a master. Raises ValueError: it is none."""
    at = 0
    while at < len(data):
        name, size, start = _head(data, at)
        if size == _UNKNOWN or start + size > len(data):
            raise ValueError("an element is longer than what it is in")
        yield name, data[start : start + size]
        at = start + size


def entries(path: Path) -> list[Elements]:
    """What a file says of each of its tracks; nothing where it is no Matroska or damaged."""
    try:
        with path.open("rb") as file:
            place = _tracks(file)
            if place is None:
                return []
            file.seek(place[0])
            data = file.read(place[1])
        return [list(children(entry)) for name, entry in children(data) if name == ENTRY]
    except (OSError, ValueError, IndexError):
        return []


def video_entry(path: Path, which: int) -> dict[int, bytes]:
    """What the video track of a number, counted from 0, says of its picture."""
    found = [video for entry in entries(path) if (video := dict(entry).get(VIDEO))]
    try:
        return dict(children(found[which]))
    except (IndexError, ValueError):
        return {}


def apply(path: Path, changes: dict[str, Change]) -> None:
    """Write tracks again that were written with placeholders, which are known by how their titles begin.

    Raises:
        ValueError: a placeholder is not there, or too short.
        OSError: the file cannot be written.
    """
    with path.open("rb+") as file:
        place = _tracks(file)
        if place is None:
            raise ValueError(f"{path} has no tracks")
        file.seek(place[0])
        data = file.read(place[1])
        parts, left = [], dict(changes)
        for name, content in children(data):
            if name == ENTRY:
                token = next((token for token in left if (_title(content) or "").startswith(token)), None)
                if token is not None:
                    content = _changed(content, left.pop(token))
            parts.append((name, content))
        if left:
            raise ValueError(f"{path} lost track of {', '.join(left)}")
        # The header of an entry may have been longer than it needs to be: its size is written as it was.
        file.seek(place[0])
        file.write(_joined(data, parts))


def placeholder(token: str, room: int) -> str:
    """A title that makes room."""
    return token + "." * room


def _joined(old: bytes, parts: Sequence[tuple[int, bytes]]) -> bytes:
    """The children of Tracks again, each with the header it had, under a checksum of their own."""
    made, at = bytearray(), 0
    crc_at = None
    for name, content in parts:
        _, size, start = _head(old, at)
        if size != len(content):
            raise ValueError("a track has changed its length")
        if name == CRC and at == 0:
            crc_at = start
        made += old[at:start] + content
        at = start + size
    if crc_at is not None:
        made[crc_at : crc_at + 4] = zlib.crc32(made[crc_at + 4 :]).to_bytes(4, "little")
    return bytes(made)


def _title(entry: bytes) -> str | None:
    found = dict(children(entry)).get(NAME)
    return None if found is None else found.decode("utf-8", "replace")


def _changed(entry: bytes, change: Change) -> bytes:
    """An entry of the same length that says something else."""
    own = {name for name, _ in change.set} | {NAME}
    parts: Elements = []
    for name, data in children(entry):
        if name in own or name == VOID:
            continue
        if name in change.inside:
            told = {inner for inner, _ in change.inside[name]}
            kept = [(inner, value) for inner, value in children(data) if inner not in told and inner != VOID]
            data = b"".join(element(*one) for one in [*kept, *change.inside[name]])
        parts.append((name, data))
    parts += change.set
    if change.title is not None:
        parts.append((NAME, change.title.encode()))
    made = b"".join(element(*one) for one in parts)
    return made + _void(len(entry) - len(made))


def _void(length: int) -> bytes:
    """So many bytes that say nothing."""
    if length == 0:
        return b""
    if length < 2:
        raise ValueError("there is no room for what is to be said of a track")
    if length < 128:
        return bytes([VOID, 0x80 | (length - 2)]) + bytes(length - 2)
    return bytes([VOID, 0x01]) + (length - 9).to_bytes(7, "big") + bytes(length - 9)


def _tracks(file: BinaryIO) -> tuple[int, int] | None:
    """(place, length) of what is in the element Tracks."""
    at = 0
    inside = False
    while at < _MOST:
        file.seek(at)
        head = file.read(12)
        if len(head) < 2:
            return None
        name, size, length = _head(head, 0)
        start = at + length
        if name == SEGMENT and not inside:
            inside, at = True, start
        elif name == TRACKS:
            return (start, size) if 0 <= size <= _MOST else None
        elif size == _UNKNOWN or name == CLUSTER:
            return None
        else:
            at = start + size
    return None


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """(name, size, where its content begins) of an element."""
    wide = 9 - data[at].bit_length()
    name = int.from_bytes(data[at : at + wide], "big")
    at += wide
    wide = 9 - data[at].bit_length()
    if wide > 8:
        raise ValueError("a length of more than eight bytes")
    size = int.from_bytes(data[at : at + wide], "big") & ((1 << 7 * wide) - 1)
    return name, _UNKNOWN if size == (1 << 7 * wide) - 1 else size, at + wide


def _name(name: int) -> bytes:
    return name.to_bytes((name.bit_length() + 7) // 8, "big")


def _size(size: int) -> bytes:
    return bytes([0x80 | size]) if size < 127 else (1 << 56 | size).to_bytes(8, "big")
