"""Track: gives faces ids, chooses whom to edit, steadies the crops, and fades edits in and out."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from videdit.errors import UsageError
from videdit.faces import face_size
from videdit.geometry.align import invert, transform, upright_matrix
from videdit.geometry.smooth import local_fit, smooth_points
from videdit.packets import Face, Frame
from videdit.tracking import FADE, Tracker, fade, fitness

LOOK_AHEAD = 0.25  # seconds
MOST_AHEAD = 12  # frames: what waits here is whole decoded pictures
GAP = 0.15  # seconds: a face lost for less than this is taken to have been there
_MESH_SIGMA = 0.04  # seconds: little, for the mesh follows speech and blinks
_SWITCH = 1.4  # another face must be so many times as large to become "the largest"


@dataclass
class _Moment:
    """What is known of one frame's faces, by track; their confidence is what they would get without fading."""

    time: float
    faces: dict[int, Face]


class Track:
    """Hands on the faces to edit, with ids, steadied points and confidence; others are left out.

    Holds back LOOK_AHEAD seconds of frames. ``unfit`` counts the faces that were no good for an edit, by reason.
    """

    name = "track"

    def __init__(self, faces: str | int = "largest") -> None:
        """faces: "largest", "all", "left" (the leftmost as displayed), or a number: 0 the leftmost, 1 the next, ...

        Raises UsageError for other words.
        """
        if isinstance(faces, str) and faces.isdecimal():
            faces = int(faces)
        if faces not in ("largest", "all", "left") and (not isinstance(faces, int) or faces < 0):
            raise UsageError(f"faces must be largest, all, left or a number from the left (0, 1, ...), not {faces!r}")
        self.faces = faces
        self.unfit: Counter[str] = Counter()

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        tracker = Tracker()
        past: deque[_Moment] = deque()  # of this shot, already handed on
        ahead: deque[tuple[_Moment, Frame]] = deque()
        choice = _Choice(self.faces)
        scene = None
        for frame in frames:
            if frame.scene != scene:
                while ahead:
                    yield _hand_on(past, ahead)
                past.clear()
                choice, scene = _Choice(self.faces), frame.scene
            named = tracker(frame.faces, frame.time, frame.scene)
            chosen = choice(named, frame)
            moment = _Moment(frame.time, {t: self._judged(face, frame, t in chosen) for t, face in named.items()})
            ahead.append((moment, frame))
            _fill_gaps([*past, *(m for m, _ in ahead)])
            while len(ahead) > MOST_AHEAD or frame.time - ahead[0][0].time >= LOOK_AHEAD:
                yield _hand_on(past, ahead)
        while ahead:
            yield _hand_on(past, ahead)

    def _judged(self, face: Face, frame: Frame, chosen: bool) -> Face:
        fit = fitness(face, frame.picture.width, frame.picture.height)
        reason = min(fit, key=lambda name: fit[name])
        if fit[reason] == 0:
            self.unfit[reason] += 1
        return replace(face, confidence=fit[reason] if chosen else 0.0)


class _Choice:
    """Whom to edit: decided as frames come, kept while the face is there or only briefly gone."""

    def __init__(self, faces: str | int) -> None:
        self.faces = faces
        self._track: int | None = None
        self._seen = 0.0

    def __call__(self, named: dict[int, Face], frame: Frame) -> set[int]:
        if self.faces == "all":
            return set(named)
        if self._track in named:
            self._seen = frame.time
        keep = self._track is not None and frame.time - self._seen < GAP
        best = self._largest(named) if self.faces == "largest" else self._from_left(named, frame)
        if best is not None and best != self._track and not (keep and self._rather(named, best)):
            self._track, self._seen = best, frame.time
        return set() if self._track is None else {self._track}

    def _rather(self, named: dict[int, Face], other: int) -> bool:
        """Whether to stay with the one chosen before, who was here a moment ago, when ``other`` would be chosen now."""
        if self.faces != "largest" or self._track not in named:
            return True
        return face_size(named[other]) < _SWITCH * face_size(named[self._track])

    def _largest(self, named: dict[int, Face]) -> int | None:
        return max(named, key=lambda track: face_size(named[track]), default=None)

    def _from_left(self, named: dict[int, Face], frame: Frame) -> int | None:
        picture = frame.picture
        upright = invert(upright_matrix(frame.extra.get("rotation", 0), picture.width, picture.height))
        order = sorted(named, key=lambda track: float(transform(upright, named[track].points)[:, 0].mean()))
        place = 0 if self.faces == "left" else int(self.faces)
        return order[place] if place < len(order) else None


def _fill_gaps(moments: list[_Moment]) -> None:
    """Where a face of the last moment was briefly lost before, put it halfway between where it was seen."""
    last = moments[-1]
    for track, face in last.faces.items():
        missing: list[_Moment] = []
        for moment in reversed(moments[:-1]):
            if last.time - moment.time > GAP:
                break
            if track not in moment.faces:
                missing.append(moment)
                continue
            for lost in missing:
                part = (lost.time - moment.time) / (last.time - moment.time)
                lost.faces[track] = _between(moment.faces[track], face, part)
            break


def _between(a: Face, b: Face, part: float) -> Face:
    assert a.mesh is not None and b.mesh is not None
    return replace(
        a,
        points=(1 - part) * a.points + part * b.points,
        mesh=(1 - part) * a.mesh + part * b.mesh,
        yaw=(1 - part) * a.yaw + part * b.yaw,
        confidence=min(a.confidence, b.confidence),
    )


def _hand_on(past: deque[_Moment], ahead: deque[tuple[_Moment, Frame]]) -> Frame:
    """Take the first frame that waits, with its faces steadied by what is known before and after it."""
    moment, frame = ahead.popleft()
    near = [*past, moment, *(m for m, _ in ahead)]
    faces = [_steadied(near, len(past), track) for track in sorted(moment.faces)]
    past.append(moment)
    while moment.time - past[0].time > LOOK_AHEAD:
        past.popleft()
    return replace(frame, faces=tuple(face for face in faces if face.confidence > 0))


def _steadied(near: list[_Moment], now: int, track: int) -> Face:
    face, at = near[now].faces[track], near[now].time
    targets = [m.faces[track].confidence if track in m.faces else 0.0 for m in near]
    confidence = fade(np.array([m.time for m in near]), np.array(targets), at, FADE)
    if confidence == 0:
        return replace(face, track=track, confidence=0.0)
    first = now
    while first and track in near[first - 1].faces:
        first -= 1
    stop = now + 1
    while stop < len(near) and track in near[stop].faces:
        stop += 1
    times = np.array([m.time for m in near[first:stop]])
    seen = [m.faces[track] for m in near[first:stop]]
    points = smooth_points(times, np.stack([f.points for f in seen]), at)
    meshes = np.stack([f.mesh for f in seen if f.mesh is not None]).reshape(len(seen), -1)
    mesh = local_fit(times - at, meshes, _MESH_SIGMA, 2).reshape(-1, 2)
    return replace(face, points=points, mesh=mesh, track=track, confidence=confidence)
