"""A job's words for faces and edits -> which faces of a clip get which edits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from videdit.datatypes import Array, Crop, Expression, Face
from videdit.edits import Edit, Timeline
from videdit.edits.expression_easing import AT_REST
from videdit.errors import NoFaceError
from videdit.faces.beard import beard
from videdit.jobs.render_job import RenderJob
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.selection import choose

MeshOf = Callable[[np.ndarray], Face | None]  # of an aligned picture, uint8 [S, S, 3] RGB


class LeftAloneError(NoFaceError):
    """There are faces, and nothing that the edits could do to them."""


@dataclass(frozen=True)
class People:
    """The faces to edit, and their edits over time."""

    chosen: np.ndarray  # [N] bool: of the faces of the analysis
    timeline: Timeline
    own: Mapping[int, tuple[Edit, ...]] = field(default_factory=dict)  # by track, in place of the timeline's `edits`
    notes: tuple[str, ...] = ()  # who gets less than was asked for, and why

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

    def __call__(self, track: int, time: float, code: Array | None = None, face: Expression = AT_REST) -> np.ndarray:
        """What is added to the code of a track, by the track's own edits where it has some: [L, 512] float32."""
        return self._of(track)(track, time, code, face)

    def strongest(self, crop: Crop, time: float) -> float:
        """The most that any of the track's edits gets on a crop, in recommended strengths, 0..1."""
        return self._of(crop.track).strongest(crop, time)

    def reductions(self, crop: Crop, time: float) -> list[str]:
        """Which of the track's edits get less than half of their strength for what the face does, in words."""
        return self._of(crop.track).reductions(crop, time)

    def edits_of(self, track: int) -> tuple[Edit, ...]:
        """The edits that a track gets, in the order of its :meth:`strengths`."""
        return self._of(track).edits

    def strengths(self, track: int, time: float) -> np.ndarray:
        """Of each of the track's edits, [N]; N is not the same for all tracks."""
        return self._of(track).strengths(track, time)

    def words(self, track: int, time: float) -> str:
        """What a track gets at a time, for people."""
        return self._of(track).words(track, time)

    def active(self, track: int, time: float) -> bool:
        """Whether any of the track's edits is at work."""
        return self._of(track).active(track, time)

    def gain(self, track: int, time: float) -> float:
        """By how much the track's whole change is scaled at a time, 0..1."""
        return self._of(track).gain(track, time)

    def activity(self, track: int, time: float) -> float:
        """How strong the track's edits are at a time, of the strongest that it gets, 0..1."""
        return self._of(track).activity(track, time)

    def given(self, track: int, time: float, face: Expression = AT_REST) -> np.ndarray:
        """What each of the track's edits gets at a time, [N]; N is not the same for all tracks."""
        return self._of(track).given(track, time, face)

    def similarity(self, track: int, one: np.ndarray | None, other: np.ndarray | None) -> float:
        """How much the track's edits of one moment, [N], tell of those of another, 0..1."""
        return self._of(track).similarity(track, one, other)

    def _of(self, track: int) -> Timeline:
        return self.own.get(track, self.usual)


def people_of(
    job: RenderJob,
    analysis: Analysis | None,
    time_of_frame: Callable[[int], float],
    layers: int,
    mesh_of: MeshOf | None = None,
) -> People:
    """Whom a job edits in a clip, and how. Without an analysis: nobody.

    layers: codes that the generator takes. mesh_of: looks at portraits, where an edit takes away what may not be there;
    without it all is taken to be there.

    Raises:
        LeftAloneError: none of the edits can do anything to those who are meant.
        UsageError: a reference picture cannot be used; keyframes are not in order.
        NoFaceError: nobody in the clip is meant.
    """
    usual = Timeline(job.edits, time_of_frame, layers)
    if analysis is None:
        return People(np.zeros(0, bool), usual)
    table = analysis.table

    def similarity(picture: Path) -> Mapping[int, float]:
        from videdit.tracks.reference_match import similarity_to

        return similarity_to(picture, analysis.portraits())

    chosen = choose(job.faces, table, similarity)
    own: dict[int, Timeline] = {}
    for word, edits in job.edits_of_faces.items():
        theirs = choose(word, table, similarity)
        timeline = Timeline(edits, time_of_frame, layers)
        own |= {int(track): timeline for track in np.unique(table.track[theirs])}
        chosen = chosen | theirs
    notes: list[str] = []
    if mesh_of is not None:
        for track in map(int, np.unique(table.track[chosen])):
            before = own.get(track, usual).edits
            after, said = _able(before, analysis, track, mesh_of)
            notes += [f"face {track}: {words}" for words in said]
            if not any(edit.strength for edit in after) and any(edit.strength for edit in before):
                chosen = chosen & (table.track != track)
            elif after != before:
                own[track] = Timeline(after, time_of_frame, layers)
        if notes and not chosen.any():
            raise LeftAloneError("; ".join(notes))
    if not own:
        return People(chosen, usual, notes=tuple(notes))
    by_track = {track: timeline.edits for track, timeline in own.items()}
    return People(chosen, OwnTimelines(usual, own), by_track, tuple(notes))


def _able(
    edits: tuple[Edit, ...], analysis: Analysis, track: int, mesh_of: MeshOf
) -> tuple[tuple[Edit, ...], list[str]]:
    """Edits as far as they can do anything to a face, for what is not there cannot be taken away; and what to say."""
    found, said = [], []
    for edit in edits:
        takes = edit.info.takes
        if not takes or min(edit.strength, *(key.strength for key in edit.keyframes), 0.0) == 0:
            found.append(edit)
            continue
        there = {"beard": beard}[takes](analysis.portraits().get(track, ()), mesh_of)
        keys = tuple(replace(key, strength=_less(key.strength, there)) for key in edit.keyframes)
        strongest = max((key.strength for key in keys), key=abs, default=_less(edit.strength, there))
        found.append(replace(edit, keyframes=keys, strength=strongest))
        if there == 0:
            said.append(f"{edit.name} takes away nothing, for no {takes} is seen")
        elif there < 1:
            said.append(f"{edit.name} takes away {there:.0%} of what is asked for, for little of a {takes} is seen")
    return tuple(found), said


def _less(strength: float, there: float) -> float:
    return strength * there if strength < 0 else strength
