"""Crops -> restored crops, by the network that ships or by GFPGAN or Real-ESRGAN from files of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from videdit.engine.compile import Engine, compile_module
from videdit.engine.devices import resolve_device, resolve_precision
from videdit.engine.recipe import NetworkRecipe
from videdit.restoration.policy import SMALL, RestorerChoice
from videdit.weights import load_state, manifest, verified

if TYPE_CHECKING:
    from torch import nn

    from videdit.models.restorer import Restorer


@dataclass(frozen=True)
class RestorerSpec:
    """A network that restores, and how it is run best.

    module: crops [B, 3, S, S] RGB in [-1, 1] -> restored crops, of that size or larger.
    """

    module: nn.Module | NetworkRecipe
    on_cpu: dict[int, int]  # crops a pass, by size S in pixels; larger crops get the change of the largest size
    on_gpu: dict[int, int]
    channels_last: bool = True


class CropRestorer:
    """Restores crops of any sizes in fixed batches, of any faces and frames; compiled at its first use."""

    def __init__(
        self, network: RestorerSpec, device: str = "auto", precision: str = "auto", batch: int | None = None
    ) -> None:
        """batch: crops a pass, by default what suits network and device."""
        self.device = resolve_device(device)
        self.precision = resolve_precision(precision, self.device)
        self._network = network
        self._batches = network.on_gpu if self.device.startswith("cuda") else network.on_cpu
        if batch:
            self._batches = dict.fromkeys(self._batches, batch)
        self._engines: dict[int, Engine] = {}

    @property
    def group(self) -> int:
        """How many crops are best given at a time."""
        sizes = sorted(self._batches)
        return self._batches[sizes[len(sizes) // 2]]

    def __call__(self, crops: list[np.ndarray]) -> list[np.ndarray]:
        """Crops [S, S, 3] uint8 RGB -> restored crops of the same sizes, in the same order."""
        results: dict[int, np.ndarray] = {}
        for size, batch in self._batches.items():
            mine = [i for i, crop in enumerate(crops) if self._working_size(crop) == size]
            for start in range(0, len(mine), batch):
                part = mine[start : start + batch]
                results |= zip(part, self._pass([crops[i] for i in part], size, batch), strict=True)
        return [results[i] for i in range(len(crops))]

    def _pass(self, crops: list[np.ndarray], size: int, batch: int) -> list[np.ndarray]:
        """One pass of the network, at most a batch of crops."""
        if size not in self._engines:
            module, layout = self._network.module, self._network.channels_last
            shapes = [(batch, 3, size, size)]
            self._engines[size] = compile_module(module, shapes, self.device, self.precision, channels_last=layout)
        small = [resized(crop, size) for crop in crops]
        x = np.stack(small + small[-1:] * (batch - len(small))).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
        restored = self._engines[size](x)[0].transpose(0, 2, 3, 1)  # [B, k S, k S, 3]
        return list(map(_result, crops, small, restored * 127.5 + 127.5))

    def _working_size(self, crop: np.ndarray) -> int:
        return next((size for size in self._batches if crop.shape[0] <= size), max(self._batches))


def _result(crop: np.ndarray, seen: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """What a network made of a crop, in the crop's size.

    seen: the picture that it saw; details of the crop that were too fine for it are kept.
    """
    change = resized(restored, crop.shape[0])
    if seen.shape[0] < crop.shape[0]:
        change = resized(resized(restored, seen.shape[0]) - seen, crop.shape[0]) + crop
    return np.clip(change, 0, 255).round().astype(np.uint8)


def resized(crop: np.ndarray, size: int) -> np.ndarray:
    """A crop [S, S, 3] at another size."""
    if crop.shape[0] == size:
        return crop
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if crop.shape[0] > size else cv2.INTER_CUBIC)


def small_network(file: Path | None = None) -> RestorerSpec:
    """The restorer that ships, or other weights for it. Raises WeightsError where they are missing or damaged."""
    net: nn.Module | NetworkRecipe
    if file is None:
        verified(SMALL)
        net = NetworkRecipe("Restorer", (manifest()[SMALL].sha256,), _restorer)
    else:
        net = _restorer(file)
    return RestorerSpec(net, on_cpu={128: 8, 256: 4, 512: 1}, on_gpu={128: 64, 256: 32, 512: 16})


def _restorer(file: Path | None = None) -> Restorer:
    from videdit.models.restorer import Restorer
    from videdit.weights.module_io import load_weights

    net = Restorer()
    if file is None:
        net.load_state_dict(load_state(SMALL))
    else:
        load_weights(net, file)
    return net


def gfpgan_network(file: Path) -> RestorerSpec:
    """GFPGAN from a released file. Raises WeightsError where it cannot be had."""
    from videdit.restoration.third_party import ReleasedGfpgan

    net = ReleasedGfpgan(file)
    return RestorerSpec(net, on_cpu={net.size: 1}, on_gpu={net.size: 16}, channels_last=False)


def realesrgan_network(file: Path) -> RestorerSpec:
    """Real-ESRGAN from a released file. It cleans the crop at its own size: what it enlarges is made smaller again."""
    from videdit.restoration.third_party import ReleasedRealEsrgan

    return RestorerSpec(ReleasedRealEsrgan(file), on_cpu={256: 1, 512: 1}, on_gpu={256: 8, 512: 2})


def restorer_of(
    choice: RestorerChoice, device: str = "auto", precision: str = "auto", batch: int | None = None
) -> CropRestorer | None:
    """The restorer that was chosen; None for none. Raises WeightsError where it cannot be had."""
    if choice.kind == "none":
        return None
    if choice.kind == "small":
        network = small_network()
    else:
        assert choice.file is not None
        network = (gfpgan_network if choice.kind == "gfpgan" else realesrgan_network)(choice.file)
    return CropRestorer(network, device, precision, batch)
