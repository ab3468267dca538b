"""The primitives on numpy arrays [H, W, C]: OpenCV, and numpy where that is as fast.

See :class:`videdit.imaging.primitives.Primitives` for what each of them does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import cv2
import numpy as np

from videdit.datatypes import WHOLE, Square
from videdit.geometry.warp import displace

library = np

_MODES = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
_BESIDE = 1  # of a square's grid: what it holds beside where a mask shows anything
_BORDERS = {"replicate": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101}


def _deep(image: np.ndarray) -> np.ndarray:
    """A picture as OpenCV hands it back, with the last axis that it drops where there is one channel."""
    return image[..., None] if image.ndim == 2 else image


def single(array: np.ndarray) -> np.ndarray:
    return _converted(array, cv2.CV_32F) if array.dtype == np.float16 else array.astype(np.float32, copy=False)


def half(array: np.ndarray) -> np.ndarray:
    return _converted(array, cv2.CV_16F) if array.dtype == np.float32 else array.astype(np.float16, copy=False)


def _converted(array: np.ndarray, kind: int) -> np.ndarray:
    """From float16 to float32 or back. OpenCV rounds as NumPy does, in a tenth of the time; before 5 it cannot."""
    if array.size:
        with contextlib.suppress(cv2.error):
            return cv2.add(np.ascontiguousarray(array).reshape(-1, 1), 0.0, dtype=kind).reshape(array.shape)
    return array.astype(np.float32 if kind == cv2.CV_32F else np.float16)


def byte(array: np.ndarray) -> np.ndarray:
    return np.rint(array).astype(np.uint8)


def stack(arrays: Sequence[np.ndarray], axis: int = 0) -> np.ndarray:
    return np.stack(arrays, axis)


def concatenate(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays)


def maximum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.maximum(one, other)


def minimum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.minimum(one, other)


def exp(array: np.ndarray) -> np.ndarray:
    return np.exp(array)


def sqrt(array: np.ndarray) -> np.ndarray:
    return np.sqrt(array)


def channels_last(planes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def channels_first(image: np.ndarray) -> np.ndarray:
    return image.transpose(2, 0, 1)


def split(image: np.ndarray) -> Sequence[np.ndarray]:
    return [channel[..., None] for channel in cv2.split(image)]


def merge(*images: np.ndarray) -> np.ndarray:
    return _deep(cv2.merge(images))


def spread(map_: np.ndarray, channels: int) -> np.ndarray:
    # A copy: NumPy multiplies by one value a pixel three times as slowly as by one value a channel.
    return cv2.merge([map_] * channels)


def constant(like: np.ndarray, value: float) -> np.ndarray:
    return np.full((*like.shape[:2], 1), value, np.float32)


def with_channel(image: np.ndarray, index: int, map_: np.ndarray) -> np.ndarray:
    changed = image.copy()
    changed[..., index : index + 1] = map_
    return changed


def mix(image: np.ndarray, matrix: tuple[tuple[float, ...], ...]) -> np.ndarray:
    weights = np.array(matrix, np.float32)
    return _deep(cv2.transform(image, weights)) if image.shape[2] <= 4 else image @ weights.T


def channel_sum(image: np.ndarray) -> np.ndarray:
    return image @ np.ones((image.shape[2], 1), np.float32)  # NumPy's own sum over so short an axis is far slower


def channel_max(image: np.ndarray) -> np.ndarray:
    return np.maximum.reduce(cv2.split(image))[..., None]


def grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]


def resize(image: np.ndarray, size: int, mode: str = "bilinear") -> np.ndarray:
    if len(image) == size:
        return image
    how = cv2.INTER_AREA if len(image) > size else _MODES[mode]
    return _deep(cv2.resize(image, (size, size), interpolation=how))


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    return _deep(cv2.GaussianBlur(image, (0, 0), sigma))


def dilate(image: np.ndarray, by: int) -> np.ndarray:
    return _deep(cv2.dilate(image, _square(by)))


def erode(image: np.ndarray, by: int) -> np.ndarray:
    return _deep(cv2.erode(image, _square(by)))


def _square(by: int) -> np.ndarray:
    return np.ones((2 * by + 1, 2 * by + 1), np.uint8)


def warp(image: np.ndarray, flow: np.ndarray, mode: str = "bilinear", border: str = "replicate") -> np.ndarray:
    return _deep(displace(image, flow, interpolation=_MODES[mode], border=_BORDERS[border]))


def with_square(image: np.ndarray, square: Square, part: np.ndarray) -> np.ndarray:
    if square == WHOLE:
        return part
    image = image.copy()
    square.of(image)[:] = part
    return image


def square_of(mask: np.ndarray) -> Square:
    size = mask.shape[0]
    if size % Square.GRID:
        return WHOLE
    unit = size // Square.GRID
    left, top, width, height = cv2.boundingRect(mask)
    right, bottom = (min(Square.GRID, -(-end // unit) + _BESIDE) for end in (left + width, top + height))
    left, top = (max(0, start // unit - _BESIDE) for start in (left, top))
    side = max(right - left, bottom - top)
    return Square(min(left, Square.GRID - side), min(top, Square.GRID - side), side)
