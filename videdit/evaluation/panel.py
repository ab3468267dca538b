"""The judges as one panel, on lists of crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from videdit.evaluation.attributes import AttributeScorer
from videdit.evaluation.image import psnr, ssim
from videdit.evaluation.judges import FaceRes, MobileFace
from videdit.models.perceptual import PerceptualFeatures
from videdit.weights.judges import load_judge

SIZE = 256  # px at which crops are judged
_BATCH = 16


@dataclass(frozen=True, slots=True)
class Similarities:
    """How near pictures are to their originals, each [N]."""

    psnr: np.ndarray  # dB
    psnr_face: np.ndarray  # dB, inside the face
    ssim: np.ndarray
    perceptual: np.ndarray
    mobileface: np.ndarray  # cosine of identity
    faceres: np.ndarray


class Panel:
    """Identity, attributes and similarity of aligned crops, uint8 or float [S, S, 3] RGB (floats in [-1, 1])."""

    def __init__(self, device: str = "cpu") -> None:
        """device: torch's name of it. Raises WeightsError: the judges were not fetched."""
        self.device = device
        self._mobileface = MobileFace().to(device)
        self._faceres = FaceRes().to(device)
        self._scorer = AttributeScorer().to(device)
        self._perceptual: PerceptualFeatures | None = None  # not every question needs it

    def identity(self, crops: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Unit embeddings by two nets: {"mobileface": [N, 256], "faceres": [N, 1024]}."""
        return {
            "mobileface": self._run(self._mobileface, crops),
            "faceres": self._run(lambda x: self._faceres(x)["embedding"], crops),
        }

    def attributes(self, crops: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Scores by name, each [N]; see :mod:`videdit.evaluation.attributes`."""
        parts = [{k: v.cpu().numpy() for k, v in self._scorer(x).items()} for x in self._batches(crops)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def meshes(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """The face mesh of each crop, [N, 468, 2] in fractions of its side."""
        return self._run(lambda x: self._scorer.mesh(x)[..., :2], crops)

    def similarities(
        self, crops: Sequence[np.ndarray], originals: Sequence[np.ndarray], masks: np.ndarray
    ) -> Similarities:
        """Compare crops with their originals, pair by pair. masks: [N, 256, 256] in 0..1, 1 inside the face."""
        perceptual = self._perceptual = self._perceptual or PerceptualFeatures(load_judge("efficientnet_lite0")).to(
            self.device
        )
        rows = []
        inside = torch.from_numpy(masks.astype(np.float32)).to(self.device)[:, None].split(_BATCH)
        for a, b, mask in zip(self._batches(crops), self._batches(originals), inside, strict=True):
            a = a.clamp(-1, 1)
            mobileface = (self._mobileface(a) * self._mobileface(b)).sum(1)
            faceres = (self._faceres(a)["embedding"] * self._faceres(b)["embedding"]).sum(1)
            columns = (psnr(a, b), psnr(a, b, mask), ssim(a, b), perceptual.distance(a, b), mobileface, faceres)
            rows.append(torch.stack(columns).cpu().numpy())
        return Similarities(*np.concatenate(rows, axis=1))

    def _run(self, net: Callable[[Tensor], Tensor], crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([net(x).cpu().numpy() for x in self._batches(crops)])

    def _batches(self, crops: Sequence[np.ndarray]) -> list[Tensor]:
        x = torch.from_numpy(np.stack([network_input(crop) for crop in crops]))  # [N, 3, 256, 256]
        return list(x.to(self.device).split(_BATCH))


def network_input(crop: np.ndarray) -> np.ndarray:
    """A crop [S, S, 3], uint8 or float, -> [3, 256, 256] float32 in [-1, 1]."""
    if crop.dtype == np.uint8:
        crop = crop.astype(np.float32) / 127.5 - 1
    if crop.shape[0] != SIZE:
        crop = cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA if crop.shape[0] > SIZE else cv2.INTER_CUBIC)
    return np.ascontiguousarray(crop.transpose(2, 0, 1), np.float32)


def picture(crop: np.ndarray) -> np.ndarray:
    """A crop [S, S, 3], uint8 or float in [-1, 1], as uint8."""
    return crop if crop.dtype == np.uint8 else np.clip(crop * 127.5 + 127.5, 0, 255).round().astype(np.uint8)
