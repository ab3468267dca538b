"""What a file is, by its first bytes and whatever its name says. Needs no PyAV, so that plans can be made without it.

What is not known here may still be something that FFmpeg knows: then the name decides.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEAD = 1 << 16  # bytes
_SAME = {".jpeg": ".jpg", ".tiff": ".tif", ".m4v": ".mp4", ".mov": ".mp4"}  # that hold the same kinds of things
_MOST_PAGES = 1000
_SOUND = frozenset(
    (".aac", ".aif", ".aiff", ".flac", ".m4a", ".m4b", ".mka", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".weba", ".wma")
)
_ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"II+\0", ".tif"),
    (b"MM\0+", ".tif"),
    (b"\x76\x2f\x31\x01", ".exr"),
    (b"SDPX", ".dpx"),
    (b"XPDS", ".dpx"),
    (b"qoif", ".qoi"),
    (b"\xff\x0a", ".jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", ".jxl"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", ".jp2"),
    (b"\xff\x4f\xff\x51", ".j2k"),
)
_FILMS = (
    (b"FLV\1", ".flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ".asf"),
    (b".RMF", ".rm"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", ".mxf"),
    (b"nut/multimedia container", ".nut"),
    (b"YUV4MPEG2 ", ".y4m"),
    (b"DKIF", ".ivf"),
    (b"\0\0\1\xba", ".mpg"),
    (b"\0\0\1\xb3", ".m2v"),
    (b"\0\0\1\xb0", ".mpeg4"),
    (b"\0\0\1\x0f", ".vc1"),
    (b"\x1f\x07\0", ".dv"),
    (b"\x12\0\x0a", ".obu"),
)
# What a raw H.264 or H.265 stream begins with, behind 00 00 01.
_UNITS = {7: ".h264", 9: ".h264"}, {32: ".h265", 33: ".h265", 35: ".h265"}
_RAW = (".arw", ".cr2", ".dng", ".nef", ".nrw", ".pef", ".srw")  # of cameras: TIFF, with a preview in front
_MOTION_JPEG = (".mjpeg", ".mjpg", ".mjpe")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file holds."""

    form: str  # "image", "video", or "sound" for what has no picture
    suffix: str  # that such a file should have, the commonest; of a video by its container
    refused: str | None = None  # why it cannot be used, and what to do

    def fits(self, suffix: str) -> bool:
        """Whether a file of this kind may be called so."""
        return _SAME.get(suffix.lower(), suffix.lower()) == _SAME.get(self.suffix, self.suffix)


