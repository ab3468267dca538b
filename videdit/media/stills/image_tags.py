"""What a still carries beside its pixels: EXIF, ICC profile, XMP and notes.

All of it is read from and put into JPEG and PNG; profile and XMP also WebP and TIFF
(:mod:`videdit.media.stills.container_tags`).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import unescape

from videdit.media.stills import container_tags
from videdit.media.stills.xmp import say_edited

_TIFF = (b"II*\0", b"MM\0*")
_PNG = b"\x89PNG\r\n\x1a\n"
_EXIF, _ICC, _XMP = b"Exif\0\0", b"ICC_PROFILE\0", b"http://ns.adobe.com/xap/1.0/\0"
_ICC_PART = 65519 - len(_ICC)  # what one JPEG segment holds
_MAX_PROFILE = 16 << 20  # bytes; a profile that unpacks to more is an attack
_MAX_NOTE = 1 << 20


@dataclass(frozen=True, slots=True)
class ImageTags:
    """exif: a TIFF block without the "Exif" header; icc: a profile; xmp: an XML packet; notes: keyword -> text."""

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    notes: dict[str, str] = field(default_factory=dict)
    physical: bytes | None = None  # PNG's own pHYs chunk

    def with_notes(self, notes: dict[str, str]) -> ImageTags:
        """The same with notes added or replaced; a comment says how a model changed the picture, in the XMP too."""
        xmp = say_edited(self.xmp, notes["comment"]) if "comment" in notes else self.xmp
        return ImageTags(self.exif, self.icc, xmp, self.notes | notes, self.physical)


def read_tags(path: Path) -> ImageTags:
    """The tags of a JPEG, PNG, WebP or TIFF file; empty for other kinds and for damaged tags."""
    data = path.read_bytes()
    try:
        if data.startswith(b"\xff\xd8"):
            return _read_jpeg(data)
        if data.startswith(_PNG):
            return _read_png(data)
        if is_webp(data):
            return _from_xmp(*container_tags.read_webp(data))
        if data.startswith(_TIFF):
            return _from_xmp(*container_tags.read_tiff(data))
    except (struct.error, zlib.error, IndexError, ValueError):
        pass
    return ImageTags()


def embed(data: bytes, tags: ImageTags) -> bytes:
    """An encoded JPEG, PNG, WebP or TIFF with the tags put in; other kinds (BMP) come back as they are."""
    if data.startswith(b"\xff\xd8"):
        return _embed_jpeg(data, tags)
    if data.startswith(_PNG):
        return _embed_png(data, tags)
    if is_webp(data) and (tags.icc or tags.xmp):
        return container_tags.embed_webp(data, tags.icc, tags.xmp)
    if data.startswith(_TIFF) and (tags.icc or tags.xmp):
        return container_tags.embed_tiff(data, tags.icc, tags.xmp)
    return data


def is_webp(data: bytes) -> bool:
    """Whether these bytes begin a WebP file."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _from_xmp(icc: bytes | None, xmp: bytes | None) -> ImageTags:
    """Tags of a file that has no notes of its own: what its XMP says of an edit is one."""
    said = re.search(rb'Iptc4xmpExt:AISystemUsed=("[^"]*"|\'[^\']*\')', xmp or b"")
    notes = {"comment": unescape(said[1][1:-1].decode("utf-8", "replace"), {"&quot;": '"'})} if said else {}
    return ImageTags(None, icc, xmp, notes)


