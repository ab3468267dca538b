"""The frames around one that is shown as the render has it: their crops, and their edits before they are steadied.

What was worked out before is kept; what is new goes through the stages of a render, each in its thread as there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from videdit.datatypes import Frame
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.kept_inversions import KeptInversions
from videdit.hfgi.latent_cache import codes_for
from videdit.imaging.host import HostPixels
from videdit.pipeline.executor import Pipeline, Stage
from videdit.pipeline.windows import ROUND, within
from videdit.rendering.byte_cache import ByteCache
from videdit.rendering.frames import LEAST
from videdit.rendering.kept_frames import KeptCodes, crops_bytes, hollow, kept_frames
from videdit.rendering.preview_request import Check, Request, scenes_before
from videdit.stages.choose_passes import ChoosePasses
from videdit.stages.invert_edit import InvertEdit
from videdit.stages.parse_faces import ParseFaces
from videdit.stages.track_faces import TrackFaces


class NearFrames:
    """Frames by their rows in a request's analysis. Not for two threads at once."""

    def __init__(self, cache: ByteCache) -> None:
        """cache: keeps what is known of frames."""
        self.cache = cache

    def fronts(self, request: Request, rows: range) -> list[Frame]:
        """Frames with their crops, parsed and restored, as the render has them; without their pictures."""
        return kept_frames(self.cache, request, request.front, rows, self._new_fronts)

    def edits(self, request: Request, rows: range) -> list[Frame]:
        """Frames with their edits by HFGI, as they are before they are steadied."""
        return kept_frames(self.cache, request, request.edited, rows, self._new_edits)

    def codes(self, request: Request) -> KeptCodes:
        """What knows the codes of the request's crops, or finds them out."""
        keep = request.job.cache and request.held.span is None
        job = request.job
        key = ("code", job.profile, job.checkpoint, job.device, job.precision, job.batch)
        return KeptCodes(self.cache, key, codes_for(request.inverter, request.held.analysis, keep))

    def _new_fronts(self, request: Request, rows: range) -> Iterator[Frame]:
        job, table = request.job, request.table
        reach = TrackFaces.reach + ParseFaces.reach
        first, last = table.time[rows.start] - reach, table.time[rows.stop - 1] + reach
        near = request.rows(first, last)
        # Shots are counted from the first frame that comes, and by the user from the start of what is rendered.
        base = int(table.scene[near.start])
        still = request.source.info.kind == "image"
        cut = (None, None) if still else (max(0.0, first - ROUND), last + LEAST)
        graph = request.graph(cut=cut, first_scene=base - scenes_before(table, job.start))
        decode, *stages = graph.stages(last="restore")
        for frame in _through([_Checked(decode, request.check), *stages], graph.context.store.release):
            row = table.row(frame.pts)
            # Frames of several runs are put together later: each is counted from the first of the clip.
            yield replace(hollow(frame), scene=frame.scene + base, index=frame.index if row is None else row)

    def _new_edits(self, request: Request, rows: range) -> Iterator[Frame]:
        times, job = request.table.time, request.job
        wanted = float(times[rows.start]), float(times[rows.stop - 1])
        pace = ChoosePasses.reach_of(job.quality)  # from passes so far away are changes carried
        reach = InvertEdit.reach_of(job.smooth_codes, job.smooth_fine)
        fronts = self.fronts(request, request.rows(wanted[0] - 2 * pace - reach, wanted[1] + pace + reach))
        chosen = list(request.graph().stage("passes")(checked(fronts, request.check)))
        self._keep_drifts(request, fronts, chosen)
        span = passes_around(chosen, *wanted)
        graph = request.graph(inverter=self._inverter(request), codes=self.codes(request), span=span)
        near = (frame for frame in chosen if within(span, frame.time, reach))
        yield from _through([_Given("near", checked(near, request.check)), *graph.stages("edit", "detail")])

    def _keep_drifts(self, request: Request, fronts: Sequence[Frame], chosen: Sequence[Frame]) -> None:
        """Keep how faces moved with what else is known of frames whatever their edits."""
        for front, frame in zip(fronts, chosen, strict=True):
            drifts = [crop.drift for crop in frame.crops]
            if any(crop.drift is not drift for crop, drift in zip(front.crops, drifts, strict=True)):
                crops = (replace(crop, drift=drift) for crop, drift in zip(front.crops, drifts, strict=True))
                known = replace(front, crops=tuple(crops))
                self.cache.put((*request.front, front.pts), known, crops_bytes(known))

    def _inverter(self, request: Request) -> Inverter:
        """The request's inverter, which in the host's memory remembers inversions."""
        job = request.job
        if not isinstance(request.inverter.pixels, HostPixels):
            return request.inverter
        place = ("known", request.inverter.passes.consulted, job.profile, job.checkpoint, job.precision, job.batch)
        return KeptInversions(
            request.inverter,
            lambda key: self.cache.get((*place, *key)),
            lambda key, known: self.cache.put((*place, *key), known),
            request.check,
        )


def passes_around(frames: Sequence[Frame], first: float, last: float) -> tuple[float, float]:
    """The times of the passes between which all lie that frames from one time to another depend on.

    frames: in their order, with crops that are ``rendered`` or not, beginning before those that are wanted.
    """
    before = [frame for frame in frames if frame.time <= first + ROUND]
    after = [frame for frame in frames if frame.time >= last - ROUND]
    return _all_seen(reversed(before), first), _all_seen(after, last)


def _all_seen(frames: Iterable[Frame], time: float) -> float:
    """When each face in the first of some frames was seen by the networks, or was not there any more."""
    waiting: set[int] | None = None
    for frame in frames:
        unseen = {crop.track for crop in frame.crops if not crop.rendered}
        waiting = unseen if waiting is None else waiting & unseen
        time = frame.time
        if not waiting:
            break
    return time


def checked(frames: Iterable[Frame], check: Check) -> Iterator[Frame]:
    """The frames, and before each of them the question whether anybody still waits."""
    for frame in frames:
        check()
        yield frame


def _through(stages: Sequence[Stage], each: Callable[[Frame], object] = lambda frame: None) -> list[Frame]:
    """What comes out of stages, each in a thread of its own. each: told of every frame as it comes."""
    done: list[Frame] = []

    def take(frame: Frame) -> None:
        each(frame)
        done.append(frame)

    Pipeline(stages).run(on_packet=take)
    return done


@dataclass(frozen=True)
class _Given:
    """Frames that are there already, as a first stage."""

    name: str
    frames: Iterator[Frame]

    def __call__(self, nothing: Iterator[Any]) -> Iterator[Frame]:
        return self.frames


@dataclass(frozen=True)
class _Checked:
    """A first stage, before each of whose frames the question is asked whether anybody still waits."""

    stage: Stage
    check: Check

    @property
    def name(self) -> str:
        return self.stage.name

    def __call__(self, nothing: Iterator[Any]) -> Iterator[Frame]:
        return checked(self.stage(nothing), self.check)
