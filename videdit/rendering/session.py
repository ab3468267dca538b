"""A session: networks and what is known of recent clips, kept warm between previews and renders.

    with Session() as session:
        look = session.look("in.mp4")
        quick = session.preview({"input": "in.mp4", "edit": "smile=1.5"}, 3.0, tier="draft")
        exact = session.preview({"input": "in.mp4", "edit": "smile=1.5"}, 3.0)
        session.render({"input": "in.mp4", "edit": "smile=1.5"}, progress=print)

Threads may ask at once. Previews take turns, and the newest of a viewer overtakes the older ones; a render goes on
beside them: the networks take turns pass by pass, and nothing that one works with is the other's.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import threading
import time as clocks
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np

from videdit.datatypes import Frame
from videdit.errors import UsageError
from videdit.hfgi.profile import load_profile
from videdit.imaging.memory import pixels_for
from videdit.imaging.pixels import Pixels
from videdit.jobs.field_types import parse_bytes
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob
from videdit.jobs.result import RenderResult
from videdit.rendering.analyses import Analyses, HeldAnalysis, Source
from videdit.rendering.assignments import LeftAloneError
from videdit.rendering.byte_cache import ByteCache
from videdit.rendering.frame_preview import FramePreviews
from videdit.rendering.job_clips import Job, about, as_job, clip_of, path_of, planned
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.newest import NewestFirst
from videdit.rendering.progress import CallbackProgress, Moment, Progress
from videdit.rendering.renderer import Renderer
from videdit.rendering.review import FaceBox, Hardship, boxes_at, moments
from videdit.rendering.session_answers import ClipSummary, Preview, clip_summary, preview_of
from videdit.rendering.visibility_pass import poorly_seen
from videdit.rendering.window_preview import rendered_pair

Tier = Literal["draft", "exact"]
DRAFT: Tier = "draft"
EXACT: Tier = "exact"
MEMORY = 1 << 30  # bytes of what is known of clips

ProgressTarget = Progress | Callable[[Moment], None] | None


class Session:
    """Networks, analyses, crops, codes and masks of recent clips, kept for the next request. A context manager."""

    def __init__(self, memory: int | str = MEMORY, pixels_for: Callable[[str, str], Pixels] = pixels_for) -> None:
        """memory: what is kept of clips, in bytes or as "2G"; networks come on top (1.4 to 2 GB were
        seen on a CPU with those of both tiers compiled; ``forget(networks=True)`` gives them back).

        pixels_for: (device, precision) -> where the stages keep their pixels; tests choose it, users the job's device.
        """
        budget = parse_bytes(memory) if isinstance(memory, str) else memory
        self._cache = ByteCache(budget)
        self._models = ModelCache(pixels_for)
        self._analyses = Analyses(self._cache)
        self._previews = FramePreviews(self._models, self._cache, self._analyses)
        self._turns = NewestFirst()
        self._folder: Path | None = None  # of pictures that came as pixels
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def preview(
        self,
        job: Job,
        time: float = 0.0,
        *,
        tier: Tier = "exact",
        viewer: Hashable = None,
        cancel: threading.Event | None = None,
        side: int | None = None,
    ) -> Preview:
        """One frame of the job's clip, before and after.

        Args:
            job: a :class:`RenderJob`, or its fields by name; its first input is looked at, nothing is written.
            time: seconds from the clip's first frame; the frame that a player shows then.
            tier: "exact": as the render has it, all its neighbourhood worked out. "draft": the frame by itself, from
                what is known of it: while a strength moves.
            viewer: whoever looks: a request of the same viewer that comes later takes this one's place.
            cancel: set it from another thread to stop.
            side: px; of larger frames the pictures are made smaller, so that their longer side is that long.

        Raises:
            Superseded: a newer preview was asked for, by the same viewer.
            UsageError, NoFaceError, MediaError, WeightsError, Cancelled: as :func:`videdit.edit_video`.
        """
        if tier not in (DRAFT, EXACT):
            raise UsageError(f"the tier of a preview is draft or exact, not {tier!r}")
        begun = clocks.perf_counter()
        before, after = self.frames(clip_of(job), time, tier, viewer, cancel)
        return preview_of(before, after, tier, clocks.perf_counter() - begun, side)

    def frames(
        self,
        clip: Clip,
        time: float,
        tier: Tier = EXACT,
        viewer: Hashable = None,
        cancel: threading.Event | None = None,
    ) -> tuple[Frame, Frame]:
        """:meth:`preview` with the frames' own planes: (source, edited); the source twice where no face is edited."""
        with self._turns.turn(viewer, cancel) as turn:
            subject = load_profile(clip.job.profile, clip.job.checkpoint).subject
            if subject != "face" or clip.job.tune or clip.job.method == "plain":
                return rendered_pair(self.renderer(), clip, self.source(clip).info, time)
            previews = self._previews.draft if tier == DRAFT else self._previews.exact
            try:
                return previews(clip, time, turn.check)
            except LeftAloneError:
                shown = self._previews.shown(clip, time)
                return shown, shown

    def render(
        self, job: Job | Clip, *, progress: ProgressTarget = None, cancel: threading.Event | None = None
    ) -> RenderResult:
        """Render one clip and write it; previews may be asked for meanwhile.

        Args:
            job: a :class:`RenderJob` of one input, its fields by name, or a clip of a plan.
            progress: called with a :class:`Moment` a few times a second from the first on, in this thread.
            cancel: set it from another thread to stop; nothing half-written is left.

        Raises what :func:`videdit.edit_video` raises.
        """
        clip = job if isinstance(job, Clip) else planned(as_job(job))
        return self.renderer(progress).render(clip, cancel)

    def renderer(self, progress: ProgressTarget = None) -> Renderer:
        """What renders with this session's networks."""
        return Renderer(_progress(progress), loaded=self._models)

    def look(
        self,
        source: str | Path | RenderJob,
        *,
        progress: ProgressTarget = None,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> ClipSummary:
        """Who is in a clip, from its first frame to its last: kept, so that previews and renders need not look again.

        Args:
            source: a file, or the job that is about it.
            progress: called with a :class:`Moment` of phase "look" a few times a second from the first on.
            cancel: set it from another thread to stop.
            options: fields of :class:`RenderJob`: ``detector``, ``device``, ``fps``, ``video_track``, ``cache``, ...

        Raises MediaError, UsageError, WeightsError, Cancelled.
        """
        job = about(source, **options)
        known, held = self._looked_at(job, progress, cancel)
        return clip_summary(known.info, held.analysis)

    def boxes(self, source: str | Path | RenderJob, time: float) -> list[FaceBox]:
        """Where the faces of a frame are; looks at all of the clip where nobody has. Raises as :meth:`look`."""
        known, held = self._looked_at(about(source))
        return boxes_at(known.info, held.analysis, time)

    def review(
        self,
        source: str | Path | RenderJob,
        *,
        pictures: bool = True,
        progress: Callable[[float], None] = lambda share: None,
        cancel: threading.Event | None = None,
    ) -> list[Hardship]:
        """Moments of a clip in which an edit will have a hard time, in order.

        Args:
            source: a file, or the job that is about it.
            pictures: whether to go through the clip once more, for faces that are hidden or blurred: ten frames of
                each second. Without it only what the look knows is told, at once.
            progress: called with the share of the clip that is done, 0..1.
            cancel: set it from another thread to stop.

        Raises as :meth:`look`.
        """
        job = about(source)
        known, held = self._looked_at(job, cancel=cancel)
        if not pictures:
            return moments(known.info, held.analysis)
        length = known.info.duration or 1.0
        parser = self._models.parser(job.networks)
        sights = poorly_seen(known.info, held.analysis, parser, lambda time: progress(min(1.0, time / length)), cancel)
        return moments(known.info, held.analysis, sights)

    def _looked_at(
        self, job: RenderJob, progress: ProgressTarget = None, cancel: threading.Event | None = None
    ) -> tuple[Source, HeldAnalysis]:
        known, tell = self._analyses.source(path_of(job), job), _progress(progress)
        tell.start(known.info.path.name, known.info.frame_count or None)
        status = "failed"
        try:
            held = self._analyses.of(known, job, self._models.detector(job.networks), None, tell, cancel)
            status = "done"
        finally:
            tell.end(status)
        return known, held

    def picture(self, pixels: Any) -> Path:
        """A picture in memory as a file that a job can name; it is there until the session is closed.

        pixels: [H, W, 3] uint8 RGB, a NumPy array or whatever becomes one (a PIL picture of mode RGB).
        """
        array = np.asarray(pixels)
        if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
            raise UsageError(f"a picture is [H, W, 3] uint8 RGB, not {array.dtype} {list(array.shape)}")
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="videdit-session-"))
            path = (
                self._folder / f"{hashlib.blake2b(array.tobytes() + repr(array.shape).encode()).hexdigest()[:32]}.png"
            )
            if not path.exists():
                temporary = path.with_suffix(".part.png")
                if not cv2.imwrite(str(temporary), array[..., ::-1]):
                    raise UsageError(f"cannot write {temporary}")
                temporary.rename(path)
        return path

    def edit_picture(self, pixels: Any, *, edit: str | list[str] | dict[str, Any], **options: Any) -> np.ndarray:
        """A picture in, the same with its faces edited out: [H, W, 3] uint8 RGB; see :meth:`picture` and `edit_image`.

        Raises:
            NoFaceError: nobody in it can be edited.
        """
        found = self.preview({"input": str(self.picture(pixels)), "edit": edit} | options, viewer=object())
        found.check()
        return found.after

    def warm(self, job: Job, size: int = 512) -> None:
        """Load and compile what previews of such a job need, so that the first waits for nothing but its frame."""
        with self._turns.turn(object()):
            self._previews.warm(as_job(job), size)

    def source(self, clip: Clip) -> Source:
        """What a clip's file is now. Raises MediaError: it cannot be read."""
        return self._analyses.source(clip.source, clip.job)

    @property
    def nbytes(self) -> int:
        """Bytes that are kept of clips; networks not counted."""
        return self._cache.nbytes

    def forget(self, networks: bool = False) -> None:
        """Give back the memory of what is known of clips, and of networks if asked to."""
        self._cache.forget()
        if networks:
            self._models.forget()

    def close(self) -> None:
        """Give back all. Pictures of :meth:`picture` are gone then."""
        self.forget(networks=True)
        with self._lock, contextlib.suppress(OSError):
            folder, self._folder = self._folder, None
            if folder is not None:
                shutil.rmtree(folder)


def _progress(progress: ProgressTarget) -> Progress:
    if progress is None or isinstance(progress, Progress):
        return progress or Progress()
    return CallbackProgress(progress)
