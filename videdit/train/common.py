"""What every training recipe shares: the frozen generator, the log, and images on disk."""

from __future__ import annotations

import copy
import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from videdit.models.encoder import Encoder
from videdit.models.mobile_stylegan import Mapping, Synthesis

M = TypeVar("M", bound=nn.Module)

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


def load_generator(device: str | torch.device = "cpu") -> tuple[Mapping, Synthesis]:
    """The embedded generator, frozen, in eval mode, float32."""
    mapping, synthesis = Mapping(), Synthesis()
    mapping.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS / "generator_mapping.safetensors").items()})
    state = {}
    for part in ("low", "high", "head256"):
        path = WEIGHTS / f"generator_{part}.safetensors"
        if path.exists() or part != "head256":  # the head is trained from here
            state.update(load_file(path))
    synthesis.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
    return (
        mapping.eval().requires_grad_(False).to(device),
        synthesis.eval().requires_grad_(False).to(device),
    )


def load_encoder(path: Path) -> Encoder:
    """E0 with the weights of a file, frozen, in eval mode, float32."""
    encoder = Encoder()
    encoder.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return encoder.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal to noise ratio in dB of images in [-1, 1]."""
    return float(-10 * torch.log10((a.clamp(-1, 1) - b.clamp(-1, 1)).square().mean() / 4))


def cosine(progress: float) -> float:
    """The share of the peak learning rate at a progress of 0..1: down to 2 % along a half cosine."""
    return 0.02 + 0.49 * (1 + math.cos(math.pi * min(progress, 1.0)))


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of fixed shapes, compiled and in bf16, forward and backward: four times as fast on a CPU.

    Where there is no C++ compiler the function itself is returned.
    """
    if not torch.cuda.is_available() and not any(map(shutil.which, ("g++", "c++", "clang++"))):
        return function
    fast = torch.compile(function)

    def run(*args: Any) -> Any:
        device = next(arg for arg in args if isinstance(arg, Tensor)).device.type
        with torch.autocast(device, torch.bfloat16):
            return fast(*args)

    return run


class Ema(Generic[M]):
    """A running average of a model's weights, which is what is validated and shipped."""

    def __init__(self, model: M, decay: float):
        self.model: M = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))  # young averages forget faster
        for average, value in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(value, 1 - decay)


class Lookahead:
    """LookAhead (Zhang et al., 2019) around an optimiser: every k steps the slow weights go half way to the fast."""

    def __init__(self, inner: torch.optim.Optimizer, k: int = 5, alpha: float = 0.5):
        self.inner, self.k, self.alpha = inner, k, alpha
        self.slow = [p.detach().clone() for group in inner.param_groups for p in group["params"]]
        self.steps = 0

    @property
    def lr(self) -> float:
        return self.inner.param_groups[0]["lr"]

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.inner.param_groups:
            group["lr"] = value

    def zero_grad(self) -> None:
        self.inner.zero_grad(set_to_none=True)

    @torch.no_grad()
    def step(self) -> None:
        self.inner.step()
        self.steps += 1
        if self.steps % self.k == 0:
            fast = (p for group in self.inner.param_groups for p in group["params"])
            for slow, value in zip(self.slow, fast, strict=True):
                slow.lerp_(value, self.alpha)
                value.copy_(slow)


class Log:
    """One JSON line an entry in out/log.jsonl, and the same on the screen."""

    def __init__(self, out: Path):
        out.mkdir(parents=True, exist_ok=True)
        self.path = out / "log.jsonl"
        self.start = time.monotonic()

    def write(self, **values: float) -> None:
        entry = {"seconds": round(time.monotonic() - self.start, 1), **{k: round(v, 5) for k, v in values.items()}}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        print(" ".join(f"{k}={v:g}" for k, v in entry.items()), flush=True)
