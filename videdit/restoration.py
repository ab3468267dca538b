"""Our small face restorer on crops, and the question of which faces need it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from videdit.backend import Engine, compile_module, resolve_device, resolve_precision
from videdit.errors import WeightsError
from videdit.models.restorer import Restorer
from videdit.weights import load_state, manifest

NAME = "restorer"  # in the manifest
SIZES = (128, 256, 512)  # px at which the network runs; larger crops get its change enlarged

# A face is restored while it is small and soft. Two thresholds each, for beginning and for ending.
# Sharpness of 50 aligned photographs at 100 to 280 px: .74 to 1.1 (5 to 95 %); after a blur of 1.3 px .50 to .61,
# enlarged twofold .60 to .83, enlarged threefold, with noise and JPEG .49 to .59.
SMALL_SIDE = (300.0, 330.0)  # px in the frame
SOFT = (0.62, 0.70)
MEMORY = 1.0  # seconds over which sharpness is averaged: a blurred movement is no soft face
RAMP = 0.5  # seconds from none to all of the restoration, when a track changes its mind


def have_restorer() -> bool:
    """Whether the restorer's weights ship."""
    return NAME in manifest()


class CropRestorer:
    """Restores crops of any sizes in fixed batches; compiled at its first use."""

    def __init__(
        self, device: str = "auto", precision: str = "auto", batch: int | None = None, file: Path | None = None
    ) -> None:
        """file: other weights than those that ship. Raises WeightsError where they are missing or damaged."""
        if file is None and not have_restorer():
            raise WeightsError(
                "the small restorer's weights (weights/restorer.safetensors) do not ship with this version: use "
                "--restore none, or train them with python -m videdit.train restorer"
            )
        self.device = resolve_device(device)
        self.precision = resolve_precision(precision, self.device)
        self._batch = batch
        self._net = Restorer()
        if file is None:
            self._net.load_state_dict(load_state(NAME))
        else:
            from videdit.train.common import load_weights

            load_weights(self._net, file)
        self._engines: dict[int, Engine] = {}

    def batch(self, size: int) -> int:
        """Crops a pass at a size of SIZES."""
        if self._batch:
            return self._batch
        on_gpu, on_cpu = {128: 64, 256: 32, 512: 16}, {128: 8, 256: 4, 512: 1}
        return (on_gpu if self.device.startswith("cuda") else on_cpu)[size]

    def __call__(self, crops: list[np.ndarray]) -> list[np.ndarray]:
        """Crops [S, S, 3] uint8 RGB -> restored crops of the same sizes, in the same order."""
        results: list[np.ndarray | None] = [None] * len(crops)
        for size in SIZES:
            mine = [i for i, crop in enumerate(crops) if _working_size(crop) == size]
            for start in range(0, len(mine), self.batch(size)):
                part = mine[start : start + self.batch(size)]
                for i, result in zip(part, self._pass([crops[i] for i in part], size), strict=True):
                    results[i] = result
        return [result for result in results if result is not None]

    def _pass(self, crops: list[np.ndarray], size: int) -> list[np.ndarray]:
        """One pass of the network, at most a batch of crops."""
        count = self.batch(size)
        if size not in self._engines:
            example = (torch.zeros(count, 3, size, size),)
            self._engines[size] = compile_module(self._net, example, self.device, self.precision)
        small = [resized(crop, size) for crop in crops]
        x = np.stack(small + small[-1:] * (count - len(small))).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
        restored = self._engines[size](x)[0].transpose(0, 2, 3, 1)  # [N, S, S, 3]
        results = []
        for crop, before, after in zip(crops, small, restored, strict=False):
            change = after * 127.5 + 127.5 - before
            if crop.shape[0] != size:
                change = cv2.resize(change, crop.shape[:2], interpolation=cv2.INTER_CUBIC)
            results.append(np.clip(crop + change, 0, 255).round().astype(np.uint8))
        return results


def _working_size(crop: np.ndarray) -> int:
    return next((size for size in SIZES if crop.shape[0] <= size), SIZES[-1])


def resized(crop: np.ndarray, size: int) -> np.ndarray:
    """A crop [S, S, 3] at another size."""
    if crop.shape[0] == size:
        return crop
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if crop.shape[0] > size else cv2.INTER_CUBIC)


def sharpness(crop: np.ndarray, side: float) -> float:
    """How strong a face's finest details are against those twice as coarse; about 0.5 where there are none.

    crop: [S, S, 3] uint8 RGB. side: what it measures in the frame, in pixels: details are looked at as the frame has
    them, for an enlarged crop is soft by nature.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = int(np.clip(round(side), 48, crop.shape[0]))
    if size != crop.shape[0]:
        grey = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)
    fine, coarse = cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.GaussianBlur(grey, (0, 0), 2.0)
    middle = slice(int(0.25 * size), int(0.8 * size))  # the face, without hair and background
    # The strongest details: noise is everywhere, edges are few.
    details = [np.percentile(np.abs(band[middle, middle]), 97) for band in (grey - fine, fine - coarse)]
    return float(details[0] / max(details[1], 0.5))


@dataclass
class _State:
    """What is known of one track."""

    time: float
    sharpness: float  # its running mean
    wanted: bool
    level: float  # 0..1, of the restoration


class Need:
    """Decides track by track whether its crops are restored, with hysteresis; a change of mind fades in or out."""

    def __init__(self) -> None:
        self._tracks: dict[int, _State] = {}

    def __call__(self, track: int, time: float, side: float, crop: np.ndarray) -> float:
        """How much of the restoration this crop gets, 0..1; call it in the order of time."""
        now = sharpness(crop, side)
        state = self._tracks.get(track)
        if state is None:
            wanted = side < SMALL_SIDE[0] and now < SOFT[0]
            self._tracks[track] = _State(time, now, wanted, float(wanted))
            return float(wanted)
        passed = max(time - state.time, 0.0)
        state.time = time
        state.sharpness += (1 - np.exp(-passed / MEMORY)) * (now - state.sharpness)
        bound = int(state.wanted)  # 0: what begins it, 1: what ends it
        state.wanted = bool(side < SMALL_SIDE[bound] and state.sharpness < SOFT[bound])
        step = passed / RAMP
        state.level = float(np.clip(state.level + (step if state.wanted else -step), 0.0, 1.0))
        return state.level