def without_thumbnail(exif: bytes) -> bytes:
    """EXIF whose first directory ends the chain: the small preview of the unedited picture is no longer found."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 10:
        return exif
    (first,) = struct.unpack_from(order + "I", exif, 4)
    if first + 2 > len(exif):
        return exif
    (entries,) = struct.unpack_from(order + "H", exif, first)
    link = first + 2 + 12 * entries
    if link + 4 > len(exif):
        return exif
    return exif[:link] + b"\0\0\0\0" + exif[link + 4 :]


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(marker, offset, payload) up to the picture data."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0xDA:
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield marker, at, data[at + 4 : at + 2 + length]
        at += 2 + length


def _read_jpeg(data: bytes) -> ImageTags:
    exif = xmp = None
    parts: dict[int, bytes] = {}
    notes: dict[str, str] = {}
    for marker, _, payload in _jpeg_segments(data):
        if marker == 0xE1 and payload.startswith(_EXIF):
            exif = payload[len(_EXIF) :]
        elif marker == 0xE1 and payload.startswith(_XMP):
            xmp = payload[len(_XMP) :]
        elif marker == 0xE2 and payload.startswith(_ICC):
            parts[payload[len(_ICC)]] = payload[len(_ICC) + 2 :]
        elif marker == 0xFE:
            key, text = _split_note(payload.decode("utf-8", "replace"))
            notes[key] = text
    return ImageTags(exif, b"".join(parts[i] for i in sorted(parts)) or None, xmp, notes)


def _embed_jpeg(data: bytes, tags: ImageTags) -> bytes:
    segments = []
    if tags.exif:
        segments.append((0xE1, _EXIF + without_thumbnail(tags.exif)))
    if tags.xmp:
        segments.append((0xE1, _XMP + tags.xmp))
    if tags.icc:
        parts = [tags.icc[i : i + _ICC_PART] for i in range(0, len(tags.icc), _ICC_PART)]
        segments += [(0xE2, _ICC + bytes([n + 1, len(parts)]) + part) for n, part in enumerate(parts)]
    segments += [(0xFE, f"{key}: {text}".encode()) for key, text in tags.notes.items()]
    packed = b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload
        for marker, payload in segments
        if len(payload) <= 65533
    )
    # After the JFIF header, which must come first.
    head = next((at + 4 + len(payload) for marker, at, payload in _jpeg_segments(data) if marker == 0xE0), 2)
    return data[:head] + packed + data[head:]


def _split_note(text: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z][\w-]{0,40}): ", text)
    return (match[1], text[match.end() :]) if match else ("comment", text)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _read_png(data: bytes) -> ImageTags:
    exif = icc = xmp = physical = None
    notes: dict[str, str] = {}
    for kind, body in _png_chunks(data):
        if kind == b"eXIf":
            exif = body
        elif kind == b"iCCP":
            icc = zlib.decompressobj().decompress(body[body.index(b"\0") + 2 :], _MAX_PROFILE)
        elif kind == b"pHYs":
            physical = body
        elif kind == b"tEXt":
            key, text = body.split(b"\0", 1)
            notes[key.decode("latin-1")] = text.decode("latin-1")
        elif kind == b"iTXt":
            key, rest = body.split(b"\0", 1)
            packed, text = rest[0], rest[2:].split(b"\0", 2)[2]  # after the language and the translated keyword
            text = zlib.decompressobj().decompress(text, _MAX_NOTE) if packed else text
            if key == b"XML:com.adobe.xmp":
                xmp = text
            else:
                notes[key.decode("latin-1")] = text.decode("utf-8", "replace")
    return ImageTags(exif, icc, xmp, notes, physical)


def _embed_png(data: bytes, tags: ImageTags) -> bytes:
    chunks = []
    if tags.icc:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(tags.icc)))
    if tags.physical:
        chunks.append((b"pHYs", tags.physical))
    if tags.exif:
        chunks.append((b"eXIf", without_thumbnail(tags.exif)))
    if tags.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + tags.xmp))
    for key, text in tags.notes.items():
        keyword = key.encode("latin-1", "replace")[:79]
        chunks.append((b"iTXt", keyword + b"\0\0\0\0\0" + text.encode()))
    ours = {kind for kind, _ in chunks if kind != b"iTXt"}
    # An embedded profile replaces what the encoder says about colour.
    dropped = ours | ({b"sRGB", b"gAMA", b"cHRM", b"cICP"} if tags.icc else set())
    out = [_PNG]
    for kind, body in _png_chunks(data):
        if kind not in dropped:
            out.append(_png_chunk(kind, body))
        if kind == b"IHDR":
            out += [_png_chunk(*chunk) for chunk in chunks]
    return b"".join(out)


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
