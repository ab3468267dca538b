"""One frame of a clip, edited: by itself in an instant, or with its neighbours as the render has it.

The stages are those of a render. What they leave of each frame is kept by what it depends on, so that the next request
works out only what is new:

    decoded frame -> front: faces, crops, parts, restoration          whatever the strengths
                  -> inversion of each crop (tier "draft", HFGI)      whatever the strengths
                  -> edits of each crop (tier "exact", HFGI)          for these strengths
                  -> steady, paste
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from videdit.datatypes import Array, Crop, Frame, bare_picture
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob
from videdit.media.frame_times import clock
from videdit.models.sizes import EDITS
from videdit.pipeline.executor import Stage
from videdit.pipeline.graph import Compose, Graph
from videdit.rendering.analyses import Analyses, Source
from videdit.rendering.assignments import people_of
from videdit.rendering.byte_cache import ByteCache
from videdit.rendering.frames import LEAST, frame_at
from videdit.rendering.kept_frames import crops_bytes, hollow
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.near_frames import NearFrames, checked
from videdit.rendering.preview_request import Check, Request, active
from videdit.rendering.resolved_job import resolve
from videdit.rendering.stage_graph import Workshop, reach_of
from videdit.stages.assign_faces import REACH as RECALLED
from videdit.stages.average_changes import AverageChanges
from videdit.stages.paint_hair import MeanHair
from videdit.stages.track_faces import TrackFaces


class FramePreviews:
    """Frames of clips before and after a job's edits. Not for two threads at once: see :class:`Session`."""

    def __init__(self, models: ModelCache, cache: ByteCache, analyses: Analyses) -> None:
        """models, analyses: shared with renders. cache: keeps what is known of frames."""
        self.models, self.cache, self.analyses = models, cache, analyses
        self._near = NearFrames(cache)
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="videdit-compile")
        self._prepared: set[tuple] = set()

    def draft(self, clip: Clip, time: float, check: Check) -> tuple[Frame, Frame]:
        """The frame alone: neither codes, masks nor changes are averaged with those of its neighbours.

        Raises what :func:`videdit.api.edit_video` raises for such words and such a file.
        """
        self._prepare(clip.job, None)
        request, shown = self._asked(clip, time, check, 0.0)
        check()
        front = self.cache.get((*request.front, shown.pts)) or self._alone(request, shown)
        for crop in front.crops:
            self._prepare(clip.job, crop.size)
        frame = replace(active(request, front), picture=shown.picture)
        check()
        alone = request.graph(alone=True)
        if request.resolved.method == "student":
            edits = alone.part("change", "hair")
        else:
            edits = [self._edit_alone(request, shown.pts), alone.stage("detail"), *alone.part("hair_mean", "hair")]
        return shown, self._finished(alone, frame, *edits)

    def exact(self, clip: Clip, time: float, check: Check) -> tuple[Frame, Frame]:
        """The frame as the render has it, its neighbours worked out as far as they count. Raises as :meth:`draft`."""
        reach = reach_of(resolve(clip.job))
        request, shown = self._asked(clip, time, check, reach)
        row = request.table.row(shown.pts)
        if row is None:
            return shown, shown
        graph = request.graph(span=(shown.time, shown.time))
        hfgi, hair = request.resolved.method != "student", request.resolved.hair
        far = max(AverageChanges.reach if hfgi else 0.0, MeanHair.reach if hair else 0.0)
        time_of = request.table.time
        rows = request.rows(time_of[row] - far, time_of[row] + far)
        if not hfgi:
            near = list(graph.stage("change")(iter(self._near.fronts(request, rows))))
            (frame,) = [frame for frame in near if frame.pts == shown.pts]
        else:
            near = self._near.edits(request, rows)
            (frame,) = graph.stage("steady")(checked(near, request.check))
        frame = replace(frame, picture=shown.picture)
        if hair:
            frame = MeanHair().of(frame, near)
        return shown, self._finished(graph, frame, *graph.part("hair", "hair"))

    def shown(self, clip: Clip, time: float) -> Frame:
        """The clip's own frame at a time."""
        return self._frame_at(self.analyses.source(clip.source, clip.job), time)

    def warm(self, job: RenderJob, size: int) -> None:
        """Compile what a draft of a face at a size takes. Raises what loading the networks raises."""
        inverter = self.models.inverter(job.networks)
        self.models.detector(job.networks).detect(np.zeros((64, 64, 3), np.uint8))
        image = inverter.pixels.put(np.zeros((size, size, 3), np.uint8))
        self.models.parser(job.networks, alone=True).parts([image])
        crop = Crop(0, image, np.eye(2, 3), 1.0)
        resolved = resolve(job)
        if resolved.method == "student":
            self.models.student(job.networks, alone=True)([crop], np.zeros((1, len(EDITS)), np.float32))
        else:
            editor = self.models.editor(job.networks, resolved.prealign)
            inversion = editor.invert(crop)
            editor.edit(inversion, np.zeros(inversion.code.shape, np.float32))

    def _prepare(self, job: RenderJob, size: int | None) -> None:
        """Begin to compile what a draft will need, for crops of a size or whatever it is, beside the work before it."""
        key = (job.networks, size)
        if key not in self._prepared:
            self._prepared.add(key)
            # What goes wrong there goes wrong again where it is needed, and is said then.
            self._beside.submit(self._compile, job, size)

    def _compile(self, job: RenderJob, size: int | None) -> None:
        inverter = self.models.inverter(job.networks)
        if resolve(job).method != "hfgi":
            return
        if not size:
            inverter.passes.encoder(1)
        inverter.passes.prepare(1, size)

    def _asked(self, clip: Clip, time: float, check: Check, reach: float) -> tuple[Request, Frame]:
        """A request, its analysis of so many seconds around the frame, and the frame that is shown at a time."""
        job, source = clip.job, self.analyses.source(clip.source, clip.job)
        shown = self._frame_at(source, time)
        check()
        inverter, detector = self.models.inverter(job.networks), self.models.detector(job.networks)
        # A little more, and whole seconds, so that the next frame asked for is in it too.
        wide = (RECALLED + reach) if reach else 0.0
        first, last = shown.time - wide, shown.time + wide + LEAST
        span = (np.floor(first), np.ceil(last)) if reach else (first, last)
        held = self.analyses.of(source, job, detector, (max(0.0, float(span[0])), float(span[1])))
        people = people_of(job, held.analysis, clock(source.info), inverter.profile.layers, detector.aligned)
        return Request(source, resolve(job), held, people, inverter, self.models, check), shown

    def _frame_at(self, source: Source, time: float) -> Frame:
        key = ("shown", source.key, time)
        shown = self.cache.get(key)
        if shown is None:
            shown = frame_at(source.info, time)
            self.cache.put(key, shown)
        return shown

    def _alone(self, request: Request, shown: Frame) -> Frame:
        """The frame with its crops, nothing smoothed but what the analysis alone says."""
        key = ("alone", *request.front, shown.pts)
        frame = self.cache.get(key)
        if frame is None:
            near = request.rows(shown.time - TrackFaces.reach, shown.time + TrackFaces.reach)
            graph = request.graph(alone=True)
            faces = Compose(*graph.part("recall", "track"))
            bare = (self._bare(request, row, shown) for row in near)
            (tracked,) = [frame for frame in faces(bare) if frame.pts == shown.pts] or [shown]
            scene = tracked.scene + (int(request.table.scene[near.start]) if near else 0)
            tracked = replace(tracked, picture=shown.picture, scene=scene)
            crops = Compose(*graph.part("align", "restore"))
            (cropped,) = crops(iter((tracked,)))
            graph.context.store.release(cropped)
            frame = hollow(cropped)
            self.cache.put(key, frame, crops_bytes(frame))
        return frame

    @staticmethod
    def _bare(request: Request, row: int, like: Frame) -> Frame:
        """A frame of the analysis without its picture: its faces are known."""
        pts = None if like.pts is None else int(request.table.pts[row])  # that of the first frame may be 0
        return replace(like, pts=pts, time=float(request.table.time[row]), picture=bare_picture(like.picture))

    def _edit_alone(self, request: Request, pts: int | None) -> Stage:
        """In place of the node "edit": one that needs no neighbours, and knows inversions that were made before."""
        editor = self.models.editor(request.job.networks, request.resolved.prealign)
        timeline, consulted = request.people.timeline, request.inverter.passes.consulted

        def edit(frames: Iterator[Frame]) -> Iterator[Frame]:
            for frame in frames:
                renderings = []
                for crop in frame.crops:
                    key = ("inversion", consulted, *request.front, pts, crop.track, crop.size, crop.restored is None)
                    inversion = self.cache.get(key)
                    if inversion is None:
                        inversion = editor.invert(crop, self._code(request, pts, crop))
                        self.cache.put(key, inversion)
                    request.check()
                    rendering = editor.edit(inversion, timeline.delta_for_crop(crop, frame.time, inversion.code))
                    renderings.append(replace(rendering, strength=timeline.strongest(crop, frame.time)))
                yield replace(frame, renderings=tuple(renderings))

        return _Named("edit", edit)

    def _code(self, request: Request, pts: int | None, crop: Crop) -> Array | None:
        """The code of a crop, as the render has it before it is smoothed; None where it is sooner made than kept."""
        if not isinstance(crop.seen, np.ndarray):
            return None
        return self._near.codes(request)([(pts, crop.seen)], lambda seen: request.inverter.encode(seen, 1))[0]

    @staticmethod
    def _finished(graph: Graph[Workshop], frame: Frame, *edits: Stage) -> Frame:
        (finished,) = Compose(*edits, *graph.part("paste", "mark"))(iter((frame,)))
        return finished


@dataclass(frozen=True)
class _Named:
    """A generator function as a stage."""

    name: str
    run: Callable[[Iterator[Frame]], Iterator[Frame]]

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        return self.run(frames)
