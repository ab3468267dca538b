"""The primitives on torch tensors [..., H, W, C], and what reads them through an affine map.

See :class:`videdit.imaging.primitives.Primitives` for what each of them does. Torch's own operations want the channels
first: what they get are permuted views, in torch's words of the memory format channels_last. Nothing here waits for the
device, and all of it can be captured in a graph.

Places are (x, y) in pixels, centres at +0.5, which is torch's align_corners=False. With H and W powers of two, as crops
have, a place at a centre reads that pixel exactly: nothing is rounded on the way to torch's own -1..1 and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videdit.datatypes import WHOLE, Square

library = torch

_BORDERS = {"replicate": "border", "reflect": "reflection", "zeros": "zeros"}


def _planes(image: Tensor) -> Tensor:
    """[..., H, W, C] -> [N, C, H, W], a view."""
    return image.reshape(-1, *image.shape[-3:]).permute(0, 3, 1, 2)


def _pictures(image: Tensor, like: Tensor) -> Tensor:
    """[N, C, H, W] -> [..., H, W, C], the leading dimensions those of `like`."""
    image = image.permute(0, 2, 3, 1)
    return image.reshape(*like.shape[:-3], *image.shape[1:])


def single(array: Tensor) -> Tensor:
    return array.float()


def half(array: Tensor) -> Tensor:
    return array.half()


def byte(array: Tensor) -> Tensor:
    return array.round().to(torch.uint8)


def stack(arrays: Sequence[Tensor], axis: int = 0) -> Tensor:
    return torch.stack(list(arrays), axis)


def concatenate(arrays: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(arrays))


def maximum(one: Tensor, other: Tensor) -> Tensor:
    return torch.maximum(one, other)


def minimum(one: Tensor, other: Tensor) -> Tensor:
    return torch.minimum(one, other)


def exp(array: Tensor) -> Tensor:
    return torch.exp(array)


def sqrt(array: Tensor) -> Tensor:
    return torch.sqrt(array)


def channels_last(planes: Tensor) -> Tensor:
    return planes.movedim(-3, -1)


def channels_first(image: Tensor) -> Tensor:
    return image.movedim(-1, -3)


def split(image: Tensor) -> Sequence[Tensor]:
    return image.split(1, dim=-1)


def merge(*images: Tensor) -> Tensor:
    return torch.cat(images, dim=-1)


def spread(map_: Tensor, channels: int) -> Tensor:
    return map_.expand(*map_.shape[:-1], channels)


def constant(like: Tensor, value: float) -> Tensor:
    return torch.full_like(like[..., :1], value, dtype=torch.float32)


def with_channel(image: Tensor, index: int, map_: Tensor) -> Tensor:
    return torch.cat((image[..., :index], map_, image[..., index + 1 :]), dim=-1)


def mix(image: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return image @ _weights(matrix, image.device).mT


def channel_sum(image: Tensor) -> Tensor:
    return image.sum(-1, keepdim=True)


def channel_max(image: Tensor) -> Tensor:
    return image.amax(-1, keepdim=True)


def grey(image: Tensor) -> Tensor:
    red, green, blue = image.float().split(1, dim=-1)
    return byte(0.299 * red + 0.587 * green + 0.114 * blue)


def resize(image: Tensor, size: int, mode: str = "bilinear") -> Tensor:
    old = image.shape[-2]
    if old == size:
        return image
    if image.dtype == torch.uint8:
        return byte(resize(image.float(), size, mode).clamp(0, 255))
    if old < size:
        return _pictures(F.interpolate(_planes(image), size=(size, size), mode=mode, align_corners=False), image)
    if old % size:
        raise ValueError(f"a picture of {old} px is not averaged to one of {size} px: that is no whole factor")
    return _pictures(F.avg_pool2d(_planes(image), old // size), image)


def blur(image: Tensor, sigma: float) -> Tensor:
    kernel = _gaussian(sigma, image.device)
    radius, channels = kernel.numel() // 2, image.shape[-1]
    kernel = kernel.expand(channels, 1, 1, -1)
    planes = F.pad(_planes(image), (radius, radius, 0, 0), mode="reflect")
    planes = F.pad(F.conv2d(planes, kernel, groups=channels), (0, 0, radius, radius), mode="reflect")
    return _pictures(F.conv2d(planes, kernel.mT, groups=channels), image)


def dilate(image: Tensor, by: int) -> Tensor:
    return _pictures(F.max_pool2d(_planes(image), 2 * by + 1, 1, by), image)


def erode(image: Tensor, by: int) -> Tensor:
    return -dilate(-image, by)


def warp(image: Tensor, flow: Tensor, mode: str = "bilinear", border: str = "replicate") -> Tensor:
    return sample(image, _centres(flow.shape[-3], flow.shape[-2], flow.device) + flow, mode, border)


def with_square(image: Tensor, square: Square, part: Tensor) -> Tensor:
    if square == WHOLE:
        return part
    image = image.clone()
    square.of(image)[:] = part
    return image


def square_of(mask: Tensor) -> Square:
    return WHOLE


def sample(image: Tensor, places: Tensor, mode: str = "bilinear", border: str = "reflect") -> Tensor:
    """A picture [..., H, W, C] read at places [..., h, w, 2] -> [..., h, w, C].

    mode, border: as in :func:`warp`; and "zeros" for a border beyond which there is nothing.
    """
    height, width = image.shape[-3:-1]
    x, y = places.reshape(-1, *places.shape[-3:]).unbind(-1)
    grid = torch.stack((x * (2 / width) - 1, y * (2 / height) - 1), dim=-1)
    planes = _planes(image)
    found = F.grid_sample(planes, grid, mode=mode, padding_mode=_BORDERS[border], align_corners=False)
    return _pictures(found, image)


def mapped(matrix: np.ndarray, height: int, width: int, device: torch.device) -> Tensor:
    """Where a matrix [2, 3] puts the pixels of a picture: [H, W, 2]."""
    x, y = _centres(height, width, device).unbind(-1)
    # Numbers of Python's, not a tensor: those go along with the kernel's own arguments, and nothing waits for a copy.
    return torch.stack([float(a) * x + (float(b) * y + float(c)) for a, b, c in matrix], dim=-1)


def _centres(height: int, width: int, device: torch.device) -> Tensor:
    """Where the pixels of a picture are: [H, W, 2]."""
    x = torch.arange(width, device=device, dtype=torch.float32) + 0.5
    y = torch.arange(height, device=device, dtype=torch.float32) + 0.5
    return torch.stack((x.expand(height, width), y[:, None].expand(height, width)), dim=-1)


@cache  # for good: graphs go on reading them
def _weights(matrix: tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    return torch.tensor(matrix, dtype=torch.float32).to(device)


@cache  # for good: graphs go on reading them
def _gaussian(sigma: float, device: torch.device) -> Tensor:
    """The weights of a Gaussian, cut off at 4 sigma as OpenCV does."""
    radius = (round(8 * sigma + 1) | 1) // 2
    places = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * np.square(places / sigma))
    return torch.tensor(weights / weights.sum(), dtype=torch.float32, device=device)
