"""recall: gives frames the faces that an analysis of the clip found in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.analysis import Analysis
from videdit.packets import Frame


class Recall:
    """Sets faces, with their tracks, and scene. Those that are not chosen get a confidence of 0.

    Scenes are counted from the first frame that comes, as if the clip began there. A frame that the analysis does not
    know (the file has grown since) has no faces.
    """

    name = "recall"

    def __init__(self, analysis: Analysis, chosen: np.ndarray) -> None:
        """chosen: [N] bool, which of the analysis' faces are to be edited."""
        self.analysis, self.chosen = analysis, chosen

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
            chosen = self.chosen[sightings.faces(row)]
            faces = [
                replace(face, confidence=float(wanted))
                for face, wanted in zip(self.analysis.faces(row), chosen, strict=True)
                if face.track >= 0
            ]
            yield replace(frame, faces=tuple(faces), scene=scene - first)
