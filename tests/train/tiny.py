"""A training as small as can be that has everything a checkpoint must keep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from videdit.training import recipe, training
from videdit.training.optim import Lookahead
from videdit.training.training import Setup, Validation, weighted


@dataclass
class Recipe(recipe.Recipe):
    warmup: int = 3
    lr: float = 0.05
    fit: float = 1.0
    fool: float = 0.3
    width: int = 8


class Training(training.Training[Recipe]):
    """A net with chance (dropout) and buffers (batch norm), LookAhead, and a rival with its own optimiser."""

    file = "tiny.safetensors"

    def __init__(self, recipe: Recipe, setup: Setup) -> None:
        super().__init__(recipe, setup)
        torch.manual_seed(recipe.seed)
        width = recipe.width
        layers = nn.Linear(4, width), nn.BatchNorm1d(width), nn.Dropout(0.3), nn.ReLU(), nn.Linear(width, 1)
        self.model = nn.Sequential(*layers)
        self.optimizer = Lookahead(torch.optim.AdamW(self.model.parameters(), recipe.lr))
        self.rival = nn.Linear(1, 1)
        self.rival_optimizer = torch.optim.Adam(self.rival.parameters(), recipe.lr)
        self.others = {"rival": self.rival, "rival_optimizer": self.rival_optimizer}
        self.seen: list[int] = []

    def batch(self, step: int) -> tuple[Tensor, ...]:
        x = torch.from_numpy(self.rng(step).normal(size=(16, 4)).astype(np.float32))
        return x, x.sum(1, keepdim=True)

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        self.seen.append(step)
        x, y = batch
        made = self.model(x)
        rivalry = self.rival(made.detach()).mean() - self.rival(y).mean()
        self.rival_optimizer.zero_grad()
        rivalry.backward()
        self.rival_optimizer.step()
        terms = {"fit": (made - y).square().mean(), "fool": self.rival(made).tanh().mean()}
        return weighted(self.recipe, terms), terms

    def validate(self, model: nn.Module) -> Validation:
        x, y = self.batch(10**6)
        torch.rand(7)  # who judges may draw chance, too
        return Validation({"val_error": float((model(x) - y).square().mean())}, np.zeros((8, 8, 3), np.uint8))


def make(steps: int, **numbers) -> Training:
    return Training(Recipe(steps=steps, **numbers), Setup(Path()))
