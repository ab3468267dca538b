"""The chain of stages that renders a clip: which stages, in which order, with which networks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videdit.edits import Edit as OneEdit
from videdit.edits import Timeline, parse_edits
from videdit.edits.parse import find
from videdit.engine.devices import resolve_precision
from videdit.errors import NoFaceError, UsageError
from videdit.hfgi.hair import HAIR, HairPainter
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.latent_cache import codes_for
from videdit.hfgi.profile import Profile
from videdit.hfgi.student import can_edit, have_student
from videdit.imaging.host import HostPixels
from videdit.imaging.pixels import Pixels
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob
from videdit.jobs.result import count
from videdit.jobs.segment_store import Segments
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.frame_times import clock
from videdit.media.info import MediaInfo
from videdit.pipeline.executor import Stage
from videdit.pipeline.windows import reach_of
from videdit.provenance import c2pa
from videdit.provenance import tags as provenance
from videdit.rendering.assignments import People, people_of
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.other_tracks import elsewhere
from videdit.restoration.policy import RestorerChoice, choose
from videdit.stages.assign_faces import AssignFaces
from videdit.stages.auxiliary_output import AuxiliaryOutput, BesideOutput, Compose
from videdit.stages.average_changes import Steady
from videdit.stages.change import Change
from videdit.stages.compare import Compare, doubled
from videdit.stages.crop_box import CropBox
from videdit.stages.crop_faces import Align
from videdit.stages.debug_overlay import Debug, KeepDetections, drawable
from videdit.stages.decode import Decode
from videdit.stages.encode import Encode
from videdit.stages.encode_segments import Commit, CommitOne
from videdit.stages.hair import Hair
from videdit.stages.invert_edit import Edit
from videdit.stages.matte import Matte
from videdit.stages.parse_faces import Parse
from videdit.stages.paste import Paste, Release
from videdit.stages.plain import CropFolder, Plain
from videdit.stages.read_span import DropBefore, ReadSpan
from videdit.stages.restore import Restore
from videdit.stages.segment import OnlyFirst, RestartPerSegment, Split
from videdit.stages.select_active import SelectActive
from videdit.stages.track_faces import Track
from videdit.stages.transfer_detail import Detail
from videdit.stages.watermark import Mark
from videdit.tracks.account import Account
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.selection import by_number


@dataclass(frozen=True)
class Chain:
    """The stages of one render, and those of them that are asked afterwards."""

    stages: list[Stage]
    decode: Decode
    restore: Restore
    encode: Encode
    release: Release
    files: Sequence[BesideOutput] = ()  # that are written beside the output
    schedule: SelectActive | None = None
    account: Account = field(default_factory=Account)
    scenes_known: bool = False  # and what is wrong with the chosen ones was said before
    reach: float = 0.0  # seconds before and after a frame that its pictures depend on
    method: str = ""  # how faces are edited: "student", "hfgi" or "plain"
    notes: tuple[str, ...] = ()  # who gets less than was asked for, and why
    unclear: Sequence[tuple[float, float]] = ()  # when faces are left out, for which way up they are cannot be told

    def warnings(self) -> list[str]:
        """What was odd, in words, for the user to hear after the last frame."""
        scheduled = self.schedule.words() if self.schedule and not self.scenes_known else []
        return [*self.decode.warnings, *scheduled, *self.encode.warnings]


def assemble(
    clip: Clip,
    info: MediaInfo,
    loaded: ModelCache,
    analysis: Analysis | None,
    work: Segments | None = None,
    first_scene: int = 0,
    cancel: threading.Event | None = None,
) -> Chain:
    """The stages for one clip, networks loaded. With `work` it is rendered in segments that are kept there.

    analysis: of the clip; None where no face is looked for. first_scene: shots before its start, which
    count where some are chosen. Raises NoFaceError where the job's words for faces mean nobody in it.
    """
    job = clip.job
    inverter = loaded.inverter(job)
    people = people_of(job, analysis, clock(info), inverter.profile.layers, loaded.detector(job).aligned)
    timeline = people.timeline
    method = method_of(job, people.edits, inverter.profile)
    plain = method == "plain"
    faces: list[Stage] = [AssignFaces(analysis, people.chosen, steady=not plain)] if analysis else []
    if job.tune and analysis:
        inverter = tuned(clip, info, loaded, inverter, people, faces, cancel)
    place = work.next if work else None
    restore = restoration(job, inverter, timeline, loaded)
    schedule = SelectActive(timeline, job.scenes, place.scene if place else first_scene, plain or restore.at_rest)
    whole = (job.start, job.end) == (None, None) or by_number((job.faces, *job.per_face))
    account = Account(whole and inverter.profile.subject == "face", inverter.profile.subject)
    track, release = Track(account), Release(account)

    unclear = analysis.unclear_between(job.start, job.end) if analysis else []

    def approve() -> None:
        if not release.faces and not (work and work.faces):
            why = no_face(clip.source, track.unfit + parse.unfit, schedule, unclear)
            raise NoFaceError(why + elsewhere(info, loaded.detector(job)))
        for file in files:
            file.join()

    span = work.span if work else None
    first = span.first if span else place.scene_pts if place else None
    decode = Decode(info, job.start, job.end, first=first, decoder=job.decoder)
    read: Stage = decode
    if span and place and analysis:
        read = ReadSpan(decode, analysis.sightings, place.scene_pts, span.last)
    encode = encoder(clip, info, provenance.tags(job), approve, sealed(clip))
    parse = Parse(loaded.parser(job), account)
    find_faces: list[Stage] = [read, *finders(job, inverter, [*faces, *([] if plain else [track])], schedule)]
    if span:
        find_faces.append(DropBefore(span.first))
    if inverter.profile.subject == "face" and not plain:
        find_faces.append(parse)
    regions = regions_of(timeline.edits, inverter.profile)
    own_regions = {track: regions_of(edits, inverter.profile) for track, edits in people.own.items()}
    edit_faces: list[Stage]
    hair = [] if plain else hair_stages(loaded, job, inverter, regions, own_regions)
    folder = CropFolder(clip.crops, clip.replace) if clip.crops else None
    if plain:
        edit_faces = [restore, Plain(inverter, timeline, folder)]
    elif method == "student":
        edit_faces = [restore, Change(loaded.student(job), timeline, regions, own_regions), *hair]
    else:
        codes, smoothing = codes_for(inverter, analysis, keep=job.cache), (job.smooth_codes, job.smooth_fine)
        edit_faces = [
            restore,
            Edit(inverter, timeline, *smoothing, prealign=prealign(job, inverter.profile), codes=codes),
            Detail(inverter.pixels, regions, own_regions),
            Steady(inverter.pixels, timeline, restored=restore.at_rest),
            *hair,
        ]
    pasted: list[Stage] = [Paste(inverter.pixels)]
    if job.mark:
        pasted.append(Mark(job.mark, info.rotation, info.mirrored))
    files: list[BesideOutput] = [folder] if folder else []
    files += files_beside(clip, info, inverter.pixels, timeline, find_faces, edit_faces, pasted, work)
    edit_faces.append(Compose(*pasted, release))
    stages = in_segments(find_faces, edit_faces, encode, work)
    reach = reach_of([*find_faces[1:], *edit_faces])
    known = analysis is not None
    said = people.notes, unclear
    return Chain(stages, decode, restore, encode, release, files, schedule, account, known, reach, method, *said)


def unedited(clip: Clip, info: MediaInfo, loaded: ModelCache, work: Segments | None = None) -> Chain:
    """The stages that only write a clip again, without saying that it was edited; `work` as of :func:`assemble`."""
    first = work.next.pts if work and work.next else None
    decode = Decode(info, clip.job.start, clip.job.end, first=first, decoder=clip.job.decoder)
    encode = encoder(clip, info, {}, lambda: None)
    stages = in_segments([decode], [], encode, work)
    return Chain(stages, decode, Restore(), encode, Release())


def in_segments(whole: Sequence[Stage], each: Sequence[Stage], encode: Encode, work: Segments | None) -> list[Stage]:
    """Stages that see the whole clip, or what is left of it, and those that see segments, if there are any."""
    if work is None:
        return [*whole, *each, encode]
    if work.complete:
        return [Commit(encode, work)]
    split = Split(work.next, reach=reach_of(each), crops=work.crops, frames=work.frames_most)
    if work.span:
        return [*whole, OnlyFirst(split), *map(RestartPerSegment, each), CommitOne(encode, work)]
    return [*whole, split, *map(RestartPerSegment, each), Commit(encode, work)]


def files_beside(
    clip: Clip,
    info: MediaInfo,
    pixels: Pixels,
    timeline: Timeline,
    find_faces: list[Stage],
    edit_faces: list[Stage],
    pasted: list[Stage],
    work: Segments | None,
) -> list[AuxiliaryOutput]:
    """The files beside the output, their stages put among the others; `pasted`: paste and what comes behind it."""
    job = clip.job
    span: dict[str, Any] = {"start": job.start, "end": job.end, "work": work, "replace": clip.replace}
    tags = provenance.tags(job)
    files: list[AuxiliaryOutput] = []
    if clip.compare and job.compare:
        shape = doubled(info) if job.compare == "side" else info
        files.append(AuxiliaryOutput("compare", clip.compare, shape, encoding(job), metadata=tags, **span))
        pasted.append(Compare(job.compare, files[-1]))
    if clip.debug:
        files.append(AuxiliaryOutput("debug", clip.debug, drawable(info), metadata=tags, **span))
        pasted.append(Debug(files[-1], pixels, timeline))
        find_faces.insert(2, KeepDetections())
    if clip.alpha:
        matte = Matte(clip.alpha, info, pixels, **span)
        files.append(matte.file)
        edit_faces.append(matte)
    return files


def tuned(
    clip: Clip,
    info: MediaInfo,
    loaded: ModelCache,
    inverter: Inverter,
    people: People,
    faces: Sequence[Stage],
    cancel: threading.Event | None,
) -> Inverter:
    """The networks with a generator that was tuned to this clip, now or before."""
    from videdit.models.mobile_stylegan import Synthesis
    from videdit.rendering.tuning_pass import examples_of, load_tuned, representatives, tune, tuned_path

    job, generator = clip.job, inverter.generator
    if not isinstance(generator, Synthesis):
        raise UsageError(f"--tune is for profile mobile; leave it out with {job.profile}")
    path = tuned_path(job, clip.source)
    state = load_tuned(path)
    if state is None:
        pixels = HostPixels()
        restore = restoration(job, inverter, people.timeline, loaded, pixels)
        find: list[Stage] = [
            Decode(info, job.start, job.end, decoder=job.decoder),
            *faces,
            Track(),
            SelectActive(people.timeline, job.scenes),
            Align(pixels, job.size),
        ]
        chosen = restore(iter(representatives(Compose(*find)(iter(())))))
        regions = regions_of(people.edits, inverter.profile)
        examples = examples_of(inverter, chosen, people.timeline, regions)
        bf16 = resolve_precision(job.precision, inverter.device) == "bf16"
        state = tune(generator, examples, job.tune, path, bf16, cancel)
    return inverter.with_generator(state)


def restoration(
    job: RenderJob, inverter: Inverter, timeline: Timeline, loaded: ModelCache, pixels: Pixels | None = None
) -> Restore:
    """The stage that restores faces; cars are left as they are. pixels: where not the inverter's."""
    choice = choose(job.restore) if inverter.profile.subject == "face" else RestorerChoice("none")
    restorer = loaded.restorer(choice, job)
    return Restore(choice, job.restore_strength, restorer, pixels or inverter.pixels, timeline)


