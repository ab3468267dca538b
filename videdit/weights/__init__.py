"""From a name to verified tensors.

What ships is listed in weights/manifest.yaml (:mod:`videdit.weights.shipped`). What others published and the user
fetched or imported is described in weights/published.yaml (:mod:`videdit.weights.published`), and lies as safetensors
in a folder of the user's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from videdit.weights import published
from videdit.weights.published import Published, find, fingerprint, user_dir
from videdit.weights.shipped import LARGEST, MANIFEST, WeightFile, forget, manifest, record, verified

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "LARGEST",
    "MANIFEST",
    "Published",
    "WeightFile",
    "find",
    "fingerprint",
    "forget",
    "load_state",
    "manifest",
    "record",
    "user_dir",
    "verified",
]


def load_state(name: str, folder: Path | None = None) -> dict[str, Tensor]:
    """The tensors of a weight file by their names, half precision widened to float32, on the CPU.

    name: of the manifest or, where no folder is given, of a published file that is installed.

    Raises:
        WeightsError: see :func:`verified` and :func:`find`.
    """
    import torch
    from safetensors.torch import load_file

    theirs = folder is None and name not in manifest() and name in published.entries()
    state = load_file(find(name) if theirs else verified(name, folder))
    half = (torch.float16, torch.bfloat16)
    return {key: value.float() if value.dtype in half else value for key, value in state.items()}
