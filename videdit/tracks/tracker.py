"""Who is who: faces of frame after frame -> stretches of one face, and stretches -> people, within a shot.

Two steps. :class:`Tracker` names the faces of a frame by where those of the frames before are going and how they look,
as a whole (Hungarian assignment). It is careful: what it is not sure of becomes a new stretch. Once the shot is known,
:func:`link_tracklets` puts the stretches of one person together again, over the seconds that a hand or another head
took.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from videdit.datatypes import Face
from videdit.faces.detector import face_size

REMEMBER = 0.25  # seconds without a face that end a stretch
APART = 10.0  # seconds after which nobody is taken for who was there before
SPARSE = 0.5  # seconds between frames from which on they are far apart
_STEP = 0.2  # seconds that the next of such frames counts as later
_PAUSE = 1.0  # seconds at most that one frame counts as later than the one before: nobody can be seen to go in a pause
_ALIKE = 0.6  # of looks: what moments of one person hardly ever fall below
_PACE = 0.1  # seconds over which a face's speed is averaged
_DISTINCT = 1.2  # faces further apart than so many times their size do not disturb each other's looks


@dataclass
class Tracklet:
    """A face that was followed without a doubt."""

    scene: int
    first: float  # seconds
    last: float
    start: Face
    end: Face
    frames: int = 1
    looks: list[np.ndarray] = field(default_factory=list)  # the first and the last
    total: np.ndarray | float = 0.0  # their sum, over all frames
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))  # px a second
    look: np.ndarray | None = None  # as it was when nothing was near

    @property
    def usual(self) -> np.ndarray | None:
        """The look in the middle of all [D], unit length."""
        length = float(np.linalg.norm(self.total))
        return np.asarray(self.total) / length if length > 0 else None


class Tracker:
    """Names faces by stretches 0, 1, 2, ..., which it keeps in ``stretches``.

    Their times are those of a clock that goes slower where frames are far apart, as in a timelapse: whoever is in one
    frame is looked for in the next, even if an hour lies between them.
    """

    def __init__(self) -> None:
        """One a clip: its first frame is also the first of a shot."""
        self.stretches: list[Tracklet] = []
        self._known: list[int] = []
        self._scene: int | None = None
        self._now = 0.0  # on that clock
        self._before: float | None = None  # the time of the frame before
        self._steps: deque[float] = deque(maxlen=25)

    def __call__(self, faces: Sequence[Face], looks: Sequence[np.ndarray | None], time: float, scene: int) -> list[int]:
        """The stretch of each face of the next frame. looks: see :mod:`videdit.tracks.appearance`; None: not known."""
        time = self._slowed(time)
        if scene != self._scene:
            self._known, self._scene = [], scene
        self._known = [i for i in self._known if time - self.stretches[i].last <= REMEMBER]
        known = [self.stretches[i] for i in self._known]
        cost = np.array([[_association_cost(s, f, k, time) for f, k in zip(faces, looks, strict=True)] for s in known])
        # What cannot be must not keep others from being: all of it costs the same.
        rows, columns = _assigned(np.minimum(cost, 1.0).reshape(len(known), len(faces)))
        names = {int(c): self._known[r] for r, c in zip(rows, columns, strict=True) if cost[r, c] < 1}
        for i, (face, look) in enumerate(zip(faces, looks, strict=True)):
            alone = all(other is face or _away(face, other) > _DISTINCT for other in faces)
            if i in names:
                _go_on(self.stretches[names[i]], face, look, time, alone)
            else:
                names[i] = len(self.stretches)
                self._known.append(names[i])
                self.stretches.append(_begin(face, look, time, scene))
        return [names[i] for i in range(len(faces))]

    def _slowed(self, time: float) -> float:
        """The time of a frame on the clock of the stretches."""
        if self._before is None:
            self._now = time
        else:
            step = time - self._before
            self._steps.append(step)
            usual = statistics.median(self._steps)
            self._now += step * _STEP / usual if usual > SPARSE else min(step, _PAUSE)
        self._before = time
        return self._now


def link_tracklets(stretches: Sequence[Tracklet]) -> list[int]:
    """The person of each stretch, as the number of that person's first one. Nobody outlives a scene.

    Each stretch is followed by at most one other of its scene, chosen for all of them at once: one that begins after
    it, looks alike, and is the nearer in time and place the less it does.
    """
    people = list(range(len(stretches)))
    for scene in sorted({stretch.scene for stretch in stretches}):
        own = [i for i, stretch in enumerate(stretches) if stretch.scene == scene]
        cost = np.array([[_link_cost(stretches[a], stretches[b]) for b in own] for a in own])
        rows, columns = _assigned(np.minimum(cost, 1.0))
        for row, column in sorted(zip(rows, columns, strict=True), key=lambda pair: stretches[own[pair[1]]].first):
            if cost[row, column] < 1:
                people[own[column]] = people[own[row]]
    return people


def _assigned(cost: np.ndarray) -> tuple[Sequence[int], Sequence[int]]:
    """Rows and columns of an [R, C] matrix in pairs whose sum is least. One of either needs no solver."""
    if min(cost.shape) <= 1:
        if not cost.size:
            return [], []
        row, column = divmod(int(cost.argmin()), cost.shape[1])
        return [row], [column]
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(cost)


def _association_cost(stretch: Tracklet, face: Face, look: np.ndarray | None, time: float) -> float:
    """How unlikely a face goes on a stretch: 0 where it was to be and as it looked; from 1 on impossible."""
    foretold = stretch.end.points.mean(0) + (time - stretch.last) * stretch.velocity
    small, large = sorted((face_size(stretch.end), face_size(face)))
    away = float(np.linalg.norm(foretold - face.points.mean(0))) / max(small, 1e-9)
    unlike = 0.0
    if look is not None and stretch.look is not None:
        unlike = max(0.0, _ALIKE - float(look @ stretch.look))
    return away + math.log2(max(large, 1e-9) / max(small, 1e-9)) + unlike


def _link_cost(before: Tracklet, after: Tracklet) -> float:
    """How unlikely one person goes from one stretch to another: from 1 on impossible."""
    gap = after.first - before.last
    if not 0 < gap <= APART or before.usual is None or after.usual is None:
        return 2.0
    alike = max(float(before.usual @ after.usual), float(before.looks[-1] @ after.looks[0]))
    small, large = sorted((face_size(before.end), face_size(after.start)))
    away = min(_away(before.end, after.start), 6.0)
    return 2 * (1 - alike) + 0.04 * gap + 0.1 * away + 0.2 * math.log2(max(large, 1e-9) / max(small, 1e-9))


def _away(a: Face, b: Face) -> float:
    """Distance of two faces, in sizes of the larger."""
    return float(np.linalg.norm(a.points.mean(0) - b.points.mean(0))) / max(face_size(a), face_size(b), 1e-9)


def _begin(face: Face, look: np.ndarray | None, time: float, scene: int) -> Tracklet:
    if look is None:
        return Tracklet(scene, time, time, face, face)
    return Tracklet(scene, time, time, face, face, looks=[look, look], total=look, look=look)


def _go_on(stretch: Tracklet, face: Face, look: np.ndarray | None, time: float, alone: bool) -> None:
    step = max(time - stretch.last, 1e-3)
    velocity = (face.points.mean(0) - stretch.end.points.mean(0)) / step
    keep = math.exp(-step / _PACE)
    stretch.velocity = keep * stretch.velocity + (1 - keep) * velocity
    stretch.last, stretch.end, stretch.frames = time, face, stretch.frames + 1
    if look is None:
        return
    stretch.total = stretch.total + look
    stretch.looks[-1:] = [look]
    # A hand, or another head, that comes before the face must not become its look.
    if stretch.look is None:
        stretch.look = look
    elif alone and float(look @ stretch.look) > _ALIKE:
        mixed = 0.9 * stretch.look + 0.1 * look
        stretch.look = mixed / float(np.linalg.norm(mixed))
