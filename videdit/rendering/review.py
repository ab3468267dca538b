"""What to look at before a clip is rendered: where faces are, and moments in which an edit will have a hard time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from videdit.edits.expression_easing import openness
from videdit.faces.edit_fitness import fitness
from videdit.geometry.affine import invert, transform, upright_matrix
from videdit.media.info import MediaInfo
from videdit.tracks.account import spans
from videdit.tracks.analysis_store import Analysis

LOST = 0.2  # seconds between two sights of a face in a shot that are told
TALKING = 1.2  # of the eyes' distance, a second: lips that part or close so fast are talking


@dataclass(frozen=True)
class FaceBox:
    """Where a face is in a frame, in the displayed picture, as parts of its width and height."""

    track: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Hardship:
    """A stretch of time that is worth a look."""

    track: int
    first: float  # seconds
    last: float
    why: str  # "turned away", "too small", "out of the picture", "not seen", "mouth moves fast", "hidden", "blurred"


def boxes_at(info: MediaInfo, analysis: Analysis, time: float) -> list[FaceBox]:
    """The faces of the frame that is shown at a time."""
    row = max(0, int(np.searchsorted(analysis.table.time, time + 1e-6)) - 1)
    if row >= len(analysis.table.time):
        return []
    width, height = _square(info)
    upright = invert(upright_matrix(info.rotation, width, height))
    turned = info.rotation in (90, 270)
    size = np.array((height, width) if turned else (width, height))
    found = []
    for face in analysis.faces(row):
        if face.track < 0 or face.mesh is None:
            continue
        points = transform(upright, face.mesh) / size
        (left, top), (right, bottom) = points.min(0), points.max(0)
        found.append(FaceBox(face.track, float(left), float(top), float(right), float(bottom)))
    return found


def moments(info: MediaInfo, analysis: Analysis, sights: Iterable[tuple[int, float, str]] = ()) -> list[Hardship]:
    """Moments in order of time.

    Args:
        info: the clip.
        analysis: of all of it.
        sights: what else was seen: (track, seconds, why), see :mod:`videdit.rendering.visibility_pass`.
    """
    step = float(info.frame_step * info.time_base) if info.kind == "video" else 0.0
    times: dict[tuple[int, str], list[float]] = {}
    for track, time, why in [*_unfit(info, analysis), *_talking(analysis), *sights]:
        times.setdefault((track, why), []).append(time)
    found = [
        Hardship(track, first, last + step, why) for (track, why), own in times.items() for first, last in spans(own)
    ]
    found += [Hardship(*gap) for gap in _lost(analysis)]
    return sorted(found, key=lambda moment: (moment.first, moment.track))


def _unfit(info: MediaInfo, analysis: Analysis) -> Iterator[tuple[int, float, str]]:
    """(track, time, why) of faces that get less than all of an edit."""
    width, height = _square(info)
    for row, time in enumerate(analysis.table.time):
        for face in analysis.faces(row):
            if face.track >= 0:
                fit = fitness(face, width, height)
                why = min(fit, key=lambda reason: fit[reason])
                if fit[why] < 1:
                    yield face.track, float(time), why


def _talking(analysis: Analysis) -> Iterator[tuple[int, float, str]]:
    """(track, time, why) where a mouth moves fast."""
    before: dict[int, tuple[float, float]] = {}
    for row, time in enumerate(analysis.table.time):
        for face in analysis.faces(row):
            if face.track < 0:
                continue
            gap = openness(face.mesh)
            at, was = before.get(face.track, (float(time), gap))
            before[face.track] = float(time), gap
            if 0 < time - at < LOST and abs(gap - was) / (time - at) > TALKING:
                yield face.track, float(time), "mouth moves fast"


def _lost(analysis: Analysis) -> Iterator[tuple[int, float, float, str]]:
    """(track, first, last, why) of gaps in a track."""
    table = analysis.table
    for track in table.tracks:
        seen = table.time[table.frame[table.track == track]]
        for i in np.flatnonzero(np.diff(seen) > LOST):
            yield track, float(seen[i]), float(seen[i + 1]), "not seen"


def _square(info: MediaInfo) -> tuple[float, float]:
    """(width, height) of the coded picture in square pixels, as faces' points have it."""
    return info.width * max(info.aspect, 1.0), info.height * max(1 / info.aspect, 1.0)
