"""How players are told to show a picture: in stereo, on a sphere, only a part of it, with pixels that are not square.

Read from the source's container, or from its first frame, and said again in the output's own words.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from videdit.media import boxes, ebml

# Matroska's numbers for where the eyes' pictures are. Of those FFmpeg tells, plain and with the eyes exchanged.
_OF_FRAMES = {1: (1, 11), 2: (3, 2), 3: (13, 14), 4: (5, 4), 6: (7, 6), 7: (9, 8)}
_OF_ST3D = {1: 3, 2: 1}  # top and bottom, left and right
_PROJECTIONS = {b"equi": 1, b"cbmp": 2, b"mshp": 3}
_TYPE, _PRIVATE, _YAW, _PITCH, _ROLL = range(0x7671, 0x7676)
_SECOND_EYE = "the second eye's picture (MV-HEVC)"
_FAR = 4  # times the size of the picture: numbers of an exact aspect are not written larger than this


@dataclass(frozen=True, slots=True)
class Projection:
    """What the picture is wrapped around."""

    kind: int  # 1 a sphere, 2 a cube, 3 a mesh
    layout: bytes  # what the box of its kind says, from its version on
    turned: tuple[float, float, float] = (0.0, 0.0, 0.0)  # degrees: yaw, pitch, roll


@dataclass(frozen=True, slots=True)
class Viewing:
    """All that is told; as it was said in an MP4, for another MP4."""

    stereo: int = 0  # Matroska's number, 0 for none
    projection: Projection | None = None
    crop: tuple[Fraction, Fraction, Fraction, Fraction] | None = None  # pixels at the left, top, right, bottom
    said: boxes.Said = field(default_factory=boxes.Said)

    @property
    def names(self) -> list[str]:
        """What is told, in words."""
        words = {"the stereo layout": self.stereo, "the projection (360 degrees)": self.projection}
        return [name for name, there in (words | {"the clean aperture": self.crop}).items() if there]


def look(path: Path, container: str, which: int, size: tuple[int, int], side_data: Any = ()) -> Viewing:
    """What is told of a clip's video; which: its number among the video tracks, size: (width, height)."""
    found = Viewing()
    if container in ("mp4", "mov"):
        found = _from_boxes(boxes.read(path, which), size)
    elif container in ("matroska", "webm"):
        found = _from_elements(path, which)
    if not found.stereo:
        found = replace(found, stereo=_from_frame(side_data))
    return found


def for_mp4(viewing: Viewing, size: tuple[int, int]) -> tuple[boxes.Said, list[str]]:
    """The boxes that tell it, and the names of what they cannot tell."""
    entry = {name: content for name, content in viewing.said.entry}
    lost = []
    if _has_layers(entry.get(b"vexu", b"")):  # only the first of them is decoded
        del entry[b"vexu"]
        lost.append(_SECOND_EYE)
    if viewing.stereo and b"st3d" not in entry and b"vexu" not in entry:
        kind = next((st3d for st3d, number in _OF_ST3D.items() if number == viewing.stereo), None)
        if kind is None:
            lost.append("the stereo layout")
        else:
            entry[b"st3d"] = bytes(4) + bytes([kind])
    if viewing.projection and b"sv3d" not in entry and not viewing.said.track:
        entry[b"sv3d"] = _sv3d(viewing.projection)
    if viewing.crop and b"clap" not in entry:
        entry[b"clap"] = _clap(viewing.crop, size)
    return boxes.Said(tuple(entry.items()), viewing.said.track), lost


def for_matroska(viewing: Viewing, size: tuple[int, int], sar: Fraction) -> tuple[ebml.Elements, list[str]]:
    """The elements that tell it and the shape of pixels, and the names of what they cannot tell."""
    told: ebml.Elements = []
    vexu = dict(viewing.said.entry).get(b"vexu")
    lost = [] if vexu is None else [_SECOND_EYE if _has_layers(vexu) else "Apple's words for stereo and projection"]
    width, height = Fraction(size[0]), Fraction(size[1])
    if viewing.stereo:
        told.append((ebml.STEREO, ebml.number(viewing.stereo)))
    if viewing.projection:
        told.append((ebml.PROJECTION, _projection(viewing.projection)))
    elif viewing.said.track:
        lost.append("the projection (360 degrees)")
    if viewing.crop and all(part.denominator == 1 and part >= 0 for part in viewing.crop):
        left, top, right, bottom = map(int, viewing.crop)
        cut = {"left": left, "top": top, "right": right, "bottom": bottom}
        told += [(ebml.CROP[name], ebml.number(pixels)) for name, pixels in cut.items() if pixels]
        width, height = width - left - right, height - top - bottom
    elif viewing.crop:
        lost.append("the clean aperture")
    if sar != 1 and sar > 0 and width > 0 and height > 0:
        wide, high = display_size(int(width), int(height), sar)
        told += [(ebml.UNIT, ebml.number(0)), (ebml.WIDE, ebml.number(wide)), (ebml.HIGH, ebml.number(high))]
    return told, lost


