"""Clip of a plan -> chain of stages -> result. The only module of videdit that knows the stages.

:mod:`videdit.api` is its public face.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stages.align import Align
from stages.beside import Beside, InTurn
from stages.commit import EDITED, Commit
from stages.compare import Compare, doubled
from stages.debug import Debug, Found, drawable
from stages.decode import Decode
from stages.detail import Detail
from stages.edit import Edit
from stages.encode import Encode
from stages.mark import Mark
from stages.matte import Matte
from stages.parse import Parse
from stages.paste import Paste
from stages.place import Place
from stages.recall import Recall
from stages.restore import Restore
from stages.schedule import Schedule
from stages.split import CROPS, Fresh, Split, own
from stages.steady import Steady
from stages.track import Track
from videdit import credentials, provenance
from videdit.backend import resolve_device, resolve_precision
from videdit.cliptuning import examples_of, load_tuned, representatives, tune, tuned_path
from videdit.codes import codes_for
from videdit.config import RenderJob
from videdit.edits import Edit as OneEdit
from videdit.edits import Timeline
from videdit.edits.words import find
from videdit.errors import Cancelled, MediaError, NoFaceError, OutOfMemoryError, UsageError, machine_failure
from videdit.faces import FaceDetector, detector_of
from videdit.firstlook import analysed
from videdit.inversion import SIZES, Inverter
from videdit.media.codecs import EncodeSettings
from videdit.media.probe import MediaInfo, probe
from videdit.media.times import clock
from videdit.models.mobile_stylegan import Synthesis as MobileSynthesis
from videdit.packets import LOW, Frame
from videdit.parsing import CropParser
from videdit.people.analysis import Analysis
from videdit.people.edits import People, people_of
from videdit.pipeline import Pipeline, Stage
from videdit.pixels import Pixels, pixels_for
from videdit.pixels.host import HostPixels
from videdit.plan import Clip
from videdit.profiles import Profile, load_profile
from videdit.report import Progress, RenderResult, count
from videdit.restoration import Choice, choose
from videdit.restorers import CropRestorer, restorer_of
from videdit.resume import Work

log = logging.getLogger(__name__)

# Bytes that frames between the stages may hold, unless the job says otherwise. A GPU hands on bursts of whole batches,
# which must find room or it waits.
MEMORY = {"cpu": 128 << 20, "cuda": 1 << 30}


class Renderer:
    """Renders clips one after the other; networks are loaded once and kept between clips."""

    def __init__(
        self, progress: Progress | None = None, pixels_for: Callable[[str, str], Pixels] = pixels_for
    ) -> None:
        """pixels_for: (device, precision) -> where the stages keep their pixels; tests choose it, users the device."""
        self.progress, self._pixels_for = progress or Progress(), pixels_for
        self._loaded: dict[tuple, tuple[Inverter, FaceDetector]] = {}
        self._restorers: dict[tuple, CropRestorer | None] = {}
        self._parsers: dict[tuple, CropParser] = {}

    def render(self, clip: Clip, cancel: threading.Event | None = None) -> RenderResult:
        """Render one clip of a plan. Raises what :func:`edit_video` raises."""
        info = probe(clip.source, clip.job.fps)
        credentials.check(clip.job, clip.output)
        for file in filter(None, (clip.output, clip.alpha)):
            check_writable(file.parent)
        with Work(clip.output, clip.source, clip.job) if resumable(clip, info) else contextlib.nullcontext() as work:
            try:
                return self._persist(clip, info, work, cancel)
            finally:
                if work and work.segments:
                    log.warning("%s are kept: run the same command again to go on", count(work.frames, "frame"))

    def _persist(self, clip: Clip, info: MediaInfo, work: Work | None, cancel: threading.Event | None) -> RenderResult:
        """Render, with ever smaller batches where the memory does not suffice."""
        while True:
            try:
                return self._render(clip, info, work, cancel)
            except Exception as error:
                failure = machine_failure(error)
                smaller = self._smaller(clip) if isinstance(failure, OutOfMemoryError) else None
                if failure is None:
                    raise
                if smaller is None:
                    raise failure from None
            # Only here have the frames of the failed run lost their last holder, the traceback.
            log.warning("out of memory: goes on with batches of %d", smaller.job.batch)
            clip = smaller

    def _smaller(self, clip: Clip) -> Clip | None:
        """The clip with half its batch, the networks of the whole one forgotten; None where it is one crop already."""
        inverter = self._networks(clip.job)[0]
        if inverter.batch(LOW) == 1:
            return None
        self._loaded.clear()
        self._parsers.clear()
        self._restorers.clear()
        return replace(clip, job=clip.job.model_copy(update={"batch": max(1, inverter.batch(max(SIZES)) // 2)}))

    def _render(self, clip: Clip, info: MediaInfo, work: Work | None, cancel: threading.Event | None) -> RenderResult:
        chain: Chain | None = None
        before = (work.frames, work.faces) if work else (0, 0)  # frames and faces of an earlier run
        expected = frames_between(info, clip.job.start, clip.job.end)
        if work and work.segments:
            log.warning("%s: goes on where it stopped: %s are done", clip.source, count(before[0], "frame"))
            expected = expected and max(0, expected - before[0])
        self.progress.start(clip.source.name, expected)
        status, detail = "failed", {}
        start = time.perf_counter()
        try:
            try:
                with self.analysed(clip, info, work, cancel) as analysis:
                    chain = self.chain(clip, info, analysis, work, cancel=cancel)
                    result = self._run(clip, chain.stages, cancel)
            except NoFaceError:
                if work:
                    work.remove()
                if not clip.job.keep_unedited:
                    raise
                for file in chain.files if chain else ():
                    file.drop()
                chain, before = self.unedited(clip, info), (0, 0)
                result = self._run(clip, chain.stages, cancel)
            result = replace(
                result,
                frames=result.frames + before[0],
                faces=chain.counted.faces + before[1],
                restoration=chain.restore.words(),
                done_before=before[0],
                seconds=time.perf_counter() - start,
            )
            status, detail = "done", result.as_dict()
        except NoFaceError:
            status = "skipped"
            raise
        except (KeyboardInterrupt, Cancelled):
            status = "interrupted"
            raise
        finally:
            self.progress.end(status, detail)
            if status != "done":
                for file in chain.files if chain else ():
                    file.drop()
        for file in chain.files:
            file.keep()
        if work:
            work.remove()
        for warning in chain.warnings():
            log.warning("%s", warning)
        if clip.job.sidecar and result.faces:
            provenance.write_sidecar(clip.job, clip.source, clip.output, result.as_dict())
        return result

    def _run(self, clip: Clip, stages: list[Stage], cancel: threading.Event | None) -> RenderResult:
        device = self._networks(clip.job)[0].device.split(":")[0]
        pipeline = Pipeline(stages, budget=(clip.job.memory or MEMORY[device]) // max(1, len(stages) - 1))
        stats = pipeline.run(on_tick=lambda: self.progress.update(pipeline.stats), cancel=cancel)
        return RenderResult(clip.source, clip.output, stats[-1].packets, 0, 0.0, stats)

    def analysed(
        self, clip: Clip, info: MediaInfo, work: Work | None = None, cancel: threading.Event | None = None
    ) -> contextlib.AbstractContextManager[Analysis | None]:
        """Who is in a clip: see :func:`videdit.firstlook.analysed`; None where nobody asks."""
        inverter, detector = self._networks(clip.job)
        if inverter.profile.subject != "face" or (work and work.complete):
            return contextlib.nullcontext()
        return analysed(clip.source, info, clip.job, detector, inverter.device, self.progress, cancel)

    def chain(
        self,
        clip: Clip,
        info: MediaInfo,
        analysis: Analysis | None,
        work: Work | None = None,
        first_scene: int = 0,
        cancel: threading.Event | None = None,
    ) -> Chain:
        """The stages for one clip, networks loaded. With `work` it is rendered in segments that are kept there.

        analysis: of the clip; None where no face is looked for. first_scene: shots before its start, which
        count where some are chosen. Raises NoFaceError where the job's words for faces mean nobody in it.
        """
        job = clip.job
        inverter = self._networks(job)[0]
        people = people_of(job, analysis, clock(info), inverter.profile.layers)
        timeline = people.timeline
        faces: list[Stage] = [Recall(analysis, people.chosen)] if analysis else []
        if job.tune and analysis:
            inverter = self._tuned(clip, info, inverter, people, faces, cancel)
        place = work.next if work else None
        restore = self._restore(job, inverter, timeline)
        schedule = Schedule(timeline, job.scenes, place.scene if place else first_scene, restore.at_rest)
        track, counted = Track(), Counted(Paste(inverter.pixels))

        def approve() -> None:
            if not counted.faces and not (work and work.faces):
                raise NoFaceError(no_face(clip.source, track.unfit + parse.unfit, schedule))
            for file in files:
                file.join()

        decode = Decode(info, job.start, job.end, first=place.scene_pts if place else None, decoder=job.decoder)
        encode = encoder(clip, info, provenance.tags(job), approve, sealed(clip))
        parse = Parse(self._parser(job))
        find_faces: list[Stage] = [decode, *finders(job, inverter, [*faces, track], schedule)]
        if inverter.profile.subject == "face":
            find_faces.append(parse)
        codes, smoothing = codes_for(inverter, analysis, keep=job.cache), (job.smooth_codes, job.smooth_fine)
        own_regions = {track: regions_of(edits, inverter.profile) for track, edits in people.own.items()}
        edit_faces: list[Stage] = [
            restore,
            Edit(inverter, timeline, *smoothing, prealign=prealign(job, inverter.profile), codes=codes),
            Detail(inverter.pixels, regions_of(timeline.edits, inverter.profile), own_regions),
            Steady(inverter.pixels, timeline, restored=restore.at_rest),
            counted,
        ]
        if job.mark:
            edit_faces[-1] = InTurn(counted, Mark(job.mark, info.rotation, info.mirrored))
        files = self._beside(clip, info, timeline, find_faces, edit_faces, work)
        if work is None:
            stages = [*find_faces, *edit_faces, encode]
        elif work.complete:
            stages = [Commit(encode, work)]
        else:
            stages = [*find_faces, Split(place), *map(Fresh, edit_faces), Commit(encode, work)]
        return Chain(stages, decode, restore, encode, counted, files, schedule)

    def _tuned(
        self,
        clip: Clip,
        info: MediaInfo,
        inverter: Inverter,
        people: People,
        faces: Sequence[Stage],
        cancel: threading.Event | None,
    ) -> Inverter:
        """The networks with a generator that was tuned to this clip, now or before."""
        job, generator = clip.job, inverter.generator
        if not isinstance(generator, MobileSynthesis):
            raise UsageError(f"--tune is for profile mobile; leave it out with {job.profile}")
        path = tuned_path(job, clip.source)
        state = load_tuned(path)
        if state is None:
            pixels = HostPixels()
            restore = self._restore(job, inverter, people.timeline, pixels)
            find: list[Stage] = [
                Decode(info, job.start, job.end, decoder=job.decoder),
                *faces,
                Track(),
                Schedule(people.timeline, job.scenes),
                Align(pixels, job.size),
            ]
            chosen = restore(iter(representatives(InTurn(*find)(iter(())))))
            regions = regions_of(people.edits, inverter.profile)
            examples = examples_of(inverter, chosen, people.timeline, regions)
            bf16 = resolve_precision(job.precision, inverter.device) == "bf16"
            state = tune(generator, examples, job.tune, path, bf16, cancel)
        return inverter.with_generator(state)

    def _beside(
        self,
        clip: Clip,
        info: MediaInfo,
        timeline: Timeline,
        find_faces: list[Stage],
        edit_faces: list[Stage],
        work: Work | None,
    ) -> list[Beside]:
        """The files beside the output, their stages put among the others; paste is the last of `edit_faces`."""
        job, pixels = clip.job, self._networks(clip.job)[0].pixels
        span: dict[str, Any] = {"start": job.start, "end": job.end, "work": work}
        tags = provenance.tags(job)
        files: list[Beside] = []
        if clip.compare and job.compare:
            shape = doubled(info) if job.compare == "side" else info
            files.append(Beside("compare", clip.compare, shape, encoding(job), metadata=tags, **span))
            edit_faces[-1] = Compare(edit_faces[-1], job.compare, files[-1])
        if clip.debug:
            files.append(Beside("debug", clip.debug, drawable(info), metadata=tags, **span))
            edit_faces[-1] = Debug(edit_faces[-1], files[-1], pixels, timeline)
            find_faces.insert(2, Found())
        if clip.alpha:
            matte = Matte(clip.alpha, info, pixels, **span)
            files.append(matte.file)
            edit_faces.insert(-1, matte)
        return files

    def unedited(self, clip: Clip, info: MediaInfo) -> Chain:
        """The stages that only write a clip again, without saying that it was edited."""
        decode = Decode(info, clip.job.start, clip.job.end, decoder=clip.job.decoder)
        encode = encoder(clip, info, {}, lambda: None)
        return Chain([decode, encode], decode, Restore(), encode, Counted(Paste(self._networks(clip.job)[0].pixels)))

    def _networks(self, job: RenderJob) -> tuple[Inverter, FaceDetector]:
        key = (job.profile, job.checkpoint, job.detector, job.device, job.precision, job.batch)
        if key not in self._loaded:
            pixels = self._pixels_for(resolve_device(job.device), job.precision)
            inverter = Inverter(load_profile(job.profile, job.checkpoint), pixels, job.batch)
            self._loaded[key] = inverter, detector_of(job.detector, inverter.device)
        return self._loaded[key]

    def _parser(self, job: RenderJob) -> CropParser:
        key = (job.profile, job.device, job.precision, job.batch)
        if key not in self._parsers:
            self._parsers[key] = CropParser(self._networks(job)[0].pixels, job.batch)
        return self._parsers[key]

    def _restore(
        self, job: RenderJob, inverter: Inverter, timeline: Timeline, pixels: Pixels | None = None
    ) -> Restore:
        """The stage that restores faces; cars are left as they are. pixels: where not the inverter's."""
        choice = choose(job.restore) if inverter.profile.subject == "face" else Choice("none")
        restorer = self._restorer(choice, job)
        return Restore(choice, job.restore_strength, restorer, pixels or inverter.pixels, timeline)

    def _restorer(self, choice: Choice, job: RenderJob) -> CropRestorer | None:
        machine = (job.device, job.precision, job.batch)
        key = (choice.kind, choice.file, *machine)
        if key not in self._restorers:
            self._restorers[key] = restorer_of(choice, *machine)
        return self._restorers[key]


