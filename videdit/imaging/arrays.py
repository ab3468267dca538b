"""The few array operations that numpy and torch spell differently."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from videdit.datatypes import Array


def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays of one shape along a new axis."""
    if isinstance(arrays[0], np.ndarray):
        return np.stack(arrays, axis)
    import torch

    return torch.stack(list(arrays), axis)


def join(arrays: Sequence[Array]) -> Array:
    """Arrays one after the other along their first axis."""
    if isinstance(arrays[0], np.ndarray):
        return np.concatenate(arrays)
    import torch

    return torch.cat(list(arrays))


def larger(a: Array, b: Array) -> Array:
    """The larger of two arrays, element by element."""
    if isinstance(a, np.ndarray):
        return np.maximum(a, b)
    import torch

    return torch.maximum(a, b)


def half(array: Array) -> Array:
    """The array in float16."""
    return _half(array) if isinstance(array, np.ndarray) else array.half()


def _half(array: np.ndarray) -> np.ndarray:
    """OpenCV rounds as NumPy does, in a tenth of the time; versions before 5 cannot."""
    import cv2

    if array.dtype == np.float32 and array.size:
        with contextlib.suppress(cv2.error):
            flat = np.ascontiguousarray(array).reshape(-1, 1)
            return cv2.add(flat, 0.0, dtype=cv2.CV_16F).reshape(array.shape)
    return array.astype(np.float16)


def single(array: Array) -> Array:
    """The array in float32, in which NumPy adds up many times faster than in half precision."""
    return array.astype(np.float32, copy=False) if isinstance(array, np.ndarray) else array.float()


def extent(change: Array, full: float) -> Array:
    """How much there is of a change [S, S, 3], 0..1, [S, S, 1]: 1 from `full` on in any channel, here or close by.

    Neighbours count because planes are sampled between the pixels of a crop, and chroma beside them.
    """
    if isinstance(change, np.ndarray):
        import cv2

        most = np.abs(change.astype(np.float32)).max(-1)
        near = cv2.dilate(most, np.ones((5, 5), np.uint8))
        return np.minimum(near / full, 1)[..., None].astype(change.dtype)
    import torch
    import torch.nn.functional as F

    most = change.float().abs().amax(-1)
    near = F.max_pool2d(most[None, None], 5, 1, 2)[0, 0]
    return torch.clamp(near / full, max=1)[..., None].to(change.dtype)


def batches(count: int, *arrays: Array) -> Iterator[tuple]:
    """Cut arrays [N, ...] into parts of `count`, the last one padded with its last row: (*parts, rows that count)."""
    for start in range(0, len(arrays[0]), count):
        parts = [array[start : start + count] for array in arrays]
        used = len(parts[0])
        if used < count:
            parts = [join((part, *[part[-1:]] * (count - used))) for part in parts]
        yield *parts, used
