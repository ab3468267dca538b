"""How much of the edit each face gets."""

from __future__ import annotations

import numpy as np

from videdit.datatypes import Face
from videdit.faces.detector import face_size

SMALLEST = 40.0  # px: smaller faces show no edit
LARGEST_YAW = 40.0  # degrees: beyond, the generator has seen no faces
FADE = 0.2  # seconds from none to all of an edit


def fitness(face: Face, width: float, height: float) -> dict[str, float]:
    """How fit a face is for an edit, 0 (not) .. 1, by reason: it is as fit as the least of them.

    width, height: of the frame, in square pixels.
    """
    assert face.mesh is not None
    inside = np.all((face.mesh >= 0) & (face.mesh <= (width, height)), axis=1).mean()
    return {
        "too small": _ramp(face_size(face), SMALLEST, SMALLEST + 8),
        "turned away": _ramp(-abs(face.yaw), -LARGEST_YAW - 5, -LARGEST_YAW + 5),
        "out of the picture": _ramp(float(inside), 0.6, 0.8),
    }


def _ramp(value: float, zero: float, one: float) -> float:
    return min(max((value - zero) / (one - zero), 0.0), 1.0)


def fade(times: np.ndarray, targets: np.ndarray, at: float, duration: float) -> float:
    """The confidence at a moment: at most its own target, and never steeper than 1 in ``duration`` seconds.

    times [T] seconds, targets [T] in 0..1. So a face that is lost (target 0) has faded out when it goes, not after.
    """
    level = float(np.min(np.asarray(targets) + np.abs(np.asarray(times) - at) / duration))
    level = min(max(level, 0.0), 1.0)
    return level * level * (3 - 2 * level)