def finders(
    job: RenderJob, inverter: Inverter, faces: Sequence[Stage], schedule: SelectActive | None = None
) -> list[Stage]:
    """The stages from the decoded frame to the crops that are edited; `faces`: those that find and follow faces."""
    size = max(inverter.profile.sizes) if job.method == "plain" and job.size == "auto" else job.size
    if inverter.profile.subject != "face":
        return [CropBox(inverter.pixels, inverter.profile.sizes, job.box, size)]
    return [*faces, *filter(None, [schedule]), Align(inverter.pixels, size)]


def hair_stages(
    loaded: ModelCache,
    job: RenderJob,
    inverter: Inverter,
    regions: Iterable[str],
    own: Mapping[int, Iterable[str]],
    alone: bool = False,
) -> list[Hair]:
    """The stage that changes the hair of whole heads, where an edit changes hair at all.

    alone: for a single frame that somebody waits for.
    """
    if inverter.profile.subject != "face" or not any(HAIR in theirs for theirs in (set(regions), *own.values())):
        return []
    return [Hair(HairPainter(inverter.pixels, loaded.parser(job, alone)))]


def method_of(job: RenderJob, edits: Iterable[OneEdit], profile: Profile) -> str:
    """How a job's faces are edited: "student", "hfgi" or "plain".

    Raises:
        UsageError: the student is asked for and cannot.
    """
    edits = tuple(edits)
    unknown = [edit.name for edit in edits if not can_edit((edit.name,))]
    able = profile.name == "mobile" and not unknown and not job.tune
    if job.method == "student" and not able:
        why = f"knows no edit {unknown[0]!r}" if unknown else "is of profile mobile" if not job.tune else "is not tuned"
        raise UsageError(f"--method student {why}; leave it out, or use --method hfgi")
    if job.method == "auto":
        best = all(find(edit.name).method == "student" for edit in edits)
        return "student" if able and best and have_student() else "hfgi"
    return job.method


