"""Directions in files: .npy, .npz, .safetensors or .pt, [512] or [18, 512] (leading ones are fine)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from videdit.errors import UsageError

NUM_LAYERS, W_DIM = 18, 512  # of a code
SUFFIXES = (".npy", ".npz", ".safetensors", ".pt", ".pth")
NOTE = "videdit"  # the key of safetensors' metadata under which a file says what it holds, as JSON


def read_direction(path: Path) -> np.ndarray:
    """A direction [18, 512] float32 from a file; one of a single layer is meant for all of them.

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
    try:
        values = np.asarray(_arrays(path), np.float32)
    except UsageError:
        raise
    except Exception as error:  # each format has its own ways to be broken
        detail = " ".join(str(error).split())[:120]
        raise UsageError(f"{path} is not a direction that can be read ({type(error).__name__}: {detail})") from None
    if values.shape[-1:] != (W_DIM,) or values.size not in (W_DIM, NUM_LAYERS * W_DIM):
        wanted = f"[{W_DIM}] or [{NUM_LAYERS}, {W_DIM}]"
        raise UsageError(f"{path} holds an array {list(values.shape)}; a direction is {wanted}")
    if not np.isfinite(values).all() or not values.any():
        raise UsageError(f"{path} holds no direction: its numbers are not finite, or all zero")
    direction = np.broadcast_to(values.reshape(-1, W_DIM), (NUM_LAYERS, W_DIM)).copy()
    direction.setflags(write=False)
    return direction


def _arrays(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return _only(path, dict(file))
    if suffix == ".safetensors":
        from safetensors.numpy import load_file

        return _only(path, load_file(path))
    if suffix in (".pt", ".pth"):
        import torch

        loaded = torch.load(path, map_location="cpu", weights_only=True)
        return (_only(path, loaded) if isinstance(loaded, dict) else loaded).float().numpy()
    raise UsageError(f"{path}: a direction is a file of the kind {', '.join(SUFFIXES)}")


def _only(path: Path, arrays: dict[str, Any]) -> Any:
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
    return note if isinstance(note, dict) else {}


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
