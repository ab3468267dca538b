"""How much of a face can be seen in its crop: an edit fades by it, as by size, yaw and border (tracking.fitness)."""

from __future__ import annotations

import cv2
import numpy as np

from videdit.datatypes import Crop
from videdit.geometry.face_regions import hull_mask
from videdit.geometry.ffhq_align import side_of
from videdit.models.face_parts import GLASSES

# Each pair: where an edit is full, and where none is left.
HIDDEN = (0.2, 0.45)  # share of the face; a palm over the mouth is .25 to .4, a fringe at most .1
# Detail of a few pixels over that twice as coarse, along the more blurred axis. Aligned faces of six clips: .51 to .8;
# blurred by a movement of 5 % of the crop's side .40 to .47, of 7.5 % .36 to .42; by a Gaussian of 2 % .36 to .43.
DETAIL = (0.43, 0.35)
_SIDES = (48, 128)  # px at which detail is looked at: half the frame's own resolution within these bounds


def visibility(crop: Crop, parts: np.ndarray, grey: np.ndarray) -> dict[str, float]:
    """How fit a crop is for an edit by what is seen of its face, 0 (not) .. 1, by reason; empty for one without a mesh.

    parts: [9, 128, 128], what was parsed; grey: [256, 256] uint8; both in the host's memory.
    """
    if crop.mesh is None:  # nothing is known of where the face is
        return {}
    side = side_of(crop.to_frame, crop.size)
    return {
        "hidden": _falling(hidden(parts, crop.mesh / crop.size), *HIDDEN),
        "blurred": _falling(-detail(grey, side), -DETAIL[0], -DETAIL[1]),
    }


def hidden(parts: np.ndarray, mesh: np.ndarray) -> float:
    """The share of a face that hair, a hat or something else is in front of, 0..1.

    parts: [9, 128, 128]; mesh: [468, 2] in units of the crop's side.
    """
    size = parts.shape[-1]
    hull = hull_mask(mesh * size, size).astype(np.float32)
    front = np.minimum(parts[GLASSES + 1 :].astype(np.float32).sum(0), 1)  # glasses hide nothing
    return float((hull * front).sum() / max(hull.sum(), 1.0))


def detail(grey: np.ndarray, side: float) -> float:
    """How strong a face's details of a few pixels are against those twice as coarse, along the axis that has less.

    grey: [256, 256] uint8. side: what the crop measures in the frame, in pixels: an enlarged crop is soft by nature.
    """
    size = int(np.clip(side / 2, *_SIDES))
    small = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    face = slice(size // 4, 4 * size // 5)  # without most of hair and background
    ratios = []
    for turned in (small, small.T):
        steps = [_blurred(turned, sigma) for sigma in (1.0, 2.0, 4.0)]
        fine, coarse = (np.percentile(np.abs(a - b)[face, face], 97) for a, b in zip(steps, steps[1:], strict=False))
        ratios.append(float(fine / max(coarse, 0.5)))
    return min(ratios)


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred along rows only."""
    kernel = cv2.getGaussianKernel(int(8 * sigma) | 1, sigma).astype(np.float32)
    return cv2.sepFilter2D(image, -1, kernel, np.ones((1, 1), np.float32))


def _falling(value: float, full: float, none: float) -> float:
    return min(max((none - value) / (none - full), 0.0), 1.0)
