"""A small discriminator of 256 px pictures, after StyleGAN2's residual one (Karras et al., 2020), for training only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.shapes import assert_shape

WIDTHS = (32, 64, 96, 128, 192, 256, 256)  # channels at 256, 128, 64, 32, 16, 8 and 4 px
GAIN = 2**0.5  # of a leaky ReLU, so that variances stay


class ResidualDown(nn.Module):
    """Two 3x3 convolutions beside a 1x1, halved: [B, C_in, H, W] -> [B, C_out, H/2, W/2]."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """in_channels, out_channels: C_in, C_out."""
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C_in, H, W], H and W even -> [B, C_out, H / 2, W / 2]."""
        y = F.leaky_relu(self.conv1(x), 0.2) * GAIN
        y = F.leaky_relu(self.conv2(F.avg_pool2d(y, 2)), 0.2) * GAIN
        return (y + self.skip(F.avg_pool2d(x, 2))) / GAIN


class Discriminator(nn.Module):
    """Pictures [B, 3, 256, 256] in [-1, 1] -> logits [B], high for what looks real. 4.4 M parameters."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        """widths: channels at 256, 128, ... 4 px: seven of them."""
        super().__init__()
        self.enter = nn.Conv2d(3, widths[0], 1)
        self.blocks = nn.Sequential(*(ResidualDown(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)))
        self.last = nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1)
        self.hidden = nn.Linear(widths[-1] * 16, widths[-1])
        self.out = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, 256, 256] -> [B]; each logit depends a little on all of the batch."""
        assert_shape(("B", 3, 256, 256), x=x)
        x = self.blocks(F.leaky_relu(self.enter(x), 0.2) * GAIN)  # [B, 256, 4, 4]
        # How alike the batch's pictures are, as one more channel: fakes betray themselves by it.
        deviation = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
        x = torch.cat((x, deviation.expand(x.shape[0], 1, *x.shape[2:])), 1)
        x = F.leaky_relu(self.last(x), 0.2) * GAIN
        return self.out(F.leaky_relu(self.hidden(x.flatten(1)), 0.2) * GAIN)[:, 0]
