"""Edits along a principal component of W (GANSpace, Härkönen et al., NeurIPS 2020), as e4e and HFGI apply them.

They do not add a fixed step: they move a code's coordinate along the component to a fixed place, so that a face which
is there already does not change. With component v, its standard deviation s and the mean m of W, the coordinate of a
code w (of its first layer) is c(w) = (w - m) . v / s, and one unit of strength adds

    (coordinate - c(w)) * s * v

to the layers of the edit. Other strengths are shares of that; the release knows no others.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videdit.edits.direction_files import W_DIM, read_arrays
from videdit.errors import UsageError

# As e4e's and HFGI's files call the components, the mean and the standard deviations; then as GANSpace's own.
_NAMES = (("comp", "mean", "std"), ("lat_comp", "lat_mean", "lat_stdev"))


@dataclass(frozen=True, slots=True)
class Component:
    """Which component, for which layers of the code (first and last), and where its coordinate goes."""

    index: int
    layers: tuple[int, int]
    coordinate: float


@dataclass(frozen=True, slots=True)
class Direction:
    """What one unit of strength adds to a code w [L, 512]: step - (w[0] . probe) * along.

    probe is None for directions that are the same for every code.
    """

    step: np.ndarray  # [L, 512] float32
    probe: np.ndarray | None = None  # [512] float32
    along: np.ndarray | None = None  # [L, 512] float32


def component_direction(path: Path, component: Component, count: int) -> Direction:
    """The direction of a component in a file of them, for codes of `count` layers.

    Raises:
        UsageError: the file is not of components, has too few, or the layers are not in the code.
    """
    vectors, mean, deviations = read_components(path)
    first, last = component.layers
    if not 0 <= component.index < len(vectors):
        raise UsageError(f"{path} holds {len(vectors)} components, counted from 0; there is none {component.index}")
    if not 0 <= first <= last < count:
        raise UsageError(f"layers {first} to {last} are not among those of a code, 0 to {count - 1}")
    vector, deviation = vectors[component.index], deviations[component.index]
    probe = vector / deviation
    along = np.zeros((count, W_DIM))
    along[first : last + 1] = vector * deviation
    step = (component.coordinate + mean @ probe) * along
    return Direction(step.astype(np.float32), probe.astype(np.float32), along.astype(np.float32))


def read_components(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Components [N, 512], mean [512] and standard deviations [N], float64.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise UsageError(f"cannot read the components {path}: {error.strerror}") from None


@functools.lru_cache(maxsize=8)
def _read(path: Path, stamp: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    arrays = read_arrays(path)
    names = next((n for n in _NAMES if isinstance(arrays, Mapping) and set(n) <= set(arrays)), None)
    if names is None:
        raise UsageError(f"{path} holds no principal components: wanted are arrays {', '.join(_NAMES[0])}")
    vectors, mean, deviations = (np.asarray(arrays[name], np.float64) for name in names)
    if vectors.shape[-1:] != (W_DIM,) or mean.size != W_DIM or deviations.size != vectors.size // W_DIM:
        raise UsageError(f"{path} holds components {list(vectors.shape)}; wanted are [N, {W_DIM}]")
    vectors, deviations = vectors.reshape(-1, W_DIM), deviations.reshape(-1)
    if not (np.isfinite(vectors).all() and np.isfinite(mean).all() and (deviations > 0).all()):
        raise UsageError(f"{path} holds no components: its numbers are not finite, or deviations are not above zero")
    return vectors, mean.reshape(-1), deviations


def parse_component(fields: Any) -> Component:
    """{"index": 54, "layers": [7, 7], "coordinate": 20} -> Component. Raises ValueError where that makes no sense."""
    first, last = fields["layers"]
    if set(fields) != {"index", "layers", "coordinate"}:
        raise ValueError(f"a component has index, layers and coordinate, not {', '.join(map(str, fields))}")
    return Component(int(fields["index"]), (int(first), int(last)), float(fields["coordinate"]))
