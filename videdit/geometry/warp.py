"""Warps between frames and crops. Here, and only here, our pixel centres (+0.5) meet OpenCV's (0).

All matrices are 2x3 float64 under our convention (see :mod:`videdit.geometry.ffhq_align`): nothing here knows about
align_corners; in torch's words everything is align_corners=False.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from videdit.geometry.affine import transform

_FINER = 4  # polygons are drawn so many times finer than asked for: OpenCV's own antialiasing is half a pixel off
_SHIFT = 8  # fractional bits of OpenCV's polygon corners


def warp(
    image: np.ndarray,
    to_image: np.ndarray,
    shape: tuple[int, int],
    *,
    border: int = cv2.BORDER_REFLECT,
    interpolation: int = cv2.INTER_LINEAR,
    value: float = 0.0,
) -> np.ndarray:
    """Sample an image through an affine map, without antialiasing.

    image: [H, W] or [H, W, C], uint8, uint16 or float32. to_image: maps output pixels to image pixels. shape: (height,
    width) of the output. border: OpenCV's border mode (reflection by default; BORDER_CONSTANT uses ``value``).
    Returns [height, width(, C)] of the image's dtype.
    """
    shifted = to_image.copy()
    shifted[:, 2] += to_image[:, :2] @ (0.5, 0.5) - 0.5
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, shifted, shape[::-1], flags=flags, borderMode=border, borderValue=(value,) * 4)


def displace(
    image: np.ndarray,
    flow: np.ndarray,
    *,
    interpolation: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_REPLICATE,
) -> np.ndarray:
    """Sample an image where a flow says, out(p) = image(p + flow(p)), without antialiasing.

    image: [H, W] or [H, W, C], uint8, uint16 or float32. flow: [h, w, 2] float32, (x, y) in pixels of the image, mostly
    of its size. border: OpenCV's border mode. Returns [h, w] or [h, w, C] (OpenCV drops a C of 1) of the image's dtype.
    """
    return cv2.remap(image, _opencv_grid(*flow.shape[:2]) + flow, None, interpolation, borderMode=border)


@lru_cache(maxsize=8)
def _opencv_grid(height: int, width: int) -> np.ndarray:
    """Where the pixels of an image are for OpenCV, [H, W, 2] (x, y) float32: its centres are at 0."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


def pixel_centres(height: int, width: int) -> np.ndarray:
    """Where the pixels of an image are, [H, W, 2] (x, y) float32: 0.5, 1.5, ..."""
    return _opencv_grid(height, width) + np.float32(0.5)


def pixels_at(points: np.ndarray) -> np.ndarray:
    """The pixels (column, row) that points [..., 2] lie in, int: what OpenCV's functions that draw want."""
    return np.floor(points).astype(int)


def crop(image: np.ndarray, to_image: np.ndarray, size: int, interpolation: int = cv2.INTER_CUBIC) -> np.ndarray:
    """A size x size crop, antialiased: where the crop shrinks the image it is sampled finer and averaged.

    image [H, W, C]; to_image maps crop pixels to image pixels; beyond the image's border it is reflected.
    """
    finer = shrinking(to_image)
    if finer == 1:
        return warp(image, to_image, (size, size), interpolation=interpolation)
    scaled = to_image * (1 / finer, 1 / finer, 1)
    fine = warp(image, scaled, (size * finer, size * finer))
    return cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)


def shrinking(to_image: np.ndarray) -> int:
    """How many times finer than a crop its image is to be sampled, by to_image [2, 3]: 1 where it is not shrunk."""
    step = float(np.linalg.norm(to_image[:, :2], 2))  # image pixels a crop pixel, where they are most
    return max(1, math.ceil(step - 0.2))


def region(to_frame: np.ndarray, size: int, width: int, height: int, margin: int = 4) -> tuple[int, int, int, int]:
    """The part (x0, y0, x1, y1) of a frame that a crop draws on, reflections included; to_frame: [2, 3]."""
    corners = transform(to_frame, np.array([(0, 0), (size, 0), (size, size), (0, size)]))
    (x0, y0), (x1, y1) = corners.min(0) - margin, corners.max(0) + margin
    (left, right), (top, bottom) = _span(x0, x1, width), _span(y0, y1, height)
    return left, top, right, bottom


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    """[low, high) clipped to [0, limit), wide enough that what it leaves out of the frame can be reflected into it."""
    start, stop = max(0.0, min(low, limit - 1.0)), min(float(limit), max(high, 1.0))
    if low < 0:
        stop = max(stop, min(-low, limit))
    if high > limit:
        start = min(start, max(0.0, 2 * limit - high))
    return math.floor(start), math.ceil(stop)


def shift(matrix: np.ndarray, x: float, y: float) -> np.ndarray:
    """The same map [2, 3], its target measured from another origin: ``to_frame`` -> ``to_region`` with (-x0, -y0)."""
    moved = matrix.copy()
    moved[:, 2] += (x, y)
    return moved


def polygon_mask(polygons: list[np.ndarray], size: int) -> np.ndarray:
    """Closed polygons [N, 2] in pixels of a size x size picture, filled: uint8 [size, size], 255 inside."""
    fine = np.zeros((size * _FINER, size * _FINER), np.uint8)
    for polygon in polygons:
        corners = np.rint((np.asarray(polygon) * _FINER - 0.5) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(fine, [corners], 255, shift=_SHIFT)
    return cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)
