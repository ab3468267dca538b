"""How steady an edited clip is, measured against its source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from videdit.geometry.warp import displace, pixel_centres
from videdit.imaging.inverse_search import InverseSearch


@dataclass(frozen=True, slots=True)
class Stability:
    """Identity from frame to frame beside the source's own; 1 is as steady as the source."""

    local: float  # TL-ID, between neighbours
    all: float  # TG-ID, between all pairs


def identity_stability(source: np.ndarray, edited: np.ndarray) -> Stability:
    """TL-ID and TG-ID of unit embeddings [T, D] of the source's and the edited clip's faces, frame by frame, T >= 2.

    The edited clip's cosines are divided by the source's; ratios are held within 0..1, so that a clip is not rewarded
    for being steadier than its source in some frames.
    """
    if source.shape != edited.shape or len(source) < 2:
        raise ValueError(f"stability needs two equal rows of at least 2 embeddings, not {source.shape}, {edited.shape}")
    ratio = np.clip(edited @ edited.T, 0, None) / np.maximum(source @ source.T, 1e-6)
    ratio = np.minimum(ratio, 1.0)
    pairs = np.triu_indices(len(ratio), 1)
    return Stability(float(np.diagonal(ratio, 1).mean()), float(ratio[pairs].mean()))


def warp_errors(source: np.ndarray, *clips: np.ndarray) -> list[float]:
    """How badly each clip moves as the source does: mean squared difference, 0..1, after undoing the source's motion.

    source and clips: [T, H, W, 3] uint8, T >= 2. The flow (DIS) is the source's, so that an edit cannot hide what it
    does; pixels that it sees hidden or leaving the picture do not count. The source itself is a fair first clip.
    """
    totals, count = np.zeros(len(clips)), 0
    strategy = InverseSearch()
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None] for frame in source]
    height, width, _ = grey[0].shape
    centres = pixel_centres(height, width)
    sample = partial(displace, border=cv2.BORDER_CONSTANT)
    for t in range(len(source) - 1):
        forward, back = strategy.both_ways(grey[t], grey[t + 1])  # [H, W, 2] where each pixel of t goes, and back
        there = centres + forward
        inside = ((there >= 0.5) & (there <= (width - 0.5, height - 0.5))).all(-1)
        valid = inside & ~_occluded(forward, sample(back, forward))
        count += int(valid.sum())
        for i, clip in enumerate(clips):
            difference = (sample(clip[t + 1].astype(np.float32), forward) - clip[t].astype(np.float32)) / 255
            totals[i] += float(np.square(difference).mean(-1)[valid].sum())
    return [float(total / max(count, 1)) for total in totals]


def _occluded(forward: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Where flow and the flow back from there, [H, W, 2] both, do not cancel: what is seen once only."""
    lengths = np.square(forward).sum(-1) + np.square(back).sum(-1)
    return np.square(forward + back).sum(-1) > 0.01 * lengths + 0.5
