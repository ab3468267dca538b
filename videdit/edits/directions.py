"""From an edit's name to what is added to a code."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np

from videdit.edits.catalogue import SHIPPED
from videdit.edits.files import NUM_LAYERS, W_DIM, read_direction
from videdit.edits.words import Edit, find


def load_direction(name: str) -> np.ndarray:
    """What one unit of strength adds to a code: [18, 512] float32, zero outside the edit's layers. Read-only.

    Raises:
        UsageError: no such edit.
        WeightsError: the file of the directions is missing or damaged.
    """
    info = find(name)
    if info.source is not None:
        return read_direction(info.source)
    direction = np.zeros((NUM_LAYERS, W_DIM), np.float32)
    first, last = info.layers
    direction[first : last + 1] = _shipped()[name]
    direction.setflags(write=False)
    return direction


def edit_delta(edits: Iterable[Edit]) -> np.ndarray:
    """What several edits together add to a code: [18, 512] float32."""
    delta = np.zeros((NUM_LAYERS, W_DIM), np.float32)
    for edit in edits:
        delta += edit.strength * load_direction(edit.name)
    return delta


@functools.cache
def _shipped() -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    from videdit import weights

    stored = load_file(weights.verified(SHIPPED.removesuffix(".safetensors")))
    return {name: direction.astype(np.float32) for name, direction in stored.items()}
