"""The operations that pixel formulas are made of: numpy and OpenCV on the host, torch elsewhere, chosen by the array.

    xp = primitives.of(image)
    near = xp.blur(xp.resize(image, 256), 1.5)

A picture is [H, W, C] and a map [H, W, 1], float32 unless it says otherwise; torch's may have leading dimensions, the
same ones for all that go into an operation. What both libraries spell alike (+, *, abs(), .clip(), .round(), .sum(),
slices) is no operation of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Protocol

import numpy as np

from videdit.datatypes import Array, Square

Matrix = tuple[tuple[float, ...], ...]  # rows of weights: one an output channel, a number an input channel


class Primitives(Protocol):
    """What :mod:`.host` and :mod:`.torch` both offer."""

    @property
    def library(self) -> ModuleType:
        """Numpy or torch itself, for formulas in what the two spell alike (:mod:`videdit.media.tone_proxy`)."""
        ...

    def single(self, array: Array, /) -> Array:
        """The array, of any shape, in float32; itself where it is that already."""
        ...

    def half(self, array: Array, /) -> Array:
        """The array, of any shape, in float16."""
        ...

    def byte(self, array: Array, /) -> Array:
        """The array, of any shape, in 0..255, rounded to uint8."""
        ...

    def stack(self, arrays: Sequence[Array], /, axis: int = 0) -> Array:
        """Arrays of one shape along a new axis."""
        ...

    def concatenate(self, arrays: Sequence[Array], /) -> Array:
        """Arrays [N, ...] one after the other along their first axis."""
        ...

    def maximum(self, one: Array, other: Array, /) -> Array:
        """The larger of two arrays of one shape, element by element."""
        ...

    def minimum(self, one: Array, other: Array, /) -> Array:
        """The smaller of two arrays of one shape, element by element."""
        ...

    def exp(self, array: Array, /) -> Array:
        """e to the array, of any shape."""
        ...

    def sqrt(self, array: Array, /) -> Array:
        """The square root of an array of any shape."""
        ...

    def channels_last(self, planes: Array, /) -> Array:
        """Planes [C, H, W] as a picture [H, W, C]."""
        ...

    def channels_first(self, image: Array, /) -> Array:
        """A picture [H, W, C] as planes [C, H, W]."""
        ...

    def split(self, image: Array, /) -> Sequence[Array]:
        """A picture's C channels, each a map [H, W, 1]."""
        ...

    def merge(self, *images: Array) -> Array:
        """Pictures [H, W, C_i] of one size as one, channel after channel: [H, W, sum of C_i]."""
        ...

    def spread(self, map_: Array, channels: int, /) -> Array:
        """A map [H, W, 1] as a picture [H, W, channels] with that in every channel."""
        ...

    def constant(self, like: Array, value: float, /) -> Array:
        """A map [H, W, 1] of one value, of the size of a picture."""
        ...

    def with_channel(self, image: Array, index: int, map_: Array, /) -> Array:
        """A picture [H, W, C] with a map [H, W, 1] in place of a channel; the picture itself stays as it is."""
        ...

    def mix(self, image: Array, matrix: Matrix, /) -> Array:
        """Each pixel's channels times a matrix: [H, W, C] -> [H, W, rows]. Few different matrices: each is kept."""
        ...

    def channel_sum(self, image: Array, /) -> Array:
        """The sum of a picture's channels, a map [H, W, 1]."""
        ...

    def channel_max(self, image: Array, /) -> Array:
        """The largest of a picture's channels, a map [H, W, 1]."""
        ...

    def grey(self, image: Array, /) -> Array:
        """An RGB picture [H, W, 3] uint8 as a map [H, W, 1] of its light, uint8."""
        ...

    def resize(self, image: Array, size: int, /, mode: str = "bilinear") -> Array:
        """A picture [S, S, C], float32 or uint8, at another size: averaged where it shrinks, else read as `mode` says.

        mode: "bilinear" or "bicubic". Torch's shrinks by whole factors only. The result has the picture's type.
        """
        ...

    def blur(self, image: Array, sigma: float, /) -> Array:
        """A Gaussian of `sigma` pixels on [H, W, C], mirrored beyond its border. Few different sigmas: each is kept."""
        ...

    def dilate(self, image: Array, by: int, /) -> Array:
        """The largest value within a square of `by` pixels to each side, channel by channel: [H, W, C]."""
        ...

    def erode(self, image: Array, by: int, /) -> Array:
        """The smallest value within a square of `by` pixels to each side, channel by channel: [H, W, C]."""
        ...

    def square_of(self, mask: Array, /) -> Square:
        """What of a crop counts where a mask [S, S] uint8 of it shows something: a square, a little larger than that.

        Torch's is all of it: to look would mean to wait for the device.
        """
        ...

    def with_square(self, image: Array, square: Square, part: Array, /) -> Array:
        """An image [S, S, ...] with `part` [N, N, ...] in place of a square of it; the image stays as it is."""
        ...

    def warp(self, image: Array, flow: Array, /, mode: str = "bilinear", border: str = "replicate") -> Array:
        """A picture read where a flow says: out(p) = image(p + flow(p)).

        flow: [h, w, 2] (x, y) in pixels of the picture, mostly of its size; the result has the flow's. mode: "bilinear"
        or "bicubic". border: what lies beyond the outermost pixel: "replicate", the same, or "reflect", the picture
        mirrored. On the host, places between pixels are rounded to a 32nd.
        """
        ...


def of(array: Array) -> Primitives:
    """The primitives for such arrays, of any shape. Neither library is imported before one of its arrays is seen."""
    if isinstance(array, np.ndarray):
        from videdit.imaging.primitives import host

        return host
    from videdit.imaging.primitives import torch

    return torch
