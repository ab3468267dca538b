"""Directions in files: .npy, .npz, .safetensors, .pt or .pkl, [512] or one [512] a layer (leading ones are fine), or
one number a style channel.
"""

from __future__ import annotations

import functools
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from videdit.edits import stylespace
from videdit.edits.restricted_unpickler import read_pickle
from videdit.errors import UsageError, WeightsError
from videdit.weights.checkpoint import read_checkpoint

NUM_LAYERS, W_DIM = 18, 512  # of a code
LAYERS = (10, 12, 14, 16, 18)  # of codes of generators of 64 to 1024 px
SUFFIXES = (".npy", ".npz", ".safetensors", ".pt", ".pth", ".pkl")
NOTE = "videdit"  # the key of safetensors' metadata under which a file says what it holds, as JSON
# Keys of what files said of edits before: what users have written stays good.
OLD_KEYS = {"meaning": "description", "hard": "limits", "drags": "attribute_leakage", "codes": "num_ws"}


def read_direction(path: Path, count: int | None = None) -> np.ndarray:
    """A direction [L, 512] float32 from a file, for codes of `count` layers; one of a single layer is meant for all.

    count: None takes a direction for codes of any kind as it is, one of a single layer for 18.

    Raises:
        UsageError: the file is missing, not readable, holds something else, or is for codes of another kind.
    """
    values = read_layers(path)
    if len(values) == 1:
        return np.broadcast_to(values, (count or NUM_LAYERS, W_DIM))
    if count is not None and len(values) != count:
        raise UsageError(f"{path} is a direction of {len(values)} layers; codes of this profile have {count}")
    return values


def read_layers(path: Path) -> np.ndarray:
    """What a direction's file holds, [1, 512] for one that is meant for all layers, else [L, 512]; read-only.

    Raises:
        UsageError: the file is missing, not readable, or holds something else.
    """
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise UsageError(f"cannot read the direction {path}: {error.strerror}") from None
    return _read(path, stamp)


@functools.lru_cache(maxsize=32)
def _read(path: Path, stamp: int) -> np.ndarray:
    arrays = read_arrays(path)
    arrays = _only(path, arrays) if isinstance(arrays, Mapping) else arrays
    try:
        values = np.asarray(
            stylespace.code_direction(path, arrays) if stylespace.is_styles(arrays) else arrays, np.float32
        )
    except (TypeError, ValueError):
        raise UsageError(f"{path} holds something else than numbers") from None
    if values.shape[-1:] != (W_DIM,) or values.size // W_DIM not in (1, *LAYERS):
        wanted = f"[{W_DIM}] or [{NUM_LAYERS}, {W_DIM}] (or as many layers as codes of smaller generators have)"
        raise UsageError(f"{path} holds an array {list(values.shape)}; a direction is {wanted}")
    if not np.isfinite(values).all() or not values.any():
        raise UsageError(f"{path} holds no direction: its numbers are not finite, or all zero")
    direction = values.reshape(-1, W_DIM).copy()
    direction.setflags(write=False)
    return direction


def read_arrays(path: Path) -> Any:
    """The arrays of a file: one, or a mapping of names to arrays. Nothing that a file holds is run.

    Raises:
        UsageError: the file is missing, not readable, or of another kind.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
        if suffix == ".safetensors":
            from safetensors.numpy import load_file

            return load_file(path)
        if suffix == ".pkl" and not zipfile.is_zipfile(path):  # else torch wrote it, under that name
            return read_pickle(path)
        if suffix in (".pt", ".pth", ".pkl"):
            return _numbers(read_checkpoint(path))
    except UsageError:
        raise
    except WeightsError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:  # each format has its own ways to be broken
        detail = " ".join(str(error).split())[:120]
        raise UsageError(f"{path} cannot be read ({type(error).__name__}: {detail})") from None
    raise UsageError(f"{path}: a direction is a file of the kind {', '.join(SUFFIXES)}")


def _numbers(loaded: Any) -> Any:
    """Tensors as arrays."""
    if isinstance(loaded, dict):
        return {str(key): _numbers(value) for key, value in loaded.items()}
    return loaded.float().numpy() if hasattr(loaded, "float") and hasattr(loaded, "numpy") else loaded


def _only(path: Path, arrays: Mapping[str, Any]) -> Any:
    """The array called "direction", or the only one."""
    if "direction" in arrays:
        return arrays["direction"]
    if len(arrays) != 1:
        raise UsageError(f"{path} holds {len(arrays)} arrays; call the direction 'direction', or keep just that one")
    return next(iter(arrays.values()))


def read_note(path: Path) -> dict[str, Any]:
    """What a .safetensors file says about itself; {} for other kinds, or when it says nothing readable."""
    if path.suffix.lower() != ".safetensors" or not path.is_file():
        return {}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            note = json.loads((file.metadata() or {}).get(NOTE, "{}"))
    except (SafetensorError, OSError, ValueError):
        return {}
    return current_keys(note) if isinstance(note, dict) else {}


def current_keys(said: dict[Any, Any]) -> dict[Any, Any]:
    """What a file says of an edit, or of several, by the keys of today."""
    return {OLD_KEYS.get(key, key): current_keys(v) if isinstance(v, dict) else v for key, v in said.items()}


def write_directions(path: Path, directions: dict[str, np.ndarray], note: dict[str, Any]) -> None:
    """Directions by name and what to say about them -> a .safetensors file.

    Raises:
        UsageError: it cannot be written.
    """
    from safetensors.numpy import save_file

    try:
        save_file({name: np.ascontiguousarray(d) for name, d in directions.items()}, path, {NOTE: json.dumps(note)})
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None
