"""The twin in torch of :mod:`videdit.imaging.change_mask`: read the two side by side, the formulas are one.

Shapes are soft and drawn small on the host; what was parsed stays on the device. Images here are [1, C, 256, 256].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videdit.datatypes import LOW, Crop, Motion
from videdit.geometry.face_regions import edit_mask, hull_mask, near_mask
from videdit.imaging.change_mask import (
    APART,
    AROUND,
    BESIDE,
    DILATE_PX,
    GROW_PX,
    GROWING,
    KNOWN,
    LIKE,
    OCCLUDER_RAMP,
    OUTWARDS,
    PRESENT,
    SOFT,
    STRANDS,
)
from videdit.imaging.change_mask import weights as weights_of
from videdit.imaging.primitives.torch import blur, channels_first, resize
from videdit.imaging.twins.optical_flow import warp
from videdit.models.face_parts import NECK, OTHER


def change_mask(crop: Crop, motion: Motion, regions: Iterable[str], put: Callable[[np.ndarray], Tensor]) -> Tensor:
    """See :func:`videdit.imaging.change_mask.change_mask`: [S, S] uint8. put: brings the shapes to the device."""
    names = sorted(set(regions))
    mesh = None if crop.mesh is None else crop.mesh * (LOW / crop.size)
    if crop.parts is None or mesh is None:
        return _enlarged(put(edit_mask(mesh, LOW, names))[None, None].float(), crop.size)
    size = crop.parts.shape[-1]
    small = mesh * (size / LOW)
    hull, near = put(np.stack([hull_mask(small, size), near_mask(small, size)])).float() / 255  # [128, 128]
    shapes = put(np.stack([edit_mask(mesh, LOW, (name,)) for name in names])).float()  # [N, 256, 256]
    flow = channels_first(motion.flow)
    picture = resize(channels_first(crop.image), LOW) / 127.5 - 1
    parts = crop.parts[None].to(torch.float32, copy=True)  # [1, 9, 128, 128]
    parts[:, NECK] *= near * resize(motion.validity[None, None], size)[0, 0]
    front = parts.clone()
    front[:, OTHER:] *= dilate(ramp(hull * parts[:, OTHER:], *OCCLUDER_RAMP), OUTWARDS)
    masks = []
    for name, shape in zip(names, shapes, strict=True):
        painted, hiding = weights_of(name)
        sums = torch.cat((_summed(parts, painted), _summed(front, hiding), front[:, OTHER:] * float(hiding[OTHER])), 1)
        paint, hide, hand = ramp(resize(sums, LOW), *PRESENT).split(1, 1)
        hide = torch.maximum(dilate(hide, DILATE_PX), dilate(color_similarity(picture, hand, paint), 1))
        if name in GROWING:
            paint = torch.maximum(paint, dilate(paint, GROW_PX) * warp(paint, flow))
        hide = torch.maximum(hide, warp(hide, flow))
        masks.append(shape * blur(paint * (1 - hide), SOFT))
    return _enlarged(torch.stack(masks).amax(0).round(), crop.size)


def color_similarity(picture: Tensor, hide: Tensor, paint: Tensor) -> Tensor:
    """See :func:`videdit.imaging.change_mask.color_similarity`: picture [1, 3, 256, 256], the others [1, 1, 256,
    256]."""
    near = dilate(hide, BESIDE)
    half = LOW // 2
    colours = resize(picture, half)
    (h, weight_h), (f, weight_f) = (_mean(colours, resize(weight, half)) for weight in (hide, paint * (1 - near)))
    apart = (h - f).square().sum(1, keepdim=True)
    known = ramp(apart.sqrt(), *APART) * ramp(torch.minimum(weight_h, weight_f), *KNOWN)
    slope = (h - f) / (apart + 1e-4)
    offset = (f * slope).sum(1, keepdim=True)
    slope, offset, known = (resize(part, LOW) for part in (slope, offset, known))
    share = ((picture * slope).sum(1, keepdim=True) - offset).clamp(0, 1)
    return ramp(blur(near * known * share, STRANDS), *LIKE)


def _mean(colours: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The mean colour around each pixel and the weight behind it: [1, 3, 128, 128], [1, 1, 128, 128]."""
    weighted = blur(weight, AROUND)
    return blur(colours * weight, AROUND) / (weighted + 1e-4), weighted


def ramp(value: Tensor, low: float, high: float) -> Tensor:
    """0 up to low, 1 from high on."""
    return ((value - low) / (high - low)).clamp(0, 1)


def dilate(mask: Tensor, by: int) -> Tensor:
    """The largest value within a square of `by` pixels to each side."""
    return F.max_pool2d(mask, 2 * by + 1, 1, by)


def _summed(parts: Tensor, shares: np.ndarray) -> Tensor:
    """The sum of the parts, each in its share, [1, 1, 128, 128]."""
    # Numbers of Python's, not a tensor: nothing waits for a copy.
    chosen = (float(share) * parts[:, i : i + 1] for i, share in enumerate(shares) if share)
    return sum(chosen, torch.zeros_like(parts[:, :1]))


def _enlarged(mask: Tensor, size: int) -> Tensor:
    return resize(mask, size)[0, 0].round().to(torch.uint8)
