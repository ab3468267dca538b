"""How an edit moves a face: dense flow between the generator's renders before and after it.

Two clean renders of one face differ by the edit alone, so flow between them is easy, and where it fails says what is
new.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Generic, TypeVar

import cv2
import numpy as np

from videdit.datatypes import Motion
from videdit.pipeline.windows import weighted_mean

T = TypeVar("T")

TOLERANCE = 0.16  # difference of the warped render from the edited one, in units of [-1, 1], at which validity is 1/e
BROAD, BROAD_SHARE = 18.0, 0.85  # pixels at 256, and how much of a difference that broad is forgiven
SMOOTH = 1.5  # sigma in pixels at 256 of flow, and of colours that are compared
SOFT = 2.0  # sigma in pixels at 256 of where validity ends
FLOW_TOLERANCE = 2.5  # pixels at 256 by which flow and back flow may differ, where validity is 1/e


class ThreadOwn(Generic[T]):
    """An object for each thread that asks: OpenCV's estimators write into memory of their own while they work."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make, self._kept = make, threading.local()

    def __call__(self) -> T:
        if not hasattr(self._kept, "value"):
            self._kept.value = self._make()
        return self._kept.value


class MotionEstimator:
    """Dense inverse search flow (Kroeger et al., 2016), both ways, smoothed. Threads may ask at once."""

    def __init__(self) -> None:
        self._flows = ThreadOwn(self._flow)

    @staticmethod
    def _flow() -> cv2.DISOpticalFlow:
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        flow.setFinestScale(1)
        return flow

    def __call__(self, before: np.ndarray, after: np.ndarray) -> Motion:
        """before, after: the low renders Xo and Xe, [256, 256, 3] float32 in [-1, 1]."""
        grey_before, grey_after = _grey(before), _grey(after)
        flow = self._flows()
        forward = flow.calc(grey_after, grey_before, None)  # edited pixel -> where it was
        back = flow.calc(grey_before, grey_after, None)
        forward = cv2.GaussianBlur(forward, (0, 0), SMOOTH)
        back = cv2.GaussianBlur(back, (0, 0), SMOOTH)
        # Photometric agreement, on smoothed colours, since fine texture of two renders never matches to the pixel; and
        # mostly without the broad part, since skin that tans or hair that greys is still the same skin and hair.
        difference = cv2.GaussianBlur(warp(before, forward) - after, (0, 0), SMOOTH)
        difference -= BROAD_SHARE * cv2.GaussianBlur(difference, (0, 0), BROAD)
        difference = np.abs(difference).max(axis=2)
        distance = channel_sum(np.square(forward + warp(back, forward)))
        validity = np.exp(-np.square(difference / TOLERANCE) - distance / FLOW_TOLERANCE**2)
        return Motion(forward, cv2.GaussianBlur(validity, (0, 0), SOFT))


def blend_motions(motions: list[Motion], weights: np.ndarray) -> Motion:
    """A weighted mean of the motions of neighbouring frames: smoothed over time, they do not flicker."""
    flow = weighted_mean([motion.flow for motion in motions], weights)
    return Motion(flow, weighted_mean([motion.validity for motion in motions], weights))


def warp_distortion_map(distortion: np.ndarray, motion: Motion) -> np.ndarray:
    """A distortion map [256, 256, 3] moved to where the edited face is, and emptied where nothing of the source is.

    The paper's remedy for large edits (appendix C.6: align before ADA), by flow instead of landmarks: ADA learnt to
    undo small global motion, and would paint the source's lips over new teeth.
    """
    return warp(distortion, motion.flow) * motion.validity[..., None]


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """image [S, S, C] read where flow [S, S, 2] says: out(p) = image(p + flow(p))."""
    return remap(image, sampling_grid(flow))


def sampling_grid(flow: np.ndarray) -> np.ndarray:
    """Where a flow [S, S, 2] points to, for :func:`remap`: p + flow(p)."""
    return _places(len(flow)) + flow


def remap(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """image [S, S, C] at the places `where` [S, S, 2]."""
    return cv2.remap(image, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def channel_sum(image: np.ndarray) -> np.ndarray:
    """[H, W, C] float32 -> [H, W]. NumPy's own sum over so short an axis takes five times as long."""
    return image @ np.ones(image.shape[2], np.float32)


def strongest(image: np.ndarray) -> np.ndarray:
    """The largest magnitude of three channels, [H, W, 3] -> [H, W]; fast for the same reason."""
    red, green, blue = cv2.split(np.abs(image))
    return np.maximum(np.maximum(red, green), blue)


@cache
def _places(size: int) -> np.ndarray:
    """Where the pixels of an image are for OpenCV, [S, S, 2] (x, y)."""
    return np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(np.float32)


def _grey(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] float32 RGB in [-1, 1] -> uint8 [H, W]"""
    return cv2.cvtColor(np.clip(image * 127.5 + 127.5, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)


def resized(image: np.ndarray, size: int) -> np.ndarray:
    """An image [N, N(, C)] at another size, averaged where it shrinks."""
    if len(image) == size:
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if len(image) > size else cv2.INTER_LINEAR)
