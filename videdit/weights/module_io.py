"""The weights of a torch module, from and to a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from videdit.errors import WeightsError
from videdit.storage.outputs import written_whole
from videdit.weights.shipped import LARGEST


def load_weights(module: nn.Module, path: Path, strict: bool = True) -> None:
    """Put a file's weights, widened to float32, into a module.

    Raises:
        WeightsError: the file is missing, damaged or another network's.
    """
    try:
        state = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
        module.load_state_dict(state, strict=strict)
    except (OSError, SafetensorError, RuntimeError) as error:
        name, detail = type(module).__name__, " ".join(str(error).split())[:120]
        raise WeightsError(f"{path} does not hold the weights of {name} ({detail})") from None


def save_weights(state: Mapping[str, Tensor], path: Path) -> None:
    """Write weights, of any shapes, as fp16 safetensors, whole or not at all.

    Raises:
        WeightsError: the file would be larger than what may ship, or cannot be written.
    """
    half = {k: (v.half() if v.is_floating_point() else v).cpu().contiguous() for k, v in state.items()}
    size = sum(v.numel() * v.element_size() for v in half.values())
    if size > LARGEST:
        raise WeightsError(f"{path.name} would have {size / 2**20:.1f} MiB; a weight file has at most 15")
    try:
        with written_whole(path) as written:
            save_file(half, written)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write {path}: {error}") from None
