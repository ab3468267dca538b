"""Pixels on a device: torch tensors that stay there from the crop to the paste.

Everything is handed to the device in order and nothing waits, until a picture with its changes is called for. What a
stage holds are tensors that the device may still be working on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from videdit.datatypes import LOW, Accumulator, Color, Crop, Edited, Motion, Picture, Rendering
from videdit.engine.cuda_graph import Network
from videdit.engine.devices import resolve_precision
from videdit.engine.profiler import booked
from videdit.engine.recipe import NetworkRecipe, Shape
from videdit.engine.transfer import Transfer
from videdit.imaging.arrays import batches, stack
from videdit.imaging.primitives.torch import channels_first, resize
from videdit.imaging.twins import change_mask, optical_flow, temporal_average
from videdit.imaging.twins import paste as planes
from videdit.imaging.twins.detail_transfer import change_restored, return_detail
from videdit.media import tone_proxy

_MOTIONS = {"cuda": 32, "cpu": 2}  # edits a pass


class DevicePixels:
    """:class:`videdit.imaging.pixels.Pixels` on tensors of one device."""

    ahead = 4  # frames: enough that the device finds work while the host waits for the first of them
    drifts_at_once = 4

    def __init__(self, device: str, precision: str = "auto") -> None:
        self.device, self.precision = device, resolve_precision(precision, device)
        self._device = torch.device(device)
        self._transfer = Transfer(self._device)
        self._estimate: Network | None = None
        self._drift: Network | None = None

    def compile(self, network: nn.Module | NetworkRecipe, inputs: Sequence[Tensor | Shape]) -> Network:
        module = network.build() if isinstance(network, NetworkRecipe) else network
        examples = tuple(given if isinstance(given, Tensor) else torch.zeros(given) for given in inputs)
        return Network(module, examples, self._device, self.precision)

    def put(self, array: np.ndarray) -> Tensor:
        return self._transfer.upload(array.astype(np.float32) if array.dtype == np.float64 else array)

    @torch.inference_mode()
    def crop(self, picture: Picture, places: Sequence[tuple[np.ndarray, int]]) -> list[Tensor]:
        with booked("crop", self._device):
            return [planes.crop_picture(picture, to_frame, size, self._transfer) for to_frame, size in places]

    @torch.inference_mode()
    def network_input(self, crop: Tensor) -> Tensor:
        return resize(channels_first(crop), LOW)[0] / 127.5 - 1

    @torch.inference_mode()
    def motions(self, lows: Sequence[Tensor]) -> list[Motion]:
        if not lows:
            return []
        count = _MOTIONS[self._device.type]
        if self._estimate is None:
            example = (torch.zeros(count, 2, LOW, LOW, 3),)
            self._estimate = Network(optical_flow.MotionEstimator(), example, self._device, "fp32")
        found: list[Motion] = []
        for part, used in batches(count, stack(lows)):
            flow, validity = self._estimate(part)
            found += [Motion(flow[i], validity[i]) for i in range(used)]
        return found

    @torch.inference_mode()
    def carry(self, distortion: Tensor, motion_: Motion) -> Tensor:
        flow, validity = channels_first(motion_.flow), motion_.validity[None, None]
        return optical_flow.warp_distortion_map(channels_first(distortion), flow, validity)[0].permute(1, 2, 0)

    @torch.inference_mode()
    def change(self, crop: Crop, rendering: Rendering) -> Tensor:
        with booked("detail", self._device):
            return return_detail(crop.image, rendering, crop.skin)[0].permute(1, 2, 0).half()

    @torch.inference_mode()
    def change_of_code(self, change: Tensor, crop: Crop, color: Color) -> Tensor:
        return tone_proxy.change_of_code(change, crop.image, color, torch).half()

    @torch.inference_mode()
    def mask(self, crop: Crop, motion_: Motion, regions: Iterable[str]) -> Tensor:
        return change_mask.change_mask(crop, motion_, regions, self.put)

    @torch.inference_mode()
    def restored_change(self, crop: Crop, rendering: Rendering, regions: Iterable[str]) -> tuple[Tensor, Tensor]:
        with booked("detail", self._device):
            mask, face = (self.mask(crop, rendering.motion, names) for names in (regions, ("face",)))
            change, mask = change_restored(crop, rendering, mask, face)
            return change[0].permute(1, 2, 0).half(), mask

    def fetch(self, array: Tensor) -> np.ndarray:
        return array.cpu().numpy()

    @torch.inference_mode()
    def grey(self, crop: Crop) -> Tensor:
        return temporal_average.grey(crop.image)

    @torch.inference_mode()
    def drifts(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[Motion, Motion]]:
        if not pairs:
            return []
        if self._drift is None:
            example = (torch.zeros(self.drifts_at_once, 2, LOW, LOW, dtype=torch.uint8),)
            self._drift = Network(temporal_average.DriftEstimator(), example, self._device, "fp32")
        found: list[tuple[Motion, Motion]] = []
        for part, used in batches(self.drifts_at_once, stack([stack(pair) for pair in pairs])):
            flows, validities = self._drift(part)
            there, back = ([Motion(flows[i, k], validities[i, k]) for i in range(used)] for k in (0, 1))
            found += zip(there, back, strict=True)
        return found

    @torch.inference_mode()
    def opened(self, change: Tensor, mask: Tensor, confidence: float) -> Accumulator:
        return temporal_average.init_accumulator(change, mask, confidence)

    @torch.inference_mode()
    def enlarged(self, motion_: Motion, size: int) -> Motion:
        return temporal_average.upsample_flow(motion_, size)

    @torch.inference_mode()
    def moved(self, total: Accumulator, motion_: Motion, weight: float) -> Accumulator:
        return temporal_average.warp_accumulator(total, motion_, weight)

    @torch.inference_mode()
    def closed(self, edit: Edited, total: Accumulator, confidence: float) -> tuple[Tensor, Tensor]:
        return temporal_average.resolve(edit, total, confidence)

    @torch.inference_mode()
    def paste(self, picture: Picture, edits: Sequence[Edited]) -> Callable[[], Picture]:
        with booked("paste", self._device):
            return planes.add_changes(picture, edits, self._transfer)
