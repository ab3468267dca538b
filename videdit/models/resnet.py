"""ResNet-50 (He et al., CVPR 2016) without its classifier: trained by MoCo v2, HFGI's and e4e's "identity" of cars.

Attributes are called as torchvision's, and so are those of MoCo's file after ``module.encoder_q.``.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.shapes import assert_shape

BLOCKS = (3, 4, 6, 3)
SIZE = 224


class Block(nn.Module):
    """1x1, 3x3 with the stride, 1x1, beside a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        """channels: inside; 4 times as many come out. stride: 1 or 2."""
        super().__init__()
        out = 4 * channels
        self.conv1, self.bn1 = nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels)
        self.conv3, self.bn3 = nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out)
        self.downsample: nn.Module = nn.Identity()
        if in_channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(in_channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C_in, H, W] -> [B, 4 * channels, H / stride, W / stride], rounded up."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet50(nn.Module):
    """Pictures [B, 3, H, W] in [-1, 1] -> features [B, 2048] of unit length, seen at 224 px (nearest, as e4e does)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        before = 64
        for i, count in enumerate(BLOCKS):
            channels = 64 * 2**i
            blocks = [Block(4 * channels if k else before, channels, 2 if i and not k else 1) for k in range(count)]
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
            before = 4 * channels

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W] in [-1, 1] -> [B, 2048]."""
        assert_shape(("B", 3, "H", "W"), x=x)
        x = F.relu(self.bn1(self.conv1(F.interpolate(x, size=SIZE))))
        x = F.max_pool2d(x, 3, 2, 1)
        for i in range(len(BLOCKS)):
            x = getattr(self, f"layer{i + 1}")(x)
        return F.normalize(x.mean((2, 3)), dim=1)
