"""Track: bridges short losses, steadies meshes over time, and fades edits in and out."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from videdit.datatypes import Face, Frame
from videdit.edits.expression_easing import AT_REST, expression, steadied
from videdit.faces.edit_fitness import FADE, fade, fitness
from videdit.geometry.landmark_smoothing import local_fit
from videdit.tracks.account import Account

LOOK_AHEAD = 0.25  # seconds
MOST_AHEAD = 60  # frames: above 240 a second fewer seconds are looked ahead
GAP = 0.15  # seconds: a face lost for less than this is taken to have been there
_MESH_SIGMA = 0.04  # seconds: little, for the mesh follows speech and blinks


@dataclass
class _FrameFaces:
    """What is known of one frame's faces, by track; their confidence is what they would get without fading."""

    time: float
    faces: dict[int, Face]


class TrackFaces:
    """Hands on the faces to edit, with steadied meshes and confidence; others are left out.

    Faces come with their tracks and steadied points; how much of the edit they are to get, 0 for those that are not
    chosen, is their confidence. Holds back LOOK_AHEAD seconds of frames. ``unfit`` counts the faces that were no good
    for an edit, by reason; `account` hears when which of those that are chosen fades.
    """

    name = "track"
    reach = LOOK_AHEAD

    def __init__(self, account: Account | None = None) -> None:
        """account: None: nobody hears of it."""
        self.unfit: Counter[str] = Counter()
        self.account = account

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with tracked faces and their confidence in 0..1, in order, each LOOK_AHEAD seconds late."""
        past: deque[_FrameFaces] = deque()  # of this shot, already handed on
        ahead: deque[tuple[_FrameFaces, Frame]] = deque()
        scene = None
        for frame in frames:
            if frame.scene != scene:
                while ahead:
                    yield _hand_on(past, ahead)
                past.clear()
                scene = frame.scene
            moment = _FrameFaces(frame.time, {face.track: self._judged(face, frame) for face in frame.faces})
            ahead.append((moment, frame))
            _fill_gaps([*past, *(m for m, _ in ahead)])
            while len(ahead) > MOST_AHEAD or frame.time - ahead[0][0].time >= LOOK_AHEAD:
                yield _hand_on(past, ahead)
        while ahead:
            yield _hand_on(past, ahead)

    def _judged(self, face: Face, frame: Frame) -> Face:
        fit = fitness(face, *frame.picture.square_size)
        reason = min(fit, key=lambda name: fit[name])
        if fit[reason] == 0:
            self.unfit[reason] += 1
        if self.account and face.confidence and fit[reason] < 0.5:
            self.account.faded(face.track, frame.time, reason)
        return replace(face, confidence=fit[reason] * face.confidence, expression=expression(face.mesh))


def _fill_gaps(moments: list[_FrameFaces]) -> None:
    """Where a face of the last moment was briefly lost before, put it halfway between where it was seen."""
    last = moments[-1]
    for track, face in last.faces.items():
        missing: list[_FrameFaces] = []
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
    assert a.mesh is not None
    assert b.mesh is not None
    mesh = (1 - part) * a.mesh + part * b.mesh
    return replace(
        a,
        points=(1 - part) * a.points + part * b.points,
        mesh=mesh,
        expression=expression(mesh),
        yaw=(1 - part) * a.yaw + part * b.yaw,
        confidence=min(a.confidence, b.confidence),
    )


def _hand_on(past: deque[_FrameFaces], ahead: deque[tuple[_FrameFaces, Frame]]) -> Frame:
    """Take the first frame that waits, with its faces' meshes steadied by what is known before and after it."""
    moment, frame = ahead.popleft()
    near = [*past, moment, *(m for m, _ in ahead)]
    faces = [_steadied(near, len(past), track) for track in sorted(moment.faces)]
    past.append(moment)
    while moment.time - past[0].time > LOOK_AHEAD:
        past.popleft()
    return replace(frame, faces=tuple(face for face in faces if face.confidence > 0))


def _steadied(near: list[_FrameFaces], now: int, track: int) -> Face:
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
    meshes = np.stack([f.mesh for f in seen if f.mesh is not None]).reshape(len(seen), -1)
    mesh = local_fit(times - at, meshes, _MESH_SIGMA, 2).reshape(-1, 2)
    does = steadied(times, [f.expression or AT_REST for f in seen], now - first)
    return replace(face, mesh=mesh, track=track, confidence=confidence, expression=does)
