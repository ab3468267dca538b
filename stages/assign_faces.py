"""recall: gives frames the faces that an analysis of the clip found in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.datatypes import Frame, bare_picture
from videdit.geometry.landmark_smoothing import smooth_points
from videdit.pipeline.executor import Stage
from videdit.stages.track_faces import GAP
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.track_table import TrackTable

REACH = 1.0  # seconds
ROUND = 1e-9  # seconds: as of videdit.tracks.track_table.within


class AssignFaces:
    """Sets faces, with their tracks and with steadied points, and scene. Who is not chosen gets a confidence of 0.

    Points are smoothed with what was seen REACH seconds before and after: a wide view that costs no picture's wait.

    Scenes are counted from the first frame that comes, as if the clip began there. A frame that the analysis does not
    know (the file has grown since) has no faces.
    """

    name = "recall"

    def __init__(self, analysis: Analysis, chosen: np.ndarray, steady: bool = True) -> None:
        """chosen: [N] bool, which of the analysis' faces are to be edited.

        steady: False for points as they were found in each frame by itself, and none of who is not chosen.
        """
        self.analysis, self.chosen, self.steady = analysis, chosen, steady

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with ``faces`` (points [5, 2] in coded pixels, track, confidence) and ``scene``, in order, none held
        back."""
        table = self.analysis.table
        first = scene = None
        for frame in frames:
            row = table.row(frame.pts)
            if row is None:
                yield replace(frame, scene=(scene or 0) - (first or 0))
                continue
            scene = int(table.scene[row])
            first = scene if first is None else first
            rows = range(*table.faces(row).indices(len(table.track)))
            faces = [
                replace(
                    face,
                    points=self._steadied(i) if self.steady else face.points,
                    confidence=float(self.chosen[i]),
                )
                for face, i in zip(self.analysis.faces(row), rows, strict=True)
                if face.track >= 0 and (self.steady or self.chosen[i])
            ]
            yield replace(frame, faces=tuple(faces), scene=scene - first)

    def _steadied(self, i: int) -> np.ndarray:
        """The five points of a face [5, 2], smoothed over time."""
        table = self.analysis.table
        near = table.near(i, REACH, GAP)
        times = table.time[table.frame[near]]
        return smooth_points(times, table.points[near], float(table.time[table.frame[i]]))


class TablePass:
    """Gives frames the faces that stages have found for them which look at faces only, never at a picture.

    These run once over the table of a clip's analysis, ahead of its frames: however far they look ahead, no picture
    waits for it. A frame that the table does not know (the file has grown since) has no faces.
    """

    name = "recall"

    def __init__(self, table: TrackTable, stages: Stage, end: float | None = None, first: int | None = None) -> None:
        """stages: the first of them sets faces, as :class:`AssignFaces` does.

        end: seconds; rows from there on are not looked at. first: the pts of the row that they begin with; None: that
        of the first frame that comes.
        """
        self.table, self.stages, self.end, self.first = table, stages, end, first

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with ``faces``, ``found`` and ``scene`` from the row of the same pts; frames come in order of pts."""
        passed: Iterator[Frame] | None = None
        known: Frame | None = None
        for frame in frames:
            if passed is None:
                first = self.first if self.first is not None else frame.pts or 0
                passed = self.stages(bare_frames(self.table, first, self.end, frame))
            while known is None or (known.pts or 0) < (frame.pts or 0):
                if (following := next(passed, None)) is None:
                    break
                known = following
            if known is not None and known.pts == frame.pts:
                yield replace(frame, faces=known.faces, found=known.found, scene=known.scene)
            else:
                yield replace(frame, scene=known.scene if known else 0)


def bare_frames(table: TrackTable, first: int, end: float | None, like: Frame) -> Iterator[Frame]:
    """Frames of a table from a pts on that have no pixels, only the size and kind of the picture that `like` has.

    end: seconds; None: to the last row.
    """
    picture = bare_picture(like.picture)
    times = zip(table.pts.tolist(), table.time.tolist(), strict=True)
    for index, (pts, time) in enumerate(times):
        if pts >= first and (end is None or time < end - ROUND):
            yield replace(like, index=index, pts=None if like.pts is None else pts, time=time, picture=picture)
