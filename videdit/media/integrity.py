"""Is a file cut off? Read from the sizes its own boxes state, before a decoder sees it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from videdit.errors import RefusedInput

_MP4_BOXES = frozenset(b"ftyp moov mdat free skip wide pnot uuid styp sidx moof mfra".split())
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def check_whole(path: Path) -> None:
    """Refuse an MP4/MOV, Matroska/WebM, JPEG or PNG file that ends too early; anything else passes unread.

    Raises:
        MediaError: the file is cut off, or its index (moov) was never written.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _MP4_BOXES:
            _check_mp4(path, file, size)
        elif head[:4] == _EBML:
            _check_matroska(path, file, size)
        elif head.startswith(b"\xff\xd8\xff"):
            _check_jpeg(path, file)
        elif head.startswith(b"\x89PNG"):
            _check_png(path, file, size)


def _cut_off(path: Path, size: int, stated: int) -> RefusedInput:
    return RefusedInput(f"{path} is cut off: {size:,} of {stated:,} bytes are there; copy or download it again")


def _check_mp4(path: Path, file: BinaryIO, size: int) -> None:
    position, index = 0, False
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:  # a 64-bit size follows
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:  # to the end of the file
            length = size - position
        if kind not in _MP4_BOXES and not kind.isalnum():
            break  # rubbish after the last box: decoders ignore it
        if length < 8:
            break
        if position + length > size:
            raise _cut_off(path, size, position + length)
        index = index or kind in (b"moov", b"moof")
        position += length
    if not index:
        raise RefusedInput(f"{path} has no index (moov box): the recording or download was cut off; try a repair tool")


def _check_matroska(path: Path, file: BinaryIO, size: int) -> None:
    file.seek(4)
    position = 4 + _vint(file)[1]
    file.seek(4)
    position += _vint(file)[0]
    file.seek(position)
    if file.read(4) != _SEGMENT:
        return
    length, width = _vint(file)
    if length != (1 << (7 * width)) - 1 and position + 4 + width + length > size:  # all ones: unknown, a live recording
        raise _cut_off(path, size, position + 4 + width + length)


def _check_jpeg(path: Path, file: BinaryIO) -> None:
    position = 2
    while True:  # to the start of the scan: a preview before it has an end marker of its own
        file.seek(position)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            raise RefusedInput(f"{path} is cut off or damaged: it ends within its header; copy or download it again")
        if head[1] == 0xDA:
            break
        position += 1 if head[1] == 0xFF else 2 + int.from_bytes(head[2:], "big")
    if b"\xff\xd9" not in file.read():
        raise RefusedInput(f"{path} is cut off: the end of the picture is missing; copy or download it again")


def _check_png(path: Path, file: BinaryIO, size: int) -> None:
    position = 8
    while position + 12 <= size:
        file.seek(position)
        head = file.read(8)
        if head[4:] == b"IEND":
            return
        position += 12 + int.from_bytes(head[:4], "big")
    raise RefusedInput(f"{path} is cut off: the end of the picture is missing; copy or download it again")


def _vint(file: BinaryIO) -> tuple[int, int]:
    """An EBML variable-length number and how many bytes it takes."""
    first = file.read(1)
    if not first or not first[0]:
        return 0, 1
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    return ((first[0] & ((1 << (8 - width)) - 1)) << (8 * (width - 1))) | int.from_bytes(rest, "big"), width
