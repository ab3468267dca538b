"""A profile's networks, each compiled for this machine when it is first used."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from videdit.datatypes import Array
from videdit.engine.recipe import NO_HALVES, Halves, NetworkRecipe, Shape
from videdit.hfgi.profile import Profile
from videdit.imaging.pixels import Pixels
from videdit.models.sizes import NUM_LAYERS, TRUNK_CHANNELS
from videdit.weights import manifest, verified

if TYPE_CHECKING:
    from torch import Tensor, nn

    from videdit.hfgi.loader import Networks


class Engines:
    """The networks of a profile, and what they were compiled to; for any number of threads."""

    def __init__(self, profile: Profile, pixels: Pixels) -> None:
        """Load what has no known hash; what ships is only verified, and loaded where a graph has to be made.

        Args:
            profile: which networks.
            pixels: compiles them, for its device and precision.

        Raises:
            WeightsError: a file is missing, damaged or not in the published layout.
        """
        self.profile, self.pixels = profile, pixels
        self._compiled: dict[tuple, Callable[..., tuple[Array, ...]]] = {}
        self._turns: dict[tuple, threading.Lock] = {}
        self._lock = threading.RLock()
        self._loaded: list[Networks] = []  # one, once they are
        self._hashes: tuple[str, ...] | None = None  # of the weights, where graphs can be told by them
        if profile.layout == "mobile":
            # What ships is known by its hash: with its graphs at hand PyTorch is not even imported.
            names = [*profile.generator, *filter(None, (profile.encoder, profile.hfgi))]
            for name in names:
                verified(name)
            known = manifest()
            self._hashes = tuple(known[name].sha256 for name in names)
        else:
            self.networks()

    def networks(self) -> Networks:
        """The networks themselves: of what ships they are built when something first needs more than their graphs."""
        with self._lock:
            if not self._loaded:
                import torch

                from videdit.hfgi.loader import load_networks

                with torch.inference_mode(False):  # whoever asks first, they are of use to all
                    self._loaded.append(load_networks(self.profile))
            return self._loaded[0]

    @property
    def heavy(self) -> bool:
        """Whether they are the published ones, of which a machine takes few crops at once."""
        return bool(self._loaded) and self._loaded[0].heavy

    @property
    def layers(self) -> int:
        """L, rows of a code."""
        return NUM_LAYERS if self._hashes else self.networks().generator.num_layers

    @property
    def trunk(self) -> Shape:
        """[C, 64, 64] of the generator's features where HFGI consults."""
        return (TRUNK_CHANNELS if self._hashes else self.networks().generator.trunk_channels, 64, 64)

    def with_generator(self, state: dict[str, Tensor]) -> Engines:
        """The same with a generator of this state; only the encoder's engine is shared."""
        other, networks = copy.copy(self), self.networks()
        generator = copy.deepcopy(networks.generator)
        generator.load_state_dict(state)
        generator.eval().requires_grad_(False)
        other._loaded, other._hashes = [replace(networks, generator=generator)], None
        other._lock, other._turns = threading.RLock(), {}
        other._compiled = {name: engine for name, engine in self._compiled.items() if "encode" in name}
        return other

    def compiled(
        self,
        name: str,
        key: tuple,
        build: Callable[[Networks], nn.Module],
        shapes: Sequence[Shape],
        halves: Halves = NO_HALVES,
    ) -> Callable[..., tuple[Array, ...]]:
        """A compiled network, built at its first use: once, however many threads ask.

        Args:
            name: of the network, for graphs that are kept.
            key: tells it from all others of the profile.
            build: makes it of the profile's networks.
            shapes: of its inputs.
            halves: which of its inputs and outputs may be float16.
        """
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:  # of this network only: others are compiled, and run, meanwhile
            if key not in self._compiled:
                network: nn.Module | NetworkRecipe
                if self._hashes:
                    network = NetworkRecipe(name, (key, self._hashes), lambda: build(self.networks()))
                else:
                    network = build(self.networks())
                self._compiled[key] = self.pixels.compile(network, shapes, halves)
            return self._compiled[key]