def all_edits(job: RenderJob) -> list[OneEdit]:
    """What anybody gets by a job."""
    return [edit for words in (job.edit, *job.per_face.values()) for edit in parse_edits(words)]


def reach_of_job(job: RenderJob, profile: Profile) -> float:
    """How many seconds before and after a frame its pictures depend on: what the stages of the job declare together."""
    if job.method == "plain":
        return 0.0
    stages: list[object] = [Track, Parse] if profile.subject == "face" else []
    return reach_of(stages) + edit_reach(job, profile)


def edit_reach(job: RenderJob, profile: Profile) -> float:
    """The part of :func:`reach_of_job` that segments bring along as context: of the stages that begin anew in each."""
    edits, edited = all_edits(job), 0.0
    if method_of(job, edits, profile) == "hfgi":
        edited = Edit.reach_of(job.smooth_codes, job.smooth_fine) + Steady.reach
    if profile.subject == "face" and HAIR in regions_of(edits, profile):
        edited += Hair.reach
    return edited


def prealign(job: RenderJob, profile: Profile) -> str:
    """How distortion maps are aligned: only faces have landmarks."""
    return job.prealign if profile.subject == "face" or job.prealign == "none" else "flow"


def regions_of(edits: Iterable[OneEdit], profile: Profile) -> set[str]:
    """Where edits may show, see :func:`videdit.geometry.face_regions.edit_mask`."""
    if profile.subject != "face":
        return {"box"}
    return {region for edit in edits for region in find(edit.name).regions}


