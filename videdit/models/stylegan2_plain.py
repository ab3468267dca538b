"""StyleGAN2 as it is published for PyTorch, in plain operations.

What :mod:`videdit.models.stylegan2` is tested and timed against, and nothing else.

Every image of a batch gets a kernel of its own, modulated and demodulated, and all are convolved in one grouped
convolution; blurs go through a general resampler (zeros between samples, padding, one filter). Attributes are called as
in the published files, so that their tensors load under their own names.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

W_DIM = 512


def resample(x: Tensor, kernel: Tensor, up: int, pad: tuple[int, int]) -> Tensor:
    """x [B, C, H, W] with up - 1 zeros after every sample, padded and filtered, size in proportion."""
    b, c, h, w = x.shape
    x = F.pad(x.reshape(b * c, 1, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(b * c, 1, h * up, w * up)
    return F.conv2d(F.pad(x, (*pad, *pad)), kernel.flip(0, 1)[None, None]).reshape(
        b, c, h * up + sum(pad) - len(kernel) + 1, w * up + sum(pad) - len(kernel) + 1
    )


def fir(gain: float) -> Tensor:
    """StyleGAN2's filter 1-3-3-1 in two dimensions, [4, 4], with a sum of `gain`."""
    kernel = torch.outer(torch.tensor([1.0, 3.0, 3.0, 1.0]), torch.tensor([1.0, 3.0, 3.0, 1.0]))
    return kernel * (gain / kernel.sum())


class Linear(nn.Module):
    """A linear layer with equalised learning rate."""

    def __init__(self, in_channels: int, out_channels: int, bias: float = 0.0, lr: float = 1.0):
        """bias: what it starts with. lr: learning rate relative to the other layers'."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels) / lr)
        self.bias = nn.Parameter(torch.full((out_channels,), bias))
        self.lr, self.scale = lr, lr * in_channels**-0.5

    def forward(self, x: Tensor) -> Tensor:
        """x [B, I] -> [B, O]."""
        return F.linear(x, self.weight * self.scale, self.bias * self.lr)


class MappingLayer(Linear):
    """A layer of the mapping network, [B, 512] -> [B, 512]."""

    def __init__(self) -> None:
        super().__init__(W_DIM, W_DIM, lr=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 512] -> [B, 512]."""
        return F.leaky_relu(super().forward(x), 0.2) * 2**0.5


