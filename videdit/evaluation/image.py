"""How near one picture is to another. All take NCHW float in [-1, 1] and give one number a picture, [B]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def psnr(a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
    """Peak signal to noise ratio in dB, infinite for equal pictures; values beyond [-1, 1] are clipped.

    mask: [B, 1, H, W] weights in 0..1 of the pixels that count, none of them all zero.
    """
    error = (a.float().clamp(-1, 1) - b.float().clamp(-1, 1)).square().mean(1, keepdim=True)  # [B, 1, H, W]
    mask = torch.ones_like(error) if mask is None else mask
    mean = (error * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
    return -10 * torch.log10(mean / 4)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity [B] of [B, C, H, W]: 11 x 11 Gaussian of sigma 1.5, mean over colours and places."""
    a, b = (a.float().clamp(-1, 1) + 1) / 2, (b.float().clamp(-1, 1) + 1) / 2  # it compares brightness from black
    channels = a.shape[1]
    window = torch.exp(-0.5 * ((torch.arange(11, device=a.device) - 5) / 1.5).square())
    window = (window / window.sum()).expand(channels, 1, 1, 11)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(x, window, groups=channels), window.mT, groups=channels)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a.square(), mean(b * b) - mean_b.square()
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (likeness / ((mean_a.square() + mean_b.square() + c1) * (var_a + var_b + c2))).mean((1, 2, 3))
