"""recall: gives frames the faces that an analysis of the clip found in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.datatypes import Frame
from videdit.geometry.landmark_smoothing import smooth_points
from videdit.stages.track_faces import GAP
from videdit.tracks.analysis_store import Analysis

REACH = 1.0  # seconds


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
        sightings = self.analysis.sightings
        first = scene = None
        for frame in frames:
            row = sightings.row(frame.pts)
            if row is None:
                yield replace(frame, scene=(scene or 0) - (first or 0))
                continue
            scene = int(sightings.scene[row])
            first = scene if first is None else first
            rows = range(*sightings.faces(row).indices(len(sightings.track)))
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
        sightings = self.analysis.sightings
        near = sightings.near(i, REACH, GAP)
        times = sightings.time[sightings.frame[near]]
        return smooth_points(times, sightings.points[near], float(sightings.time[sightings.frame[i]]))
