"""Dense inverse search flow (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016), by OpenCV."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np


class InverseSearch:
    """A :class:`videdit.imaging.optical_flow.FlowStrategy` on numpy arrays. Threads may ask at once."""

    def __init__(self) -> None:
        self._kept = threading.local()  # OpenCV's estimators write into memory of their own while they work

    def grey(self, image: np.ndarray) -> np.ndarray:
        """[H, W, 3] float32 RGB in [-1, 1] -> uint8 [H, W, 1]."""
        return cv2.cvtColor(np.clip(image * 127.5 + 127.5, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)[..., None]

    def both_ways(self, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`videdit.imaging.optical_flow.FlowStrategy.both_ways`; one, other: uint8."""
        if not hasattr(self._kept, "flow"):
            self._kept.flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            self._kept.flow.setFinestScale(1)
        flow: Any = self._kept.flow
        one, other = one[..., 0], other[..., 0]
        return flow.calc(one, other, None), flow.calc(other, one, None)
