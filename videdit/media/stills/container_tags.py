"""ICC profile and XMP in WebP and TIFF files: read from and put into their chunks and directories."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_ICC_FLAG, _ALPHA_FLAG, _XMP_FLAG = 0x20, 0x10, 0x04  # of WebP's VP8X chunk
_XMP_TAG, _ICC_TAG = 700, 34675  # of a TIFF directory
_BYTE, _UNDEFINED = 1, 7  # TIFF types
_MOST = 16 << 20  # bytes; nobody's profile or XMP is larger


def read_webp(data: bytes) -> tuple[bytes | None, bytes | None]:
    """(ICC profile, XMP)."""
    chunks = dict(_chunks(data))
    return chunks.get(b"ICCP"), chunks.get(b"XMP ")


def embed_webp(data: bytes, icc: bytes | None, xmp: bytes | None) -> bytes:
    """A WebP file with both put in, in the extended layout that they need."""
    chunks = list(_chunks(data))
    image = [chunk for chunk in chunks if chunk[0] in (b"ALPH", b"VP8 ", b"VP8L")]
    width, height, alpha = _webp_size(*image[-1])
    flags = (alpha or image[0][0] == b"ALPH") * _ALPHA_FLAG | bool(icc) * _ICC_FLAG | bool(xmp) * _XMP_FLAG
    head = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    parts = [(b"VP8X", head), (b"ICCP", icc), *image, (b"XMP ", xmp)]
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in parts
        if content
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def read_tiff(data: bytes) -> tuple[bytes | None, bytes | None]:
    """(ICC profile, XMP) of the first picture."""
    order = "<" if data.startswith(b"II") else ">"
    found: dict[int, bytes] = {}
    for tag, kind, count, value in _entries(data, order):
        if tag in (_XMP_TAG, _ICC_TAG) and kind in (_BYTE, _UNDEFINED) and 4 < count <= _MOST:
            (at,) = struct.unpack(order + "I", value)
            found[tag] = data[at : at + count]
    return found.get(_ICC_TAG), found.get(_XMP_TAG)


def embed_tiff(data: bytes, icc: bytes | None, xmp: bytes | None) -> bytes:
    """A TIFF file of one picture with both put in, at its end, behind a new directory."""
    order = "<" if data.startswith(b"II") else ">"
    entries = {tag: (kind, count, value) for tag, kind, count, value in _entries(data, order)}
    out = bytearray(data)
    for tag, kind, content in ((_XMP_TAG, _BYTE, xmp), (_ICC_TAG, _UNDEFINED, icc)):
        if content:
            out += b"\0" * (len(out) % 2)
            entries[tag] = kind, len(content), struct.pack(order + "I", len(out))
            out += content
    out += b"\0" * (len(out) % 2)
    out[4:8] = struct.pack(order + "I", len(out))
    out += struct.pack(order + "H", len(entries))
    for tag, (kind, count, value) in sorted(entries.items()):
        out += struct.pack(order + "HHI", tag, kind, count) + value
    return bytes(out + b"\0\0\0\0")


def _entries(data: bytes, order: str) -> Iterator[tuple[int, int, int, bytes]]:
    """(tag, type, count, value or its place) of the first directory."""
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    for i in range(count):
        tag, kind, number = struct.unpack_from(order + "HHI", data, at + 2 + 12 * i)
        yield tag, kind, number, data[at + 10 + 12 * i : at + 14 + 12 * i]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _webp_size(kind: bytes, content: bytes) -> tuple[int, int, bool]:
    """(width, height, has alpha) from the picture's own header."""
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    width, height = struct.unpack_from("<HH", content, 6)
    return width & 0x3FFF, height & 0x3FFF, False
