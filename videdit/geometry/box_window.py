"""Boxes in a picture and the window in which a generator of wide pictures sees them.

A generator of cars makes pictures 3 high to 4 wide, in the middle rows of a square: crops are squares as everywhere,
whose upper and lower eighth nothing looks at. Boxes are (x, y, width, height) in pixels, corners at whole numbers.
"""

from __future__ import annotations

import numpy as np

from videdit.geometry.ffhq_align import crop_matrix, quad

Box = tuple[float, float, float, float]
ASPECT = 4 / 3  # of the window
FEATHER = 0.05  # of the crop's side: how wide an edit's edge is inside a box


def window_side(box: Box) -> float:
    """The side of the square around a box, in pixels: the smallest whose window holds it."""
    return max(box[2], box[3] * ASPECT)


def window_matrix(box: Box, size: int) -> np.ndarray:
    """``to_frame`` [2, 3] of the square crop of size x size pixels around a box."""
    centre = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    return crop_matrix(quad(centre, np.array([window_side(box) / 2, 0.0])), size)


def box_outline(box: Box, picture: tuple[float, float]) -> np.ndarray:
    """The corners [4, 2] of a box; where it ends with the picture (width, height) they lie so far beyond that the
    edit's soft edge does."""
    beyond = FEATHER * window_side(box)
    low, high = np.array(box[:2]), np.array(box[:2]) + box[2:]
    low = np.where(low <= 0, -beyond, low)
    high = np.where(high >= picture, np.array(picture) + beyond, high)
    return np.array([low, (low[0], high[1]), high, (high[0], low[1])])


def box_mask(outline: np.ndarray, size: int) -> np.ndarray:
    """A soft mask of an upright box, uint8 [size, size]: 0 on its outline [4, 2], in crop pixels, 255 inside."""
    low, high = outline.min(0), outline.max(0)
    at = np.arange(size)[:, None] + 0.5
    ramp = np.clip(np.minimum(at - low, high - at) / (FEATHER * size), 0, 1)  # [size, 2], of columns and of rows
    return np.rint(255 * np.outer(ramp[:, 1], ramp[:, 0])).astype(np.uint8)
