"""How a picture is turned and mirrored for viewers: the display matrix that a container holds.

Nine numbers a b u c d v x y w, 16.16 fixed point: the coded (x, y) is shown at (a x + c y, b x + d y).
"""

from __future__ import annotations

import math
from typing import Any

import av
import numpy as np

_ONE = 1 << 16
_AS_STORED = (_ONE, 0, 0, 0, _ONE, 0)
_PICTURE_CODECS = ("mjpeg", "png", "apng", "webp", "tiff", "bmp", "jpegxl")


def orientation(frame: av.VideoFrame, codec: str) -> tuple[tuple[int, ...] | None, int]:
    """The display matrix, if any, and the clockwise rotation after which a person in it stands upright.

    To the nearest quarter turn; of a mirrored picture, the one after which only left and right are still swapped.
    """
    rotation = round(-frame.rotation / 90) % 4 * 90
    # PyAV 18 crashes when it lists side data of a kind that it has no name for, such as the EXIF block of a picture.
    if codec in _PICTURE_CODECS:
        return None, rotation
    try:
        data: Any = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]
    except (KeyError, ValueError):
        return None, rotation
    matrix = tuple(int(v) for v in np.frombuffer(data, np.int32))
    if matrix[:6] == _AS_STORED or matrix[0] * matrix[4] == matrix[1] * matrix[3]:  # the latter leaves no picture
        return None, 0
    if not mirrors(matrix):
        return matrix, rotation
    a, c = matrix[0], matrix[3]  # with x' = a x + c y, what a viewer sees as down is (c, -a) in the coded picture
    return matrix, round(math.degrees(math.atan2(c, -a)) / 90) % 4 * 90


def mirrors(matrix: tuple[int, ...]) -> bool:
    """Whether a display matrix swaps left and right."""
    return matrix[0] * matrix[4] < matrix[1] * matrix[3]


def lost_in(container: str, matrix: tuple[int, ...] | None) -> list[str]:
    """What a container cannot tell of a display matrix, in words: Matroska turns and mirrors, and does nothing else."""
    if matrix is None or container not in ("matroska", "webm"):
        return []
    a, b, u, c, d, v = matrix[:6]
    lengths, across = (a * a + b * b, c * c + d * d), a * c + b * d
    near = all(abs(length / _ONE**2 - 1) < 1e-3 for length in lengths) and abs(across / _ONE**2) < 1e-3
    return [] if near and not u and not v else ["the scaled or slanted display matrix"]
