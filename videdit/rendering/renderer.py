"""Clip of a plan -> chain of stages (:mod:`videdit.rendering.render_chain`) -> result.

:mod:`videdit.api` is its public face.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from videdit import shutdown
from videdit.datatypes import LOW
from videdit.errors import Cancelled, NoFaceError, OutOfMemoryError, UsageError, machine_failure
from videdit.hfgi.inverter import SIZES
from videdit.imaging.memory import pixels_for
from videdit.imaging.pixels import Pixels
from videdit.jobs.plan import Clip
from videdit.jobs.result import RenderResult, count
from videdit.jobs.segment_store import Segments, SegmentStore
from videdit.media.decode.start import probe_from
from videdit.media.encode.target import check_target, commit_file
from videdit.media.failures import writing
from videdit.media.info import MediaInfo
from videdit.media.source_identity import SourceIdentity, check_unchanged
from videdit.provenance import tags
from videdit.rendering.analysis_pass import cached_analysis
from videdit.rendering.assignments import LeftAloneError
from videdit.rendering.checks import check, check_folders, check_scenes, copyable, idle
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.progress import Progress
from videdit.rendering.render_chain import Chain, assemble, told_of, unedited
from videdit.rendering.resuming import frames_between, kept, left_behind, resumable
from videdit.storage.outputs import Claim, ExistsError, temporary_name
from videdit.tracks.analysis_store import Analysis

log = logging.getLogger(__name__)

NOTHING = "nothing is edited, for every strength is 0"


class Renderer:
    """Renders clips one after the other; networks are loaded once and kept between clips."""

    def __init__(
        self,
        progress: Progress | None = None,
        pixels_for: Callable[[str, str], Pixels] = pixels_for,
        loaded: ModelCache | None = None,
    ) -> None:
        """pixels_for: (device, precision) -> where the stages keep their pixels; tests choose it, users the device.

        loaded: networks that others use too, in place of its own.
        """
        self.progress, self.loaded = progress or Progress(), loaded or ModelCache(pixels_for)

    def render(self, clip: Clip, cancel: threading.Event | None = None) -> RenderResult:
        """Render one clip of a plan. Raises what :func:`edit_video` raises."""
        info = probe_from(clip.source, clip.job.fps, clip.job.start, clip.job.video_track)
        for said in check(clip, info):
            log.warning("%s", said)
        check_folders(clip)
        nothing = idle(clip.job)
        resumed = resumable(clip, info) and not nothing
        with (
            Claim(*filter(None, (clip.output, clip.alpha, clip.crops))),
            SegmentStore(clip.output, clip.source, clip.job) if resumed else contextlib.nullcontext() as work,
        ):
            if obstacle := clip.obstacle():  # the clips before this one may have taken hours
                raise UsageError(str(obstacle))
            if nothing and copyable(clip, info):
                _say_no_sidecar(clip)
                return self._copied(clip, info)
            try:
                with shutdown.ending(lambda: left_behind(work) if work else None):
                    return self._persist(clip, info, work, cancel)
            finally:
                if work and work.segments:
                    log.warning("%s", kept(work))

    def _persist(
        self, clip: Clip, info: MediaInfo, work: SegmentStore | None, cancel: threading.Event | None
    ) -> RenderResult:
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
        inverter = self.loaded.inverter(clip.job.networks)
        if inverter.batch(LOW) == 1:
            return None
        self.loaded.forget()
        return replace(clip, job=clip.job.model_copy(update={"batch": max(1, inverter.batch(max(SIZES)) // 2)}))

    def _render(
        self, clip: Clip, info: MediaInfo, work: SegmentStore | None, cancel: threading.Event | None
    ) -> RenderResult:
        chain: Chain | None = None
        look, source = 0.0, SourceIdentity.of(clip.source)
        before = (work.frames, work.faces) if work else (0, 0)  # frames and faces of an earlier run
        nothing, untouched = idle(clip.job), ""
        copy = nothing or bool(work and work.unedited)  # for there is no face, as an earlier run has found out
        expected = frames_between(info, clip.job.start, clip.job.end)
        if work and work.segments:
            log.warning("%s: goes on where it stopped: %s are done", clip.source, count(before[0], "frame"))
            expected = expected and max(0, expected - before[0])
        log.info("%s -> %s: %s", clip.source, clip.output, ", ".join(map(str, clip.files[1:])) or "nothing beside it")
        log.info("%s", info)
        log.info("settings: %s", clip.job.settings())
        self.progress.start(clip.source.name, expected)
        status, detail = "failed", {}
        start = time.perf_counter()
        try:
            try:
                if not copy:
                    with self.analyse(clip, info, work, cancel) as analysis:
                        look = time.perf_counter() - start
                        for said in check_scenes(clip.job, analysis, info):
                            log.warning("%s", said)
                        chain = self.chain(clip, info, analysis, work, cancel=cancel)
                        result = self._run(clip, chain, source, cancel)
            except NoFaceError as error:
                as_it_is = clip.job.keep_unedited or isinstance(error, LeftAloneError)
                if work:
                    work.clear(unedited=as_it_is)
                if not as_it_is:
                    raise
                untouched = str(error) if isinstance(error, LeftAloneError) else ""
                if chain:
                    chain.files.drop()
                copy, before = True, (0, 0)
            if copy:
                chain = unedited(clip, info, self.loaded, work)
                result = self._run(clip, chain, source, cancel)
            assert chain is not None
            people, told = told_of(chain, info)
            first_of_all = f"{NOTHING}; only encoded anew" if nothing else untouched
            result = replace(
                result,
                people=people,
                told=tuple(filter(None, (first_of_all, *told))),
                unclear=[{"from": round(first, 3), "to": round(last, 3)} for first, last in chain.unclear],
                beside=tuple(clip.files[1:] if chain.faces + before[1] else ()),
                frames=result.frames + before[0],
                faces=chain.faces + before[1],
                method=chain.method,
                consulted=chain.consulted,
                rendered=chain.rendered,
                restoration=chain.restoration,
                done_before=before[0],
                seconds=time.perf_counter() - start,
                look=look,
            )
            status, detail = "done", result.as_dict()
            log.info("%s: %s", clip.output, detail)
        except NoFaceError:
            status = "skipped"
            raise
        except (KeyboardInterrupt, Cancelled):
            status = "interrupted"
            raise
        finally:
            if status != "done" and chain:
                chain.files.drop()
            self.progress.end(status, detail)
        for warning in chain.warnings():
            log.warning("%s", warning)
        try:
            chain.files.keep()
            if clip.job.sidecar and result.faces:
                tags.write_sidecar(clip.job, clip.source, clip.output, result.as_dict(), clip.replace)
            elif not result.faces:
                _say_no_sidecar(clip)
        except ExistsError:
            if work:
                work.take_back()
            raise
        if work:
            work.remove()
        return result

    def _copied(self, clip: Clip, info: MediaInfo) -> RenderResult:
        """The output of a job that changes nothing: the source's bytes."""
        start = time.perf_counter()
        self.progress.start(clip.source.name, info.frame_count or None)
        check_target(clip.output, info)
        temporary = temporary_name(clip.output)
        status = "failed"
        try:
            with writing(clip.output):
                shutil.copyfile(clip.source, temporary)
                commit_file(temporary, clip.output, clip.replace)
            status = "done"
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
            self.progress.end(status)
        frames = 1 if info.kind == "image" else info.frame_count
        seconds = time.perf_counter() - start
        return RenderResult(
            clip.source, clip.output, frames, 0, seconds, told=(f"{NOTHING}; the file is copied as it is",)
        )

    def _run(self, clip: Clip, chain: Chain, source: SourceIdentity, cancel: threading.Event | None) -> RenderResult:
        """source: what the clip was before anything of it was looked at."""
        chain.ask_first(lambda: check_unchanged(clip.source, source))
        pipeline = chain.pipeline()
        stats = pipeline.run(on_tick=lambda: self.progress.update(pipeline.stats), cancel=cancel)
        log.info("frames that waited took %.0f MiB at most", pipeline.waiting.most / 2**20)
        return RenderResult(clip.source, clip.output, stats[-1].packets, 0, 0.0, stats)

    def analyse(
        self, clip: Clip, info: MediaInfo, work: SegmentStore | None = None, cancel: threading.Event | None = None
    ) -> contextlib.AbstractContextManager[Analysis | None]:
        """Who is in a clip: see :func:`videdit.rendering.analysis_pass.cached_analysis`; None where nobody asks."""
        inverter, detector = self.loaded.inverter(clip.job.networks), self.loaded.detector(clip.job.networks)
        if inverter.profile.subject != "face" or (work and work.complete):
            return contextlib.nullcontext()
        return cached_analysis(clip.source, info, clip.job, detector, inverter.device, self.progress, cancel)

    def chain(
        self,
        clip: Clip,
        info: MediaInfo,
        analysis: Analysis | None,
        work: Segments | None = None,
        first_scene: int = 0,
        cancel: threading.Event | None = None,
    ) -> Chain:
        """The stages for one clip, networks loaded: see :func:`videdit.rendering.render_chain.assemble`."""
        return assemble(clip, info, self.loaded, analysis, work, first_scene, cancel)


def _say_no_sidecar(clip: Clip) -> None:
    """Of a clip in which nothing was edited."""
    if clip.job.sidecar:
        log.warning("%s is not written: nothing in the clip was edited", tags.sidecar_path(clip.output))
