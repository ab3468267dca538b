"""HFGI on batches of crops (Wang et al., "High-Fidelity GAN Inversion for Image Attribute Editing", CVPR 2022).

Steps 1 to 7 of the method, in the paper's words: basic inversion, distortion map, edit, adaptive distortion alignment
(ADA), consultation, fusion. The high-fidelity inversion and the edit share one batch through one compiled graph:

    w  = E0(x)                                 codes, :meth:`Inverter.encode`
    Xo = G(w),  Xe = G(w + delta)              low fidelity, at 256 px
    D  = x - Xo                                what the code lost
    c0 = Ec(ADA(D, Xo)),  c1 = Ec(ADA(D, Xe))  conditions at the 64x64 block
    Y0 = G(w, c0),  Y1 = G(w + delta, c1)      high fidelity, at the size the crop needs

Detail return (:mod:`videdit.detail`) goes on from Y0, Y1, Xo and Xe.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from videdit.backend import Engine, compile_module, resolve_device, resolve_precision
from videdit.models.encoder import Encoder
from videdit.models.hfgi import Alignment, Consultation
from videdit.models.mobile_stylegan import NUM_LAYERS, W_DIM, Synthesis
from videdit.packets import LOW, Rendering
from videdit.profiles import Profile, load_profile
from videdit.weights import load_state

SIZES = (256, 512, 1024)


class Renderer(nn.Module):
    """Steps 2 to 7 as one graph: (x [B, 3, 256, 256], w and edited w [B, 18, 512]) -> (low, high) [2B, S, S, 3].

    Inversions come first, edits after them.
    """

    def __init__(self, generator: Synthesis, alignment: Alignment, consultation: Consultation, size: int):
        super().__init__()
        self.generator, self.alignment, self.consultation = generator, alignment, consultation
        self.size = size

    def forward(self, x: Tensor, w: Tensor, edited: Tensor) -> tuple[Tensor, Tensor]:
        codes = torch.cat((w, edited))  # [2B, 18, 512]
        trunk = self.generator.trunk(codes)
        low = self.generator.render(trunk, codes, size=LOW)  # [2B, 3, 256, 256]: Xo, Xe
        distortion = x - low[: x.shape[0]]
        aligned = self.alignment(torch.cat((distortion, distortion)), low)
        high = self.generator.render(trunk, codes, self.consultation(aligned), size=self.size)
        return low.permute(0, 2, 3, 1), high.permute(0, 2, 3, 1)


class Inverter:
    """A profile's networks, compiled for this machine.

    Batches are of a fixed size; the last one is padded, so that every network is compiled for one shape only.
    """

    def __init__(self, profile: Profile, device: str, precision: str, batch: int | None = None):
        self.profile = profile
        self.device, self.precision = device, precision
        self._batch = batch
        generator = Synthesis()
        generator.load_state_dict({k: v for name in profile.generator for k, v in load_state(name).items()})
        encoder = Encoder()
        encoder.load_state_dict(load_state(profile.encoder))
        state = load_state(profile.hfgi)
        self._alignment, self._consultation = Alignment(), Consultation()
        for prefix, module in (("alignment.", self._alignment), ("consultation.", self._consultation)):
            module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        self._generator = generator.eval().requires_grad_(False)
        self._encoder = encoder.eval().requires_grad_(False)
        self._engines: dict[object, Engine] = {}

    @classmethod
    def load(
        cls, profile: str = "mobile", device: str = "auto", precision: str = "auto", batch: int | None = None
    ) -> Inverter:
        """Load and verify a profile's weights; networks are compiled at their first use.

        Raises:
            WeightsError: a file is missing or not what the manifest says.
            UsageError: no such profile or device.
        """
        device = resolve_device(device)
        return cls(load_profile(profile), device, resolve_precision(precision, device), batch)

    def batch(self, size: int) -> int:
        """Crops a pass at a crop size: on a CPU more than a few only cost memory."""
        if self._batch:
            return self._batch
        if self.device.startswith("cuda"):
            return {256: 32, 512: 16, 1024: 8}[size]
        return {256: 4, 512: 2, 1024: 1}[size]

    def encode(self, crops: list[np.ndarray]) -> np.ndarray:
        """Step 1. Crops [S, S, 3] uint8 RGB of any size -> codes [N, 18, 512] float32."""
        count = self.batch(LOW)
        if "encode" not in self._engines:
            example = (torch.zeros(count, 3, LOW, LOW),)
            self._engines["encode"] = compile_module(self._encoder, example, self.device, self.precision)
        x = np.stack([network_input(crop) for crop in crops])
        return np.concatenate([self._engines["encode"](part)[0][:used] for part, used in _padded(count, x)])

    def render(self, crops: list[np.ndarray], codes: np.ndarray, edited: np.ndarray, size: int) -> list[Rendering]:
        """Steps 2 to 7.

        crops: [S, S, 3] uint8 RGB. codes, edited: [N, 18, 512], before and after the edit. size: 256, 512 or 1024.
        """
        assert codes.shape == edited.shape == (len(crops), NUM_LAYERS, W_DIM), (codes.shape, edited.shape)
        count = self.batch(size)
        if size not in self._engines:
            module = Renderer(self._generator, self._alignment, self._consultation, size)
            code = torch.zeros(count, NUM_LAYERS, W_DIM)
            example = (torch.zeros(count, 3, LOW, LOW), code, code)
            self._engines[size] = compile_module(module, example, self.device, self.precision)
        x = np.stack([network_input(crop) for crop in crops])
        results = []
        arrays = (x, codes.astype(np.float32), edited.astype(np.float32))
        for *part, used in _padded(count, *arrays):
            low, high = self._engines[size](*part)
            results += [Rendering(low[i], low[count + i], high[i], high[count + i]) for i in range(used)]
        return results


def network_input(crop: np.ndarray) -> np.ndarray:
    """Crop [S, S, 3] uint8 RGB -> [3, 256, 256] float32 in [-1, 1], antialiased."""
    if crop.shape[0] != LOW:
        crop = cv2.resize(crop, (LOW, LOW), interpolation=cv2.INTER_AREA if crop.shape[0] > LOW else cv2.INTER_CUBIC)
    return crop.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1


def _padded(count: int, *arrays: np.ndarray):
    """Cut arrays [N, ...] into parts of `count`, the last one padded with its last row: (*parts, rows that count)."""
    for start in range(0, len(arrays[0]), count):
        parts = [array[start : start + count] for array in arrays]
        used = len(parts[0])
        if used < count:
            parts = [np.concatenate((part, np.repeat(part[-1:], count - used, axis=0))) for part in parts]
        yield *parts, used
