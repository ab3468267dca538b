"""What an edit may repaint of a crop: what belongs to the edit's regions, and nothing that is in front of the face.

A region (:data:`videdit.geometry.mask.EDIT_REGIONS`) has a shape, drawn from the mesh, and parts that it paints, found
by the parser. With S the shape, P how surely a pixel is of these parts, H how surely it hides the face, and F, V the
edit's motion, from where a pixel is after the edit to where it was, all but S sharpened by ramps,

    mask = S * max(P, V * warp(P, F)) * (1 - max(H, warp(H, F)))

A face that the edit widens covers what is behind it (the warped P); hair, glasses, hands and microphones stay in front,
and are not dragged along beside themselves either (the warped H). What is no part of a face or its hair counts as
hiding it only where the mesh says that there is a face, and as background beside it. Of the neck only what is near the
face belongs to it: further down the generator dreams of collars.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from videdit.geometry.mask import edit_mask, hull_mask, near_mask
from videdit.motion import at
from videdit.packets import LOW, Crop, Motion
from videdit.parsing import HIDING, NECK, PARTS

_FACE = ("face", "lips", "mouth", "neck")
PAINTED: dict[str, tuple[str, ...]] = {  # by region
    "face": _FACE,
    "lips": ("lips",),
    "eyes": ("face", "glasses"),  # behind glasses too
    "hair": (*_FACE, "ears", "hair"),
    "head": (*_FACE, "ears", "glasses", "hair", "hat"),
    "crop": tuple(PARTS),
}
# From where on something counts as there, and from where on fully. Chances of what is painted and of what hides: low, for
# a rim of the face that is left unpainted shows, and so does an edge of a hand that is painted over.
PAINT = (0.1, 0.4)
HIDE = (0.1, 0.4)
SURE = (0.1, 0.4)  # validity of the edit's motion
WIDER = 3  # pixels at 256 by which what hides is enlarged, so that the soft edge lies beside it
SOFT = 1.2  # pixels at 256: sigma of the edge


def change_mask(crop: Crop, motion: Motion, regions: Iterable[str]) -> np.ndarray:
    """Where and how much of a change reaches the frame, [S, S] uint8 0..255; regions: names of EDIT_REGIONS.

    A crop that was not parsed gets the shapes alone.
    """
    names = sorted(set(regions))
    if crop.parts is None or crop.mesh is None:
        return edit_mask(crop.mesh, crop.size, names)
    mesh = crop.mesh * (LOW / crop.size)
    parts = cv2.resize(crop.parts.transpose(1, 2, 0).astype(np.float32), (LOW, LOW), interpolation=cv2.INTER_LINEAR)
    hull, near = (mask.astype(np.float32) / 255 for mask in (hull_mask(mesh, LOW), near_mask(mesh, LOW)))
    parts[..., NECK] *= near
    masks = []
    for name in names:
        painted, hiding = weights(name)
        paint = ramp(parts @ painted, *PAINT)
        hide = ramp(parts @ hiding + hull * parts[..., -1] * (1 - painted[-1]), *HIDE)
        hide = cv2.dilate(hide, np.ones((2 * WIDER + 1, 2 * WIDER + 1), np.uint8))
        paint = np.maximum(paint, ramp(motion.validity, *SURE) * at(paint, motion.flow))
        hide = np.maximum(hide, at(hide, motion.flow))
        shape = edit_mask(mesh, LOW, (name,))
        masks.append(shape * cv2.GaussianBlur(paint * (1 - hide), (0, 0), SOFT))
    mask = np.rint(np.maximum.reduce(masks)).astype(np.uint8)
    return mask if crop.size == LOW else cv2.resize(mask, (crop.size, crop.size), interpolation=cv2.INTER_LINEAR)


def weights(region: str) -> tuple[np.ndarray, np.ndarray]:
    """Which of PARTS a region paints, and which hide it wherever they are: [9], [9], each 0 or 1.

    The last, "other", hides only what lies on a face: it is not among those that hide everywhere.
    """
    painted = np.array([float(part in PAINTED[region]) for part in PARTS], np.float32)
    hiding = 1 - painted
    hiding[:HIDING], hiding[-1] = 0, 0
    return painted, hiding


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 up to low, 1 from high on."""
    return np.clip((value - low) / (high - low), 0, 1)
