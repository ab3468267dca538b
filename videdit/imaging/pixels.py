"""The pixel work of the stages behind one interface, so that stages read the same wherever the pixels are.

:mod:`videdit.imaging.host` works on numpy arrays with OpenCV, :mod:`videdit.imaging.device` on torch tensors that stay
on their device from the crop to the paste. Layouts, ranges and conventions are the same for both: an image is [H, W, 3]
here and there, and a test for each function holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from videdit.datatypes import Accumulator, Array, Color, Crop, Edited, Motion, Picture, Rendering
from videdit.engine.recipe import NetworkRecipe, Shape

if TYPE_CHECKING:
    from torch import Tensor, nn


class Pixels(Protocol):
    """One kind of memory for pixels and what is done with them there. Array: np.ndarray or torch.Tensor."""

    @property
    def device(self) -> str:
        """Where the networks run: "cpu", "cuda", "cuda:1"."""
        ...

    @property
    def precision(self) -> str:
        """What the networks compute in: "fp32", "bf16"."""
        ...

    @property
    def ahead(self) -> int:
        """Frames that are best begun to be pasted before the first of them is called for."""
        ...

    def compile(
        self, network: nn.Module | NetworkRecipe, inputs: Sequence[Tensor | Shape]
    ) -> Callable[..., tuple[Array, ...]]:
        """A network for one fixed set of input shapes, given as such or as examples; inputs of any real type."""
        ...

    def put(self, array: np.ndarray) -> Array:
        """A small array of the host's, where the pixels are."""
        ...

    def fetch(self, array: Array) -> np.ndarray:
        """An array in the host's memory; waits for it."""
        ...

    def crop(self, picture: Picture, places: Sequence[tuple[np.ndarray, int]]) -> list[Array]:
        """Crops, uint8 [S, S, 3] RGB, one for each (to_frame [2, 3], S)."""
        ...

    def network_input(self, crop: Array) -> Array:
        """Crop [S, S, 3] uint8 RGB -> [3, 256, 256] float32 in [-1, 1], antialiased."""
        ...

    def motions(self, lows: Sequence[Array]) -> list[Motion]:
        """The motion of each edit; lows: the two low renders, Xo and Xe, [2, 256, 256, 3] float32 in [-1, 1]."""
        ...

    def carry(self, distortion: Array, motion: Motion) -> Array:
        """See :func:`videdit.imaging.optical_flow.warp_distortion_map`."""
        ...

    def change(self, crop: Crop, rendering: Rendering) -> Array:
        """What the edit changes, float16 [S, S, 3]: see :func:`videdit.imaging.detail_transfer.return_detail`."""
        ...

    def restored_change(self, crop: Crop, rendering: Rendering, regions: Iterable[str]) -> tuple[Array, Array]:
        """(change, mask) of a crop that was restored: see :func:`videdit.imaging.detail_transfer.change_restored`."""
        ...

    def change_of_code(self, change: Array, crop: Crop, color: Color) -> Array:
        """What a change of an SDR proxy means for the picture: see :func:`videdit.media.tone_proxy.change_of_code`."""
        ...

    def mask(self, crop: Crop, motion: Motion, regions: Iterable[str]) -> Array:
        """How much of the change reaches the frame, uint8 [S, S]: see
        :func:`videdit.imaging.change_mask.change_mask`."""
        ...

    @property
    def drifts_at_once(self) -> int:
        """Pairs of crops whose motion is best estimated at once."""
        ...

    def grey(self, crop: Crop) -> Array:
        """See :func:`videdit.imaging.temporal_average.grey`."""
        ...

    def drifts(self, pairs: Sequence[tuple[Array, Array]]) -> list[tuple[Motion, Motion]]:
        """The source's motion between two greys, there and back: see
        :class:`videdit.imaging.temporal_average.DriftEstimator`."""
        ...

    def opened(self, change: Array, mask: Array, confidence: float) -> Accumulator:
        """See :func:`videdit.imaging.temporal_average.init_accumulator`."""
        ...

    def enlarged(self, motion: Motion, size: int) -> Motion:
        """See :func:`videdit.imaging.temporal_average.upsample_flow`."""
        ...

    def moved(self, total: Accumulator, motion: Motion, weight: float) -> Accumulator:
        """See :func:`videdit.imaging.temporal_average.warp_accumulator`."""
        ...

    def closed(self, edit: Edited, total: Accumulator, confidence: float) -> tuple[Array, Array]:
        """See :func:`videdit.imaging.temporal_average.resolve`."""
        ...

    def paste(self, picture: Picture, edits: Sequence[Edited]) -> Callable[[], Picture]:
        """Begin to add the changes; what comes back waits for the picture, which is in the host's memory.

        See :func:`videdit.imaging.paste.add_changes`.
        """
        ...


def pixels_for(device: str, precision: str = "auto") -> Pixels:
    """Where pixels are best kept for networks on this device ("cpu", "cuda", "cuda:1")."""
    if device.startswith("cuda"):
        from videdit.imaging.device import DevicePixels

        return DevicePixels(device, precision)
    from videdit.imaging.host import HostPixels

    return HostPixels(device, precision)
