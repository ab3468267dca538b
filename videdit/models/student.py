"""HFGI's student: one small network that edits a face crop directly, for all edits and any mixture of them.

It is taught by the generator (``videdit.training.student``): pairs (G(w), G(w + d)) are exact, and who has learnt what
a step of the code does to a picture needs neither the code nor the generator. From a crop x at 128 px, a strength an
edit and some points of the face's mesh (where mouth, lids and brows are, and how open) it gives a flow F, a mask M,
colours C and a shade D, and the edited crop at any size is

    y = (1 - g M) * (warp(x, g F) + g D) + g M * C,    g = tanh(2 |s|)

with the crop itself in x: what moves keeps its own pores, beard and glasses at the crop's full size, D shades it (grey
hair, red lips, wrinkles), and only what was not there before (teeth, an opened eye) comes from C. At strength 0 the
gain g is 0 and y is x, exactly.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.datatypes import LOW
from videdit.models.shapes import assert_shape
from videdit.models.sizes import ANCHORS, EDITS

# In the mirror ANCHORS are each other's as this says.
MIRROR = (3, 2, 1, 0, 6, 7, 4, 5, 9, 8, 10, 11, 12, 13, 14, 15, 17, 16, 19, 18, 20)
NEAR = (0.1, 0.3)  # half sides: sigmas of the maps that say how near a point is
SIZE = 128  # px that the network looks at
WIDTHS = (32, 72, 128, 160)  # channels at 64, 32, 16 and 8 px
REACH = 0.1  # flow of a network output of 1, in half sides of the crop
CHANNELS = 9  # of the output: flow 2, mask 1, colours 3, shade 3


class Modulated(nn.Module):
    """A residual pair of 3x3 convolutions whose middle is scaled and shifted by the strengths: [B, C, H, W] -> same."""

    def __init__(self, channels: int, controls: int) -> None:
        """channels: C, a multiple of 8. controls: K, numbers that say what is to be done."""
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.control = nn.Linear(controls, 2 * channels)
        nn.init.zeros_(self.control.weight)
        nn.init.zeros_(self.control.bias)

    def forward(self, x: Tensor, control: Tensor) -> Tensor:
        """x [B, C, H, W], control [B, K] -> [B, C, H, W]"""
        scale, shift = self.control(control)[:, :, None, None].chunk(2, 1)
        y = self.first(F.silu(self.norm(x))) * (1 + scale) + shift
        return x + self.second(F.silu(y))


class Student(nn.Module):
    """Crops [B, 3, 128, 128] in [-1, 1], strengths [B, E] and anchors -> what makes the edit, [B, 9, 128, 128].

    A strength of 1 is an edit's recommended one. anchors [B, 21, 2]: the mesh's ANCHORS, (x, y) in half sides of the
    crop, -1..1. The nine channels are raw: :func:`parts` says what they mean.
    """

    def __init__(self, edits: int = len(EDITS), controls: int = 64) -> None:
        """edits: E, strengths that it is told. controls: features that strengths and anchors become."""
        super().__init__()
        a, b, c, d = WIDTHS
        told = edits + 2 * len(ANCHORS)
        self.controls = nn.Sequential(nn.Linear(told, controls), nn.SiLU(), nn.Linear(controls, controls), nn.SiLU())
        self.enter = nn.Conv2d(12 + edits + len(NEAR) * len(ANCHORS) + 2, a, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1) for i, o in ((a, b), (b, c), (c, d)))
        self.encode = nn.ModuleList(Modulated(width, controls) for width in WIDTHS)
        self.up = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in ((b, a), (c, b), (d, c)))
        self.decode = nn.ModuleList(Modulated(width, controls) for width in WIDTHS[:-1])
        self.leave = nn.Conv2d(a + 12, 4 * CHANNELS, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, strengths: Tensor, anchors: Tensor) -> Tensor:
        """x [B, 3, 128, 128], strengths [B, E], anchors [B, 21, 2] -> [B, 9, 128, 128]."""
        assert_shape(("B", 3, SIZE, SIZE), x=x)
        assert_shape(("B", "E"), strengths=strengths)
        assert_shape(("B", len(ANCHORS), 2), anchors=anchors)
        control = self.controls(torch.cat((strengths, anchors.flatten(1)), 1))  # [B, K]
        planes = strengths[:, :, None, None].expand(-1, -1, SIZE // 2, SIZE // 2)
        pixels = F.pixel_unshuffle(x, 2)  # [B, 12, 64, 64]
        seen = torch.cat((pixels, planes, places(anchors, SIZE // 2)), 1)
        y = self.encode[0](self.enter(seen), control)  # [B, 32, 64, 64]
        kept = [y]
        for down, encode in zip(self.down, self.encode[1:], strict=True):
            y = encode(down(y), control)
            kept.append(y)
        for i in reversed(range(len(self.up))):
            up = F.interpolate(self.up[i](y), scale_factor=2.0, mode="bilinear", align_corners=False)
            y = self.decode[i](kept[i] + up, control)
        return F.pixel_shuffle(self.leave(torch.cat((F.silu(y), pixels), 1)), 2)


def places(anchors: Tensor, size: int) -> Tensor:
    """Where a pixel is: its coordinates in -1..1, and how near it is to each anchor, [B, 2 + 42, size, size]."""
    along = (torch.arange(size, device=anchors.device, dtype=anchors.dtype) * 2 + 1) / size - 1
    across = (along[None, None] - anchors[..., :1]).square()  # [B, N, size]
    down = (along[None, None] - anchors[..., 1:]).square()
    near = [(down / (-2 * s * s)).exp()[..., None] * (across / (-2 * s * s)).exp()[..., None, :] for s in NEAR]
    x = along[None, None, None].expand(len(anchors), 1, size, size)
    return torch.cat((x, x.transpose(2, 3), *near), 1)


def gain(strengths: Tensor) -> Tensor:
    """How much of a change strengths [B, E] get, [B, 1, 1, 1] in 0..1: 0 at strength 0, hardly below 1 from 1 on."""
    return torch.tanh(2 * strengths.square().sum(1).sqrt())[:, None, None, None]


def parts(raw: Tensor, strengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The network's output [B, 9, S, S] -> (flow, mask, colours, shade), [B, 2 | 1 | 3 | 3, S, S].

    flow: (x, y), where a pixel of the result comes from, in half sides of the crop (as torch's grid_sample has it);
    mask in 0..1; colours in -1..1; shade in units where RGB is -1..1.
    """
    g = gain(strengths)
    return g * REACH * raw[:, :2], g * torch.sigmoid(2 * raw[:, 2:3] - 3), torch.tanh(raw[:, 3:6]), g * raw[:, 6:9]


