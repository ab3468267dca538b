"""Steadiness: what an edit changes keeps still on the source as the source moves.

A change that is worked out for each frame by itself trembles: codes, flow and validity all err a little, each frame in
another way, and what the generator adds (teeth, a shadow) sits where the generator puts it, not on the skin. So changes
are averaged over time along the source's own motion. With C_k the change of frame k and u the source's motion from
frame t to frame k,

    S_t(p) = f_t * sum_k w_k C_k(p + u(p)) / sum_k w_k f_k
    w_k    = exp(-|t_k - t| / CONSTANT) * product of A and V along the way

where f is what a frame's edit was scaled by (confidence, and the level of a strength that changes over time), so that
fading in and out is not smeared; A is how alike the strengths of two neighbours are, for a stronger edit also changes
other places (:mod:`videdit.edits.timeline`); and V is how well the motion from a frame to the next and back agree, and
how alike the two frames are along it: where a mouth opens or a hand comes up there is nothing to average with, and the
frame's own change counts alone. Both sums are chained from neighbour to neighbour: one warp a frame and side. Motion is
estimated at 256 px, changes are averaged at up to BAND; what is finer in a change stays as it is.

A mean is never quite in place: where lips part quickly, a mean that should take their line away leaves a ghost of it
across the teeth. So the result, source and mean change, is kept within what source and own change have in the
neighbourhood of the pixel, and MARGIN beyond; the rule that temporal antialiasing of renderers lives by. Trembling that
is weaker than MARGIN, which most is, is not touched by it.

The masks of changes are averaged alike, for a mask that is found anew in each frame trembles too.

Sums are held at B = min(S, BAND) pixels for a crop of S: see :class:`videdit.datatypes.Accumulator`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from videdit.datatypes import LOW, Accumulator, Edited, Motion
from videdit.imaging.optical_flow import SMOOTH, ThreadOwn, channel_sum, remap, resized, sampling_grid, warp

# Seconds in which a neighbour's weight falls to 1/e: longer, shadows of a smile smear where a mouth moves, and within
# the bounds below nothing trembles less. Speech and blinks come through, since the source's own lips and lids carry the
# change with them.
CONSTANT = 0.35
BAND = 512  # pixels
DRIFT_TOLERANCE = 1.0  # pixels at 256 by which motion and motion back may differ, where V is 1/e
MARGIN = 0.03  # in units of [-1, 1] RGB
REACH = 1  # pixels at 256 to each side that are a pixel's neighbourhood
LIKENESS = 20.0  # grey levels of 255 by which what moved, smoothed, may differ, where V is 1/e


def fading(seconds: float) -> float:
    """The weight of a neighbour so far away in time."""
    return math.exp(-abs(seconds) / CONSTANT)


def grey(crop: np.ndarray) -> np.ndarray:
    """A crop [S, S, 3] uint8 RGB, S >= 256 -> what its motion is estimated on, uint8 [256, 256]."""
    return cv2.cvtColor(cv2.resize(crop, (LOW, LOW), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


class DriftEstimator:
    """The source's motion between two crops, grey uint8 [256, 256]: from the one to the other, and back."""

    def __init__(self) -> None:
        self._flows = ThreadOwn(lambda: cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM))

    def __call__(self, one: np.ndarray, other: np.ndarray) -> tuple[Motion, Motion]:
        """(where in `other` each pixel of `one` went, where in `one` each pixel of `other` came from)"""
        flow = self._flows()
        there, back = flow.calc(one, other, None), flow.calc(other, one, None)
        one, other = one.astype(np.float32), other.astype(np.float32)
        return (
            Motion(there, agreement(there, back) * likeness(one, other, there)),
            Motion(back, agreement(back, there) * likeness(other, one, back)),
        )


def agreement(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """How well two flows [256, 256, 2] undo each other, [256, 256] float32 in [0, 1]."""
    return np.exp(-channel_sum(np.square(there + warp(back, there))) / DRIFT_TOLERANCE**2)


def likeness(one: np.ndarray, other: np.ndarray, there: np.ndarray) -> np.ndarray:
    """How alike two greys [256, 256] are along the flow from the one to the other, [256, 256] float32 in [0, 1]."""
    difference = cv2.GaussianBlur(warp(other, there) - one, (0, 0), SMOOTH)
    return np.exp(-np.square(difference / LIKENESS))


def init_accumulator(change: np.ndarray, mask: np.ndarray, confidence: float) -> Accumulator:
    """The sums that hold one change [S, S, 3] and its mask [S, S] uint8 alone."""
    low = low_band(change)
    return Accumulator(np.dstack((low, np.full(low.shape[:2], confidence, np.float32))), low_mask(mask) * confidence)


def low_band(change: np.ndarray) -> np.ndarray:
    """A change [S, S(, 3)] as it is averaged: [B, B(, 3)] float32."""
    change = change.astype(np.float32)
    return change if change.shape[0] <= BAND else cv2.resize(change, (BAND, BAND), interpolation=cv2.INTER_AREA)


def low_mask(mask: np.ndarray) -> np.ndarray:
    """A mask [S, S] uint8 as it is averaged: [B, B] float32 in 0..1."""
    return low_band(mask) / 255


def upsample_flow(motion: Motion, size: int) -> Motion:
    """A motion at 256 px -> the same for sums of `size`: validity [B, B], and as flow the places [B, B, 2] it leads to.

    Places, since one motion is followed for every frame that a change is carried through.
    """
    return Motion(sampling_grid(resized(motion.flow, size) * (size / LOW)), resized(motion.validity, size))


def warp_accumulator(total: Accumulator, motion: Motion, weight: float) -> Accumulator:
    """A neighbour's sums as they count here: read along the motion (of this size), times `weight` and validity."""
    weights = weight * motion.validity
    changes, masks = (remap(resized(sums, len(weights)), motion.flow) for sums in (total.changes, total.masks))
    return Accumulator(changes * weights[..., None], masks * weights)


def resolve(edit: Edited, total: Accumulator, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """The change [S, S, 3] float16 and the mask [S, S] uint8 of an edit, the means of `total` in place of low bands."""
    size, weights = len(edit.change), total.changes[..., 3]
    mean, mean_mask = confidence * total.changes[..., :3] / weights[..., None], total.masks / weights
    own = low_band(edit.change)
    mean = within(low_band(edit.source) / 127.5 - 1, own, mean)
    if len(mean) != size:
        mean = edit.change + resized(mean - own, size)
        mean_mask = edit.mask / 255 + resized(mean_mask - low_mask(edit.mask), size)
    # A moment's own mask has the last word where it says no: what comes in front of a face is in front at once.
    mask = np.minimum(255 * mean_mask, 2.0 * edit.mask).clip(0, 255)
    return mean.astype(np.float16), np.rint(mask).astype(np.uint8)


def within(source: np.ndarray, own: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """A mean change so that the result stays near what the moment's own has around; all [B, B, 3], RGB in [-1, 1]."""
    result = source + own
    width = 2 * REACH * len(own) // LOW + 1
    square = np.ones((width, width), np.uint8)
    least, most = cv2.erode(result, square) - MARGIN, cv2.dilate(result, square) + MARGIN
    return np.clip(mean, least - source, most - source)
