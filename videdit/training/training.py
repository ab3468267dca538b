"""What a recipe has to say: :class:`Training`. All that recipes share is in loop.py.

A recipe is a module with two classes. ``Recipe`` holds its numbers; ``Training`` builds the networks and gives a batch,
a loss, a validation:

    class Training(training.Training[Recipe]):
        file = "parser.safetensors"

        def __init__(self, recipe, setup):
            super().__init__(recipe, setup)
            self.model = self.start(Parser())
            self.optimizer = torch.optim.Adam(self.model.parameters(), recipe.lr)

        def batch(self, step): ...
        def loss(self, batch, step, progress): ...
        def validate(self, model): ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from videdit.training.common import compiled
from videdit.training.recipe import Recipe
from videdit.weights.module_io import load_weights

R = TypeVar("R", bound=Recipe)
M = TypeVar("M", bound=nn.Module)


class Stateful(Protocol):
    """Anything that can be kept in a checkpoint: networks, optimisers."""

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` takes."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Go on from what :meth:`state_dict` gave."""


class Optimizer(Stateful, Protocol):
    """torch's optimisers, and LookAhead around one."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Their "lr" is set before each step."""

    def zero_grad(self) -> None:
        """Forget the gradients of the step before."""

    def step(self) -> Any:
        """Move the weights by their gradients."""


@dataclass(frozen=True)
class Setup:
    """Where a training runs and what it starts from."""

    data: Path  # folder of the packs
    device: str = "cpu"
    initial: Path | None = None  # weights to go on from; None: fresh ones
    encoder: Path | None = None  # weights of E0, for the networks that come after it
    eager: bool = False  # do not compile: a slow step at once, rather than fast ones after a minute


@dataclass(frozen=True)
class Validation:
    """How good a network is on what it was not trained on."""

    figures: dict[str, float]  # by names that begin with val_
    sheet: np.ndarray | None = None  # [H, W, 3] uint8 RGB, for eyes


class Training(ABC, Generic[R]):
    """One network in training. ``__init__`` sets ``model`` and ``optimizer``."""

    file: ClassVar[str]  # the name of the weight file, in weights/ and in --out
    model: nn.Module  # what is trained, averaged and exported
    optimizer: Optimizer

    def __init__(self, recipe: R, setup: Setup) -> None:
        """recipe: the numbers. setup: where, and from what."""
        self.recipe, self.setup = recipe, setup
        self.device = torch.device(setup.device)
        self.others: dict[str, Stateful] = {}  # what else checkpoints keep: a discriminator and its optimiser

    @abstractmethod
    def batch(self, step: int) -> tuple[Tensor, ...]:
        """What step `step` looks at, on the CPU: tensors [B, ...], of shapes that are the recipe's own.

        A function of the step and the recipe's seed alone (see :meth:`rng`): that is what makes a resumed training the
        same as one that was never stopped, and lets batches be made ahead in other threads.
        """

    @abstractmethod
    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """What to go down on, and its terms for the log, each of shape [].

        The batch is on the device; progress goes from 0 to 1.
        """

    @abstractmethod
    def validate(self, model: nn.Module) -> Validation:
        """Judge the averaged weights on held faces; called without gradients."""

    def state(self, model: nn.Module) -> dict[str, Tensor]:
        """What is exported, by the names of the weight file."""
        return model.state_dict()

    def start(self, model: M) -> M:
        """A network on the device, with the weights of ``setup.initial`` where there are any."""
        if self.setup.initial:
            load_weights(model, self.setup.initial)
        return self.placed(model)

    def placed(self, model: M) -> M:
        """A network on the device, channels last: twice as fast on a CPU."""
        return model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of fixed shapes made fast, see :func:`common.compiled`; it gives float32 or bfloat16."""
        return compiled(function, self.device.type, self.setup.eager)

    def rng(self, step: int, purpose: int = 0) -> np.random.Generator:
        """Chance that depends on the seed, the step and the purpose, and on nothing that happened before."""
        return np.random.default_rng((self.recipe.seed, step, purpose))

    def torch_rng(self, step: int, purpose: int = 0) -> torch.Generator:
        """The same for torch, on the CPU."""
        return torch.Generator().manual_seed(int(self.rng(step, purpose).integers(2**62)))


def weighted(recipe: Recipe, terms: dict[str, Tensor]) -> Tensor:
    """The sum, of shape [], of the terms, each times the recipe's number of its name."""
    return torch.stack([getattr(recipe, name) * term for name, term in terms.items()]).sum()
