"""What an MP4 or MOV says of a video track beside its codec, read and set anew where the muxer has no words for it.

Boxes for stereo (st3d), projections (sv3d), clean aperture (clap) and the like stand behind the codec's own in the
sample description. FFmpeg's muxer writes them only of side data that its binding does not hand on. So the track gets a
name that is too long by just as many bytes, and once the file is closed its head is written again in its own place: of
the same length, so that the media stays where the head says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CARRIED = (b"st3d", b"sv3d", b"clap", b"vexu", b"hfov")  # in a sample description
SPHERICAL_XML = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")  # a "uuid" box of a track
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_ENTRY = 78  # bytes of a sample description of video before its boxes
_MOST = 256 << 20  # bytes of a head that are looked at

Boxes = list[tuple[bytes, bytes]]


def box(name: bytes, content: bytes) -> bytes:
    """A box with its header."""
    return (8 + len(content)).to_bytes(4, "big") + name + content


def children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes in a box. Raises ValueError: they are longer than it."""
    at = 0
    while at + 8 <= len(data):
        size, name, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(data) - at
        if size < head or at + size > len(data):
            raise ValueError("a box is longer than what it is in")
        yield name, data[at + head : at + size]
        at += size


@dataclass(frozen=True)
class Said:
    """What a video track says of how it is shown: boxes of its sample description, and of the track itself."""

    entry: tuple[tuple[bytes, bytes], ...] = ()
    track: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def room(self) -> int:
        """Bytes that the head grows by."""
        return sum(len(box(*one)) for one in (*self.entry, *self.track))


def read(path: Path, which: int) -> Said:
    """What the video track of a number says, counted from 0; nothing where the file is damaged or another kind."""
    try:
        place = _head(path)
        if place is None:
            return Said()
        tracks = [trak for name, trak in children(place[1]) if name == b"trak" and _handler(trak)[8:12] == b"vide"]
        trak = tracks[which]
        whole = tuple(one for one in children(trak) if one[0] == b"uuid" and one[1][:16] == SPHERICAL_XML)
        entry = next(children(_inside(trak, b"mdia", b"minf", b"stbl", b"stsd")[8:]))[1]
        return Said(tuple(one for one in children(entry[_ENTRY:]) if one[0] in CARRIED), whole)
    except (OSError, ValueError, IndexError, KeyError, StopIteration):
        return Said()


def placeholder(token: str, name: str, said: Said) -> str:
    """A name for a track that is longer than the one that it is to get by as much as is to be said."""
    return (token + "." * 8192)[: len(name.encode()) + said.room]


def apply(path: Path, token: str, name: str, said: Said) -> None:
    """Give the track whose name begins with a token its own name, and say what is to be said.

    Raises:
        ValueError: there is no such track, or its name is not of that length.
        OSError: the file cannot be written.
    """
    place = _head(path)
    if place is None:
        raise ValueError(f"{path} has no head")
    start, head = place
    made = b"".join(
        box(kind, _again(kind, content, token.encode(), name.encode(), said)) for kind, content in children(head)
    )
    if len(made) != len(head) or made == head:
        raise ValueError(f"{path} has no room for what is to be said of its video")
    with path.open("rb+") as file:
        file.seek(start)
        file.write(made)


def _again(kind: bytes, content: bytes, token: bytes, name: bytes, said: Said) -> bytes:
    """What is in a box of the head, changed if it is the track."""
    if kind != b"trak" or token not in _handler(content):
        return content
    parts = [(one, _in_track(one, data, token, name, said)) for one, data in children(content)]
    return b"".join(box(*part) for part in [*parts, *said.track])


def _in_track(kind: bytes, content: bytes, token: bytes, name: bytes, said: Said) -> bytes:
    if kind in _PARENTS:
        return b"".join(box(one, _in_track(one, data, token, name, said)) for one, data in children(content))
    if kind == b"hdlr" and token in content:
        at = content.index(token)
        if content[at - 1] == len(content) - at:  # QuickTime counts the letters in front
            return content[: at - 1] + bytes([len(name)]) + name
        return content[:at] + name + b"\0"
    if kind == b"stsd":
        (codec, entry), *others = children(content[8:])
        entry += b"".join(box(*one) for one in said.entry)
        return content[:8] + b"".join(box(*one) for one in [(codec, entry), *others])
    return content


def _handler(trak: bytes) -> bytes:
    return _inside(trak, b"mdia", b"hdlr")


def _inside(data: bytes, *path: bytes) -> bytes:
    """A box within boxes. Raises KeyError."""
    for name in path:
        data = dict(reversed(list(children(data))))[name]
    return data


def _head(path: Path) -> tuple[int, bytes] | None:
    """(where the content of the box moov begins, the content)."""
    with path.open("rb") as file:
        at, end = 0, path.stat().st_size
        while at + 8 <= end:
            file.seek(at)
            head = file.read(16)
            size, length = int.from_bytes(head[:4], "big"), 8
            if size == 1:
                size, length = int.from_bytes(head[8:16], "big"), 16
            elif size == 0:
                size = end - at
            if head[4:8] == b"moov":
                file.seek(at + length)
                return (at + length, file.read(size - length)) if size <= _MOST else None
            if size < length:
                return None
            at += size
    return None
