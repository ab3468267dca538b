"""The twin in torch of :mod:`videdit.imaging.temporal_average`: read the two side by side, the formulas are one.

Only the flow itself is another (:mod:`videdit.imaging.lucas_kanade`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.datatypes import LOW, Accumulator, Edited, Motion
from videdit.imaging.lucas_kanade import dense_flow
from videdit.imaging.optical_flow import SMOOTH
from videdit.imaging.primitives.torch import blur, channels_first, resize
from videdit.imaging.temporal_average import BAND, DRIFT_TOLERANCE, LIKENESS, MARGIN, REACH
from videdit.imaging.twins.optical_flow import grey_of, warp


def grey(crop: Tensor) -> Tensor:
    """A crop [S, S, 3] uint8 RGB -> uint8 [256, 256]."""
    small = resize(channels_first(crop), LOW) / 127.5 - 1
    return ((grey_of(small) + 1) * 127.5).round().to(torch.uint8)[0, 0]


class DriftEstimator(nn.Module):
    """Greys uint8 [N, 2, 256, 256] -> flows there and back [N, 2, 256, 256, 2], validities [N, 2, 256, 256]."""

    def forward(self, pairs: Tensor) -> tuple[Tensor, Tensor]:
        one, other = pairs.float().split(1, dim=1)  # [N, 1, 256, 256]
        # Both ways in one batch. Image and target: where each pixel of the target lies in the image.
        image, target = torch.cat((other, one)), torch.cat((one, other))
        there, back = dense_flow(image / 127.5 - 1, target / 127.5 - 1).chunk(2)  # [N, 2, 256, 256]
        flows = torch.stack((there, back), dim=1)  # [N, 2, 2, 256, 256]
        valid_there = agreement(there, back) * likeness(one, other, there)
        valid_back = agreement(back, there) * likeness(other, one, back)
        return flows.permute(0, 1, 3, 4, 2), torch.cat((valid_there, valid_back), dim=1)


def agreement(there: Tensor, back: Tensor) -> Tensor:
    """How well two flows [N, 2, 256, 256] undo each other, [N, 1, 256, 256]."""
    return torch.exp(-(there + warp(back, there)).square().sum(dim=1, keepdim=True) / DRIFT_TOLERANCE**2)


def likeness(one: Tensor, other: Tensor, there: Tensor) -> Tensor:
    """How alike two greys [N, 1, 256, 256] are along the flow from the one to the other, [N, 1, 256, 256]."""
    return torch.exp(-(blur(warp(other, there) - one, SMOOTH) / LIKENESS).square())


def init_accumulator(change: Tensor, mask: Tensor, confidence: float) -> Accumulator:
    """The sums that hold one change [S, S, 3] and its mask [S, S] uint8 alone."""
    low = low_band(change)
    return Accumulator(torch.cat((low, torch.full_like(low[:, :1], confidence)), dim=1), low_mask(mask) * confidence)


def low_band(change: Tensor) -> Tensor:
    """A change [S, S, 3] as it is averaged: [1, 3, B, B]."""
    return channels_first(change) if change.shape[0] <= BAND else resize(channels_first(change), BAND)


def low_mask(mask: Tensor) -> Tensor:
    """A mask [S, S] uint8 as it is averaged: [1, 1, B, B] in 0..1."""
    return low_band(mask[..., None]) / 255


def upsample_flow(motion: Motion, size: int) -> Motion:
    """A motion at 256 px -> the same for sums of `size`: flow [B, B, 2] in their pixels, validity [B, B]."""
    flow = resized(channels_first(motion.flow), size)[0].permute(1, 2, 0) * (size / LOW)
    return Motion(flow, resized(motion.validity[None, None], size)[0, 0])


def warp_accumulator(total: Accumulator, motion: Motion, weight: float) -> Accumulator:
    """A neighbour's sums as they count here, along a motion of this size."""
    weights, flow = weight * motion.validity, channels_first(motion.flow)
    changes, masks = (warp(resized(sums, len(weights)), flow) * weights for sums in (total.changes, total.masks))
    return Accumulator(changes, masks)


def resized(image: Tensor, size: int) -> Tensor:
    """Images [N, C, M, M] at another size."""
    return image if image.shape[-1] == size else resize(image, size)


def resolve(edit: Edited, total: Accumulator, confidence: float) -> tuple[Tensor, Tensor]:
    """The change [S, S, 3] float16 and the mask [S, S] uint8 of an edit, the means of `total` in place of low bands."""
    size, weights = edit.change.shape[0], total.changes[:, 3:]
    mean, mean_mask = confidence * total.changes[:, :3] / weights, total.masks / weights
    own = low_band(edit.change)
    mean = within(low_band(edit.source) / 127.5 - 1, own, mean)
    if mean.shape[-1] != size:
        mean = channels_first(edit.change) + resize(mean - own, size)
        mean_mask = edit.mask / 255 + resize(mean_mask - low_mask(edit.mask), size)
    steadied = torch.minimum(255 * mean_mask[0, 0], 2.0 * edit.mask).clamp(0, 255).round()
    return mean[0].permute(1, 2, 0).half(), steadied.to(torch.uint8)


def within(source: Tensor, own: Tensor, mean: Tensor) -> Tensor:
    """A mean change so that the result stays near what the moment's own has around; all [1, 3, B, B]."""
    result = source + own
    reach = REACH * own.shape[-1] // LOW
    least, most = (sign * F.max_pool2d(sign * result, 2 * reach + 1, 1, reach) for sign in (-1, 1))
    return torch.maximum(torch.minimum(mean, most + MARGIN - source), least - MARGIN - source)
