"""E0, the compact basic encoder of the `mobile` profile: 256 px crop -> W+ code.

A MobileNetV1 trunk (Howard et al., 2017) read at three strides, spatial heads that keep where things are (pose,
expression) beside the pooled feature (who it is), and e4e's code layout (Tov et al., 2021): one w for all layers plus
small per-layer deltas, here through a low-rank basis a layer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.mobile_stylegan import NUM_LAYERS, W_DIM
from videdit.models.shapes import assert_shape

# (output channels, stride) of the 13 separable convolutions of MobileNetV1
TRUNK = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
TAPS = (10, 12)  # features after these are read: stride 16 with 512 channels, stride 32 with 1024
INPUT_SIZE = 224


class ConvReLU6(nn.Module):
    """Convolution with bias (normalisation folded in), ReLU6; padding as TensorFlow's SAME on even sizes."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1):
        """kernel: 1 or 3. stride: 1 or 2. groups: as of torch's convolution."""
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, groups=groups)
        self.pad = (0, 0, 0, 0) if kernel == 1 else ((0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C_in, H, W] -> [B, C_out, H / stride, W / stride] in [0, 6]."""
        return self.conv(F.pad(x, self.pad)).clamp(0.0, 6.0)


class MobileNetV1(nn.Module):
    """Image [B, 3, 224, 224] in [-1, 1] -> the features at TAPS."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvReLU6(3, 32, 3, 2)
        self.depthwise = nn.ModuleList()
        self.pointwise = nn.ModuleList()
        channels = 32
        for out_channels, stride in TRUNK:
            self.depthwise.append(ConvReLU6(channels, channels, 3, stride, groups=channels))
            self.pointwise.append(ConvReLU6(channels, out_channels, 1))
            channels = out_channels

    def forward(self, x: Tensor) -> list[Tensor]:
        """x [B, 3, 224, 224] -> [B, 512, 14, 14] and [B, 1024, 7, 7], at least 0."""
        x = self.stem(x)
        taps = []
        for i, (depthwise, pointwise) in enumerate(zip(self.depthwise, self.pointwise, strict=True)):
            x = pointwise(depthwise(x))
            if i in TAPS:
                taps.append(x)
        return taps


class Encoder(nn.Module):
    """crop [B, 3, 256, 256] -> codes [B, 18, 512] in W+ (the generator's mean code included)."""

    def __init__(self, hidden: int = 512, rank: int = 16):
        """hidden: features between trunk and code. rank: directions in which a layer may differ from w."""
        super().__init__()
        self.trunk = MobileNetV1()
        self.squeeze16 = nn.Conv2d(512, 24, 1)
        self.squeeze32 = nn.Conv2d(1024, 48, 1)
        features = 1024 + 24 * 49 + 48 * 49  # pooled, stride 16 (averaged to 7x7), stride 32
        self.hidden = nn.Linear(features, hidden)
        self.to_w = nn.Linear(hidden + 1024, W_DIM)
        self.to_coefficients = nn.Linear(hidden, NUM_LAYERS * rank)
        self.basis = nn.Parameter(torch.randn(NUM_LAYERS, rank, W_DIM) * 0.02)
        self.register_buffer("mean", torch.zeros(W_DIM))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, 256, 256] in [-1, 1] -> codes [B, 18, 512]."""
        assert_shape(("B", 3, 256, 256), x=x)
        w, deltas = self.parts(x)
        return w[:, None] + deltas

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(hidden features [B, hidden], pooled features of the trunk [B, 1024])"""
        assert_shape(("B", 3, "S", "S"), x=x)
        x = F.interpolate(x, size=(INPUT_SIZE, INPUT_SIZE), mode="bilinear", align_corners=False)
        f16, f32 = self.trunk(x)  # [B, 512, 14, 14], [B, 1024, 7, 7]
        pooled = f32.mean((2, 3))
        near = F.avg_pool2d(self.squeeze16(f16), 2)  # [B, 24, 7, 7]
        far = self.squeeze32(f32)  # [B, 48, 7, 7]
        return F.leaky_relu(self.hidden(torch.cat((pooled, near.flatten(1), far.flatten(1)), 1)), 0.2), pooled

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(w [B, 512], deltas [B, 18, 512])"""
        h, pooled = self.features(x)
        w = self.mean + self.to_w(torch.cat((h, pooled), 1))
        coefficients = self.to_coefficients(h).view(x.shape[0], NUM_LAYERS, 1, -1)
        return w, (coefficients @ self.basis).squeeze(2)
