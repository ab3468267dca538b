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
from videdit.masks import HIDE, PAINT, SOFT, SURE, WIDER, weights
from videdit.packets import LOW, Crop, Motion
from videdit.parsing import NECK
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
    flow, validity = channels_first(motion.flow), motion.validity[None, None]
    parts = resize(crop.parts[None].float(), LOW)  # [1, 9, 256, 256]
    parts[:, NECK] *= near[0] / 255
    masks = []
    for name, shape in zip(names, drawn_shapes, strict=True):
        painted, hiding = weights(name)
        paint = ramp(_summed(parts, painted), *PAINT)
        others = hull / 255 * parts[:, -1:] * float(1 - painted[-1])
        hide = ramp(_summed(parts, hiding) + others, *HIDE)
        hide = F.max_pool2d(hide, 2 * WIDER + 1, 1, WIDER)
        paint = torch.maximum(paint, ramp(validity, *SURE) * at(paint, flow))
        hide = torch.maximum(hide, at(hide, flow))
        masks.append(shape * blur(paint * (1 - hide), SOFT))
    return _enlarged(torch.stack(masks).amax(0).round(), crop.size)


def ramp(value: Tensor, low: float, high: float) -> Tensor:
    """0 up to low, 1 from high on."""
    return ((value - low) / (high - low)).clamp(0, 1)


def _summed(parts: Tensor, chosen: np.ndarray) -> Tensor:
    """The sum of those of the parts that are chosen, [1, 1, 256, 256]."""
    return parts[:, np.flatnonzero(chosen).tolist()].sum(1, keepdim=True)


def _enlarged(mask: Tensor, size: int) -> Tensor:
    return resize(mask, size)[0, 0].round().to(torch.uint8)
