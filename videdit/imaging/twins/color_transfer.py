"""The twin in torch of :mod:`videdit.imaging.color_transfer`: read the two side by side, the formulas are one.

Images here are [1, C, S, S] float32.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videdit.datatypes import LOW
from videdit.imaging.color_transfer import APART, DARK, EVERYWHERE, NEAR, NOTHING, PURE, SMALL, TOGETHER
from videdit.imaging.primitives.torch import blur, resize
from videdit.imaging.twins.change_mask import ramp
from videdit.imaging.twins.optical_flow import warp


def match_chroma(source: Tensor, inversion: Tensor, edit: Tensor, flow: Tensor, skin: Tensor) -> tuple[Tensor, Tensor]:
    """Inversion and edit [1, 3, S, S] graded to the source's colours.

    source: [1, 3, S, S]. flow: [1, 2, 256, 256], where edited pixels were. skin: [1, 1, N, N] in [0, 1].
    """
    seen, skin = resize(source, SMALL), erode_confidence(resize(skin, SMALL))
    flow = resize(flow, SMALL) * (SMALL / LOW)
    before = chroma_gain(seen, resize(inversion, SMALL), skin)
    after = chroma_gain(warp(seen, flow), resize(edit, SMALL), warp(skin, flow))
    return rotate_chroma(inversion, before), rotate_chroma(edit, after)


def erode_confidence(skin: Tensor) -> Tensor:
    """What of the skin [1, 1, 64, 64] in [0, 1] has nothing else in it or right beside it, in [0, 1]."""
    return -F.max_pool2d(-ramp(skin, *PURE), 3, 1, 1)


def chroma_gain(source: Tensor, render: Tensor, skin: Tensor) -> Tensor:
    """g, real and imaginary part, [1, 2, 64, 64]; source, render: [1, 3, 64, 64]; skin: [1, 1, 64, 64]."""
    (ax, ay), (bx, by) = (saturation(image).unbind(1) for image in (source, render))
    sums = skin * torch.stack((ax * bx + ay * by, ay * bx - ax * by, bx * bx + by * by), dim=1)
    mean = sums.sum((2, 3), keepdim=True) / (skin.sum() + 1e-3)
    near = blur(sums, NEAR) + (EVERYWHERE * mean + constant("NOTHING", source.device)[:, None, None])
    found = near[:, :2] / near[:, 2:]
    return found / torch.hypot(found[:, :1], found[:, 1:]).clamp(min=1)


def saturation(image: Tensor) -> Tensor:
    """s of an RGB image [1, 3, H, W] in [-1, 1], real and imaginary part, [1, 2, H, W]."""
    apart = mixed(image / 2 + 0.5, "APART")
    return apart[:, 1:] / (apart[:, :1].clamp(min=0) + DARK)


def rotate_chroma(render: Tensor, by: Tensor) -> Tensor:
    """A render [1, 3, S, S] with its chroma multiplied by factors [1, 2, 64, 64]."""
    x, y = resize(by, render.shape[-1]).unbind(1)
    luma, red, blue = mixed(render, "APART").unbind(1)
    return mixed(torch.stack((luma, x * red - y * blue, x * blue + y * red), dim=1), "TOGETHER")


def mixed(image: Tensor, name: str) -> Tensor:
    """The channels of an image [1, 3, H, W] times a matrix."""
    return torch.einsum("ij,njhw->nihw", constant(name, image.device), image)


@cache  # for good: graphs go on reading them
def constant(name: str, device: torch.device) -> Tensor:
    """A constant of the formulas as a tensor, kept for good."""
    values: dict[str, np.ndarray] = {"APART": APART, "TOGETHER": TOGETHER, "NOTHING": NOTHING}
    return torch.from_numpy(values[name]).to(device)
