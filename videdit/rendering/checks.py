"""What is known to be wrong with a job and its clip before a frame is looked at, and what once it was."""

from __future__ import annotations

import errno
import importlib.util
import tempfile
from pathlib import Path

from videdit.edits.keyframes import in_seconds
from videdit.errors import AwayError, MediaError, SettingsError, WeightsError
from videdit.faces import scrfd
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob
from videdit.media.encode.choose import choose_encoder
from videdit.media.encode.target import container_for
from videdit.media.frame_times import clock
from videdit.media.image_sequence import is_sequence
from videdit.media.info import MediaInfo
from videdit.provenance import c2pa
from videdit.rendering.output_files import encoding
from videdit.restoration import policy
from videdit.restoration.policy import PUBLISHED, choose
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.track_table import within

_OF_ENCODERS = ("codec", "crf", "preset", "lossless", "pix_fmt", "transcode", "encoder_backend")


def check(clip: Clip, info: MediaInfo) -> list[str]:
    """Refuse what cannot be done; what can, though it may not be meant, is said.

    Raises:
        SettingsError: a time beyond the clip's end, an encoder or a preset that there is not.
        SettingsError: words for an encoder, of pictures that have none.
        UsageError: the output cannot be signed as the job wants it.
        WeightsError: a package or weights that it asks for are not installed.
    """
    job = clip.job
    c2pa.check(job, clip.output)
    check_start(job, info)
    if is_sequence(clip.output):
        if given := _given(job, _OF_ENCODERS):
            raise SettingsError(f"{', '.join(given)}: of video; {clip.output} are pictures, so leave it out")
    elif info.kind == "video" and info.container != "exr":
        choose_encoder(info, container_for(clip.output), encoding(job))
    check_extras(job)
    return beyond(job, info) if info.kind == "video" else of_video(job, info)


def _given(job: RenderJob, names: tuple[str, ...]) -> list[str]:
    """The options of these whose values are not the default."""
    plain = RenderJob.model_fields
    return [f"--{name.replace('_', '-')}" for name in names if getattr(job, name) != plain[name].default]


def of_video(job: RenderJob, info: MediaInfo) -> list[str]:
    """A sentence for what a picture, which has no time and no encoder, does not heed."""
    said = []
    if given := _given(job, ("start", "end", "scenes", *_OF_ENCODERS)):
        mean = "mean" if len(given) > 1 else "means"
        said.append(f"{info.path} is a picture, for which {', '.join(given)} {mean} nothing")
    if moving := [edit.name for edit in job.all_edits if edit.keyframes]:
        said.append(f"{info.path} is a picture: of the keyframes of {', '.join(moving)} it gets the strength at 0 s")
    return said


def check_start(job: RenderJob, info: MediaInfo) -> None:
    """Raise SettingsError where a clip has ended before the job begins."""
    if info.kind == "video" and info.duration and job.start is not None and job.start >= info.duration:
        raise SettingsError(f"{info.path} has no frame from {job.start:g} s on; it is {info.duration:.2f} s long")


def check_extras(job: RenderJob) -> None:
    """Raise WeightsError where a package that the job asks for, or its weights, are not installed."""
    if job.detector != "mtcnn":
        scrfd.find_pack(job.detector.partition(":")[2] or scrfd.DEFAULT_PACK)
        if not all(importlib.util.find_spec(name) for name in ("insightface", "onnxruntime")):
            raise WeightsError(f"--detector insightface needs packages that are not here: {scrfd.ADVICE}")
    if choose(job.restore).kind in PUBLISHED and not policy.installed():
        raise WeightsError(f"--restore {job.restore} needs packages that are not here: {policy.ADVICE}")


def beyond(job: RenderJob, info: MediaInfo) -> list[str]:
    """A sentence for each edit with keyframes after the clip's end."""
    if info.kind != "video" or not info.duration:
        return []
    said = []
    time_of = clock(info)
    for edit in job.all_edits:
        placed = in_seconds(edit.name, edit.keyframes, time_of)
        late = [str(key) for key, place in zip(edit.keyframes, placed, strict=True) if place.place > info.duration]
        if late:
            key, lie = ("keyframe", "lies") if len(late) == 1 else ("keyframes", "lie")
            said.append(
                f"the {key} {', '.join(late)} of {edit.name} {lie} beyond the end of {info.path}, "
                f"which is {info.duration:.2f} s long"
            )
    return said


def check_scenes(job: RenderJob, analysis: Analysis | None, info: MediaInfo) -> list[str]:
    """A sentence where some of the chosen shots are not there. Raises SettingsError: none of them is."""
    if not job.scenes or analysis is None:
        return []
    shown = within(analysis.table, job.start, job.end)
    begins = [float(shown.time[shot.start]) for shot in shown.scenes()]
    missing = [str(scene) for scene in job.scenes if scene > len(begins)]
    if not missing:
        return []
    told = ", ".join(f"{number} at {time:.2f} s" for number, time in enumerate(begins, 1))
    said = f"there is no scene {', '.join(missing)} in {info.path}: {told}"
    if len(missing) == len(job.scenes):
        raise SettingsError(said)
    return [said]


def check_folders(clip: Clip, make: bool = True) -> None:
    """Try the folders of all that is written, before any time is spent.

    make: those that are missing; else the folder is tried in which they will be made.

    Raises:
        MediaError: one cannot be made or written to.
    """
    for folder in dict.fromkeys(file.parent for file in clip.files):
        check_folder(folder, make)


def check_folder(folder: Path, make: bool = True) -> None:
    """Try one folder, as :func:`check_folders`."""
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder if make else _nearest(folder)):
            pass
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST)  # as on a disk that comes back
        failure = AwayError if gone else MediaError
        there = _nearest(folder)
        if not there.is_dir():
            raise failure(
                f"cannot write to {folder}: {there} is a file, not a folder; choose another with -o"
            ) from None
        raise failure(f"cannot write to the folder {folder}: {error.strerror}") from None


def _nearest(folder: Path) -> Path:
    """The folder, or what there is on the way to it."""
    return next((place for place in (folder, *folder.parents) if place.exists()), folder)


def idle(job: RenderJob) -> bool:
    """Whether nothing is to be done to any face: every strength is 0, and nothing else is asked for."""
    edits = job.all_edits
    strengths = [key.strength for edit in edits for key in edit.keyframes] + [
        edit.strength for edit in edits if not edit.keyframes
    ]
    asked = job.method == "plain" or job.mark or job.alpha_out or job.compare or job.debug_video or job.sign
    return not any(strengths) and not asked and job.restore in ("none", "auto")


def copyable(clip: Clip, info: MediaInfo) -> bool:
    """Whether the output of an idle job is the source, byte for byte."""
    job, plain = clip.job, RenderJob.model_fields
    how = ("start", "end", "codec", "crf", "preset", "lossless", "pix_fmt", "transcode", "encoder_backend")
    same = all(getattr(job, name) == plain[name].default for name in how)
    one = info.container != "exr" or info.kind == "image"
    return same and one and clip.source.is_file() and clip.source.suffix.lower() == clip.output.suffix.lower()