@dataclass(frozen=True)
class Chain:
    """The stages of one render, and those of them that are asked afterwards."""

    stages: list[Stage]
    decode: Decode
    restore: Restore
    encode: Encode
    counted: Counted
    files: Sequence[Beside] = ()  # that are written beside the output
    schedule: Schedule | None = None

    def warnings(self) -> list[str]:
        """What was odd, in words, for the user to hear after the last frame."""
        scheduled = self.schedule.words() if self.schedule else []
        return [*self.decode.warnings, *scheduled, *self.encode.warnings]


class Counted:
    """A stage that also counts the changes of faces that reach it."""

    def __init__(self, stage: Paste) -> None:
        self.stage, self.name = stage, stage.name
        self.faces = 0

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        return self.stage(self._counting(frames))

    def _counting(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if own(frame):
                self.faces += len(frame.edits)
            yield replace(frame, extra=frame.extra | {EDITED: len(frame.edits)})


def finders(
    job: RenderJob, inverter: Inverter, faces: Sequence[Stage], schedule: Schedule | None = None
) -> list[Stage]:
    """The stages from the decoded frame to the crops that are edited; `faces`: those that find and follow faces."""
    if inverter.profile.subject != "face":
        return [Place(inverter.pixels, inverter.profile.sizes, job.box, job.size)]
    return [*faces, *filter(None, [schedule]), Align(inverter.pixels, job.size)]


def prealign(job: RenderJob, profile: Profile) -> str:
    """How distortion maps are aligned: only faces have landmarks."""
    return job.prealign if profile.subject == "face" or job.prealign == "none" else "flow"


def regions_of(edits: Iterable[OneEdit], profile: Profile) -> set[str]:
    """Where edits may show, see :func:`videdit.geometry.mask.edit_mask`."""
    if profile.subject != "face":
        return {"box"}
    return {region for edit in edits for region in find(edit.name).regions}


def resumable(clip: Clip, info: MediaInfo) -> bool:
    """Whether a clip is rendered in segments: a short one is sooner done again, EXR has none."""
    frames = frames_between(info, clip.job.start, clip.job.end)
    vp9 = clip.output.suffix.lower() == ".webm" or "vp" in (clip.job.codec or info.codec)
    beside = info.planar.startswith("yuva") and vp9  # transparency beside the packets, which alone a segment keeps
    splits = info.kind == "video" and info.container != "exr" and not beside
    return clip.job.resume and splits and (frames is None or frames > CROPS)


def sealed(clip: Clip) -> Callable[[Path], None] | None:
    """What is done to the finished file before it takes its name."""
    if clip.job.sign is None:
        return None
    return lambda unfinished: credentials.sign(clip.job, clip.source, clip.output, unfinished)


def encoder(
    clip: Clip,
    info: MediaInfo,
    metadata: dict[str, str],
    approve: Callable[[], None],
    seal: Callable[[Path], None] | None = None,
) -> Encode:
    """The last stage as the job wants it."""
    job = clip.job
    return Encode(
        clip.output, info, encoding(job), start=job.start, end=job.end, metadata=metadata, approve=approve, seal=seal
    )


def encoding(job: RenderJob) -> EncodeSettings:
    """How the job wants clips encoded."""
    return EncodeSettings(
        job.codec, job.crf, job.preset, job.lossless, backend=job.encoder_backend, transcode=job.transcode
    )


def no_face(source: Path, unfit: Counter[str], schedule: Schedule) -> str:
    """Why nothing was edited, in words."""
    if schedule.passed:
        faces = count(schedule.passed, "face")
        return "; ".join([f"nothing to edit in {source}: {faces} in other scenes or at strength 0", *schedule.words()])
    if unfit:
        reason, times = unfit.most_common(1)[0]
        return f"no face to edit in {source}: every face is {reason} ({times} times); nothing was written"
    return f"no face found in {source}; nothing was written (--keep-unedited writes it as it is)"


def frames_between(info: MediaInfo, start: float | None, end: float | None) -> int | None:
    """About how many frames of a clip lie between two times; None where the file does not tell."""
    if start is None and end is None:
        return info.frame_count or None
    if not info.fps or not info.duration:
        return None
    return max(1, round((min(end or info.duration, info.duration) - (start or 0.0)) * info.fps))


def check_writable(folder: Path) -> None:
    """Make the output folder and try it, before any time is spent.

    Raises:
        MediaError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise MediaError(f"cannot write to the folder {folder}: {error.strerror}") from None