def sealed(clip: Clip) -> Callable[[Path], None] | None:
    """What is done to the finished file before it takes its name."""
    if clip.job.sign is None:
        return None
    return lambda unfinished: c2pa.sign(clip.job, clip.source, clip.output, unfinished)


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
        clip.output,
        info,
        encoding(job),
        start=job.start,
        end=job.end,
        metadata=metadata,
        approve=approve,
        seal=seal,
        replace=clip.replace,
    )


def encoding(job: RenderJob) -> EncodeSettings:
    """How the job wants clips encoded."""
    return EncodeSettings(
        job.codec,
        job.crf,
        job.preset,
        job.lossless,
        backend=job.encoder_backend,
        pix_fmt=job.pix_fmt,
        transcode=job.transcode,
    )


def no_face(
    source: Path, unfit: Counter[str], schedule: SelectActive, unclear: Sequence[tuple[float, float]] = ()
) -> str:
    """Why nothing was edited, in words."""
    if schedule.passed:
        faces = count(schedule.passed, "face")
        return "; ".join([f"nothing to edit in {source}: {faces} in other scenes or at strength 0", *schedule.words()])
    if unfit:
        reason, times = unfit.most_common(1)[0]
        return f"no face to edit in {source}: every face is {reason} ({times} times); nothing was written"
    if unclear:
        when = f"the one at {unclear[0][0]:.2f} s"
        return f"no face to edit in {source}: which way up {when} is cannot be told; nothing was written"
    return f"no face found in {source}; nothing was written (--keep-unedited writes it as it is)"
