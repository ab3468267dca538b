"""Pixels on a device: torch tensors that stay there from the crop to the paste.

Everything is handed to the device in order and nothing waits, until a picture with its changes is called for. What a
stage holds are tensors that the device may still be working on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from videdit.datatypes import LOW, Edited, Flow, Picture
from videdit.engine.cuda_graph import Network
from videdit.engine.devices import resolve_precision
from videdit.engine.profiler import booked
from videdit.engine.recipe import NO_HALVES, Halves, NetworkRecipe, Shape
from videdit.engine.transfer import Transfer
from videdit.imaging import device_planes
from videdit.imaging.arrays import batches, stack
from videdit.imaging.lucas_kanade import LucasKanade
from videdit.imaging.optical_flow import estimate_flow
from videdit.imaging.pixels import Pixels
from videdit.imaging.temporal_average import estimate_drift

_MOTIONS = {"cuda": 32, "cpu": 2}  # edits a pass


class MotionEstimator(nn.Module):
    """Renders Xo and Xe, [N, 2, 256, 256, 3] in [-1, 1] -> displacement [N, 256, 256, 2], confidence [N, 256, 256]."""

    def forward(self, lows: Tensor) -> tuple[Tensor, Tensor]:
        """Both on the device of `lows`, flow in pixels at 256; estimated by :class:`LucasKanade`."""
        flow = estimate_flow(lows[:, 0], lows[:, 1], LucasKanade())
        return flow.displacement, flow.confidence


class DriftEstimator(nn.Module):
    """Greys [N, 2, 256, 256] in 0..255 -> both ways, displacement [N, 2, 256, 256, 2], confidence [N, 2, 256, 256]."""

    def forward(self, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """`pairs` of any real type; along axis 1 of the results: from the first to the second, then back."""
        pairs = pairs.to(torch.uint8)
        both = estimate_drift(pairs[:, 0], pairs[:, 1], LucasKanade())
        return torch.stack([m.displacement for m in both], dim=1), torch.stack([m.confidence for m in both], dim=1)


class DevicePixels(Pixels):
    """:class:`videdit.imaging.pixels.Pixels` in tensors of one device."""

    ahead = 4  # frames: enough that the device finds work while the host waits for the first of them
    drifts_at_once = 4

    def __init__(self, device: str, precision: str = "auto") -> None:
        """device: torch's name of it. precision: "auto": bf16 where the device is made for it, else fp32."""
        super().__init__(device, resolve_precision(precision, device))
        self._device = torch.device(device)
        self._transfer = Transfer(self._device)
        self._estimate: Network | None = None
        self._drift: Network | None = None

    @contextmanager
    def working(self, name: str = "") -> Iterator[None]:
        """Without gradients; a name books the device's own time, not the host's."""
        with torch.inference_mode():
            if not name:
                yield
                return
            with booked(name, self._device):
                yield

    def compile(
        self, network: nn.Module | NetworkRecipe, inputs: Sequence[Tensor | Shape], halves: Halves = NO_HALVES
    ) -> Network:
        """A network that takes and gives tensors on the device; nothing waits for them."""
        module = network.build() if isinstance(network, NetworkRecipe) else network
        examples = tuple(given if isinstance(given, Tensor) else torch.zeros(given) for given in inputs)
        return Network(module, examples, self._device, self.precision)

    def put(self, array: np.ndarray) -> Tensor:
        """float64 becomes float32; work that is given to the device from now on finds the array there."""
        return self._transfer.upload(array.astype(np.float32) if array.dtype == np.float64 else array)

    def fetch(self, array: Tensor) -> np.ndarray:
        """Waits for all work that the array depends on."""
        return array.cpu().numpy()

    def crop(self, picture: Picture, places: Sequence[tuple[np.ndarray, int]]) -> list[Tensor]:
        """Only the regions that crops need are uploaded; the device may still be at work on what comes back."""
        with self.working("crop"):
            return [device_planes.crop_picture(picture, to_frame, size, self._transfer) for to_frame, size in places]

    def flows(self, lows: Sequence[Tensor]) -> list[Flow]:
        """Estimated in batches of one size, the last one padded."""
        if not lows:
            return []
        count = _MOTIONS[self._device.type]
        with self.working():
            if self._estimate is None:
                example = (torch.zeros(count, 2, LOW, LOW, 3),)
                self._estimate = Network(MotionEstimator(), example, self._device, "fp32")
            found: list[Flow] = []
            for part, used in batches(count, stack(lows)):
                displacement, confidence = self._estimate(part)
                found += [Flow(displacement[i], confidence[i]) for i in range(used)]
            return found

    def drifts(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[Flow, Flow]]:
        """Estimated in batches of ``drifts_at_once``, the last one padded."""
        if not pairs:
            return []
        with self.working():
            if self._drift is None:
                example = (torch.zeros(self.drifts_at_once, 2, LOW, LOW, dtype=torch.uint8),)
                self._drift = Network(DriftEstimator(), example, self._device, "fp32")
            found: list[tuple[Flow, Flow]] = []
            for part, used in batches(self.drifts_at_once, stack([stack(pair) for pair in pairs])):
                displacements, confidences = self._drift(part)
                there, back = ([Flow(displacements[i, k], confidences[i, k]) for i in range(used)] for k in (0, 1))
                found += zip(there, back, strict=True)
            return found

    def paste(self, picture: Picture, edits: Sequence[Edited]) -> Callable[[], Picture]:
        """The planes that changed come to the host while other work goes on."""
        with self.working("paste"):
            return device_planes.add_changes(picture, edits, self._transfer)
