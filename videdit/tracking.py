"""Who is who from frame to frame, and how much of the edit each face gets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from videdit.faces import face_size
from videdit.packets import Face

SMALLEST = 40.0  # px: smaller faces show no edit
LARGEST_YAW = 40.0  # degrees: beyond, the generator has seen no faces
FADE = 0.2  # seconds from none to all of an edit
REMEMBER = 1.0  # seconds after which a lost face that comes back is someone new


@dataclass
class _Known:
    face: Face
    time: float


class Tracker:
    """Gives faces ids, 0, 1, 2, ..., that last while the face stays in the shot."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}
        self._next = 0
        self._scene: int | None = None

    def __call__(self, faces: tuple[Face, ...], time: float, scene: int) -> dict[int, Face]:
        """The faces of the next frame by their ids. A new scene starts with new ids."""
        if scene != self._scene:
            self._known.clear()
            self._scene = scene
        self._known = {track: known for track, known in self._known.items() if time - known.time <= REMEMBER}
        tracks = list(self._known)
        cost = np.array([[_distance(self._known[track].face, face) for face in faces] for track in tracks])
        rows, columns = linear_sum_assignment(cost.reshape(len(tracks), len(faces)))
        ids = {int(c): tracks[r] for r, c in zip(rows, columns, strict=True) if cost[r, c] < 1}
        named: dict[int, Face] = {}
        for i, face in enumerate(faces):
            if i not in ids:
                ids[i], self._next = self._next, self._next + 1
            named[ids[i]] = face
            self._known[ids[i]] = _Known(face, time)
        return named


def _distance(a: Face, b: Face) -> float:
    """How unlikely two faces of near frames are one: 0 the same place and size; from 1 on impossible."""
    small, large = sorted((face_size(a), face_size(b)))
    away = float(np.linalg.norm(a.points.mean(0) - b.points.mean(0)))
    return away / max(small, 1e-9) + math.log2(max(large, 1e-9) / max(small, 1e-9))


def fitness(face: Face, width: int, height: int) -> dict[str, float]:
    """How fit a face is for an edit, 0 (not) .. 1, by reason: it is as fit as the least of them.

    width, height: of the frame, in pixels.
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
