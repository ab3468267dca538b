"""All scores that directions are fitted on: the attributes, and what else an edit should leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.engine.compile import Engine, compile_module, eager
from videdit.engine.devices import Precision
from videdit.evaluation.attributes import AttributeScorer, lab, sample
from videdit.evaluation.judges import AgeGender, MobileFace
from videdit.models.mobile_stylegan import NUM_LAYERS, W_DIM, Synthesis

SIZE = 256
BATCH = 8
_SKIN = (50, 101, 36, 205, 280, 330, 266, 425, 151, 108, 337)  # cheeks and forehead
_CORNERS = ((0.06, 0.06), (0.94, 0.06), (0.06, 0.25), (0.94, 0.25))  # of the crop: mostly background
_CROWN = (10, 109, 338)  # top of the forehead; hair is further up


class FullScorer(nn.Module):
    """Faces [B, 3, 256, 256] in [-1, 1] -> (scores [B, S] in the order of :attr:`names`, identity [B, 256])."""

    def __init__(self) -> None:
        """With the judges that were fetched. Raises WeightsError: they were not."""
        super().__init__()
        self.attributes, self.second, self.identity = AttributeScorer(), AgeGender(), MobileFace()
        self.eval().requires_grad_(False)
        with torch.inference_mode():
            self.names = tuple(self.scores(torch.zeros(1, 3, SIZE, SIZE)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both float32; embeddings of unit length."""
        return torch.stack(list(self.scores(x).values()), 1), self.identity(x)

    def scores(self, x: Tensor) -> dict[str, Tensor]:
        """x [B, 3, 256, 256] in [-1, 1] -> name -> [B] float32, in the units of the attributes."""
        points = self.attributes.mesh(x)
        return self.attributes(x) | {"age_2nd": self.second(x)["age"]} | context(x, points)


def context(x: Tensor, points: Tensor) -> dict[str, Tensor]:
    """Pictures [B, 3, S, S] and meshes [B, 468, 3] -> colours of skin, crown and background, width of face."""
    p = points[..., :2]
    across, down = p[:, 454] - p[:, 234], p[:, 152] - p[:, 10]
    soft = lab(F.avg_pool2d(x, 9, 1, 4, count_include_pad=False))
    skin = sample(soft, p[:, list(_SKIN)]).mean(2)  # [B, 3]
    crown = torch.cat([p[:, i, None] - down[:, None] * x.new_tensor([[0.16], [0.22], [0.28]]) for i in _CROWN], 1)
    corners = x.new_tensor(_CORNERS).expand(x.shape[0], -1, -1)
    return {
        "skin_light": skin[:, 0],
        "skin_red": skin[:, 1],
        "skin_yellow": skin[:, 2],
        "crown": sample(soft, crown)[:, 0].mean(1),
        "background": sample(soft, corners)[:, 0].mean(1),
        "face_width": across.norm(dim=1) / down.norm(dim=1),
    }


class Render256(nn.Module):
    """Codes [B, 18, 512] -> pictures [B, 3, 256, 256] in [-1, 1]."""

    def __init__(self, generator: Synthesis) -> None:
        """generator: of the `mobile` profile, frozen."""
        super().__init__()
        self.generator = generator

    def forward(self, codes: Tensor) -> Tensor:
        """Clamped, unlike the generator's own pictures."""
        return self.generator(codes, size=SIZE).clamp(-1, 1)


class Measure:
    """Codes -> pictures, scores and identity, on the fastest engine that is installed."""

    def __init__(self, generator: Synthesis, device: str = "cpu", threads: int = 1) -> None:
        """device: torch's name of it. threads: of the engine. Raises WeightsError: the judges were not fetched."""
        scorer = FullScorer()
        self.names = scorer.names
        codes, images = torch.zeros(BATCH, NUM_LAYERS, W_DIM), torch.zeros(BATCH, 3, SIZE, SIZE)
        self._render = fastest(Render256(generator), (codes,), device, "auto", threads)
        self._score = fastest(scorer, (images,), device, "fp32", threads)

    def images(self, codes: np.ndarray) -> np.ndarray:
        """Codes [N, 18, 512] -> pictures [N, 3, 256, 256] float32 in [-1, 1]."""
        return in_batches(self._render, codes.astype(np.float32))[0]

    def scores(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures [N, 3, 256, 256] -> scores [N, S] by :attr:`names`, unit embeddings [N, 256]."""
        scores, identity = in_batches(self._score, images)
        return scores, identity


def fastest(module: nn.Module, examples: tuple[Tensor, ...], device: str, precision: Precision, threads: int) -> Engine:
    """The module compiled for the shapes of examples, or run by torch where there is no OpenVINO, as in training."""
    try:
        return compile_module(module, examples, device, precision, threads=threads)
    except ImportError:
        return eager(module, device)


def in_batches(engine: Callable[..., tuple[np.ndarray, ...]], rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Run an engine that takes BATCH rows on any number of them, [N, ...]."""
    parts = []
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        padded = np.concatenate((part, np.repeat(part[-1:], BATCH - len(part), 0))) if len(part) < BATCH else part
        parts.append([out[: len(part)] for out in engine(padded)])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))
