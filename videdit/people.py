"""A job's words for faces and edits -> which faces of a clip get which edits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from videdit.analysis import Analysis
from videdit.choice import choose
from videdit.config import RenderJob
from videdit.edits import Edit, edit_delta, parse_edits


class People:
    """The faces to edit, and their edits."""

    def __init__(self, chosen: np.ndarray, usual: tuple[Edit, ...], own: Mapping[int, tuple[Edit, ...]]) -> None:
        """chosen: [N] bool, of the faces of the analysis; own: by track, edits in place of the usual ones."""
        self.chosen, self.usual, self.own = chosen, usual, own
        self._usual = edit_delta(usual)
        self._own = {track: edit_delta(edits) for track, edits in own.items()}

    @property
    def edits(self) -> list[Edit]:
        """All that somebody gets."""
        return [*self.usual, *(edit for edits in self.own.values() for edit in edits)]

    def vector(self, track: int, time: float) -> np.ndarray:
        """What to add to the code of a track at a time, [18, 512]: what the edit stage takes."""
        return self._own.get(track, self._usual)


def people_of(job: RenderJob, analysis: Analysis | None) -> People:
    """Whom a job edits in a clip, and how. Without an analysis: nobody.

    Raises:
        UsageError: a reference picture cannot be used.
        NoFaceError: nobody in the clip is meant.
    """
    usual = parse_edits(job.edit)
    if analysis is None:
        return People(np.zeros(0, bool), usual, {})
    sightings = analysis.sightings

    def likeness(picture: Path) -> Mapping[int, float]:
        from videdit.likeness import likeness_to

        return likeness_to(picture, analysis.portraits())

    chosen = choose(job.faces, sightings, likeness)
    own: dict[int, tuple[Edit, ...]] = {}
    for word, words in job.per_face.items():
        theirs = choose(word, sightings, likeness)
        own |= {int(track): parse_edits(words) for track in np.unique(sightings.track[theirs])}
        chosen = chosen | theirs
    return People(chosen, usual, own)
