"""Clips that a session knows: what their files are, and who is in them."""

from __future__ import annotations

import contextlib
import itertools
import threading
import weakref
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from videdit.faces.detector import FaceDetector
from videdit.jobs.render_job import RenderJob
from videdit.media.decode.start import probe_from
from videdit.media.info import MediaInfo
from videdit.media.source_identity import SourceIdentity
from videdit.rendering.analysis_pass import cached_analysis, folder_of_all, kept_analysis
from videdit.rendering.byte_cache import ByteCache
from videdit.rendering.progress import Progress
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.selection import by_number, is_picture

SOON_HASHED = 256 << 20  # bytes: a file up to which its hash is no wait, so that what earlier runs found is looked up
QUICK = 0.1  # seconds: who looks at no more is in a hurry
_INFO_BYTES = 4096

_numbers = itertools.count()


@dataclass(frozen=True)
class Source:
    """A file as it is now: another one of the same name is another source."""

    key: tuple  # its identity, and what of it is read
    info: MediaInfo


class HeldAnalysis:
    """An analysis that stays readable for as long as somebody holds this."""

    def __init__(self, analysis: Analysis, span: tuple[float, float] | None, stack: contextlib.ExitStack) -> None:
        """span: seconds that it is of; None: all of the clip. stack: closed when nobody holds this any more."""
        self.analysis, self.span, self.number = analysis, span, next(_numbers)
        table = analysis.table
        self.nbytes = sum(getattr(table, name).nbytes for name in ("pts", "time", "scene", "frame", "track"))
        self.nbytes += table.points.nbytes + (1 << 20)  # and a chunk of meshes
        weakref.finalize(self, stack.close)

    def covers(self, span: tuple[float, float]) -> bool:
        """Whether all between two times was looked at."""
        return self.span is None or (self.span[0] <= span[0] and span[1] <= self.span[1])


class Analyses:
    """Sources and their analyses, from memory, from the user's cache, or made now. Threads may ask at once."""

    def __init__(self, cache: ByteCache) -> None:
        """cache: keeps what is found, for all threads."""
        self._cache = cache
        self._locks: defaultdict[tuple, threading.Lock] = defaultdict(threading.Lock)

    def source(self, path: Path, job: RenderJob) -> Source:
        """What a file is. Raises MediaError: it cannot be read."""
        key = (SourceIdentity.of(path), job.fps, job.video_track, job.start)
        info = self._cache.get(("info", key))
        if info is None:
            info = probe_from(path, job.fps, job.start, job.video_track)
            self._cache.put(("info", key), info, _INFO_BYTES)
        return Source(key, info)

    def of(
        self,
        source: Source,
        job: RenderJob,
        detector: FaceDetector,
        span: tuple[float, float] | None = None,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> HeldAnalysis:
        """Who is in a clip, between two times at least; of all of it where the job's words need to know all.

        Raises:
            MediaError: the clip cannot be read.
            Cancelled: `cancel` was set.
        """
        if whole_is_needed(job) or source.info.kind == "image":
            span = None
        # Nobody looks at what another looks at already, and a look at all of a clip holds up no short one.
        with self._locks[_key(source, job, detector.device, whole=span is None)]:
            if found := self._known(source, job, detector.device, span):
                return found
            stack = contextlib.ExitStack()
            cut = {"start": span and max(0.0, span[0]), "end": span and span[1]}
            cut |= {"cache": job.cache and span is None}
            words = job.model_copy(update=cut)
            quick = span is not None and span[1] - span[0] < QUICK
            context = cached_analysis(
                source.info.path, source.info, words, detector, detector.device, progress, cancel, quick
            )
            return self._held(source, job, detector.device, stack.enter_context(context), span, stack)

    def kept(self, source: Source, job: RenderJob, device: str) -> HeldAnalysis | None:
        """The analysis of all of a clip, where one was made before and is found at once. Raises as :meth:`of`."""
        if source.info.size > SOON_HASHED and not whole_is_needed(job):
            return None
        return self._known(source, job, device, None)

    def _known(
        self, source: Source, job: RenderJob, device: str, span: tuple[float, float] | None
    ) -> HeldAnalysis | None:
        """One that was made before and is of all that is asked for."""
        keys = [_key(source, job, device, whole=True), *([_key(source, job, device, whole=False)] if span else [])]
        for place in keys:
            found = self._cache.get(place)
            if found is not None and (span is None or found.covers(span)):
                return found
        if source.info.size > SOON_HASHED and span is not None:
            return None
        key = ("folder", source.key, job.cache, job.analysis, job.detector, device)
        known = self._cache.get(key)  # for it takes a look at all of the file
        if known is None:
            known = (folder_of_all(source.info.path, source.info, job, device),)
            self._cache.put(key, known, _INFO_BYTES)
        if known[0] is None:
            return None
        stack = contextlib.ExitStack()
        analysis = kept_analysis(known[0], stack)
        return None if analysis is None else self._held(source, job, device, analysis, None, stack)

    def _held(
        self,
        source: Source,
        job: RenderJob,
        device: str,
        analysis: Analysis,
        span: tuple[float, float] | None,
        stack: contextlib.ExitStack,
    ) -> HeldAnalysis:
        held = HeldAnalysis(analysis, span, stack)
        self._cache.put(_key(source, job, device, whole=span is None), held)
        return held


def whole_is_needed(job: RenderJob) -> bool:
    """Whether whom a job means can only be told by who is looked at all of a clip."""
    words = (job.faces, *job.per_face)
    return by_number(words) or any(map(is_picture, words)) or bool(job.scenes)


def _key(source: Source, job: RenderJob, device: str, whole: bool) -> tuple:
    return "analysis", source.key, job.detector, device, job.decoder, whole
