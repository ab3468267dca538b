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

Sums are held as [B, B, 4], B = min(S, BAND) for a crop of S pixels: w C, then w f.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from videdit.motion import SMOOTH, at
from videdit.packets import LOW, Motion

# Seconds in which a neighbour's weight falls to 1/e: .35 trembles more, .7 is no steadier. Speech and blinks come
# through, since the source's own lips and lids carry the change with them.
CONSTANT = 0.5
BAND = 512  # pixels
DRIFT_TOLERANCE = 1.0  # pixels at 256 by which motion and motion back may differ, where V is 1/e
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
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, one: np.ndarray, other: np.ndarray) -> tuple[Motion, Motion]:
        """(where in `other` each pixel of `one` went, where in `one` each pixel of `other` came from)"""
        there, back = self._flow.calc(one, other, None), self._flow.calc(other, one, None)
        one, other = one.astype(np.float32), other.astype(np.float32)
        return (
            Motion(there, agreement(there, back) * likeness(one, other, there)),
            Motion(back, agreement(back, there) * likeness(other, one, back)),
        )


def agreement(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """How well two flows [256, 256, 2] undo each other, [256, 256] float32 in [0, 1]."""
    return np.exp(-np.square(there + at(back, there)).sum(axis=2) / DRIFT_TOLERANCE**2)


def likeness(one: np.ndarray, other: np.ndarray, there: np.ndarray) -> np.ndarray:
    """How alike two greys [256, 256] are along the flow from the one to the other, [256, 256] float32 in [0, 1]."""
    difference = cv2.GaussianBlur(at(other, there) - one, (0, 0), SMOOTH)
    return np.exp(-np.square(difference / LIKENESS))


def opened(change: np.ndarray, confidence: float) -> np.ndarray:
    """The sum that holds one change [S, S, 3] alone: [B, B, 4] float32."""
    low = low_band(change)
    return np.dstack((low, np.full(low.shape[:2], confidence, np.float32)))


def low_band(change: np.ndarray) -> np.ndarray:
    """A change [S, S, 3] as it is averaged: [B, B, 3] float32."""
    change = change.astype(np.float32)
    return change if change.shape[0] <= BAND else cv2.resize(change, (BAND, BAND), interpolation=cv2.INTER_AREA)


def enlarged(motion: Motion, size: int) -> Motion:
    """A motion at 256 px -> the same for sums of `size`: flow [B, B, 2] in their pixels, validity [B, B]."""
    return Motion(resized(motion.flow, size) * (size / LOW), resized(motion.validity, size))


def moved(total: np.ndarray, motion: Motion, weight: float) -> np.ndarray:
    """A neighbour's sum as it counts here: read along the motion (of this size), weighted by `weight` and validity."""
    return at(resized(total, len(motion.flow)), motion.flow) * (weight * motion.validity[..., None])


def resized(array: np.ndarray, size: int) -> np.ndarray:
    """An array [N, N(, C)] at another size."""
    return array if array.shape[0] == size else cv2.resize(array, (size, size), interpolation=cv2.INTER_LINEAR)


def closed(change: np.ndarray, total: np.ndarray, confidence: float) -> np.ndarray:
    """A change [S, S, 3] float16 with the mean that `total` holds in place of its own low band."""
    mean = confidence * total[..., :3] / total[..., 3:]
    if len(mean) == len(change):
        return mean.astype(np.float16)
    return (change + resized(mean - low_band(change), len(change))).astype(np.float16)