def display_size(width: int, height: int, sar: Fraction) -> tuple[int, int]:
    """Whole numbers of square pixels that have the aspect exactly, at least as many as there are, or nearly so."""
    aspect = Fraction(width, height) * sar
    times = max(-(-width // aspect.numerator), -(-height // aspect.denominator)) if sar > 0 else 1
    wide, high = aspect.numerator * times, aspect.denominator * times
    if (width * sar).denominator == 1 and sar >= 1:
        return int(width * sar), height
    if wide > _FAR * width or high > _FAR * height:
        return (round(width * sar), height) if sar >= 1 else (width, round(height / sar))
    return wide, high


def _has_layers(vexu: bytes) -> bool:
    """Whether Apple's box tells of a picture for each eye in layers of their own, not beside each other in one."""
    return b"stri" in vexu and b"pack" not in vexu


def _from_frame(side_data: Iterable[Any]) -> int:
    """Matroska's number for what a frame says (FFmpeg's AVStereo3D), as H.264 does."""
    try:
        told = next((bytes(memoryview(data)) for data in side_data if data.type.name == "STEREO3D"), None)
    except (KeyError, ValueError):  # side data of a kind that PyAV has no name for
        return 0
    kind, flags = struct.unpack("=Ii", told[:8]) if told else (0, 0)
    return _OF_FRAMES[kind][flags & 1] if kind in _OF_FRAMES else 0


def _from_boxes(said: boxes.Said, size: tuple[int, int]) -> Viewing:
    entry = dict(said.entry)
    try:
        stereo = _OF_ST3D.get(entry[b"st3d"][4], 0) if b"st3d" in entry else 0
        projection = _of_sv3d(entry[b"sv3d"]) if b"sv3d" in entry else None
        crop = _of_clap(entry[b"clap"], size) if b"clap" in entry else None
    except (ValueError, IndexError, KeyError, struct.error, ZeroDivisionError):
        return Viewing()
    return Viewing(stereo, projection, crop, said)


def _from_elements(path: Path, which: int) -> Viewing:
    video = ebml.video_entry(path, which)
    pixels = {name: Fraction(int.from_bytes(video.get(number, b""), "big")) for name, number in ebml.CROP.items()}
    crop = (pixels["left"], pixels["top"], pixels["right"], pixels["bottom"])
    stereo = int.from_bytes(video.get(ebml.STEREO, b""), "big")
    projection = None
    if ebml.PROJECTION in video:
        told = dict(ebml.children(video[ebml.PROJECTION]))
        kind = int.from_bytes(told.get(_TYPE, b""), "big")
        turned = tuple(_float(told.get(name, b"")) for name in (_YAW, _PITCH, _ROLL))
        projection = Projection(kind, told.get(_PRIVATE, b""), turned) if kind else None  # type: ignore[arg-type]
    return Viewing(stereo, projection, crop if any(crop) else None)


def _float(data: bytes) -> float:
    return float(struct.unpack(">d" if len(data) == 8 else ">f", data)[0]) if data else 0.0


def _projection(projection: Projection) -> bytes:
    told = [(_TYPE, ebml.number(projection.kind))]
    told += [(_PRIVATE, projection.layout)] if projection.layout else []
    turned = zip((_YAW, _PITCH, _ROLL), projection.turned, strict=True)
    return b"".join(ebml.element(*one) for one in [*told, *((name, struct.pack(">f", by)) for name, by in turned)])


def _of_sv3d(content: bytes) -> Projection | None:
    proj = dict(boxes.children(dict(boxes.children(content))[b"proj"]))
    turned = struct.unpack(">3i", proj[b"prhd"][4:16]) if b"prhd" in proj else (0, 0, 0)
    kind = next((name for name in _PROJECTIONS if name in proj), None)
    if kind is None:
        return None
    yaw, pitch, roll = (by / 65536 for by in turned)
    return Projection(_PROJECTIONS[kind], proj[kind], (yaw, pitch, roll))


def _sv3d(projection: Projection) -> bytes:
    kind = next(name for name, number in _PROJECTIONS.items() if number == projection.kind)
    layout = projection.layout or bytes(20)
    turned = struct.pack(">3i", *(round(by * 65536) for by in projection.turned))
    parts = boxes.box(b"prhd", bytes(4) + turned) + boxes.box(kind, layout)
    return boxes.box(b"svhd", bytes(5)) + boxes.box(b"proj", parts)


def _of_clap(content: bytes, size: tuple[int, int]) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    numbers = struct.unpack(">8i", content[:32])
    width, height, right, down = (Fraction(*numbers[i : i + 2]) for i in (0, 2, 4, 6))
    left, top = (size[0] - width) / 2 + right, (size[1] - height) / 2 + down
    return left, top, size[0] - width - left, size[1] - height - top


def _clap(crop: tuple[Fraction, Fraction, Fraction, Fraction], size: tuple[int, int]) -> bytes:
    left, top, right, bottom = crop
    parts = (size[0] - left - right, size[1] - top - bottom, (left - right) / 2, (top - bottom) / 2)
    return struct.pack(">8i", *(n for part in parts for n in (part.numerator, part.denominator)))
