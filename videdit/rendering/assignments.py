"""A job's words for faces and edits -> which faces of a clip get which edits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from videdit.datatypes import Array
from videdit.edits import Edit, Timeline, parse_edits
from videdit.jobs.render_job import RenderJob
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.selection import choose


@dataclass(frozen=True)
class People:
    """The faces to edit, and their edits over time."""

    chosen: np.ndarray  # [N] bool: of the faces of the analysis
    timeline: Timeline
    own: Mapping[int, tuple[Edit, ...]] = field(default_factory=dict)  # by track, in place of the timeline's `edits`

    @property
    def edits(self) -> list[Edit]:
        """All that somebody gets."""
        return [*self.timeline.edits, *(edit for edits in self.own.values() for edit in edits)]


class OwnTimelines(Timeline):
    """Edits over time, with others in their place for some tracks."""

    def __init__(self, usual: Timeline, own: Mapping[int, Timeline]) -> None:
        """own: by track."""
        self.usual, self.own, self.edits = usual, own, usual.edits
        self.varies = any(timeline.varies for timeline in (usual, *own.values()))

    def __call__(self, track: int, time: float, code: Array | None = None, gap: float = 0.0) -> np.ndarray:
        return self._of(track)(track, time, code, gap)

    def edits_of(self, track: int) -> tuple[Edit, ...]:
        return self._of(track).edits

    def strengths(self, track: int, time: float) -> np.ndarray:
        return self._of(track).strengths(track, time)

    def words(self, track: int, time: float) -> str:
        return self._of(track).words(track, time)

    def active(self, track: int, time: float) -> bool:
        return self._of(track).active(track, time)

    def level(self, track: int, time: float) -> float:
        return self._of(track).level(track, time)

    def presence(self, track: int, time: float) -> float:
        return self._of(track).presence(track, time)

    def likeness(self, track: int, one: float, other: float) -> float:
        return self._of(track).likeness(track, one, other)

    def _of(self, track: int) -> Timeline:
        return self.own.get(track, self.usual)


def people_of(job: RenderJob, analysis: Analysis | None, time_of_frame: Callable[[int], float], layers: int) -> People:
    """Whom a job edits in a clip, and how. Without an analysis: nobody.

    layers: codes that the generator takes.

    Raises:
        UsageError: a reference picture cannot be used; keyframes are not in order.
        NoFaceError: nobody in the clip is meant.
    """
    usual = Timeline(parse_edits(job.edit), time_of_frame, layers)
    if analysis is None:
        return People(np.zeros(0, bool), usual)
    sightings = analysis.sightings

    def likeness(picture: Path) -> Mapping[int, float]:
        from videdit.tracks.reference_match import likeness_to

        return likeness_to(picture, analysis.portraits())

    chosen = choose(job.faces, sightings, likeness)
    own: dict[int, Timeline] = {}
    for word, words in job.per_face.items():
        theirs = choose(word, sightings, likeness)
        timeline = Timeline(parse_edits(words), time_of_frame, layers)
        own |= {int(track): timeline for track in np.unique(sightings.track[theirs])}
        chosen = chosen | theirs
    if not own:
        return People(chosen, usual)
    return People(chosen, OwnTimelines(usual, own), {track: timeline.edits for track, timeline in own.items()})
