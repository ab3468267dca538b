"""From an edit's name to what is added to a code."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import numpy as np

from videdit.datatypes import Array
from videdit.edits.catalogue import SHIPPED
from videdit.edits.direction_files import NUM_LAYERS, W_DIM, read_direction
from videdit.edits.parse import Edit, find
from videdit.edits.pca_components import Direction, component_direction
from videdit.errors import UsageError


def load_direction(name: str, count: int = NUM_LAYERS) -> np.ndarray:
    """What one unit of strength adds to a code of `count` layers: [L, 512] float32, zero outside the edit's layers.

    Read-only. Edits that add something else to each code have no such array: see
    :func:`direction_of`.

    Raises:
        UsageError: no such edit, or one of codes of another kind.
        WeightsError: the file of the directions is missing or damaged.
    """
    direction = direction_of(name, count)
    if direction.probe is not None:
        raise UsageError(f"{name} has no direction of its own: what it adds depends on the face")
    direction.step.setflags(write=False)
    return direction.step


def direction_of(name: str, count: int = NUM_LAYERS) -> Direction:
    """The direction of an edit in codes of `count` layers. Raises what :func:`load_direction` raises."""
    info = find(name)
    if info.num_ws not in (None, count):
        raise UsageError(f"{name} is an edit of codes of {info.num_ws} layers; those of this profile have {count}")
    if info.component is not None and info.source is not None:
        return component_direction(info.source, info.component, count)
    if info.source is not None:
        return Direction(read_direction(info.source, count))
    stored = _shipped()
    return Direction(in_layers(stored[name], info.layers))


def in_layers(step: np.ndarray, layers: tuple[int, int]) -> np.ndarray:
    """[512] -> [18, 512] float32, zero outside the layers (first and last)."""
    full = np.zeros((NUM_LAYERS, len(step)), np.float32)
    full[layers[0] : layers[1] + 1] = step
    return full


class Directions:
    """The directions of several edits, to be added up by their strengths."""

    def __init__(self, names: Sequence[str], count: int = NUM_LAYERS) -> None:
        """names: of edits. count: layers of the codes. Raises what :func:`load_direction` raises."""
        each = [direction_of(name, count) for name in names]
        none, nowhere = np.zeros(W_DIM, np.float32), np.zeros((count, W_DIM), np.float32)
        self._steps = np.stack([d.step for d in each]) if each else nowhere[None][:0]  # [N, L, 512]
        self._probes = np.stack([none if d.probe is None else d.probe for d in each]) if each else none[None][:0]
        self._along = [d.along for d in each]
        self._scales = np.array([find(name).scale for name in names], np.float32).reshape(-1, 2)
        self.conditional = any(d.probe is not None for d in each)

    def __call__(self, strengths: np.ndarray, code: Array | None = None) -> np.ndarray:
        """What is added to a code [L, 512], which must be given where :attr:`conditional`: [L, 512] float32.

        strengths: of each edit, [N].
        """
        strengths = np.asarray(strengths, np.float32)
        strengths = strengths * np.where(strengths < 0, self._scales[:, 0], self._scales[:, 1])
        delta = np.tensordot(strengths, self._steps, 1)
        if self.conditional:
            assert code is not None, "these edits depend on the code"
            first = code[0] if isinstance(code, np.ndarray) else code[0].float().cpu().numpy()
            coordinates = self._probes @ first  # [N]
            for strength, coordinate, along in zip(strengths, coordinates, self._along, strict=True):
                if along is not None:
                    delta -= strength * coordinate * along
        return delta


def edit_delta(edits: Iterable[Edit], codes: np.ndarray | None = None) -> np.ndarray:
    """What several edits together add to codes [N, L, 512]: the same shape; without codes what they add to any of 18.

    Raises:
        UsageError: without codes, an edit that adds something else to each.
    """
    edits = tuple(edits)
    count = NUM_LAYERS if codes is None else codes.shape[1]
    directions = Directions([edit.name for edit in edits], count)
    strengths = np.array([edit.strength for edit in edits])
    if codes is not None:
        return np.stack([directions(strengths, code) for code in codes])
    for edit in edits:
        load_direction(edit.name)
    return directions(strengths)


@functools.cache
def _shipped() -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    from videdit import weights

    stored = load_file(weights.verified(SHIPPED.removesuffix(".safetensors")))
    return {name: direction.astype(np.float32) for name, direction in stored.items()}
