"""MTCNN (Zhang et al., 2016): three small nets that find faces, coarse to fine.

All take images [N, 3, H, W] float32 RGB in [-1, 1]. The weights are facenet-pytorch's (see weights/MODEL_CARD.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videdit.models.shapes import assert_shape


def _conv(c_in: int, c_out: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, kernel), nn.PReLU(c_out)]


def _pool(kernel: int) -> nn.Module:
    return nn.MaxPool2d(kernel, stride=2, ceil_mode=True)


class ProposalNet(nn.Module):
    """Slides over a whole picture: one face score and box correction for each 12 x 12 window, two pixels apart."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*_conv(3, 10, 3), _pool(2), *_conv(10, 16, 3), *_conv(16, 32, 3))
        self.score = nn.Conv2d(32, 2, 1)
        self.box = nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [N, 3, H, W] -> score [N, h, w] in 0..1, box correction [N, 4, h, w] (h, w about half of H, W)."""
        assert_shape(("N", 3, "H", "W"), x=x)
        x = self.trunk(x)
        return self.score(x).softmax(1)[:, 1], self.box(x)


class RefineNet(nn.Module):
    """Judges candidate windows of 24 x 24 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*_conv(3, 28, 3), _pool(3), *_conv(28, 48, 3), _pool(3), *_conv(48, 64, 2))
        self.dense = nn.Sequential(nn.Linear(576, 128), nn.PReLU(128))
        self.score = nn.Linear(128, 2)
        self.box = nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [N, 3, 24, 24] -> score [N] in 0..1, box correction [N, 4]."""
        assert_shape(("N", 3, 24, 24), x=x)
        x = self.trunk(x)  # [N, 64, 3, 3]
        x = self.dense(x.flatten(1))
        return self.score(x).softmax(1)[:, 1], self.box(x)


class OutputNet(nn.Module):
    """The last word on windows of 48 x 48 pixels, with five points."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *_conv(3, 32, 3), _pool(3), *_conv(32, 64, 3), _pool(3), *_conv(64, 64, 3), _pool(2), *_conv(64, 128, 2)
        )
        self.dense = nn.Sequential(nn.Linear(1152, 256), nn.PReLU(256))
        self.score = nn.Linear(256, 2)
        self.box = nn.Linear(256, 4)
        self.points = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [N, 3, 48, 48] -> score [N] in 0..1, box correction [N, 4], points [N, 5, 2] in window units (0..1)."""
        assert_shape(("N", 3, 48, 48), x=x)
        x = self.trunk(x)  # [N, 128, 3, 3]
        x = self.dense(x.flatten(1))
        points = torch.stack(self.points(x).chunk(2, dim=1), dim=2)  # the net gives five x, then five y
        return self.score(x).softmax(1)[:, 1], self.box(x), points


class MTCNN(nn.Module):
    """The three nets under one state dict; :class:`videdit.faces.detector.FaceDetector` runs the cascade."""

    def __init__(self) -> None:
        super().__init__()
        self.pnet = ProposalNet()
        self.rnet = RefineNet()
        self.onet = OutputNet()
