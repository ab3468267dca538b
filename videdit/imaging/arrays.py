"""Arrays of either kind, for those who work with no pixels: :mod:`videdit.imaging.primitives` does what they ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from videdit.datatypes import Array
from videdit.imaging.primitives import of


def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays of one shape along a new axis."""
    return of(arrays[0]).stack(arrays, axis)


def rows(arrays: Sequence[Array]) -> Array:
    """:func:`stack` of arrays that nobody changes: those that lie in a row in the host's memory are not copied."""
    if not isinstance(arrays[0], np.ndarray) or not _in_a_row(arrays):
        return stack(arrays)
    shape, strides = (len(arrays), *arrays[0].shape), (arrays[0].nbytes, *arrays[0].strides)
    return np.lib.stride_tricks.as_strided(arrays[0], shape, strides, writeable=False)


def _in_a_row(arrays: Sequence[np.ndarray]) -> bool:
    """Whether arrays are parts of one, each right behind the one before it."""
    first = arrays[0]
    return first.base is not None and all(
        (array.base is first.base, array.shape, array.dtype, array.flags.c_contiguous, array.ctypes.data)
        == (True, first.shape, first.dtype, True, first.ctypes.data + i * first.nbytes)
        for i, array in enumerate(arrays)
    )


def join(arrays: Sequence[Array]) -> Array:
    """Arrays [N, ...] one after the other along their first axis."""
    return of(arrays[0]).concatenate(arrays)


def larger(a: Array, b: Array) -> Array:
    """The larger of two arrays of one shape, element by element."""
    return of(a).maximum(a, b)


def half(array: Array) -> Array:
    """The array, of any shape, in float16."""
    return of(array).half(array)


def single(array: Array) -> Array:
    """The array, of any shape, in float32, in which NumPy adds up many times faster than in half precision."""
    return of(array).single(array)


def extent(change: Array, full: float) -> Array:
    """How much there is of a change [S, S, 3], 0..1, [S, S, 1]: 1 from `full` on in any channel, here or close by.

    Neighbours count because planes are sampled between the pixels of a crop, and chroma beside them.
    """
    xp = of(change)
    near = xp.dilate(xp.channel_max(abs(xp.single(change))), 2)
    share = (near / full).clip(max=1)
    return share if change.dtype == near.dtype else xp.half(share)


def batches(count: int, *arrays: Array) -> Iterator[tuple]:
    """Cut arrays [N, ...] into parts of `count`, the last one padded with its last row: (*parts, rows that count)."""
    for start in range(0, len(arrays[0]), count):
        parts = [array[start : start + count] for array in arrays]
        used = len(parts[0])
        if used < count:
            parts = [join((part, *[part[-1:]] * (count - used))) for part in parts]
        yield *parts, used
