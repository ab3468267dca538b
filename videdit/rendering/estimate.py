"""`--dry-run`: what a run would do, clip by clip: to whom, when, with what, and about how long it would take here.

Faces are those of a kept analysis, or a few frames of each clip are searched; how long one takes is measured once on a
machine. Nothing is written but that.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from videdit.datatypes import Color, Frame, Picture
from videdit.edits import Edit, Timeline
from videdit.engine.devices import resolve_device, resolve_precision
from videdit.errors import MediaError, VideditError
from videdit.faces.detector import face_size
from videdit.hfgi.profile import load_profile
from videdit.imaging.memory import pixels_for
from videdit.jobs.batch_ledger import NO_FACE
from videdit.jobs.plan import Clip, Plan
from videdit.jobs.render_job import RenderJob
from videdit.jobs.result import count
from videdit.media.decode.start import probe_from
from videdit.media.encode.choose import choose_encoder
from videdit.media.encode.target import container_for
from videdit.media.frame_times import clock
from videdit.media.image_sequence import is_sequence
from videdit.media.info import MediaInfo
from videdit.pipeline.executor import Stage
from videdit.rendering.analyses import Analyses
from videdit.rendering.analysis_pass import cached_analysis
from videdit.rendering.assignments import people_of
from videdit.rendering.byte_cache import ByteCache
from videdit.rendering.checks import check, check_scenes, copyable, idle
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.other_tracks import elsewhere
from videdit.rendering.output_files import encoding
from videdit.rendering.pace import Pace
from videdit.rendering.resolved_job import resolve
from videdit.rendering.resuming import frames_between
from videdit.rendering.stage_graph import Shape, Workshop, graph_of
from videdit.restoration.policy import choose
from videdit.stages.assign_faces import AssignFaces
from videdit.stages.choose_passes import SEEN
from videdit.stages.crop_faces import size_of
from videdit.stages.decode import Decode
from videdit.stages.detect import Detect
from videdit.stages.track_faces import TrackFaces
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.selection import by_number, is_picture
from videdit.tracks.shots import scene_times
from videdit.tracks.track_table import describe as describe_tracks
from videdit.tracks.track_table import within

SAMPLES = 4  # places in a clip that are looked at
KNOWN = 24  # frames whose faces are counted where they are known
_MEMORY = 64 << 20  # bytes of what is known of clips
_SHOWN = ("crf", "preset", "qp", "cq")  # of an encoder's options
OVERHEAD = 1.35  # wall seconds a second of network passes


@dataclass(frozen=True)
class Estimate:
    """What a clip would take."""

    frames: int
    faces: float  # faces to edit, a frame
    sizes: tuple[int, ...]  # px, of the crops seen
    seconds: float
    notes: tuple[str, ...] = ()
    intentions: tuple[str, ...] = ()  # what will be done to whom, when and with what
    samples: int = SAMPLES  # frames in which faces were counted

    def __str__(self) -> str:
        seen = f"{self.faces:.1f} faces a frame at {', '.join(map(str, self.sizes))} px" if self.sizes else "no face"
        told = f"{count(self.frames, 'frame')}, {seen} in {self.samples} samples, about {duration(self.seconds)}"
        return "; ".join((told, *self.notes))


def describe(plan: Plan) -> Iterator[str]:
    """One line for each clip, as soon as it is known, and one for all."""
    estimator = Estimator()
    total, clips, frames = 0.0, 0, 0
    for clip in plan.clips:
        head = f"{clip.source} -> {clip.output}: "
        if clip.status in ("done", NO_FACE):
            yield f"{head}skipped, {'done already' if clip.status == 'done' else 'no face, as found before'}"
            continue
        if clip.status != "render":
            yield f"{head}cannot be rendered: {clip.status}"
            continue
        try:
            estimate = estimator(clip)
        except VideditError as error:
            if not plan.batch:
                raise
            yield f"{head}cannot be rendered: {error}"
            continue
        total, clips, frames = total + estimate.seconds, clips + 1, frames + estimate.frames
        yield f"{head}{estimate}"
        for line in estimate.intentions:
            yield f"  {line}"
    yield from plan.hints
    if plan.left_out:
        yield f"passed over: {plan.left_out}"
    yield f"{count(clips, 'clip')} to render, {count(frames, 'frame')}, about {duration(total)}; nothing was written"


class Estimator:
    """Clip -> :class:`Estimate`. What an earlier run has found out is looked up: faces, and how long one takes."""

    def __init__(self) -> None:
        """Networks and analyses are loaded when the first clip needs them, and kept for the next one."""
        self._models = ModelCache(pixels_for)
        self._analyses = Analyses(ByteCache(_MEMORY))
        self._pace = Pace(self._models)

    def __call__(self, clip: Clip) -> Estimate:
        """Raises what rendering the clip would raise for words that make no sense."""
        job = clip.job
        info = probe_from(clip.source, job.fps, job.start, job.video_track)
        notes = check(clip, info)
        if idle(job):
            how = "copied as it is" if copyable(clip, info) else "only encoded anew"
            frames = frames_between(info, job.start, job.end) or 1
            return Estimate(frames, 0.0, (), 0.0, (*notes, f"every strength is 0: {how}"))
        whom = self._whom(clip, info)
        frames = frames_between(info, job.start, job.end) or 1
        seen, places, looking = self._crops(clip, info)
        resolved = resolve(job)
        faces = len(seen) / max(places, 1)
        face = float(np.mean([self._pace(resolved, size) for size in seen])) if seen else 0.0
        if resolved.method == "hfgi":
            face *= SEEN.get(job.quality, 1.0)
        sizes = tuple(sorted(set(seen)))
        # Faces are searched for in every frame while none is known, and followed, which costs little, afterwards.
        searching = 0.0 if seen else looking / max(places, 1)
        edited, shots = share_edited(info, job)
        notes += shots
        if not seen and load_profile(job.profile, job.checkpoint).subject == "face":
            notes += filter(None, [elsewhere(info, self._models.detector(job.networks)).removeprefix("; ")])
        if job.tune:
            notes.append(f"{count(job.tune, 'tuning step')} before that, not counted")
        seconds = OVERHEAD * frames * (edited * faces * face + searching)
        said = (*what(job), *whom, when(job), with_what(clip, info))
        return Estimate(frames, faces, sizes, seconds, tuple(notes), said, places)

    def _whom(self, clip: Clip, info: MediaInfo) -> list[str]:
        """Whom the words of a job mean. Numbers, pictures and scenes are looked up in the kept analysis, or a new one.

        Raises:
            NoFaceError: nobody is meant.
            SettingsError: none of the scenes is there.
        """
        job, profile = clip.job, load_profile(clip.job.profile, clip.job.checkpoint)
        if profile.subject != "face":
            return [f"of a {profile.subject}: {job.box or 'the whole picture'}"]
        words = (job.faces, *job.per_face)
        if not (by_number(words) or any(map(is_picture, words)) or job.scenes):
            return [f"on {', '.join(MEANT.get(str(word), str(word)) for word in words)}"]
        device = resolve_device(job.device)
        with cached_analysis(clip.source, info, job, self._models.detector(job.networks), device) as analysis:
            said = check_scenes(job, analysis, info)
            people = people_of(job, analysis, clock(info), profile.layers, self._models.detector(job.networks).aligned)
            shown = within(analysis.table, job.start, job.end)
            chosen = np.unique(analysis.table.track[people.chosen])
            seen = [track for track in describe_tracks(shown) if track.track in chosen]
        said += people.notes
        return said + [
            f"on face {t.track}, seen from {t.first:.2f} to {t.last:.2f} s (shot {t.scene + 1})" for t in seen
        ]

    def _crops(self, clip: Clip, info: MediaInfo) -> tuple[list[int], int, float]:
        """(sizes of all crops in some frames of a clip, how many frames, seconds spent on finding faces in them)."""
        job, profile = clip.job, load_profile(clip.job.profile, clip.job.checkpoint)
        held = None
        if profile.subject == "face":
            held = self._analyses.kept(self._analyses.source(clip.source, job), job, resolve_device(job.device))
        if held is not None:
            known = list(self._known(info, job, held.analysis))
            return [size for sizes in known for size in sizes], len(known), 0.0
        begun = time.perf_counter()
        frames = list(self._sampled(info, job))
        looking = time.perf_counter() - begun
        return [crop.size for frame in frames for crop in frame.crops], len(frames), looking

    @staticmethod
    def _known(info: MediaInfo, job: RenderJob, analysis: Analysis) -> Iterator[list[int]]:
        """Sizes of the crops of some frames, as an analysis of the clip has their faces."""
        layers = load_profile(job.profile, job.checkpoint).layers
        chosen = people_of(job, analysis, clock(info), layers).chosen
        shown = within(analysis.table, job.start, job.end).pts
        plane = np.broadcast_to(np.zeros((1, 1), np.uint8), (info.height, info.width))
        picture = Picture((plane,), Color("gray"), "gray", info.aspect)
        for pts in shown[np.linspace(0, len(shown) - 1, min(KNOWN, len(shown))).round().astype(int)]:
            frame = Frame(0, int(pts), info.time_base, float(pts * info.time_base), picture)
            (tracked,) = TrackFaces()(AssignFaces(analysis, chosen)(iter((frame,))))
            yield [size_of(face, job.size) for face in tracked.faces]

    def _sampled(self, info: MediaInfo, job: RenderJob) -> Iterator[Frame]:
        """Frames with crops from a few places of the clip."""
        detector, inverter = self._models.detector(job.networks), self._models.inverter(job.networks)
        resolved = resolve(job)
        nobody = people_of(job, None, clock(info), resolved.profile.layers)
        shop = Workshop(resolved, info, self._models, nobody, inverter)
        found: list[Stage] = [Detect(detector), _Some(job), TrackFaces()] if resolved.faces else []
        stages = [*found, graph_of(Shape(resolved), shop).stage("align" if resolved.faces else "place")]
        start, end = job.start or 0.0, min(job.end or info.duration, info.duration)
        places = [start + (end - start) * (i + 0.5) / SAMPLES for i in range(SAMPLES)] if end > start else [None]
        for place in places:
            try:
                frame = next(iter(Decode(info, place, job.end)(iter(()))))
            except MediaError:  # the last frame is shown for long
                frame = next(iter(Decode(info, job.start, job.end)(iter(()))))
            frames: Iterator[Frame] = iter((frame,))
            for stage in stages:
                frames = stage(frames)
            yield next(frames)


MEANT = {"largest": "the largest face", "all": "all faces", "left": "the face on the left"}


def what(job: RenderJob) -> list[str]:
    """The edits in words, a line for those of everybody and one for each face with edits of its own."""
    own = job.edits_of_faces.items()
    return [edits_in_words(job.edits), *(f"{face}: {edits_in_words(edits)}" for face, edits in own)]


def edits_in_words(edits: Iterable[Edit]) -> str:
    """ "smile" -> "smile 1.1"; keyframes as they were written."""
    told = []
    for edit in edits:
        told.append(f"{edit.name} {', '.join(map(str, edit.keyframes)) or f'{edit.strength:g}'}")
    return "; ".join(told)


def when(job: RenderJob) -> str:
    """Which part of the clip is rendered, and in which shots it is edited."""
    span = "all of it" if job.start is None and job.end is None else f"from {job.start or 0:g} s"
    span += f" to {job.end:g} s" if job.end is not None else ""
    return f"{span}, in scene {', '.join(map(str, job.scenes))}" if job.scenes else span


def with_what(clip: Clip, info: MediaInfo) -> str:
    """Networks, machine, encoder, and the files that are written beside the output."""
    job, choice = clip.job, choose(clip.job.restore)
    device = resolve_device(job.device)
    told = [f"profile {job.profile} on {device} in {resolve_precision(job.networks_precision, device)}"]
    if choice.kind != "none":
        told.append(f"restoration {choice.kind}" + (f" of faces that are {choice.need}" if choice.if_needed else ""))
    if info.kind == "video" and info.container != "exr" and not is_sequence(clip.output):
        encoder = choose_encoder(info, container_for(clip.output), encoding(job))
        told.append(" ".join([encoder.name, *(f"{k}={v}" for k, v in encoder.options.items() if k in _SHOWN)]))
    if clip.files[1:]:
        told.append(f"also {', '.join(map(str, clip.files[1:]))}")
    return "; ".join(told)


class _Some:
    """A stage that leaves one face of a frame, or all, as the job is about one or all: who it is does not matter."""

    name = "some"

    def __init__(self, job: RenderJob) -> None:
        self.count = None if job.faces == "all" else len(str(job.faces).split(",")) + len(job.per_face)

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            faces = sorted(frame.faces, key=face_size, reverse=True)[: self.count]
            yield replace(frame, faces=tuple(replace(face, track=i) for i, face in enumerate(faces)))


def share_edited(info: MediaInfo, job: RenderJob) -> tuple[float, list[str]]:
    """(the part of a clip in which an edit is at work, when its shots begin: told where some of them are chosen)."""
    timelines = [Timeline(edits, clock(info)) for edits in (job.edits, *job.edits_of_faces.values())]
    start, end = job.start or 0.0, min(job.end or info.duration, info.duration)
    times = np.linspace(start, max(start, end), 500)
    at_rest = job.restore not in ("none", "auto")  # faces are restored whatever the strength
    at_work = np.array([at_rest or any(timeline.active(0, time) for timeline in timelines) for time in times])
    if not job.scenes or info.kind == "image":
        return float(at_work.mean()), []
    begins = scene_times(info, job.start, job.end)
    numbers = np.searchsorted(begins, times, side="right")  # of the shot at each time, from 1
    told = "scenes: " + ", ".join(f"{i} at {begin:.2f} s" for i, begin in enumerate(begins, 1))
    return float((at_work & np.isin(numbers, job.scenes)).mean()), [told]


def duration(seconds: float) -> str:
    """ "42 s", "3 min 5 s", "2 h 10 min"."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"