class PixelNorm(nn.Module):
    """Vectors [B, 512] of mean square 1."""

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 512] -> same."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class Filter(nn.Module):
    """A fixed low-pass."""

    kernel: Tensor

    def __init__(self, up: int, pad: tuple[int, int]):
        """up: by how much it enlarges: 1 or 2. pad: pixels before and after, a side."""
        super().__init__()
        self.register_buffer("kernel", fir(4.0))
        self.up, self.pad = up, pad

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> the filtered map; its size follows from ``up`` and ``pad``."""
        return resample(x, self.kernel, self.up, self.pad)


class ModulatedConv(nn.Module):
    """A convolution whose weights the style scales, and normalises: x [B, I, H, W], style [B, 512]."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, up: bool = False, demodulate: bool = True):
        """kernel: its side, 1 or 3. up: to twice the size. demodulate: to unit norm an output channel."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, out_channels, in_channels, kernel, kernel))
        self.modulation = Linear(W_DIM, in_channels, bias=1.0)
        self.scale, self.up, self.demodulate = (in_channels * kernel**2) ** -0.5, up, demodulate
        if up:
            self.blur = Filter(1, (1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B, I, H, W], w [B, 512] -> [B, O, H, W], or [B, O, 2H, 2W]."""
        b, c, height, width = x.shape
        weight = self.scale * self.weight * self.modulation(w)[:, None, :, None, None]  # [B, C_out, C_in, k, k]
        if self.demodulate:
            weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
        x = x.reshape(1, b * c, height, width)
        if self.up:
            x = F.conv_transpose2d(x, weight.transpose(1, 2).flatten(0, 1), stride=2, groups=b)
            return self.blur(x.reshape(b, -1, *x.shape[2:]))
        x = F.conv2d(x, weight.flatten(0, 1), padding=weight.shape[-1] // 2, groups=b)
        return x.reshape(b, -1, height, width)


class Noise(nn.Module):
    """Adds noise [1, 1, H, W] with a strength that is learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class Bias(nn.Module):
    """Adds a bias a channel, then leaky ReLU times the root of two."""

    def __init__(self, channels: int):
        """channels: one number each."""
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))


class PlainStyledConv(nn.Module):
    """A modulated convolution, noise, bias and activation."""

    def __init__(self, in_channels: int, out_channels: int, up: bool = False):
        """up: to twice the size."""
        super().__init__()
        self.conv = ModulatedConv(in_channels, out_channels, 3, up)
        self.noise, self.activate = Noise(), Bias(out_channels)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """x [B, I, H, W], w [B, 512], noise [1, 1, H', W'] of the output's size -> [B, O, H', W']."""
        x = self.conv(x, w) + self.noise.weight * noise
        return F.leaky_relu(x + self.activate.bias[:, None, None], 0.2) * 2**0.5


class ToRGB(nn.Module):
    """Features [B, C, H, W] -> RGB [B, 3, H, W], added to what the layer below gave."""

    def __init__(self, in_channels: int, up: bool = True):
        """in_channels: C. up: there is a layer below, of half the size."""
        super().__init__()
        self.conv = ModulatedConv(in_channels, 3, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        if up:
            self.upsample = Filter(2, (2, 1))

    def forward(self, x: Tensor, w: Tensor, image: Tensor | None = None) -> Tensor:
        """x [B, C, H, W], w [B, 512], image [B, 3, H / 2, W / 2] or None for the first layer -> [B, 3, H, W]."""
        new = self.conv(x, w) + self.bias
        return new if image is None else new + self.upsample(image)


class Constant(nn.Module):
    """The picture that synthesis starts with, [B, C, 4, 4]."""

    def __init__(self, channels: int):
        """channels: C."""
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


class Generator(nn.Module):
    """Codes [B, L, 512] -> images [B, 3, S, S], with HFGI's condition after the first convolution of 64 px."""

    def __init__(self, channels: Sequence[int]):
        """channels: of the features of 4, 8, 16, ... px."""
        super().__init__()
        self.style = nn.Sequential(PixelNorm(), *(MappingLayer() for _ in range(8)))
        self.input = Constant(channels[0])
        self.conv1, self.to_rgb1 = PlainStyledConv(channels[0], channels[0]), ToRGB(channels[0], up=False)
        self.convs, self.to_rgbs, self.noises = nn.ModuleList(), nn.ModuleList(), nn.Module()
        self.noises.register_buffer("noise_0", torch.randn(1, 1, 4, 4))
        for i, (before, width) in enumerate(zip(channels, channels[1:], strict=False)):
            self.convs += [PlainStyledConv(before, width, up=True), PlainStyledConv(width, width)]
            self.to_rgbs.append(ToRGB(width))
            for k in (1, 2):
                self.noises.register_buffer(f"noise_{2 * i + k}", torch.randn(1, 1, 8 * 2**i, 8 * 2**i))

    def forward(self, codes: Tensor, condition: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """codes [B, L, 512], condition (scale, shift) each [B, C, 64, 64] or None -> [B, 3, S, S]."""
        x = self.conv1(self.input.input.expand(len(codes), -1, -1, -1), codes[:, 0], self.noises.noise_0)
        image = self.to_rgb1(x, codes[:, 1])
        for i, to_rgb in enumerate(self.to_rgbs):
            x = self.convs[2 * i](x, codes[:, 2 * i + 1], getattr(self.noises, f"noise_{2 * i + 1}"))
            if condition is not None and i == 3:
                x = x * (1 + condition[0]) + condition[1]
            x = self.convs[2 * i + 1](x, codes[:, 2 * i + 2], getattr(self.noises, f"noise_{2 * i + 2}"))
            image = to_rgb(x, codes[:, 2 * i + 3], image)
        return image
