"""The two small networks of HFGI (Wang et al., CVPR 2022) for the `mobile` profile.

Adaptive distortion alignment (ADA, eq. 6) moves the distortion map to where the edited face is; the consultation
encoder (eq. 4) turns it into the scale and shift that the generator consults at its 64x64 block (eq. 5). The paper's
shapes are kept in kind, but both start from a space-to-depth of the 256 px input, which costs a quarter of convolving
at full size, and the heads are light: the released ones alone would cost three times our whole generator.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.shapes import assert_shape


def conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution and PReLU."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, 1), nn.PReLU(out_channels))


class Residual(nn.Module):
    """x + two 3x3 convolutions of it, [B, C, H, W] -> same."""

    def __init__(self, channels: int):
        """channels: C."""
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels), nn.Conv2d(channels, channels, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> same."""
        return x + self.body(x)


def upsample(x: Tensor) -> Tensor:
    """Twice as large, bilinearly: [B, C, H, W] -> [B, C, 2 H, 2 W]."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Alignment(nn.Module):
    """ADA: (distortion map, image to align it to), each [B, 3, 256, 256] -> aligned distortion map [B, 3, 256, 256]."""

    def __init__(self, widths: tuple[int, int, int] = (32, 48, 64)):
        """widths: channels at 128, 64 and at 32 and 16 px."""
        super().__init__()
        a, b, c = widths
        self.enter = conv(24, a)  # 128 px, after space-to-depth of both inputs
        self.down1 = nn.Sequential(conv(a, b, 2), Residual(b))  # 64 px
        self.down2 = nn.Sequential(conv(b, c, 2), Residual(c), Residual(c))  # 32 px
        self.down3 = nn.Sequential(conv(c, c, 2), Residual(c))  # 16 px: sees far enough for a turned head
        self.up3 = conv(c, c)
        self.up2 = conv(c, b)
        self.up1 = conv(b, a)
        self.leave = nn.Conv2d(a, 12, 3, 1, 1)

    def forward(self, distortion: Tensor, image: Tensor) -> Tensor:
        """distortion, image [B, 3, 256, 256] -> distortion plus what the network changes of it."""
        assert_shape(("B", 3, 256, 256), distortion=distortion, image=image)
        x1 = self.enter(F.pixel_unshuffle(torch.cat((distortion, image), 1), 2))  # [B, a, 128, 128]
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x = self.down3(x3)
        x = self.up3(upsample(x)) + x3
        x = self.up2(upsample(x)) + x2
        x = self.up1(upsample(x)) + x1
        return distortion + F.pixel_shuffle(self.leave(x), 2)


class Consultation(nn.Module):
    """Distortion map [B, 3, 256, 256] -> (scale, shift), each [B, 512, 64, 64], zero for a fresh network."""

    def __init__(self, widths: tuple[int, int] = (32, 64), head: int = 128, channels: int = 512):
        """widths: channels at 128 and 64 px. head: of the layer before the last. channels: of scale and of shift."""
        super().__init__()
        a, b = widths
        self.body = nn.Sequential(conv(12, a), conv(a, b, 2), Residual(b), Residual(b), conv(b, head))
        self.to_condition = nn.Conv2d(head, 2 * channels, 1)
        for parameter in self.to_condition.parameters():
            nn.init.zeros_(parameter)

    def forward(self, distortion: Tensor) -> tuple[Tensor, Tensor]:
        """distortion [B, 3, 256, 256] -> (scale, shift), for features ``f * (1 + scale) + shift``."""
        assert_shape(("B", 3, 256, 256), distortion=distortion)
        x = self.body(F.pixel_unshuffle(distortion, 2))
        # The weights are cut, not the result: a CPU would copy it.
        weights, biases = self.to_condition.weight.chunk(2), cast(Tensor, self.to_condition.bias).chunk(2)
        return F.conv2d(x, weights[0], biases[0]), F.conv2d(x, weights[1], biases[1])
