"""The twin in torch of :mod:`videdit.imaging.optical_flow`: read the two side by side, the formulas are one.

Only the flow itself is another (:mod:`videdit.imaging.lucas_kanade`). Images here are [N, C, 256, 256].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videdit.imaging.lucas_kanade import dense_flow
from videdit.imaging.optical_flow import BROAD, BROAD_SHARE, FLOW_TOLERANCE, SMOOTH, SOFT, TOLERANCE
from videdit.imaging.primitives.torch import blur, moved


class MotionEstimator(nn.Module):
    """Low renders Xo and Xe, [N, 2, 256, 256, 3] in [-1, 1] -> flow [N, 256, 256, 2], validity [N, 256, 256]."""

    def forward(self, lows: Tensor) -> tuple[Tensor, Tensor]:
        before, after = lows.permute(0, 1, 4, 2, 3).unbind(1)  # [N, 3, 256, 256]
        grey_before, grey_after = grey_of(before), grey_of(after)
        # Both ways in one batch.
        both = dense_flow(torch.cat((grey_before, grey_after)), torch.cat((grey_after, grey_before)))
        forward, back = blur(both, SMOOTH).chunk(2)  # edited pixel -> where it was, and the other way
        difference = blur(warp(before, forward) - after, SMOOTH)
        difference = difference - BROAD_SHARE * blur(difference, BROAD)
        difference = difference.abs().amax(dim=1, keepdim=True)  # [N, 1, 256, 256]
        distance = (forward + warp(back, forward)).square().sum(dim=1, keepdim=True)
        validity = torch.exp(-(difference / TOLERANCE).square() - distance / FLOW_TOLERANCE**2)
        # Blurred from 1 down: where nothing moves, it is 1 whatever the kernel's weights add up to.
        return forward.permute(0, 2, 3, 1), (1 - blur(1 - validity, SOFT))[:, 0]


def warp_distortion_map(distortion: Tensor, flow: Tensor, validity: Tensor) -> Tensor:
    """See :func:`videdit.imaging.optical_flow.warp_distortion_map`: distortion [N, 3, 256, 256], flow [N, 2, 256, 256],
    validity [N, 1, ...]."""
    return warp(distortion, flow) * validity


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """image [N, C, 256, 256] read where flow [N, 2, 256, 256] says: out(p) = image(p + flow(p))."""
    return moved(image, flow, border="border")


def grey_of(image: Tensor) -> Tensor:
    """[N, 3, H, W] RGB in [-1, 1] -> [N, 1, H, W]"""
    red, green, blue = image.clamp(-1, 1).split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue
