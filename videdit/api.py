"""What a program calls: one clip or picture, edited. The command line says the same things with the same names."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TypedDict, Unpack

from videdit.edits import cautions, parse_edits
from videdit.errors import UsageError
from videdit.jobs.job_file import job_of
from videdit.jobs.result import RenderResult
from videdit.rendering.progress import Moment, Progress
from videdit.rendering.session import Session, planned

log = logging.getLogger(__name__)


class Options(TypedDict, total=False):
    """What :func:`edit_video` and :func:`edit_image` take beside input, output and edit: see ``RenderJob``."""

    profile: str
    method: str
    checkpoint: str | list[str] | tuple[str, ...]
    box: str | tuple[float, float, float, float] | None
    faces: str | int
    per_face: dict[str | int, str | dict[str, float | None]]
    tune: int
    size: str | int
    prealign: str
    detector: str
    restore: str
    restore_strength: float
    smooth_codes: float
    smooth_fine: float
    fps: float | str | Fraction | None
    video_track: int | str | None
    start: float | str | None
    end: float | str | None
    scenes: int | str | list[int] | tuple[int, ...]
    codec: str | None
    encoder_backend: str
    crf: float | None
    preset: str | None
    lossless: bool
    pix_fmt: str | None
    transcode: bool
    device: str
    precision: str
    batch: int | None
    decoder: str
    memory: int | str | None
    cache: bool
    analysis: str | None
    overwrite: bool
    resume: bool
    alpha_out: str | None
    compare: str | None
    debug_video: bool
    mark: str | None
    keep_unedited: bool
    sign: str | None
    sign_key: str | None
    sidecar: bool


def edit_video(
    source: str | Path,
    output: str | Path | None = None,
    *,
    edit: str | list[str] | dict[str, float | str | list | None],
    progress: Progress | Callable[[Moment], None] | None = None,
    cancel: threading.Event | None = None,
    **options: Unpack[Options],
) -> RenderResult:
    """Edit the faces of a clip and write it, with everything else as it was.

    Args:
        source: the video file.
        output: where to write; a file or a folder. Default: beside the source, "in_smile.mp4".
        edit: "smile", "smile=1.5,age=-1", "smile=0@0s,2@1.5s", or a mapping of name to strength (None: the recommended
            one) or to a list of keyframes.
        progress: called with a :class:`videdit.rendering.progress.Moment` a few times a second; or a Progress.
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
    if not isinstance(source, str | os.PathLike):
        raise UsageError(
            f"the source should be the path of a file, not {type(source).__name__}; "
            "write pixels to a PNG first, for example with cv2.imwrite"
        )
    words = {"input": str(source), "edit": edit, "output": None if output is None else str(output)}
    clip = planned(job_of(words | options))
    for caution in cautions(parse_edits(clip.job.edit)):
        log.warning(caution)
    with Session() as session:
        return session.render(clip, progress=progress, cancel=cancel)


def edit_image(
    source: str | Path,
    output: str | Path | None = None,
    *,
    edit: str | list[str] | dict[str, float | str | list | None],
    **options: Unpack[Options],
) -> RenderResult:
    """Edit the faces of a picture: :func:`edit_video` for a still."""
    return edit_video(source, output, edit=edit, **options)
