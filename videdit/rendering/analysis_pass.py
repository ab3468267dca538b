"""The first look at a clip: who is in it. From the cache where it was looked at before."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from videdit import paths, shutdown
from videdit.errors import MediaError, PicturesChange
from videdit.faces.detector import FaceDetector
from videdit.jobs.render_job import RenderJob
from videdit.media.info import MediaInfo
from videdit.media.source_identity import SourceIdentity, check_unchanged
from videdit.pipeline.executor import Pipeline, Stage
from videdit.rendering.progress import Progress
from videdit.stages.decode import Decode
from videdit.stages.detect import Detect
from videdit.stages.record_faces import RecordFaces
from videdit.tracks import analysis_cache
from videdit.tracks.analysis_store import Analysis, DamagedError, NotKeptError, Recorder, forget
from videdit.tracks.selection import by_number

log = logging.getLogger(__name__)

BUDGET = 128 << 20  # bytes of frames that wait, unless the job says otherwise


@contextlib.contextmanager
def cached_analysis(
    source: Path,
    info: MediaInfo,
    job: RenderJob,
    detector: FaceDetector,
    device: str,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    quick: bool = False,
    whole: bool = False,
) -> Iterator[Analysis]:
    """The analysis of a clip, for as long as the context lasts.

    whole: of all of it, whatever the job's cut; so it is too where faces are named by number, for numbers are those
    that `videdit faces` tells. Of a clip whose pictures change their size it is of the cut all the same, said.

    It is kept where the job says (:func:`videdit.tracks.analysis_cache.home`); that of a picture, which is soon made,
    is not. What is damaged is made anew, and what cannot be kept is not; either is said in one line.

    quick: for a frame or two, see :class:`Detect`.

    Raises:
        MediaError: the clip cannot be read, it was changed meanwhile, or there is no room for what is found in it.
        Cancelled: `cancel` was set.
    """

    def made(job: RenderJob) -> Analysis:
        before = SourceIdentity.of(source)
        folder = _kept(source, info, job, device)
        if folder is not None:
            if found := _found(folder, stack):
                return found
            try:
                return looked(job, folder, before)
            except NotKeptError as error:
                log.warning("%s; the clip is looked at again, and this is not kept", error)
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="videdit-")))
        stack.enter_context(shutdown.unfinished(home))
        return looked(job, home / "analysis", before)

    def looked(job: RenderJob, folder: Path, before: SourceIdentity) -> Analysis:
        analysis = run_analysis(info, job, detector, folder, progress, cancel, quick)
        try:
            check_unchanged(source, before)
        except MediaError:
            forget(folder)  # its name says of which bytes it is, and they are others
            raise
        stack.enter_context(analysis_cache.in_use(analysis.folder))
        return analysis

    with contextlib.ExitStack() as stack:
        if whole or by_number((job.faces, *job.per_face)):
            try:
                analysis = made(job.model_copy(update={"start": None, "end": None}))
            except PicturesChange as change:
                if job.start is None and job.end is None:
                    raise
                log.warning("%s: faces have the numbers of this cut alone", str(change).partition(";")[0])
                analysis = made(job)
        else:
            analysis = made(job)
        yield analysis
        if analysis.folder.parent == paths.cache_dir() / "analysis":
            analysis_cache.trim(analysis.folder.parent)


def folder_of_all(source: Path, info: MediaInfo, job: RenderJob, device: str) -> Path | None:
    """Where the analysis of all of a clip is kept, if it is; None: nowhere. Reads all of the file.

    Raises:
        MediaError: the clip cannot be read.
    """
    return _kept(source, info, job.model_copy(update={"start": None, "end": None}), device)


def kept_analysis(folder: Path, stack: contextlib.ExitStack) -> Analysis | None:
    """The analysis in a folder, where there is one; in use until the stack ends."""
    return _found(folder, stack)


def run_analysis(
    info: MediaInfo,
    job: RenderJob,
    detector: FaceDetector,
    folder: Path,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    quick: bool = False,
) -> Analysis:
    """Find all faces of a clip, and write the analysis to a folder. Raises what :func:`cached_analysis` raises."""
    with Recorder(folder) as recorder:
        observe = RecordFaces(recorder)
        decode = Decode(info, job.start, job.end, decoder=job.decoder)
        stages: list[Stage] = [decode, Detect(detector, quick=quick), observe]
        pipeline = Pipeline(stages, budget=job.memory or BUDGET, order=lambda frame: frame.index)
        pipeline.run(on_tick=lambda: progress.look(pipeline.stats) if progress else None, cancel=cancel)
        assert observe.analysis is not None
        return observe.analysis


def _kept(source: Path, info: MediaInfo, job: RenderJob, device: str) -> Path | None:
    """Where the analysis of a clip is kept, or None."""
    home = analysis_cache.home(job)
    if home is None or info.kind == "image":
        return None
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        log.warning("cannot keep the analysis in %s: %s", home, error.strerror)
        return None
    try:
        return home / analysis_cache.key(source, job, device)
    except OSError as error:
        raise MediaError(f"cannot read {source}: {error.strerror}") from None


def _found(folder: Path, stack: contextlib.ExitStack) -> Analysis | None:
    """The analysis in a folder, in use until the stack ends."""
    if not folder.exists():
        return None
    try:
        stack.enter_context(analysis_cache.in_use(folder))
        return Analysis(folder)
    except (OSError, DamagedError) as error:
        log.warning("the kept analysis %s is damaged (%s); it is made anew", folder, error)
        forget(folder)
        return None
