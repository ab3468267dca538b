"""What a preview is asked for: a job, its clip's analysis, and by which keys what is known of frames is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from videdit.datatypes import Frame
from videdit.hfgi.inverter import Inverter
from videdit.jobs.render_job import RenderJob
from videdit.pipeline.graph import Graph
from videdit.pipeline.windows import ROUND
from videdit.rendering.analyses import HeldAnalysis, Source
from videdit.rendering.assignments import People
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.resolved_job import ResolvedJob
from videdit.rendering.stage_graph import Shape, Workshop, graph_of
from videdit.tracks.track_table import TrackTable

# Fields of a job on which crops and what is found in them do not depend.
_LATER = {
    "edit",
    "method",
    "consultation",
    "prealign",
    "smooth_codes",
    "smooth_fine",
    "mark",
    "start",
    "end",
}

Check = Callable[[], None]  # raises where it is of no use to go on


@dataclass(frozen=True)
class Request:
    """What a job means for a clip."""

    source: Source
    resolved: ResolvedJob
    held: HeldAnalysis
    people: People
    inverter: Inverter
    models: ModelCache
    check: Check

    @property
    def job(self) -> RenderJob:
        """The job as it was asked for."""
        return self.resolved.job

    def graph(self, **more: Any) -> Graph[Workshop]:
        """The graph that renders the clip, or a stretch of it, without files. more: fields of a :class:`Workshop`."""
        info, analysis = self.source.info, self.held.analysis
        shop = Workshop(self.resolved, info, self.models, self.people, self.inverter, analysis)
        return graph_of(Shape(self.resolved), replace(shop, **more))

    @property
    def table(self) -> TrackTable:
        """The faces of the clip's analysis, by frame and track."""
        return self.held.analysis.table

    @property
    def front(self) -> tuple:
        """The key of what is known of frames before any edit."""
        settings = {name: value for name, value in self.job.settings().items() if name not in _LATER}
        machine = self.job.device, self.job.precision, self.job.batch
        key: tuple = ("front", self.source.key, self.held.number, repr(settings), *machine)
        key += self.people.notes  # by which some faces have no crops
        if self.job.scenes:
            key += (self.job.start,)  # from which they are counted
        return (*key, self.job.edit) if self.people.timeline.varies else key  # which frames have crops at all

    @property
    def edited(self) -> tuple:
        """The key of what edits leave."""
        job = self.job
        smoothing = job.smooth_codes, job.smooth_fine
        how = self.resolved.method, job.consultation, job.prealign, *smoothing
        return "edited", self.front, job.edit, *how

    def rows(self, first: float, last: float) -> range:
        """The frames between two times, both included, as rows of the analysis."""
        return range(*map(int, np.searchsorted(self.table.time, (first - ROUND, last + ROUND))))


def active(request: Request, frame: Frame) -> Frame:
    """The frame with the crops that are edited at its time."""
    job, timeline, rest = request.job, request.people.timeline, request.resolved.restorer.at_rest
    if job.scenes and 1 + frame.scene - scenes_before(request.table, job.start) not in job.scenes:
        return replace(frame, crops=())
    crops = (crop for crop in frame.crops if rest or timeline.active(crop.track, frame.time))
    return replace(frame, crops=tuple(crops))


def scenes_before(table: TrackTable, start: float | None) -> int:
    """How many shots are over before what is rendered begins: the user counts from there."""
    if not start or not len(table.time):
        return 0
    row = int(np.searchsorted(table.time, start - ROUND))
    return int(table.scene[min(row, len(table.time) - 1)])
