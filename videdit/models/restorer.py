"""A small blind restorer of face crops: what lost resolution, blur, noise and compression took, as far as it is sure.

A residual U-Net (Ronneberger et al., 2015) that begins with a space-to-depth, as fast restorers do: most of its work is
done at half the size and below. It adds to its input, the crop enlarged by bicubic interpolation, and is fully
convolutional, so one network serves every size of crop.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.shapes import assert_shape

WIDTHS = (48, 64, 80, 112)  # at strides 2, 4, 8, 16
BLOCKS = (2, 2, 2, 2)  # going down
MULTIPLE = 16  # sides must be multiples of this


class Residual(nn.Module):
    """x + two 3x3 convolutions of it, [B, C, H, W] -> same; nothing but x for a fresh network."""

    def __init__(self, channels: int) -> None:
        """channels: C."""
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> same."""
        return x + self.second(F.leaky_relu(self.first(x), 0.1))


def residuals(channels: int, count: int) -> nn.Sequential:
    """A row of residual blocks."""
    return nn.Sequential(*(Residual(channels) for _ in range(count)))


class Restorer(nn.Module):
    """Crops [B, 3, H, W] RGB in [-1, 1] -> restored crops, about in [-1, 1]; made for 128 to 512 px."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(12, WIDTHS[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(WIDTHS, WIDTHS[1:], strict=False))
        self.encode = nn.ModuleList(residuals(width, count) for width, count in zip(WIDTHS, BLOCKS, strict=True))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in zip(WIDTHS, WIDTHS[1:], strict=False))
        self.decode = nn.ModuleList(residuals(width, 2 if i < 2 else 1) for i, width in enumerate(WIDTHS[:-1]))
        self.leave = nn.Conv2d(WIDTHS[0], 12, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W], sides even -> same, not clamped."""
        assert_shape(("B", 3, "H", "W"), x=x)
        y = self.encode[0](self.enter(F.pixel_unshuffle(x, 2)))  # [B, 48, H / 2, W / 2]
        kept = [y]
        for down, encode in zip(self.down, self.encode[1:], strict=True):
            y = encode(down(y))
            kept.append(y)  # strides 4, 8, 16
        for i in reversed(range(len(self.up))):
            up = F.interpolate(self.up[i](y), size=kept[i].shape[-2:], mode="bilinear", align_corners=False)
            y = self.decode[i](kept[i] + up)
        return x + F.pixel_shuffle(self.leave(y), 2)
