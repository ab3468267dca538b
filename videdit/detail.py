"""Detail return, the step after HFGI's seven: what the generator cannot say is carried over from the source.

The residual R = source crop - Y0 holds everything that the inversion lost at full size. The edit moves parts of the
face; a dense flow F between two clean renders of it, Xe -> Xo, says where each edited pixel was before. So

    result = Y1 + V * warp(R, F)

with V in [0, 1] high where Xo, warped, looks like Xe (the same skin, only moved) and flow and back flow agree. New
content (teeth, wrinkles, opened eyes) comes from the generator, everything else is the source's own pixels. At strength
0 the two renders are one: F = 0, V = 1, and the result is the source.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from videdit.packets import LOW, Rendering

_TOLERANCE = 0.16  # difference of the warped render from the edited one, in units of [-1, 1], at which V is 1/e
_FLOW_TOLERANCE = 2.5  # pixels at 256 by which flow and back flow may differ, where V is 1/e
_IDENTITY = np.stack(np.meshgrid(np.arange(LOW), np.arange(LOW)), axis=-1).astype(np.float32)  # [256, 256, 2] (x, y)


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the edited face's pixels were before the edit.

    flow: [256, 256, 2] float32, (x, y) in pixels at 256, from the edited render to the inversion's.
    validity: [256, 256] float32 in [0, 1].
    """

    flow: np.ndarray
    validity: np.ndarray


class MotionEstimator:
    """Dense flow between the two low renders of a crop, and how far it can be trusted."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setFinestScale(1)

    def __call__(self, rendering: Rendering) -> Motion:
        before, after = rendering.inversion_low, rendering.edit_low
        grey_before, grey_after = _grey(before), _grey(after)
        forward = self._flow.calc(grey_after, grey_before, None)  # edited pixel -> where it was
        back = self._flow.calc(grey_before, grey_after, None)
        forward = cv2.GaussianBlur(forward, (0, 0), 1.5)
        back = cv2.GaussianBlur(back, (0, 0), 1.5)
        there = _IDENTITY + forward
        # Photometric agreement, on smoothed colours: fine texture of two renders never matches to the pixel.
        moved = cv2.remap(before, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        difference = np.abs(cv2.GaussianBlur(moved - after, (0, 0), 1.5)).max(axis=2)
        error = forward + cv2.remap(back, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        distance = np.square(error).sum(axis=2)
        validity = np.exp(-np.square(difference / _TOLERANCE) - distance / _FLOW_TOLERANCE**2)
        return Motion(forward, cv2.GaussianBlur(validity, (0, 0), 2.0))


def return_detail(crop: np.ndarray, rendering: Rendering, motion: Motion) -> np.ndarray:
    """The change that the edit makes to a crop.

    crop: [S, S, 3] uint8 RGB. Returns result - crop, [S, S, 3] float32 in units where RGB spans [-1, 1].
    """
    size = crop.shape[0]
    source = crop.astype(np.float32) / 127.5 - 1
    residual = source - rendering.inversion
    flow, validity = motion.flow, motion.validity
    if size != LOW:
        flow = cv2.resize(flow, (size, size), interpolation=cv2.INTER_LINEAR) * (size / LOW)
        validity = cv2.resize(validity, (size, size), interpolation=cv2.INTER_LINEAR)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    carried = cv2.remap(
        residual, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return rendering.edit + validity[..., None] * carried - source


def blend_motions(motions: list[Motion], weights: np.ndarray) -> Motion:
    """A weighted mean of the motions of neighbouring frames: smoothed over time, they do not flicker."""
    weights = weights / weights.sum()
    flow = sum(w * motion.flow for w, motion in zip(weights, motions, strict=True))
    validity = sum(w * motion.validity for w, motion in zip(weights, motions, strict=True))
    return Motion(np.asarray(flow, np.float32), np.asarray(validity, np.float32))


def _grey(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] float32 RGB in [-1, 1] -> uint8 [H, W]"""
    return cv2.cvtColor(np.clip(image * 127.5 + 127.5, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
