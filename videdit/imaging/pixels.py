"""The pixel work of the stages behind one class, so that stages read the same wherever the pixels are.

:mod:`videdit.imaging.host` keeps them in numpy arrays, :mod:`videdit.imaging.device` in torch tensors that stay on
their device from the crop to the paste. Formulas are the same for both (:mod:`videdit.imaging.primitives`); what
differs is how networks run, how flow is found, and how pixels get into frames and out of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np

from videdit.datatypes import LOW, WHOLE, Accumulator, Array, Color, Crop, Edited, Flow, Picture, Rendering, Square
from videdit.engine.recipe import NO_HALVES, Halves, NetworkRecipe, Shape
from videdit.imaging import carried_change, detail_transfer, optical_flow, paint_mask, primitives, temporal_average
from videdit.imaging.carried_change import Side
from videdit.imaging.crop import low_picture, network_input
from videdit.media import tone_proxy
from videdit.threads import settle

if TYPE_CHECKING:
    from torch import Tensor, nn


class Pixels(ABC):
    """One kind of memory for pixels and what is done with them there. Array: np.ndarray or torch.Tensor."""

    ahead: int  # frames that are best begun to be pasted before the first of them is called for
    drifts_at_once: int  # pairs of crops whose motion is best estimated at once

    def __init__(self, device: str, precision: str) -> None:
        """device: where the networks run: "cpu", "cuda", "cuda:1"; precision: what they compute in: "fp32", "bf16"."""
        settle()
        self.device, self.precision = device, precision

    @abstractmethod
    def compile(
        self, network: nn.Module | NetworkRecipe, inputs: Sequence[Tensor | Shape], halves: Halves = NO_HALVES
    ) -> Callable[..., tuple[Array, ...]]:
        """A network for one fixed set of input shapes, given as such or as examples; inputs of any real type.

        halves: what may be float16 in the host's memory.
        """

    @abstractmethod
    def put(self, array: np.ndarray) -> Array:
        """A small array of the host's, of any shape, where the pixels are."""

    @abstractmethod
    def fetch(self, array: Array) -> np.ndarray:
        """An array of any shape in the host's memory; waits for it."""

    @abstractmethod
    def crop(self, picture: Picture, places: Sequence[tuple[np.ndarray, int]]) -> list[Array]:
        """Crops, uint8 [S, S, 3] RGB, one for each (to_frame [2, 3], S)."""

    @abstractmethod
    def flows(self, lows: Sequence[Array]) -> list[Flow]:
        """The flow of each edit: see :func:`videdit.imaging.optical_flow.estimate_flow`.

        lows: the two low renders, Xo and Xe, [2, 256, 256, 3] float32 in [-1, 1].
        """

    @abstractmethod
    def drifts(self, pairs: Sequence[tuple[Array, Array]]) -> list[tuple[Flow, Flow]]:
        """The source's motion between two greys, there and back: see
        :func:`videdit.imaging.temporal_average.estimate_drift`."""

    @abstractmethod
    def paste(self, picture: Picture, edits: Sequence[Edited]) -> Callable[[], Picture]:
        """Begin to add the changes; what comes back waits for the picture, which is in the host's memory.

        See :func:`videdit.imaging.paste.add_changes`.
        """

    def working(self, name: str = "") -> AbstractContextManager[object]:
        """What formulas run in; a name books their time under it."""
        return nullcontext()

    def low(self, image: Array) -> Array:
        """A crop's picture [S, S, 3] uint8 at 256 px, for :attr:`videdit.datatypes.Crop.low`."""
        with self.working():
            return primitives.of(image).resize(image, LOW)

    def network_input(self, crop: Array) -> Array:
        """Crop [S, S, 3] uint8 RGB -> [3, 256, 256] float32 in [-1, 1], antialiased."""
        with self.working():
            return network_input(crop)

    def warp_distortion_map(self, distortion: Array, flow: Flow) -> Array:
        """See :func:`videdit.imaging.optical_flow.warp_distortion_map`."""
        with self.working():
            return optical_flow.warp_distortion_map(distortion, flow)

    def change(self, crop: Crop, rendering: Rendering, regions: Iterable[str] = ()) -> Array:
        """What the edit changes, float16 [S, S, 3]: see :func:`videdit.imaging.detail_transfer.return_detail`.

        regions: where the edits show.
        """
        with self.working("detail"):
            change = detail_transfer.return_detail(crop.image, rendering, crop.parts, frozenset(regions))
            return primitives.of(change).half(change)

    def edit_to_parse(self, crop: Crop, rendering: Rendering) -> Array | None:
        """Xe as a picture, uint8 [256, 256, 3] RGB; None where an edit leaves the mouth of a crop as it is.

        crop: its parts are known.
        """
        assert crop.parts is not None
        with self.working("detail"):
            if not detail_transfer.stirs_mouth(rendering, crop.parts):
                return None
            return self.edit_picture(rendering)

    def edit_picture(self, rendering: Rendering) -> Array:
        """Xe as a picture, uint8 [256, 256, 3] RGB."""
        with self.working("detail"):
            return primitives.of(rendering.edit_low).byte(((rendering.edit_low + 1) * 127.5).clip(0, 255))

    def restored_change(self, crop: Crop, rendering: Rendering, regions: Iterable[str]) -> tuple[Array, Array]:
        """(change [S, S, 3], mask [S, S]): see :func:`videdit.imaging.detail_transfer.change_restored`."""
        with self.working("detail"):
            mask, face = (self.mask(crop, rendering.flow, names) for names in (regions, ("face",)))
            change, mask = detail_transfer.change_restored(crop, rendering, mask, face, frozenset(regions))
            return primitives.of(change).half(change), mask

    def change_of_code(self, change: Array, crop: Crop, color: Color) -> Array:
        """What a change [S, S, 3] of an SDR proxy means in the picture.

        See :func:`videdit.media.tone_proxy.change_of_code`.
        """
        with self.working():
            xp = primitives.of(change)
            return xp.half(tone_proxy.change_of_code(change, crop.image, color, xp.library))

    def mask(self, crop: Crop, flow: Flow, regions: Iterable[str]) -> Array:
        """How much of the change reaches the frame, uint8 [S, S]: see
        :func:`videdit.imaging.paint_mask.change_mask`."""
        with self.working():
            return paint_mask.change_mask(crop, flow, regions, self.put)

    def grey(self, crop: Crop) -> Array:
        """See :func:`videdit.imaging.temporal_average.grey`."""
        with self.working():
            return temporal_average.grey(low_picture(crop))

    def difference(self, before: Array, now: Array) -> float:
        """See :func:`videdit.imaging.carried_change.difference`; waits for it."""
        with self.working():
            return float(carried_change.difference(before, now))

    def novelty(self, before: Array, now: Array, flow: Flow, mesh: np.ndarray) -> float:
        """See :func:`videdit.imaging.carried_change.novelty`; waits for it."""
        with self.working():
            return float(carried_change.novelty(before, now, flow, mesh))

    def chained(self, step: Flow, further: Flow | None) -> Flow:
        """See :func:`videdit.imaging.carried_change.chained`."""
        with self.working():
            return carried_change.chained(step, further)

    def portable(self, change: Array, crop: Crop, crisp: Array | None) -> Array:
        """See :func:`videdit.imaging.carried_change.portable`."""
        with self.working("detail"):
            return carried_change.portable(change, crop.image, crisp)

    def carried(self, changes: Sequence[Array], sides: Sequence[Side], crop: Crop, crisp: Array | None = None) -> Array:
        """The change to a crop, [S, S, 3] float16, by those of the frames around, each as it is portable.

        See :func:`videdit.imaging.carried_change.carried`.
        """
        with self.working("detail"):
            if len({change.shape[-1] for change in changes}) > 1:  # new lips in one of the two alone
                changes = [carried_change.with_share(change) for change in changes]
            moved = carried_change.carried(changes, sides, crop.size, crisp=crisp)
            return primitives.of(moved).half(carried_change.landed(moved, crop.image))

    def carried_crisp(self, crisp: Sequence[Array | None], sides: Sequence[Side]) -> Array | None:
        """See :func:`videdit.imaging.carried_change.carried_crisp`."""
        with self.working("detail"):
            return carried_change.carried_crisp(crisp, sides)

    def carried_flow(self, flows: Sequence[Flow], sides: Sequence[Side]) -> Flow:
        """See :func:`videdit.imaging.carried_change.carried_flow`."""
        with self.working("detail"):
            return carried_change.carried_flow(flows, sides)

    def square_of(self, mask: Array) -> Square:
        """What of a crop sums are held of, by its mask [S, S] uint8."""
        return primitives.of(mask).square_of(mask)

    def init_accumulator(self, change: Array, mask: Array, confidence: float, square: Square = WHOLE) -> Accumulator:
        """See :func:`videdit.imaging.temporal_average.init_accumulator`."""
        with self.working():
            return temporal_average.init_accumulator(change, mask, confidence, square)

    def upsample_flow(self, flow: Flow, size: int, square: Square = WHOLE) -> Flow:
        """See :func:`videdit.imaging.temporal_average.upsample_flow`."""
        with self.working():
            return temporal_average.upsample_flow(flow, size, square)

    def warp_accumulator(self, total: Accumulator, flow: Flow, weight: float, square: Square = WHOLE) -> Accumulator:
        """See :func:`videdit.imaging.temporal_average.warp_accumulator`."""
        with self.working():
            return temporal_average.warp_accumulator(total, flow, weight, square)

    def resolve(self, edit: Edited, total: Accumulator, confidence: float) -> tuple[Array, Array]:
        """See :func:`videdit.imaging.temporal_average.resolve`."""
        with self.working():
            return temporal_average.resolve(edit, total, confidence)
