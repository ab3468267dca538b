"""The random perspective by which HFGI's release makes ADA's pairs: torchvision's RandomPerspective, of a whole batch.

Every corner moves inward by whole pixels, up to `scale` of half the picture, in x and in y; outside there is black.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def thrown(x: Tensor, scale: float, probability: float, rng: torch.Generator) -> Tensor:
    """Maps [B, C, H, W], all by one perspective, or with the rest of the probability as they are."""
    if float(torch.rand(1, generator=rng)) >= probability:
        return x
    return warped(x, drawn(x.shape[-1], x.shape[-2], scale, rng))


def drawn(width: int, height: int, scale: float, rng: torch.Generator) -> np.ndarray:
    """Where the corners (left top, right top, right bottom, left bottom) go, [4, 2] whole (x, y)."""
    most = np.array([int(scale * (width // 2)), int(scale * (height // 2))])
    inward = np.array([[int(torch.randint(0, int(m) + 1, (1,), generator=rng)) for m in most] for _ in range(4)])
    return np.where(_far(), np.array([width - 1, height - 1]) - inward, inward)


def warped(x: Tensor, corners: np.ndarray) -> Tensor:
    """Maps [B, C, H, W] whose corner pixels go to the given places [4, 2], bilinear."""
    height, width = x.shape[-2:]
    start = np.where(_far(), np.array([width - 1, height - 1]), 0).astype(np.float64)
    rows = []
    for (ex, ey), (sx, sy) in zip(corners.astype(np.float64), start, strict=True):
        rows += [[ex, ey, 1, 0, 0, 0, -sx * ex, -sx * ey], [0, 0, 0, ex, ey, 1, -sy * ex, -sy * ey]]
    matrix = np.append(np.linalg.lstsq(np.array(rows), start.reshape(-1), rcond=None)[0], 1.0).reshape(3, 3)
    # torchvision takes pixel centres for +0.5 here and for whole numbers above: a release's quirk, kept.
    down, across = np.mgrid[:height, :width] + 0.5
    there = np.stack((across, down, np.ones_like(down)), -1) @ matrix.T
    grid = there[..., :2] / there[..., 2:] / (0.5 * width, 0.5 * height) - 1
    wanted = torch.from_numpy(grid).to(x)[None].expand(len(x), -1, -1, -1)
    return F.grid_sample(x, wanted, mode="bilinear", padding_mode="zeros", align_corners=False)


def _far() -> np.ndarray:
    """[4, 2] bool: which corners are at the right, and which below."""
    return np.array([[False, False], [True, False], [True, True], [False, True]])