def warp(x: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """x [B, C, S, S] read at each pixel's place plus flow [B, 2, S, S], in half sides; borders are repeated.

    Pixel centres at +0.5 (align_corners=False). mode: "bilinear", or "bicubic", which keeps fine detail.
    """
    size = x.shape[-1]
    along = (torch.arange(size, device=x.device, dtype=x.dtype) * 2 + 1) / size - 1
    down, across = along[:, None].expand(size, size), along[None].expand(size, size)
    grid = torch.stack((across, down), -1) + flow.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, mode=mode, padding_mode="border", align_corners=False)


def compose(x: Tensor, flow: Tensor, mask: Tensor, colours: Tensor, shade: Tensor, mode: str = "bilinear") -> Tensor:
    """The edited crop [B, 3, S, S] from the crop and the network's parts, all of the crop's size."""
    return (1 - mask) * (warp(x, flow, mode) + shade) + mask * colours


class StudentEdit(nn.Module):
    """Crops [B, S, S, 3] in 0..255, strengths [B, E], anchors [B, 21, 2] -> (change [B, S, S, 3], flow, kept).

    change: result - crop, in units where RGB is -1..1. flow [B, 256, 256, 2]: (x, y) in pixels at 256, where a pixel of
    the result comes from. kept [B, 256, 256]: 1 where a pixel of the result is the source's, 0 where it is new.
    """

    def __init__(self, net: Student) -> None:
        """net: what is trained; a crop's S is a multiple of its 128."""
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor, strengths: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """crops [B, S, S, 3] of any real type, strengths [B, E], anchors [B, 21, 2] -> (change, flow, kept)."""
        assert_shape(("B", "S", "S", 3), crops=crops)
        x = crops.permute(0, 3, 1, 2) / 127.5 - 1
        found = parts(self.net(F.avg_pool2d(x, x.shape[-1] // SIZE), strengths, anchors), strengths)
        flow, mask, colours, shade = (enlarged(part, x.shape[-1]) for part in found)
        change = compose(x, flow, mask, colours, shade, "bicubic") - x
        flow, mask = (enlarged(part, LOW) for part in found[:2])
        return change.permute(0, 2, 3, 1), (flow * (LOW / 2)).permute(0, 2, 3, 1), 1 - mask[:, 0]


def enlarged(x: Tensor, size: int) -> Tensor:
    """[B, C, H, W] -> [B, C, size, size]"""
    return F.interpolate(x, (size, size), mode="bilinear", align_corners=False)
