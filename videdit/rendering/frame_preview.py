"""One frame of a clip, edited: by itself in an instant, or with its neighbours as the render has it.

The stages are those of a render. What they leave of each frame is kept by what it depends on, so that the next request
works out only what is new:

    decoded frame -> front: faces, crops, parts, restoration          whatever the strengths
                  -> inversion of each crop (tier "draft", HFGI)      whatever the strengths
                  -> edits of each crop (tier "exact", HFGI)          for these strengths
                  -> steady, paste
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from videdit.datatypes import Array, Crop, Frame
from videdit.edits import parse_edits
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.kept_inversions import KeptInversions
from videdit.hfgi.latent_cache import codes_for
from videdit.imaging.host import HostPixels
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob
from videdit.media.frame_times import clock
from videdit.models.sizes import EDITS
from videdit.pipeline.executor import Stage
from videdit.pipeline.windows import reach_of
from videdit.rendering.analyses import Analyses, Source
from videdit.rendering.assignments import people_of
from videdit.rendering.byte_cache import ByteCache
from videdit.rendering.frames import LEAST, frame_at
from videdit.rendering.graph import (
    all_edits,
    hair_stages,
    method_of,
    prealign,
    reach_of_job,
    regions_of,
    restoration,
)
from videdit.rendering.kept_frames import KeptCodes, bare_picture, crops_bytes, hollow, kept_frames
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.preview_request import ROUND, Check, Request, active, scenes_before
from videdit.stages.assign_faces import REACH as RECALLED
from videdit.stages.assign_faces import AssignFaces
from videdit.stages.auxiliary_output import Compose
from videdit.stages.average_changes import Steady
from videdit.stages.change import Change
from videdit.stages.crop_faces import Align
from videdit.stages.decode import Decode
from videdit.stages.hair import Hair
from videdit.stages.invert_edit import Edit
from videdit.stages.parse_faces import Parse
from videdit.stages.paste import Paste
from videdit.stages.select_active import SelectActive
from videdit.stages.track_faces import Track
from videdit.stages.transfer_detail import Detail
from videdit.stages.watermark import Mark


class FramePreviews:
    """Frames of clips before and after a job's edits. Not for two threads at once: see :class:`Session`."""

    def __init__(self, models: ModelCache, cache: ByteCache, analyses: Analyses) -> None:
        self.models, self.cache, self.analyses = models, cache, analyses
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
        stages = [*self._edit_alone(request, shown.pts), *self._hair(request, alone=True)]
        return shown, self._finished(request, frame, *stages)

    def exact(self, clip: Clip, time: float, check: Check) -> tuple[Frame, Frame]:
        """The frame as the render has it, its neighbours worked out as far as they count. Raises as :meth:`draft`."""
        reach = reach_of_job(clip.job, self.models.inverter(clip.job).profile)
        request, shown = self._asked(clip, time, check, reach)
        row = request.sightings.row(shown.pts)
        if row is None:
            return shown, shown
        hair = self._hair(request)
        far = max(reach_of(hair), Steady.reach if request.method != "student" else 0.0)
        time_of = request.sightings.time
        rows = request.rows(time_of[row] - far, time_of[row] + far)
        if request.method == "student":
            near = list(self._change(request)(iter(self._fronts(request, rows))))
            (frame,) = [frame for frame in near if frame.pts == shown.pts]
        else:
            near = self._edits(request, rows)
            frame = self._steadied(request, near, shown.pts)
        frame = replace(frame, picture=shown.picture)
        for stage in hair:
            frame = stage.of(frame, near)
        return shown, self._finished(request, frame)

    def shown(self, clip: Clip, time: float) -> Frame:
        """The clip's own frame at a time."""
        return self._frame_at(self.analyses.source(clip.source, clip.job), time)

    def warm(self, job: RenderJob, size: int) -> None:
        """Compile what a draft of a face at a size takes. Raises what loading the networks raises."""
        inverter = self.models.inverter(job)
        self.models.detector(job).detect(np.zeros((64, 64, 3), np.uint8))
        image = inverter.pixels.put(np.zeros((size, size, 3), np.uint8))
        self.models.parser(job, alone=True).parts([image])
        crop = Crop(0, image, np.eye(2, 3), 1.0)
        if method_of(job, parse_edits(job.edit), inverter.profile) == "student":
            self.models.student(job, alone=True)([crop], np.zeros((1, len(EDITS)), np.float32))
        else:
            editor = self.models.editor(job, prealign(job, inverter.profile))
            inversion = editor.invert(crop)
            editor.edit(inversion, np.zeros(inversion.code.shape, np.float32))

    def _prepare(self, job: RenderJob, size: int | None) -> None:
        """Begin to compile what a draft will need, for crops of a size or whatever it is, beside the work before it."""
        key = (job.profile, job.checkpoint, job.device, job.precision, job.batch, size)
        if key not in self._prepared:
            self._prepared.add(key)
            # What goes wrong there goes wrong again where it is needed, and is said then.
            self._beside.submit(self._compile, job, size)

    def _compile(self, job: RenderJob, size: int | None) -> None:
        inverter = self.models.inverter(job)
        if method_of(job, all_edits(job), inverter.profile) != "hfgi":
            return
        if size:
            inverter.high_pass(1, size)
        else:
            inverter.encoder(1)
            inverter.low_pass(1)

    def _asked(self, clip: Clip, time: float, check: Check, reach: float) -> tuple[Request, Frame]:
        """A request, its analysis of so many seconds around the frame, and the frame that is shown at a time."""
        job, source = clip.job, self.analyses.source(clip.source, clip.job)
        shown = self._frame_at(source, time)
        check()
        inverter, detector = self.models.inverter(job), self.models.detector(job)
        # A little more, and whole seconds, so that the next frame asked for is in it too.
        wide = (RECALLED + reach) if reach else 0.0
        first, last = shown.time - wide, shown.time + wide + LEAST
        span = (np.floor(first), np.ceil(last)) if reach else (first, last)
        held = self.analyses.of(source, job, detector, (max(0.0, float(span[0])), float(span[1])))
        people = people_of(job, held.analysis, clock(source.info), inverter.profile.layers, detector.aligned)
        method = method_of(job, people.edits, inverter.profile)
        restore = restoration(job, inverter, people.timeline, self.models)
        return Request(source, job, held, people, inverter, method, restore, check), shown

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
            near = request.rows(shown.time - Track.reach, shown.time + Track.reach)
            faces = Compose(AssignFaces(request.held.analysis, request.people.chosen), Track())
            bare = (self._bare(request, row, shown) for row in near)
            (tracked,) = [frame for frame in faces(bare) if frame.pts == shown.pts] or [shown]
            scene = tracked.scene + (int(request.sightings.scene[near.start]) if near else 0)
            tracked = replace(tracked, picture=shown.picture, scene=scene)
            parser = self.models.parser(request.job, alone=True)
            crops = Compose(Align(request.inverter.pixels, request.job.size), Parse(parser), request.restore)
            (frame,) = map(hollow, crops(iter((tracked,))))
            self.cache.put(key, frame, crops_bytes(frame))
        return frame

    @staticmethod
    def _bare(request: Request, row: int, like: Frame) -> Frame:
        """A frame of the analysis without its picture: its faces are known."""
        pts = None if like.pts is None else int(request.sightings.pts[row])  # that of the first frame may be 0
        return replace(like, pts=pts, time=float(request.sightings.time[row]), picture=bare_picture(like.picture))

    def _edit_alone(self, request: Request, pts: int | None) -> list[Stage]:
        """The stages that edit a frame without its neighbours."""
        if request.method == "student":
            return [self._change(request, alone=True)]
        editor = self.models.editor(request.job, prealign(request.job, request.inverter.profile))
        timeline, regions = request.people.timeline, self._regions(request)
        detail = Detail(request.inverter.pixels, *regions)

        def edit(frames: Iterator[Frame]) -> Iterator[Frame]:
            for frame in frames:
                renderings = []
                for crop in frame.crops:
                    key = ("inversion", *request.front, pts, crop.track, crop.size, crop.restored is None)
                    inversion = self.cache.get(key)
                    if inversion is None:
                        inversion = editor.invert(crop, self._code(request, pts, crop))
                        self.cache.put(key, inversion)
                    request.check()
                    renderings.append(editor.edit(inversion, timeline.added(crop, frame.time, inversion.code)))
                yield replace(frame, renderings=tuple(renderings))

        return [_Named("edit", edit), detail]

    def _code(self, request: Request, pts: int | None, crop: Crop) -> Array | None:
        """The code of a crop, as the render has it before it is smoothed; None where it is sooner made than kept."""
        if not isinstance(crop.seen, np.ndarray):
            return None
        return self._codes(request)([(pts, crop.seen)], lambda seen: request.inverter.encode(seen, 1))[0]

    def _change(self, request: Request, alone: bool = False) -> Change:
        student = self.models.student(request.job, alone)
        return Change(student, request.people.timeline, *self._regions(request))

    def _hair(self, request: Request, alone: bool = False) -> list[Hair]:
        """The stage that changes the hair around faces, where an edit changes hair at all."""
        return hair_stages(self.models, request.job, request.inverter, *self._regions(request), alone)

    @staticmethod
    def _regions(request: Request) -> tuple[set[str], dict[int, set[str]]]:
        profile = request.inverter.profile
        own = {track: regions_of(edits, profile) for track, edits in request.people.own.items()}
        return regions_of(request.people.timeline.edits, profile), own

    def _codes(self, request: Request) -> KeptCodes:
        keep = request.job.cache and request.held.span is None
        job = request.job
        key = ("code", job.profile, job.checkpoint, job.device, job.precision, job.batch)
        return KeptCodes(self.cache, key, codes_for(request.inverter, request.held.analysis, keep))

    def _fronts(self, request: Request, rows: range) -> list[Frame]:
        """Frames with their crops, parsed and restored, as the render has them; without their pictures."""
        return kept_frames(self.cache, request, request.front, rows, self._new_fronts)

    def _new_fronts(self, request: Request, rows: range) -> Iterator[Frame]:
        job, analysis, sightings = request.job, request.held.analysis, request.sightings
        reach = reach_of((Track, Parse))
        first, last = sightings.time[rows.start] - reach, sightings.time[rows.stop - 1] + reach
        near = request.rows(first, last)
        # Shots are counted from the first frame that comes, and by the user from the start of what is rendered.
        base = int(sightings.scene[near.start])
        timeline = request.people.timeline
        stages = Compose(
            AssignFaces(analysis, request.people.chosen),
            Track(),
            SelectActive(timeline, job.scenes, base - scenes_before(sightings, job.start), request.restore.at_rest),
            Align(request.inverter.pixels, job.size),
            Parse(self.models.parser(job)),
            request.restore,
        )
        still = request.source.info.kind == "image"
        start, end = (None, None) if still else (max(0.0, first - ROUND), last + LEAST)
        decode = Decode(request.source.info, start, end, decoder=job.decoder)
        for frame in stages(_checked(decode(iter(())), request.check)):
            row = sightings.row(frame.pts)
            # Frames of several runs are put together later: each is counted from the first of the clip.
            yield replace(hollow(frame), scene=frame.scene + base, index=frame.index if row is None else row)

    def _inverter(self, request: Request) -> Inverter:
        """The request's inverter, which in the host's memory remembers inversions."""
        job = request.job
        if not isinstance(request.inverter.pixels, HostPixels):
            return request.inverter
        place = ("known", job.profile, job.checkpoint, job.precision, job.batch)
        return KeptInversions(
            request.inverter,
            lambda key: self.cache.get((*place, *key)),
            lambda key, known: self.cache.put((*place, *key), known),
        )

    def _edits(self, request: Request, rows: range) -> list[Frame]:
        """Frames with their edits by HFGI, as they are before they are steadied."""
        return kept_frames(self.cache, request, request.edited, rows, self._new_edits)

    def _new_edits(self, request: Request, rows: range) -> Iterator[Frame]:
        job, timeline = request.job, request.people.timeline
        kind = prealign(job, request.inverter.profile)
        smoothing = job.smooth_codes, job.smooth_fine
        times = request.sightings.time
        span = float(times[rows.start]), float(times[rows.stop - 1])
        codes = self._codes(request)
        edit = Edit(self._inverter(request), timeline, *smoothing, prealign=kind, codes=codes, span=span)
        near = request.rows(span[0] - edit.reach, span[1] + edit.reach)
        stages = Compose(edit, Detail(request.inverter.pixels, *self._regions(request)))
        yield from stages(_checked(iter(self._fronts(request, near)), request.check))

    def _steadied(self, request: Request, frames: Sequence[Frame], pts: int | None) -> Frame:
        steady = Steady(request.inverter.pixels, request.people.timeline, restored=request.restore.at_rest)
        (frame,) = [frame for frame in steady(_checked(iter(frames), request.check)) if frame.pts == pts]
        return frame

    def _finished(self, request: Request, frame: Frame, *stages: Stage) -> Frame:
        info, job = request.source.info, request.job
        mark = [Mark(job.mark, info.rotation, info.mirrored)] if job.mark else []
        (finished,) = Compose(*stages, Paste(request.inverter.pixels), *mark)(iter((frame,)))
        return finished


@dataclass(frozen=True)
class _Named:
    """A generator function as a stage."""

    name: str
    run: Callable[[Iterator[Frame]], Iterator[Frame]]

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        return self.run(frames)


def _checked(frames: Iterator[Frame], check: Check) -> Iterator[Frame]:
    for frame in frames:
        check()
        yield frame
