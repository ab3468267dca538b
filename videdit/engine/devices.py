"""Which devices there are, and what they compute fast in."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from typing import Literal

from videdit.engine import offline
from videdit.errors import UsageError

Precision = Literal["auto", "fp32", "bf16"]


def synchronize(device: str) -> None:
    """Wait until a device has done all that it was given; a CPU has."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def resolve_device(device: str = "auto") -> str:
    """ "auto" -> "cuda" where there is a usable GPU, else "cpu"; anything else is checked.

    Raises:
        UsageError: a CUDA device was asked for and there is none, or it is no device.
    """
    if device == "auto":
        return "cuda" if _has_gpu() and _sees_gpu() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UsageError(f"there is no device {device}; write auto, cpu, cuda or cuda:N")
    if device.startswith("cuda") and not _sees_gpu():
        raise UsageError(f"--device {device}: PyTorch sees no CUDA GPU here; use --device cpu, or --device auto")
    return device


def _has_gpu() -> bool:
    """Whether there may be a GPU that PyTorch can use: where there is surely none, it is not imported to ask."""
    if sys.platform == "darwin":
        return False  # there is no CUDA
    if sys.platform != "linux":
        return True
    return any(map(os.path.exists, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")))


def _sees_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def resolve_precision(precision: str, device: str) -> str:
    """ "auto" -> "bf16" where the hardware multiplies it fast, else "fp32"."""
    if precision != "auto":
        return precision
    if device.startswith("cuda"):
        import torch

        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    openvino = offline.openvino()
    return "bf16" if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "fp32"


def can_compile(device: str) -> bool:
    """Whether torch.compile has what it needs: a compiler, and Triton for a GPU."""
    compilers = ("g++", "c++", "clang++") if device == "cpu" else ("gcc", "cc", "clang")
    return any(map(shutil.which, compilers)) and (device == "cpu" or importlib.util.find_spec("triton") is not None)
