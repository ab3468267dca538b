"""Pixels in the host's memory: numpy and OpenCV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from videdit.datatypes import Edited, Flow, Picture
from videdit.engine.allocator import keep_freed_memory
from videdit.engine.compile import Engine, compile_module
from videdit.engine.devices import resolve_precision
from videdit.engine.recipe import NO_HALVES, Halves, NetworkRecipe, Shape
from videdit.imaging.arrays import half, single
from videdit.imaging.crop import crop_picture
from videdit.imaging.inverse_search import InverseSearch
from videdit.imaging.optical_flow import estimate_flow
from videdit.imaging.paste import add_changes
from videdit.imaging.pixels import Pixels
from videdit.imaging.temporal_average import estimate_drift

if TYPE_CHECKING:
    from torch import Tensor, nn


class HostPixels(Pixels):
    """:class:`videdit.imaging.pixels.Pixels` in numpy arrays; the networks may run elsewhere."""

    ahead = 0
    drifts_at_once = 1

    def __init__(self, device: str = "cpu", precision: str = "auto") -> None:
        """device: where the networks run. precision: "auto": what suits it, else "fp32" or "bf16"."""
        keep_freed_memory()
        super().__init__(device, resolve_precision(precision, device))
        self._flow = InverseSearch()

    def compile(
        self, network: nn.Module | NetworkRecipe, inputs: Sequence[Tensor | Shape], halves: Halves = NO_HALVES
    ) -> Engine:
        """A network that takes and gives numpy arrays, wherever it runs."""
        engine = compile_module(network, inputs, self.device, self.precision, halves=halves)
        # Here, where it is several times as fast as by NumPy:
        kinds = [half if i in halves.inputs else single for i in range(len(inputs))]
        return lambda *arrays: engine(*(kind(array) for kind, array in zip(kinds, arrays, strict=True)))

    def put(self, array: np.ndarray) -> np.ndarray:
        """The array itself, no copy."""
        return array

    def fetch(self, array: np.ndarray) -> np.ndarray:
        """The array itself, no copy."""
        return array

    def crop(self, picture: Picture, places: Sequence[tuple[np.ndarray, int]]) -> list[np.ndarray]:
        """One after the other, by OpenCV."""
        return [crop_picture(picture, to_frame, size) for to_frame, size in places]

    def flows(self, lows: Sequence[np.ndarray]) -> list[Flow]:
        """One after the other, by :class:`InverseSearch`."""
        return [estimate_flow(before, after, self._flow) for before, after in lows]

    def drifts(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[tuple[Flow, Flow]]:
        """One after the other, by :class:`InverseSearch`."""
        return [estimate_drift(one, other, self._flow) for one, other in pairs]

    def paste(self, picture: Picture, edits: Sequence[Edited]) -> Callable[[], Picture]:
        """Done before this returns; the call only hands the picture out."""
        changed = add_changes(picture, edits)
        return lambda: changed
