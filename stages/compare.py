"""compare: source and edit in one picture, side by side or under a moving wipe, as a file beside the edited clip."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.datatypes import Frame, Picture
from videdit.media.info import MediaInfo
from videdit.media.viewing import Viewing
from videdit.stages.auxiliary_output import AuxiliaryOutput
from videdit.stages.watermark import code_value

PERIOD = 4.0  # seconds in which the wipe goes there and back
_UNSAID, _MATRICES = 2, {"bt709": 1, "bt601": 6}  # H.273
_LINE = 1 / 320  # of the picture's width: the wipe's edge


class Compare:
    """Hands frames on as they are behind paste; ``file`` gets both pictures of each.

    Planes are put together as they are: the comparison shows neither more nor less than the two clips.
    """

    name = "compare"

    def __init__(self, kind: str, file: AuxiliaryOutput) -> None:
        """kind: "side" (the file's info is then :func:`doubled`) or "wipe"."""
        self.kind, self.file = kind, file

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames that still have what they were before (``pasted``) where anything was pasted; handed on unchanged."""
        with self.file.opened():
            for frame in frames:
                self.file.write(replace(frame, picture=self._both(frame), pasted=None))
                yield frame

    def _both(self, frame: Frame) -> Picture:
        source, rotation = frame.pasted.source if frame.pasted else frame.picture, frame.coded.rotation
        if self.kind == "side":
            return side_by_side(source, frame.picture, rotation)
        # The first picture is the edit's, from its left side the source comes in.
        part = 0.5 - 0.5 * math.cos(2 * math.pi * frame.time / PERIOD)
        return wiped(source, frame.picture, part, rotation)


def doubled(info: MediaInfo) -> MediaInfo:
    """A source twice as wide, as displayed."""
    value_range, primaries, transfer, matrix = info.color_tags
    if matrix == _UNSAID:  # players guess by the size of the picture, which changes here
        matrix = _MATRICES.get(info.color.matrix, _UNSAID)
    info = replace(info, viewing=Viewing(), display_matrix=None, color_tags=(value_range, primaries, transfer, matrix))
    if info.rotation in (90, 270):
        return replace(info, height=2 * info.height)
    return replace(info, width=2 * info.width)


def side_by_side(left: Picture, right: Picture, rotation: int = 0) -> Picture:
    """Two pictures in one, left and right as displayed; rotation: degrees clockwise to see them upright."""
    axis, flipped = _axis(rotation)
    first, second = (right, left) if flipped else (left, right)
    planes = []
    for one, other in zip(first.planes, second.planes, strict=True):
        whole = _samples(2 * first.planes[0].shape[axis], one, first, axis)
        # Of an odd number of pixels the last chroma sample of the first picture has no place.
        kept = _cut(one, axis, 0, whole - other.shape[axis])
        planes.append(np.concatenate((kept, other), axis))
    return replace(first, planes=tuple(planes))


def wiped(source: Picture, edit: Picture, part: float, rotation: int = 0) -> Picture:
    """The source in the left `part` (0..1) of the picture as displayed, the edit in the rest, a white line between."""
    axis, flipped = _axis(rotation)
    length = edit.planes[0].shape[axis]
    border = round((1 - part if flipped else part) * length)
    first, second = (edit, source) if flipped else (source, edit)
    half = max(1, round(length * _LINE / 2))
    planes = []
    for i, (one, other) in enumerate(zip(first.planes, second.planes, strict=True)):
        at, low, high = (_samples(max(0, place), one, edit, axis) for place in (border, border - half, border + half))
        plane = np.concatenate((_cut(one, axis, 0, at), _cut(other, axis, at, one.shape[axis])), axis)
        if 0 < part < 1 and i < (1 if edit.color.matrix == "gray" else 3):
            _cut(plane, axis, low, high)[...] = round(code_value(1.0, edit.color, i))
        planes.append(plane)
    return replace(edit, planes=tuple(planes))


def _axis(rotation: int) -> tuple[int, bool]:
    """(the axis of the coded planes that is displayed from left to right, whether it is so backwards)."""
    return {0: (1, False), 90: (0, True), 180: (1, True), 270: (0, False)}[rotation]


def _samples(pixels: int, plane: np.ndarray, picture: Picture, axis: int) -> int:
    """How many samples of a plane of `picture` so many pixels have along an axis."""
    step = 1 if plane.shape == picture.planes[0].shape else 1 << picture.color.chroma_log2[1 - axis]
    return -(-pixels // step)


def _cut(plane: np.ndarray, axis: int, begin: int, end: int) -> np.ndarray:
    """The part of a plane between two places on an axis: a view."""
    return plane[begin:end] if axis == 0 else plane[:, begin:end]
