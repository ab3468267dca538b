"""The twin in torch of :mod:`videdit.masks`: read the two side by side, the formulas are one.

Shapes are soft and drawn small on the host; what was parsed stays on the device. Images here are [1, C, 256, 256].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videdit.geometry.mask import edit_mask, hull_mask, near_mask
from videdit.masks import APART, AROUND, BESIDE, HIDE, KNOWN, LIKE, LYING, OUTWARDS, OVER, PAINT, SOFT, STRANDS, WIDER
from videdit.masks import weights as weights_of
from videdit.packets import LOW, Crop, Motion
from videdit.parsing import NECK, OTHER
from videdit.pixels.motion import at
from videdit.pixels.sampling import blur, channels_first, resize


def change_mask(crop: Crop, motion: Motion, regions: Iterable[str], put: Callable[[np.ndarray], Tensor]) -> Tensor:
    """See :func:`videdit.masks.change_mask`: [S, S] uint8. put: brings the shapes to the device."""
    names = sorted(set(regions))
    mesh = None if crop.mesh is None else crop.mesh * (LOW / crop.size)
    if crop.parts is None or mesh is None:
        return _enlarged(put(edit_mask(mesh, LOW, names))[None, None].float(), crop.size)
    shapes = (edit_mask(mesh, LOW, (name,)) for name in names)
    drawn = put(np.stack([hull_mask(mesh, LOW), near_mask(mesh, LOW), *shapes]))
    hull, near, *drawn_shapes = drawn[:, None, None].float().unbind()  # [1, 1, 256, 256]
    hull, near = hull / 255, near / 255
    flow = channels_first(motion.flow)
    picture = resize(channels_first(crop.image), LOW) / 127.5 - 1
    parts = resize(crop.parts[None].float(), LOW)  # [1, 9, 256, 256]
    parts[:, NECK] *= near[0]
    front = parts.clone()
    front[:, OTHER] *= widened(ramp(hull * parts[:, OTHER:], *LYING), OUTWARDS)[:, 0]
    masks = []
    for name, shape in zip(names, drawn_shapes, strict=True):
        painted, hiding, opaque = weights_of(name)
        paint, hide = ramp(_summed(parts, painted), *PAINT), ramp(_summed(front, hiding), *HIDE)
        strands = alike(picture, ramp(_summed(front, opaque), *HIDE), paint)
        hide = torch.maximum(widened(hide, WIDER), widened(strands, 1))
        paint = torch.maximum(paint, widened(paint, OVER) * at(paint, flow))
        hide = torch.maximum(hide, at(hide, flow))
        masks.append(shape * blur(paint * (1 - hide), SOFT))
    return _enlarged(torch.stack(masks).amax(0).round(), crop.size)


def alike(picture: Tensor, hide: Tensor, paint: Tensor) -> Tensor:
    """See :func:`videdit.masks.alike`: picture [1, 3, 256, 256], the others [1, 1, 256, 256]."""
    near = widened(hide, BESIDE)
    face = paint * (1 - near)
    weight_hide, weight_face = blur(hide, AROUND), blur(face, AROUND)
    h = blur(picture * hide, AROUND) / (weight_hide + 1e-4)
    f = blur(picture * face, AROUND) / (weight_face + 1e-4)
    apart = (h - f).square().sum(1, keepdim=True)
    share = ((picture - f) * (h - f)).sum(1, keepdim=True) / (apart + 1e-4)
    known = near * ramp(apart.sqrt(), *APART) * ramp(torch.minimum(weight_hide, weight_face), *KNOWN)
    return ramp(blur(known * share.clamp(0, 1), STRANDS), *LIKE)


def ramp(value: Tensor, low: float, high: float) -> Tensor:
    """0 up to low, 1 from high on."""
    return ((value - low) / (high - low)).clamp(0, 1)


def widened(mask: Tensor, by: int) -> Tensor:
    """The largest value within a square of `by` pixels to each side."""
    return F.max_pool2d(mask, 2 * by + 1, 1, by)


def _summed(parts: Tensor, chosen: np.ndarray) -> Tensor:
    """The sum of those of the parts that are chosen, [1, 1, 256, 256]."""
    return parts[:, np.flatnonzero(chosen).tolist()].sum(1, keepdim=True)


def _enlarged(mask: Tensor, size: int) -> Tensor:
    return resize(mask, size)[0, 0].round().to(torch.uint8)
