"""How a network is built, told so that its compiled graph is found without building it: no torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Halves:
    """Which inputs and outputs of a network are float16, by their places: what waits between two passes, and is large.

    The engine of a CPU converts them within its pass; where there is no gain in it, results are float32 all the same.
    """

    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()


NO_HALVES = Halves()


@dataclass(frozen=True)
class NetworkRecipe:
    """A network of :mod:`videdit.models` with weights that are known by their hash."""

    name: str  # what its passes are booked under: the module's class, and its size where it has one
    depends_on: tuple[object, ...]  # plain values on which it depends: sha256 of weights, sizes, ...
    build: Callable[[], nn.Module]
