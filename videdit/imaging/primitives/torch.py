"""Reading images between their pixels, and blurring them: what OpenCV does on the host, in torch.

Images are [N, C, H, W] float32. Places are (x, y) in pixels, centres at +0.5, which is torch's align_corners=False.
With H and W powers of two, as crops have, a place at a centre reads that pixel exactly: nothing is rounded on the way
to torch's own -1..1 and back.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def channels_first(image: Tensor) -> Tensor:
    """A packet's image [H, W, C] of any real type -> [1, C, H, W] float32."""
    return image.permute(2, 0, 1)[None].float()


def centres(height: int, width: int, device: torch.device) -> Tensor:
    """Where the pixels of an image are: [H, W, 2]."""
    x = torch.arange(width, device=device, dtype=torch.float32) + 0.5
    y = torch.arange(height, device=device, dtype=torch.float32) + 0.5
    return torch.stack((x.expand(height, width), y[:, None].expand(height, width)), dim=-1)


def mapped(matrix: np.ndarray, height: int, width: int, device: torch.device) -> Tensor:
    """Where a matrix [2, 3] puts the pixels of an image: [1, H, W, 2]."""
    x, y = centres(height, width, device).unbind(-1)
    # Numbers of Python's, not a tensor: those go along with the kernel's own arguments, and nothing waits for a copy.
    places = [float(a) * x + (float(b) * y + float(c)) for a, b, c in matrix]
    return torch.stack(places, dim=-1)[None]


def sample(image: Tensor, places: Tensor, mode: str = "bilinear", border: str = "reflection") -> Tensor:
    """image [N, C, H, W] read at places [N, h, w, 2] -> [N, C, h, w].

    mode: "bilinear" or "bicubic". border: what lies beyond: "reflection", "border" (the outermost pixel) or "zeros".
    """
    height, width = image.shape[-2:]
    x, y = places.unbind(-1)
    grid = torch.stack((x * (2 / width) - 1, y * (2 / height) - 1), dim=-1)
    return F.grid_sample(image, grid, mode=mode, padding_mode=border, align_corners=False)


def moved(image: Tensor, flow: Tensor, mode: str = "bilinear", border: str = "reflection") -> Tensor:
    """image [N, C, H, W] read where flow [N, 2, H, W] says: out(p) = image(p + flow(p))."""
    height, width = image.shape[-2:]
    return sample(image, centres(height, width, image.device) + flow.permute(0, 2, 3, 1), mode, border)


def resize(image: Tensor, size: int) -> Tensor:
    """Square images to another size, a whole multiple or a whole fraction of theirs; shrunk ones are averaged."""
    factor = image.shape[-1] // size
    if factor > 1:
        return F.avg_pool2d(image, factor)
    return F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)


def blur(image: Tensor, sigma: float) -> Tensor:
    """A Gaussian of sigma pixels, cut off at 4 sigma, the image mirrored beyond its border.

    Every sigma's weights are kept: hand in few different ones.
    """
    kernel = _gaussian(sigma, image.device)
    radius, channels = kernel.numel() // 2, image.shape[1]
    kernel = kernel.expand(channels, 1, 1, -1)
    image = F.conv2d(F.pad(image, (radius, radius, 0, 0), mode="reflect"), kernel, groups=channels)
    return F.conv2d(F.pad(image, (0, 0, radius, radius), mode="reflect"), kernel.mT, groups=channels)


@cache  # for good: graphs go on reading them
def _gaussian(sigma: float, device: torch.device) -> Tensor:
    radius = (round(8 * sigma + 1) | 1) // 2
    places = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * np.square(places / sigma))
    return torch.tensor(weights / weights.sum(), dtype=torch.float32, device=device)
