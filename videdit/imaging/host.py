"""Pixels in the host's memory: numpy and OpenCV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from videdit.datatypes import LOW, Accumulator, Color, Crop, Edited, Motion, Picture, Rendering
from videdit.engine.compile import Engine, compile_module
from videdit.engine.devices import resolve_precision
from videdit.engine.recipe import NetworkRecipe, Shape
from videdit.geometry.warp import crop_picture
from videdit.imaging import temporal_average
from videdit.imaging.change_mask import change_mask
from videdit.imaging.detail_transfer import change_restored, return_detail
from videdit.imaging.optical_flow import MotionEstimator, warp_distortion_map
from videdit.imaging.paste import add_changes
from videdit.media import tone_proxy

if TYPE_CHECKING:
    from torch import Tensor, nn


class HostPixels:
    """:class:`videdit.imaging.pixels.Pixels` on numpy arrays; the networks may run elsewhere."""

    ahead = 0
    drifts_at_once = 1

    def __init__(self, device: str = "cpu", precision: str = "auto") -> None:
        self.device, self.precision = device, resolve_precision(precision, device)
        self._estimate = MotionEstimator()
        self._drift = temporal_average.DriftEstimator()

    def compile(self, network: nn.Module | NetworkRecipe, inputs: Sequence[Tensor | Shape]) -> Engine:
        return compile_module(network, inputs, self.device, self.precision)

    def put(self, array: np.ndarray) -> np.ndarray:
        return array

    def crop(self, picture: Picture, places: Sequence[tuple[np.ndarray, int]]) -> list[np.ndarray]:
        return [crop_picture(picture, to_frame, size) for to_frame, size in places]

    def network_input(self, crop: np.ndarray) -> np.ndarray:
        return network_input(crop)

    def motions(self, lows: Sequence[np.ndarray]) -> list[Motion]:
        return [self._estimate(before, after) for before, after in lows]

    def carry(self, distortion: np.ndarray, motion: Motion) -> np.ndarray:
        return warp_distortion_map(distortion, motion)

    def change(self, crop: Crop, rendering: Rendering) -> np.ndarray:
        return return_detail(crop.image, rendering, crop.skin).astype(np.float16)

    def change_of_code(self, change: np.ndarray, crop: Crop, color: Color) -> np.ndarray:
        return tone_proxy.change_of_code(change, crop.image, color, np).astype(np.float16)

    def mask(self, crop: Crop, motion: Motion, regions: Iterable[str]) -> np.ndarray:
        return change_mask(crop, motion, regions)

    def restored_change(
        self, crop: Crop, rendering: Rendering, regions: Iterable[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        mask, face = (self.mask(crop, rendering.motion, names) for names in (regions, ("face",)))
        change, mask = change_restored(crop, rendering, mask, face)
        return change.astype(np.float16), mask

    def fetch(self, array: np.ndarray) -> np.ndarray:
        return array

    def grey(self, crop: Crop) -> np.ndarray:
        return temporal_average.grey(crop.image)

    def drifts(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[tuple[Motion, Motion]]:
        return [self._drift(one, other) for one, other in pairs]

    def opened(self, change: np.ndarray, mask: np.ndarray, confidence: float) -> Accumulator:
        return temporal_average.init_accumulator(change, mask, confidence)

    def enlarged(self, motion: Motion, size: int) -> Motion:
        return temporal_average.upsample_flow(motion, size)

    def moved(self, total: Accumulator, motion: Motion, weight: float) -> Accumulator:
        return temporal_average.warp_accumulator(total, motion, weight)

    def closed(self, edit: Edited, total: Accumulator, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        return temporal_average.resolve(edit, total, confidence)

    def paste(self, picture: Picture, edits: Sequence[Edited]) -> Callable[[], Picture]:
        changed = add_changes(picture, edits)
        return lambda: changed


def network_input(crop: np.ndarray) -> np.ndarray:
    """Crop [S, S, 3] uint8 RGB -> [3, 256, 256] float32 in [-1, 1], antialiased."""
    if crop.shape[0] != LOW:
        crop = cv2.resize(crop, (LOW, LOW), interpolation=cv2.INTER_AREA if crop.shape[0] > LOW else cv2.INTER_CUBIC)
    return crop.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
