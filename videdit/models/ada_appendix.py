"""ADA as HFGI's appendix A.2 writes it, which is neither the released network (:mod:`videdit.models.hfgi_released`) nor
that of the `mobile` profile (:mod:`videdit.models.hfgi`):

    C16,1 - C32,2 - Res32 - C48,2 - Res48 - C64,2 - Res64 - D64,2 - Res64 - D48,2 - Res48 - D32,2 - Res32 - C3,1

C is a convolution of so many channels and with that stride, Res a residual block, D a bilinear enlargement by that
factor and a convolution, each 3x3 and with PReLU but for the last, whose result is a map of either sign. Skips lead
from the encoder to the decoder; how they are joined the appendix does not say: beside what was enlarged, as in the
release.
"""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.shapes import assert_shape

LAYOUT = "C16,1-C32,2-Res32-C48,2-Res48-C64,2-Res64-D64,2-Res64-D48,2-Res48-D32,2-Res32-C3,1"


class Residual(nn.Module):
    """PReLU of x + two 3x3 convolutions of it, [B, C, H, W] -> same."""

    def __init__(self, channels: int):
        """channels: C."""
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1), nn.Conv2d(channels, channels, 3, 1, 1)
        self.act1, self.act2 = nn.PReLU(channels), nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> same."""
        return self.act2(x + self.conv2(self.act1(self.conv1(x))))


class Alignment(nn.Module):
    """ADA: (distortion map, image to align it to), each [B, 3, H, W] -> aligned distortion map [B, 3, H, W].

    H and W are multiples of 8.
    """

    def __init__(self, layout: str = LAYOUT):
        """layout: words as in the appendix, joined by "-"; as many D's as C's of stride 2."""
        super().__init__()
        self.layout = layout.split("-")
        layers: list[nn.Module] = []
        channels, held = 6, []  # held: channels at each size that the decoder comes back to
        for i, word in enumerate(self.layout):
            kind, out, step = parsed(word)
            if kind == "Res":
                layers.append(Residual(channels))
                continue
            if kind == "C" and step > 1:
                held.append(channels)
            wide = channels + (held.pop() if kind == "D" else 0)
            conv = nn.Conv2d(wide, out, 3, step if kind == "C" else 1, 1)
            layers.append(nn.Sequential(conv, nn.PReLU(out)) if i < len(self.layout) - 1 else conv)
            channels = out
        self.layers = nn.ModuleList(layers)

    def forward(self, distortion: Tensor, image: Tensor) -> Tensor:
        """distortion, image [B, 3, H, W] -> [B, 3, H, W], of either sign and no fixed range."""
        assert_shape(("B", 3, "H", "W"), distortion=distortion, image=image)
        x, held = torch.cat((distortion, image), 1), []
        for word, layer in zip(self.layout, self.layers, strict=True):
            kind, _, step = parsed(word)
            if kind == "C" and step > 1:
                held.append(x)
            elif kind == "D":
                fine = held.pop()
                wide = F.interpolate(x, size=fine.shape[2:], mode="bilinear", align_corners=False)
                x = torch.cat((wide, fine), 1)
            x = layer(x)
        return x


def parsed(word: str) -> tuple[str, int, int]:
    """ "C32,2" -> ("C", 32, 2); "Res32" -> ("Res", 32, 1)."""
    match = re.fullmatch(r"(C|D|Res)(\d+)(?:,(\d))?", word)
    assert match, word
    return match[1], int(match[2]), int(match[3] or 1)
