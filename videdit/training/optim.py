"""Optimisation: the learning rate's course, LookAhead, and the running average of weights."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import nn


def cosine(progress: float) -> float:
    """The share of the peak learning rate at a progress of 0..1: down to 2 % along a half cosine."""
    return 0.02 + 0.49 * (1 + math.cos(math.pi * min(progress, 1.0)))


class Ema:
    """A running average of a model's weights, which is what is validated and shipped. Buffers are the newest."""

    def __init__(self, model: nn.Module, decay: float):
        """model: what it begins with, a copy. decay: how much of the average each step keeps, once it is old."""
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after one more step of training."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))  # young averages forget faster
        for average, value in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(value, 1 - decay)
        for kept, newest in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(newest)

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints: the average under "model", and "steps"."""
        return {"model": self.model.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        self.model.load_state_dict(state["model"])
        self.steps = int(state["steps"])


class Lookahead:
    """LookAhead (Zhang et al., 2019) around an optimiser: every k steps the slow weights go half way to the fast."""

    def __init__(self, inner: torch.optim.Optimizer, k: int = 5, alpha: float = 0.5):
        """k: fast steps between two slow ones. alpha: how much of the way the slow weights go."""
        self.inner, self.k, self.alpha = inner, k, alpha
        self.slow = [p.detach().clone() for p in self._fast()]
        self.steps = 0

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The inner optimiser's own: learning rates that are set here count."""
        return self.inner.param_groups

    def zero_grad(self) -> None:
        """Gradients become None."""
        self.inner.zero_grad(set_to_none=True)

    @torch.no_grad()
    def step(self) -> None:
        """One fast step; each k-th is also a slow one, after which fast and slow weights are the same."""
        self.inner.step()
        self.steps += 1
        if self.steps % self.k == 0:
            for slow, value in zip(self.slow, self._fast(), strict=True):
                slow.lerp_(value, self.alpha)
                value.copy_(slow)

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints: the inner optimiser's under "inner", "slow" weights and "steps"."""
        return {"inner": self.inner.state_dict(), "slow": self.slow, "steps": self.steps}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave; the weights themselves are the model's to load."""
        self.inner.load_state_dict(state["inner"])
        for slow, value in zip(self.slow, state["slow"], strict=True):
            slow.copy_(value)
        self.steps = int(state["steps"])

    def _fast(self) -> list[torch.Tensor]:
        return [p for group in self.inner.param_groups for p in group["params"]]
