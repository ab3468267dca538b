"""LPIPS, version 0.1, on AlexNet: the perceptual distance that HFGI is trained on.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018.

Attributes are called as in the published files: AlexNet's as in torchvision's (``features.0.weight``), the five linear
layers as in the authors' (``lin0.model.1.weight``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videdit.models.shapes import assert_shape

WIDTHS = (64, 192, 384, 256, 256)
TAPS = (1, 4, 7, 9, 11)  # of AlexNet's layers, the ReLU after each convolution
EPSILON = 1e-10


class Linear(nn.Module):
    """The weights of one level's channels."""

    def __init__(self, channels: int):
        """channels: of the level."""
        super().__init__()
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(channels, 1, 1, bias=False))  # dropout in their training

    def forward(self, x: Tensor) -> Tensor:
        """Squared differences [B, C, H, W] -> their weighted sum [B, 1, H, W]."""
        return self.model(x)


class Lpips(nn.Module):
    """Two batches of pictures [B, 3, H, W] in [-1, 1] -> their distance, averaged over the batch."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d, e = WIDTHS
        self.features = nn.Sequential(
            *(nn.Conv2d(3, a, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(a, b, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(b, c, 3, 1, 1), nn.ReLU()),
            *(nn.Conv2d(c, d, 3, 1, 1), nn.ReLU()),
            *(nn.Conv2d(d, e, 3, 1, 1), nn.ReLU()),
        )
        for i, width in enumerate(WIDTHS):
            setattr(self, f"lin{i}", Linear(width))
        self.register_buffer("mean", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x, y [B, 3, H, W] in [-1, 1] -> a scalar, 0 for equal pictures."""
        assert_shape(("B", 3, "H", "W"), x=x, y=y)
        distance = x.new_zeros(())
        for i, (a, b) in enumerate(zip(self.levels(x), self.levels(y), strict=True)):
            distance = distance + getattr(self, f"lin{i}")((a - b).square()).mean((2, 3)).sum()
        return distance / len(x)

    def levels(self, x: Tensor) -> list[Tensor]:
        """The features [B, C_i, H_i, W_i] of each level, of unit length along channels; x: [B, 3, H, W] in [-1, 1]."""
        x, found = (x - self.mean) / self.std, []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in TAPS:
                found.append(x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + EPSILON))
        return found
