"""The few array operations that numpy and torch spell differently."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from videdit.packets import Array


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


def half(array: Array) -> Array:
    """The array in float16."""
    return array.astype(np.float16) if isinstance(array, np.ndarray) else array.half()
