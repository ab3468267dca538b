"""What an edit may repaint of a crop: what belongs to the edit's regions, and nothing that is in front of the face.

A region (:data:`videdit.geometry.face_regions.EDIT_REGIONS`) has a shape, drawn from the mesh, and parts that it
paints, found by the parser. With S the shape, P how surely a pixel is of these parts, H how surely it hides the face
(both sharpened by ramps), and F the edit's motion, from where a pixel is after the edit to where it was,

    mask = S * max(P, warp(P, F)) * (1 - max(H, warp(H, F)))

A head that the edit turns covers what is right behind it (the warped P). A face that it widens does not: a cheek that
grows over what is behind it draws a soft second outline beside the first, so for other regions P stands alone. Hair,
glasses, hands and microphones stay in front, and are not dragged along beside themselves either (the warped H). What is
no part of a face or its hair counts as hiding it only where the mesh says that there is a face, and from there on
outwards a little; beside a face it is background. Of the neck only what is near the face belongs to it, as far
as the edit leaves it a neck (the motion's validity): further down the generator dreams of collars.

The parser sees a hand, but not to the pixel where it ends. So H is extended by colour: with h and f the mean colours of
the hand and of the face around a pixel of colour c near its edge, the share of h in c is (c - f)(h - f) / |h - f|^2.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from videdit.datatypes import LOW, Crop, Motion
from videdit.geometry.face_regions import edit_mask, hull_mask, near_mask
from videdit.imaging.optical_flow import channel_sum, resized, warp
from videdit.models.face_parts import GLASSES, NECK, OTHER, PARTS

_FACE = ("face", "lips", "mouth", "neck")
PAINTED: dict[str, tuple[str, ...]] = {  # by region
    "face": _FACE,
    "lips": ("lips",),
    "eyes": ("face", "glasses"),  # behind glasses too
    "hair": (*_FACE, "ears", "hair"),
    "whole_hair": (*_FACE, "ears", "hair"),  # wherever the parser sees it, not only near the face
    "head": (*_FACE, "ears", "glasses", "hair", "hat"),
    "crop": tuple(PARTS),
}
# Chances at which something begins to count as there, and at which it fully does. Low, for a rim of the face that is
# left unpainted shows, and so does an edge of a hand that is painted over.
PRESENT = (0.1, 0.4)
SUSPECTED = 0.6  # what chances of hair, hats and glasses count: a little hair is suspected along many an outline
GROWING = ("head", "crop")  # regions that may grow over what is behind them
GROW_PX = 8  # pixels at 256 by which they may
DILATE_PX = 3  # pixels at 256 by which what hides is enlarged, so that the soft edge lies beside it
OCCLUDER_RAMP = (0.6, 0.9)  # how surely something lies on the face: background shines in where an outline turns away
OUTWARDS = 5  # pixels at 128 by which what lies on a face is followed beyond it
BESIDE = 8  # pixels at 256 beside what hides within which colours are looked at
AROUND = 3.0  # pixels at 128: sigma of mean colours
APART = (0.1, 0.25)  # distance of two mean colours in [-1, 1] RGB, from none to all that can be said of them
KNOWN = (0.005, 0.03)  # weight of the rarer of the two, the same
STRANDS = 1.5  # pixels at 256: sigma that shares are smoothed with; what is finer and faint is not followed
LIKE = (0.25, 0.5)  # share of the colour of what hides
SOFT = 1.2  # pixels at 256: sigma of the edge


def change_mask(crop: Crop, motion: Motion, regions: Iterable[str]) -> np.ndarray:
    """Where and how much of a change reaches the frame, [S, S] uint8 0..255; regions: names of EDIT_REGIONS.

    A crop that was not parsed gets the shapes alone.
    """
    names = sorted(set(regions))
    if crop.parts is None or crop.mesh is None:
        return edit_mask(crop.mesh, crop.size, names)
    mesh = crop.mesh / crop.size
    picture = resized(crop.image, LOW).astype(np.float32) / 127.5 - 1
    parts = crop.parts.transpose(1, 2, 0).astype(np.float32)
    size = len(parts)
    hull, near = (draw(mesh * size, size).astype(np.float32) / 255 for draw in (hull_mask, near_mask))
    parts[..., NECK] *= near * resized(motion.validity, size)
    front = parts.copy()
    front[..., OTHER] *= dilate(ramp(hull * parts[..., OTHER], *OCCLUDER_RAMP), OUTWARDS)
    masks = []
    for name in names:
        painted, hiding = weights(name)
        sums = np.dstack((parts @ painted, front @ hiding, front[..., OTHER] * hiding[OTHER]))
        paint, hide, hand = (ramp(part, *PRESENT) for part in cv2.split(resized(sums, LOW)))
        hide = np.maximum(dilate(hide, DILATE_PX), dilate(color_similarity(picture, hand, paint), 1))
        if name in GROWING:
            paint = np.maximum(paint, dilate(paint, GROW_PX) * warp(paint, motion.flow))
        hide = np.maximum(hide, warp(hide, motion.flow))
        shape = edit_mask(mesh * LOW, LOW, (name,))
        masks.append(shape * cv2.GaussianBlur(paint * (1 - hide), (0, 0), SOFT))
    return resized(np.rint(np.maximum.reduce(masks)).astype(np.uint8), crop.size)


def color_similarity(picture: np.ndarray, hide: np.ndarray, paint: np.ndarray) -> np.ndarray:
    """Where a pixel near a hand that hides has its colour rather than the face's, [256, 256] in [0, 1].

    picture: [256, 256, 3] in [-1, 1]; hide, paint: [256, 256] in [0, 1].
    """
    near = dilate(hide, BESIDE)
    half = LOW // 2  # is enough for means
    colours = resized(picture, half)
    (h, weight_h), (f, weight_f) = (_mean(colours, resized(weight, half)) for weight in (hide, paint * (1 - near)))
    apart = channel_sum(np.square(h - f))
    known = ramp(np.sqrt(apart), *APART) * ramp(np.minimum(weight_h, weight_f), *KNOWN)
    # Linear in the colour c, with factors that hardly change from pixel to pixel: (c - f)(h - f) / |h - f|^2.
    slope = (h - f) / (apart[..., None] + 1e-4)
    slope, offset, known = resized(slope, LOW), resized(channel_sum(f * slope), LOW), resized(known, LOW)
    share = np.clip(channel_sum(picture * slope) - offset, 0, 1)
    return ramp(cv2.GaussianBlur(near * known * share, (0, 0), STRANDS), *LIKE)


def _mean(colours: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean colour around each pixel and the weight behind it: [128, 128, 3], [128, 128]."""
    sums = cv2.GaussianBlur(np.dstack((colours * weight[..., None], weight)), (0, 0), AROUND)
    return sums[..., :3] / (sums[..., 3:] + 1e-4), sums[..., 3]


def weights(region: str) -> tuple[np.ndarray, np.ndarray]:
    """Which of PARTS a region paints, 0 or 1, and how much each hides it, 0 to 1: [9], [9]."""
    painted = np.array([float(part in PAINTED[region]) for part in PARTS], np.float32)
    hiding = 1 - painted
    hiding[:GLASSES], hiding[GLASSES:OTHER] = 0, SUSPECTED * hiding[GLASSES:OTHER]
    return painted, hiding


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 up to low, 1 from high on."""
    return np.clip((value - low) / (high - low), 0, 1)


def dilate(mask: np.ndarray, by: int) -> np.ndarray:
    """The largest value within a square of `by` pixels to each side."""
    return cv2.dilate(mask, np.ones((2 * by + 1, 2 * by + 1), np.uint8))
