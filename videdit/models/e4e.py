"""e4e, the basic encoder of the published HFGI networks.

Tov et al., "Designing an Encoder for StyleGAN Image Manipulation", SIGGRAPH 2021: an IR-SE50 (Deng et al., "ArcFace",
CVPR 2019) with a pyramid of three scales and a small head a layer of the code. The first head gives one w for all
layers, the others what theirs differs from it.

Attributes are called as in the published files, so that their tensors load under their own names.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.shapes import assert_shape

W_DIM = 512
UNITS = (3, 4, 14, 3)  # residual units of each width
TAPS = (6, 20, 23)  # features after these units are read, at a quarter, an eighth and a sixteenth of the input
COARSE, MIDDLE = 3, 7  # the first layers of the code that are read from the second and the third scale


class Equal:
    """Equalised learning rate (Karras et al., 2018): weights are stored with a deviation of 1 and scaled when used."""

    weight: Tensor

    def scaled(self) -> Tensor:
        """The weight [out, in] as it is used: divided by the root of the number of an output's inputs."""
        return self.weight * (self.weight[0].numel() ** -0.5)


class EqualLinear(Equal, nn.Linear):
    """A linear layer at StyleGAN2's equalised learning rate, [B, I] -> [B, O]."""

    def forward(self, x: Tensor) -> Tensor:
        """x [B, I] -> [B, O]."""
        return F.linear(x, self.scaled(), self.bias)


class Squeeze(nn.Module):
    """Squeeze and excitation: [B, C, H, W] -> same, channels weighed by what the whole picture says."""

    def __init__(self, channels: int, hidden: int):
        """channels: C. hidden: of the bottleneck between two 1x1 convolutions."""
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> same."""
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Bottleneck(nn.Module):
    """The residual unit of IR nets: [B, C_in, H, W] -> [B, C_out, H / stride, W / stride]."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, squeeze: int = 0):
        """squeeze: hidden channels of squeeze and excitation; 0 for none."""
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)  # only picks every stride-th pixel
        if in_channels != out_channels:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        layers = [
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        self.res_layer = nn.Sequential(*layers, *([Squeeze(out_channels, squeeze)] if squeeze else []))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C_in, H, W] -> [B, C_out, H / stride, W / stride], rounded up."""
        return self.res_layer(x) + self.shortcut_layer(x)


class StyleHead(nn.Module):
    """Features [B, C, H, W], H <= W = 2**steps -> [B, 512]: halved down to one pixel, then a linear layer."""

    def __init__(self, in_channels: int, hidden: int, steps: int):
        """hidden: channels of all its convolutions. steps: how often it halves."""
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(steps):
            layers += [nn.Conv2d(hidden if i else in_channels, hidden, 3, 2, 1), nn.LeakyReLU(0.01)]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(hidden, W_DIM)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, 512]."""
        return self.linear(self.convs(x).flatten(1))


class E4eEncoder(nn.Module):
    """Crop [B, 3, 256, 256] in [-1, 1] -> codes [B, L, 512] in W+, the generator's mean code included."""

    mean: Tensor

    def __init__(
        self,
        num_layers: int = 18,
        widths: Sequence[int] = (64, 64, 128, 256, 512),
        hidden: int = 512,
        squeeze: int = 16,
        rows: tuple[int, int] = (0, 256),
    ):
        """num_layers: L. rows: which of the crop's 256 are looked at.

        widths: channels of the input layer and of the four groups of units; hidden: of the heads; squeeze: by how much
        squeeze and excitation narrows.
        """
        super().__init__()
        self.num_layers, self.rows = num_layers, rows
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.PReLU(widths[0])
        )
        body: list[nn.Module] = []
        for before, width, count in zip(widths, widths[1:], UNITS, strict=False):
            body += [
                Bottleneck(width if i else before, width, 1 if i else 2, max(1, width // squeeze)) for i in range(count)
            ]
        self.body = nn.Sequential(*body)
        # Features are 16, 32 and 64 pixels wide: so many halvings lead to one.
        steps = [4] * COARSE + [5] * (MIDDLE - COARSE) + [6] * (num_layers - MIDDLE)
        self.styles = nn.ModuleList(StyleHead(widths[4], hidden, count) for count in steps)
        self.latlayer1 = nn.Conv2d(widths[3], widths[4], 1)
        self.latlayer2 = nn.Conv2d(widths[2], widths[4], 1)
        self.register_buffer("mean", torch.zeros(num_layers, W_DIM))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, 256], of which ``rows`` are looked at -> codes [B, L, 512]."""
        assert_shape(("B", 3, "H", 256), x=x)
        x = self.input_layer(x[:, :, slice(*self.rows)])
        taps = []
        for i, unit in enumerate(self.body):
            x = unit(x)
            if i in TAPS:
                taps.append(x)
        fine, middle, coarse = taps  # [B, 128, 64, 64], [B, 256, 32, 32], [B, 512, 16, 16]
        middle = added(coarse, self.latlayer1(middle))
        fine = added(middle, self.latlayer2(fine))
        scales = [coarse] * COARSE + [middle] * (MIDDLE - COARSE) + [fine] * (self.num_layers - MIDDLE)
        first, *rest = (head(scale) for head, scale in zip(self.styles, scales, strict=True))
        return self.mean + torch.stack((first, *(first + delta for delta in rest)), dim=1)


def added(coarse: Tensor, fine: Tensor) -> Tensor:
    """A scale of the pyramid, [B, C, H, W]: the coarser one enlarged (corners on corners), plus the finer one."""
    return F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=True) + fine
