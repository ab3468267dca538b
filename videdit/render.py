"""RenderJob -> chain of stages -> result. The only module of videdit that knows the stages.

:func:`edit_video` and :func:`edit_image` are its public face.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack

from pydantic import ValidationError

from stages.align import Align
from stages.decode import Decode
from stages.detail import Detail
from stages.detect import Detect
from stages.edit import Edit
from stages.encode import Encode
from stages.paste import Paste
from stages.restore import Restore
from stages.track import Track
from videdit import provenance
from videdit.config import RenderJob
from videdit.edits import cautions, edit_vector, parse_edits
from videdit.edits.words import find
from videdit.errors import Cancelled, MediaError, NoFaceError, UsageError
from videdit.faces import FaceDetector
from videdit.inversion import Inverter
from videdit.jobfile import explain
from videdit.media.codecs import EncodeSettings
from videdit.media.probe import MediaInfo, probe
from videdit.packets import Frame
from videdit.pipeline import Pipeline, Stage
from videdit.plan import Clip, make_plan
from videdit.report import Progress, RenderResult
from videdit.restoration import CropRestorer, have_restorer

log = logging.getLogger(__name__)

# Bytes that frames between the stages may hold, unless the job says otherwise. A GPU hands on bursts of whole batches,
# which must find room or it waits.
MEMORY = {"cpu": 128 << 20, "cuda": 1 << 30}
QUEUES = 8  # that share it


class Options(TypedDict, total=False):
    """What :func:`edit_video` and :func:`edit_image` take beside input, output and edit: see :class:`RenderJob`."""

    profile: str
    faces: str | int
    size: str | int
    restore: str
    restore_strength: float
    start: float | str | None
    end: float | str | None
    codec: str | None
    crf: float | None
    preset: str | None
    lossless: bool
    device: str
    precision: str
    batch: int | None
    memory: int | str | None
    overwrite: bool
    keep_unedited: bool
    sidecar: bool


def edit_video(
    source: str | Path,
    output: str | Path | None = None,
    *,
    edit: str | list[str] | dict[str, float | None],
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    **options: Unpack[Options],
) -> RenderResult:
    """Edit the faces of a clip and write it, with everything else as it was.

    Args:
        source: the video file.
        output: where to write; a file or a folder. Default: beside the source, "in_smile.mp4".
        edit: "smile", "smile=1.5,age=-1", or a mapping of name to strength (None: the recommended one).
        progress: told about every few frames; see :mod:`videdit.report`.
        cancel: set it from another thread to stop; nothing half-written is left.
        options: as in a job file: ``start``, ``end``, ``crf``, ``faces``, ``device``, ``overwrite``, ...

    Returns:
        Frames, faces edited, seconds and what each stage did.

    Raises:
        UsageError: the words make no sense, or the output exists and ``overwrite`` is not set.
        NoFaceError: no face in the clip can be edited (and ``keep_unedited`` is not set).
        MediaError: the file cannot be read or written.
        WeightsError: a weight file is missing or damaged.
        Cancelled: `cancel` was set.
    """
    words = {"input": str(source), "edit": edit, "output": None if output is None else str(output)}
    try:
        job = RenderJob.model_validate(words | options)
    except ValidationError as error:
        raise UsageError("; ".join(message for _, message in explain(error))) from None
    clips = make_plan([job]).clips
    if len(clips) != 1 or clips[0].state is not None:
        raise UsageError(f"{source} is not a single file; render the files of a folder one by one")
    for caution in cautions(parse_edits(job.edit)):
        log.warning(caution)
    return Renderer(progress).render(clips[0], cancel)


def edit_image(
    source: str | Path,
    output: str | Path | None = None,
    *,
    edit: str | list[str] | dict[str, float | None],
    **options: Unpack[Options],
) -> RenderResult:
    """Edit the faces of a picture: :func:`edit_video` for a still."""
    return edit_video(source, output, edit=edit, **options)


class Renderer:
    """Renders clips one after the other; networks are loaded once and kept between clips."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress = progress or Progress()
        self._loaded: dict[tuple, tuple[Inverter, FaceDetector]] = {}
        self._restorers: dict[tuple, CropRestorer] = {}

    def render(self, clip: Clip, cancel: threading.Event | None = None) -> RenderResult:
        """Render one clip of a plan. Raises what :func:`edit_video` raises."""
        info = probe(clip.source)
        check_writable(clip.output.parent)
        chain = self.chain(clip, info)
        self.progress.start(clip.source.name, frames_between(info, clip.job.start, clip.job.end))
        status, detail = "failed", {}
        start = time.perf_counter()
        try:
            try:
                result = self._run(clip, chain.stages, cancel)
            except NoFaceError:
                if not clip.job.keep_unedited:
                    raise
                chain = self.unedited(clip, info)
                result = self._run(clip, chain.stages, cancel)
            result = replace(result, faces=chain.counted.faces, seconds=time.perf_counter() - start)
            status, detail = "done", result.as_dict()
        except NoFaceError:
            status = "skipped"
            raise
        except (KeyboardInterrupt, Cancelled):
            status = "interrupted"
            raise
        finally:
            self.progress.end(status, detail)
        for warning in chain.warnings():
            log.warning("%s", warning)
        if clip.job.sidecar and result.faces:
            provenance.write_sidecar(clip.job, clip.source, clip.output, result.as_dict())
        return result

    def _run(self, clip: Clip, stages: list[Stage], cancel: threading.Event | None) -> RenderResult:
        device = self._networks(clip.job)[0].device.split(":")[0]
        pipeline = Pipeline(stages, budget=(clip.job.memory or MEMORY[device]) // QUEUES)
        stats = pipeline.run(on_tick=lambda: self.progress.update(pipeline.stats), cancel=cancel)
        return RenderResult(clip.source, clip.output, stats[-1].packets, 0, 0.0, stats)

    def chain(self, clip: Clip, info: MediaInfo) -> Chain:
        """The stages for one clip, networks loaded."""
        job = clip.job
        inverter, detector = self._networks(job)
        edits = parse_edits(job.edit)
        track, counted = Track(job.faces), Counted(Paste())
        restore = Restore(job.restore, job.restore_strength, self._restorer(job))

        def approve() -> None:
            if not counted.faces:
                raise NoFaceError(no_face(clip.source, track))

        decode = Decode(info, job.start, job.end)
        encode = encoder(clip, info, provenance.tags(job), approve)
        stages: list[Stage] = [
            decode,
            Detect(detector),
            track,
            Align(job.size),
            restore,
            Edit(inverter, edit_vector(edits)),
            Detail(region for edit in edits for region in find(edit.name).regions),
            counted,
            encode,
        ]
        return Chain(stages, decode, restore, encode, counted)

    def unedited(self, clip: Clip, info: MediaInfo) -> Chain:
        """The stages that only write a clip again, without saying that it was edited."""
        decode, encode = Decode(info, clip.job.start, clip.job.end), encoder(clip, info, {}, lambda: None)
        return Chain([decode, encode], decode, Restore(), encode, Counted(Paste()))

    def _networks(self, job: RenderJob) -> tuple[Inverter, FaceDetector]:
        key = (job.profile, job.device, job.precision, job.batch)
        if key not in self._loaded:
            inverter = Inverter.load(job.profile, job.device, job.precision, job.batch)
            self._loaded[key] = inverter, FaceDetector(inverter.device)
        return self._loaded[key]


    def _restorer(self, job: RenderJob) -> CropRestorer | None:
        """The face restorer, if the job may want it."""
        if job.restore == "none":
            return None
        if job.restore == "auto" and not have_restorer():
            log.warning("--restore auto: no restorer ships with this version, faces stay as they are")
            return None
        key = (job.device, job.precision, job.batch)
        if key not in self._restorers:
            self._restorers[key] = CropRestorer(*key)
        return self._restorers[key]


@dataclass(frozen=True)
class Chain:
    """The stages of one render, and those of them that are asked afterwards."""

    stages: list[Stage]
    decode: Decode
    restore: Restore
    encode: Encode
    counted: Counted

    def warnings(self) -> list[str]:
        """What was odd, in words, for the user to hear after the last frame."""
        return [*self.decode.warnings, *self.restore.words(), *self.encode.warnings]


class Counted:
    """A stage that also counts the changes of faces that reach it."""

    def __init__(self, stage: Paste) -> None:
        self.stage, self.name = stage, stage.name
        self.faces = 0

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        return self.stage(self._counting(frames))

    def _counting(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.faces += len(frame.edits)
            yield frame


def encoder(clip: Clip, info: MediaInfo, metadata: dict[str, str], approve: Callable[[], None]) -> Encode:
    """The last stage as the job wants it."""
    job = clip.job
    settings = EncodeSettings(codec=job.codec, crf=job.crf, preset=job.preset, lossless=job.lossless)
    return Encode(clip.output, info, settings, start=job.start, end=job.end, metadata=metadata, approve=approve)


def no_face(source: Path, track: Track) -> str:
    """Why nothing was edited, in words."""
    if track.unfit:
        reason, times = track.unfit.most_common(1)[0]
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
