"""What a program calls: one clip or picture, edited. The command line says the same things with the same names.

Networks that a call has loaded are kept for the next one until :func:`forget_networks`; :class:`videdit.Session` keeps
what it knows of clips too.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from videdit.edits import cautions
from videdit.errors import UsageError, VideditError
from videdit.hfgi.profile import load_profile
from videdit.jobs.job_file import job_of
from videdit.jobs.result import RenderResult
from videdit.rendering.job_clips import planned
from videdit.rendering.progress import Moment, Progress
from videdit.rendering.session import Session

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

_session: Session | None = None  # whose networks all calls share
_lock = threading.Lock()
_BESIDE = ("alpha_out", "compare", "debug_video", "sidecar", "sign")  # what is written beside an output


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
    quality: str
    consultation: str
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
    crops_out: str | None
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
            "a single picture in memory is for edit_image"
        )
    words = {"input": str(source), "edit": edit, "output": None if output is None else str(output)}
    clip = planned(job_of(words | options))
    subject = load_profile(clip.job.profile, clip.job.checkpoint).subject
    for caution in cautions(clip.job.edits, subject):
        log.warning(caution)
    return _kept().render(clip, progress=progress, cancel=cancel)


@overload
def edit_image(
    source: str | os.PathLike[str],
    output: str | Path | None = None,
    *,
    edit: str | list[str] | dict[str, float | str | list | None],
    **options: Unpack[Options],
) -> RenderResult: ...


@overload
def edit_image(
    source: Any,
    output: None = None,
    *,
    edit: str | list[str] | dict[str, float | str | list | None],
    **options: Unpack[Options],
) -> np.ndarray: ...


@overload
def edit_image(
    source: Any,
    output: str | Path,
    *,
    edit: str | list[str] | dict[str, float | str | list | None],
    **options: Unpack[Options],
) -> RenderResult: ...


def edit_image(
    source: Any,
    output: str | Path | None = None,
    *,
    edit: str | list[str] | dict[str, float | str | list | None],
    **options: Unpack[Options],
) -> RenderResult | np.ndarray:
    """Edit the faces of a picture: :func:`edit_video` for a still.

    Args:
        source: the file, or the picture itself: an array of uint8 or uint16, [H, W, 3] in RGB ([H, W] is grey,
            [H, W, 4] RGBA), or a PIL image.
        output: as of :func:`edit_video`. Without it a picture in memory is given back as an array.
        edit: as of :func:`edit_video`.
        options: as of :func:`edit_video`.

    Returns:
        The edited picture, of the source's shape and type, where the source is a picture and there is no output; else
        as :func:`edit_video`.

    Raises:
        UsageError: also an array of another shape or type.
        VideditError: what :func:`edit_video` raises.
    """
    from videdit.media.stills import memory

    if not memory.is_in_memory(source):
        return edit_video(source, output, edit=edit, **options)
    beside = [name for name in _BESIDE if options.get(name)]
    if beside and output is None:
        raise UsageError(f"{beside[0]} is for files: name an output")
    pixels = memory.pixels_of(source)
    with tempfile.TemporaryDirectory(prefix="videdit-") as folder:
        file, edited = Path(folder) / "picture.png", Path(folder) / "edited.png"
        memory.write_png(file, pixels)
        try:
            result = edit_video(file, output or edited, edit=edit, **options)
        except VideditError as error:
            error.args = (str(error).replace(str(file), "the picture"),)
            raise
        return result if output is not None else memory.read_png(edited)


def forget_networks() -> None:
    """Give back the memory of the networks that calls have loaded."""
    global _session
    with _lock:
        session, _session = _session, None
    if session is not None:
        session.close()


def _kept() -> Session:
    """The session that all calls share."""
    global _session
    with _lock:
        _session = _session or Session()
        return _session
