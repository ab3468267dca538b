"""The two networks of HFGI (Wang et al., CVPR 2022) as they were published for FFHQ.

Adaptive distortion alignment (ADA, eq. 6; "grid_align" in the published file) and the consultation encoder (eq. 4;
"residue"). Attributes are called as in that file, so that its tensors load under their own names. The `mobile`
profile's own, an order of magnitude cheaper, are in :mod:`videdit.models.hfgi`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.e4e import Bottleneck, Equal
from videdit.models.shapes import assert_shape


class EqualConv2d(Equal, nn.Conv2d):
    """A convolution at StyleGAN2's equalised learning rate."""

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C_in, H, W] -> [B, C_out, H / stride, W / stride]."""
        return F.conv2d(x, self.scaled(), self.bias, self.stride, self.padding)


def enter(in_channels: int, out_channels: int) -> nn.Sequential:
    """The first layer of both networks: convolution, batch norm, PReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False), nn.BatchNorm2d(out_channels), nn.PReLU(out_channels)
    )


def units(in_channels: int, *out_channels: int, stride: int = 1) -> nn.Sequential:
    """Residual units one after the other, the first with a stride."""
    ins, strides = (in_channels, *out_channels[:-1]), (stride, *[1] * (len(out_channels) - 1))
    return nn.Sequential(*map(Bottleneck, ins, out_channels, strides))


class Alignment(nn.Module):
    """ADA: (distortion map, image to align it to), each [B, 3, H, 256] -> aligned distortion map [B, 3, H, 256]."""

    def __init__(self, widths: Sequence[int] = (16, 32, 48, 64)):
        """widths: channels at 256, 128, 64 and 32 px."""
        super().__init__()
        a, b, c, d = widths
        self.conv_layer1 = enter(6, a)
        self.conv_layer2 = units(a, b, b, b, stride=2)
        self.conv_layer3 = units(b, c, c, c, stride=2)
        self.conv_layer4 = units(c, d, d, d, stride=2)
        self.dconv_layer1 = units(d + c, d, b, b)
        self.dconv_layer2 = units(b + b, b, a, a)
        self.dconv_layer3 = units(a + a, a, 3, 3)

    def forward(self, distortion: Tensor, image: Tensor) -> Tensor:
        """distortion, image [B, 3, H, 256], H a multiple of 8 -> [B, 3, H, 256]."""
        assert_shape(("B", 3, "H", 256), distortion=distortion, image=image)
        x1 = self.conv_layer1(torch.cat((distortion, image), 1))  # [B, 16, 256, 256]
        x2 = self.conv_layer2(x1)
        x3 = self.conv_layer3(x2)
        x = self.conv_layer4(x3)  # [B, 64, 32, 32]
        x = self.dconv_layer1(joined(x, x3))
        x = self.dconv_layer2(joined(x, x2))
        return self.dconv_layer3(joined(x, x1))


def joined(coarse: Tensor, fine: Tensor) -> Tensor:
    """Enlarged to the finer one's size, and put beside it: [B, C_coarse + C_fine, H, W]."""
    return torch.cat((F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False), fine), dim=1)


class Consultation(nn.Module):
    """Distortion map [B, 3, H, 256] -> (scale, shift), each [B, C, H / 4, 64]."""

    def __init__(self, widths: Sequence[int] = (32, 48, 64), head: int = 512, channels: int = 512):
        """widths: channels at 256, 128 and 64 px. head: hidden channels of the two heads. channels: C."""
        super().__init__()
        a, b, c = widths
        self.conv_layer1 = enter(3, a)
        self.conv_layer2 = units(a, b, b, b, stride=2)
        self.conv_layer3 = units(b, c, c, c, stride=2)
        self.condition_scale3 = self._head(c, head, channels)
        self.condition_shift3 = self._head(c, head, channels)

    @staticmethod
    def _head(in_channels: int, hidden: int, channels: int) -> nn.Sequential:
        return nn.Sequential(
            EqualConv2d(in_channels, hidden, 3, 1, 1), ScaledLeakyReLU(), EqualConv2d(hidden, channels, 3, 1, 1)
        )

    def forward(self, distortion: Tensor) -> tuple[Tensor, Tensor]:
        """distortion [B, 3, H, 256], H a multiple of 4 -> (scale, shift), for ``f * (1 + scale) + shift``."""
        assert_shape(("B", 3, "H", 256), distortion=distortion)
        x = self.conv_layer3(self.conv_layer2(self.conv_layer1(distortion)))
        return self.condition_scale3(x), self.condition_shift3(x)


class ScaledLeakyReLU(nn.Module):
    """Leaky ReLU that keeps the variance of what goes in."""

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> same; slope 0.2 below zero, all times the root of two."""
        return F.leaky_relu(x, 0.2) * 2**0.5