def kind_of(path: Path) -> Kind | None:
    """The kind of a file; None where its content says nothing, or it cannot be read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    return _picture(path, head) or _film(path, head)


def pages(path: Path) -> int:
    """How many pictures a TIFF or a JPEG (MPO) holds: 1 for others, and where that cannot be told."""
    try:
        data = path.read_bytes()
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _directories(data, "<" if data[:2] == b"II" else ">")
        if data[:3] == b"\xff\xd8\xff":
            return _in_index(data)
    except (OSError, struct.error, IndexError, StopIteration):
        pass
    return 1


def _picture(path: Path, head: bytes) -> Kind | None:
    if head.startswith(b"\xff\xd8\xff"):
        return Kind("video", ".mjpeg") if path.suffix.lower() in _MOTION_JPEG else Kind("image", ".jpg")
    if head.startswith(b"\x89PNG\r\n\x1a\n") and _is_animated_png(path):
        return Kind("video", ".apng")
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return Kind("video", ".gif") if _is_animated_gif(path) else Kind("image", ".gif")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        moves = head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)
        why = "is an animated WebP, which is not read; convert it to GIF, APNG or mp4 first" if moves else None
        return Kind("image", ".webp", why)
    if head[:2] == b"BM" and len(head) > 18 and int.from_bytes(head[14:18], "little") in (12, 40, 52, 56, 64, 108, 124):
        return Kind("image", ".bmp")
    if re.match(rb"P[1-6]\s+(#|\d)", head):
        return Kind("image", ".pnm")
    found = next((suffix for magic, suffix in _PICTURES if head.startswith(magic)), None)
    if found == ".tif" and path.suffix.lower() in _RAW:
        return Kind("image", path.suffix.lower(), "is a camera's raw file, which is not read; develop it to TIFF first")
    return Kind("image", found) if found else None


def _film(path: Path, head: bytes) -> Kind | None:
    if head[4:8] == b"ftyp":
        return _of_brand(head)
    if head[4:8] in (b"moov", b"mdat", b"wide", b"skip", b"free", b"pnot") and len(head) > 8:
        return Kind("video", ".mov")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        form = "sound" if path.suffix.lower() in (".mka", ".weba") else "video"
        return Kind(form, ".webm" if b"webm" in head[:64] else ".mkv")
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return Kind("video", ".avi")
    if head[:4] == b"OggS":
        return Kind("video" if any(name in head for name in (b"theora", b"fishead", b"BBCD")) else "sound", ".ogv")
    for start, step in ((0, 188), (4, 192)):
        if len(head) > start + 3 * step and all(head[start + i * step] == 0x47 for i in range(4)):
            return Kind("video", ".ts")
    if found := next((suffix for magic, suffix in _FILMS if head.startswith(magic)), None):
        return Kind("sound" if found == ".asf" and _ASF_VIDEO not in head else "video", found)
    if head.startswith((b"\0\0\1", b"\0\0\0\1")):
        unit = head[head.index(1) + 1] if len(head) > 5 else 0
        raw = _UNITS[0].get(unit & 31) or _UNITS[1].get(unit >> 1 & 63)
        return Kind("video", raw) if raw else None
    if head.startswith((b"ID3", b"fLaC")) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        return Kind("sound", ".mp3")
    return Kind("sound", path.suffix.lower()) if path.suffix.lower() in _SOUND else None


def _of_brand(head: bytes) -> Kind:
    brand = head[8:12]
    if brand in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"hevc", b"heim"):
        name = "AVIF" if brand[:3] == b"avi" else "HEIF"
        return Kind("image", ".heic", f"is {name}, which is not read; convert it to PNG or JPEG first")
    if brand in (b"M4A ", b"M4B "):
        return Kind("sound", ".m4a")
    return Kind("video", ".mov" if brand == b"qt  " else ".mp4")


def _is_animated_png(path: Path) -> bool:
    """Whether a PNG says, before its picture, that there are more."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, name = int.from_bytes(head[:4], "big"), head[4:]
            if name == b"acTL":
                return int.from_bytes(file.read(4), "big") > 1
            if name in (b"IDAT", b"IEND"):
                return False
            file.seek(length + 4, 1)
    return False


def _is_animated_gif(path: Path) -> bool:
    """Whether a GIF holds more than one picture."""
    with path.open("rb") as file:
        screen = file.read(13)
        if len(screen) == 13 and screen[10] & 0x80:
            file.seek(3 << (screen[10] & 7) + 1, 1)
        found = 0
        while (kind := file.read(1)) in (b"!", b","):
            if kind == b",":
                found += 1
                if found > 1:
                    return True
                packed = file.read(9)
                if len(packed) < 9:
                    return False
                if packed[8] & 0x80:
                    file.seek(3 << (packed[8] & 7) + 1, 1)
            file.seek(1, 1)  # the kind of extension, or the size of codes
            while (length := file.read(1)) not in (b"", b"\0"):
                file.seek(length[0], 1)
    return False


def _directories(data: bytes, order: str) -> int:
    """How many pictures a TIFF lists."""
    (at,) = struct.unpack_from(order + "I", data, 4)
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _MOST_PAGES:
        seen.add(at)
        (count,) = struct.unpack_from(order + "H", data, at)
        (at,) = struct.unpack_from(order + "I", data, at + 2 + 12 * count)
    return len(seen)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The marked segments of a JPEG before its first scan."""
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at + 1], data[at + 4 : at + 2 + length]
        at += 2 + length


def _in_index(data: bytes) -> int:
    """How many pictures the index of an MPO lists."""
    index = next(content[4:] for marker, content in _segments(data) if marker == 0xE2 and content[:4] == b"MPF\0")
    order = "<" if index[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", index, 4)
    (count,) = struct.unpack_from(order + "H", index, at)
    for i in range(count):
        tag, _, _, value = struct.unpack_from(order + "HHII", index, at + 2 + 12 * i)
        if tag == 0xB001:
            return max(1, int(value))
    return 1
