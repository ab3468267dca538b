"""Which devices there are, and what they compute fast in."""

from __future__ import annotations

from typing import Literal

import torch

from videdit.engine import offline
from videdit.errors import UsageError

Precision = Literal["auto", "fp32", "bf16"]


def synchronize(device: str) -> None:
    """Wait until a device has done all that it was given; a CPU has."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def resolve_device(device: str = "auto") -> str:
    """ "auto" -> "cuda" where there is a usable GPU, else "cpu"; anything else is checked.

    Raises:
        UsageError: a CUDA device was asked for and there is none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"--device {device}: PyTorch sees no CUDA GPU here; use --device cpu, or --device auto")
    return device


def resolve_precision(precision: str, device: str) -> str:
    """ "auto" -> "bf16" where the hardware multiplies it fast, else "fp32"."""
    if precision != "auto":
        return precision
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    openvino = offline.openvino()
    return "bf16" if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "fp32"
