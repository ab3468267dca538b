"""A plan's segments: one is rendered wherever there is time, and all are joined where the output is wanted.

Both go the way of a run on one machine: the same stages render a segment as if the run had been stopped before it and
after it, and the same stage joins them.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from videdit import shutdown
from videdit.datatypes import Frame
from videdit.errors import NoFaceError, OutOfMemoryError, UsageError, machine_failure
from videdit.jobs.plan import Clip
from videdit.jobs.plan_folder import AllSegments, OneSegment, sweep
from videdit.jobs.result import RenderResult
from videdit.jobs.segment_store import record_of
from videdit.jobs.shot_plan import (
    ANALYSIS,
    PlanError,
    SegmentReport,
    ShotPlan,
    check_source,
    check_versions,
    damage,
    hash_of_times,
    missing,
    read_plan,
    read_report,
    write_report,
)
from videdit.media.decode.start import probe_from
from videdit.media.encode.segments import read_record, sync_folder
from videdit.media.failures import writing
from videdit.media.info import MediaInfo
from videdit.provenance import tags
from videdit.rendering.checks import check_folders
from videdit.rendering.output_files import encoder, output_files
from videdit.rendering.renderer import Renderer
from videdit.stages.encode_segments import EncodeSegments
from videdit.storage.hashes import sha256
from videdit.storage.outputs import Claim
from videdit.tracks.analysis_store import Analysis, DamagedError

log = logging.getLogger(__name__)


def render_segment(
    folder: Path,
    index: int,
    renderer: Renderer | None = None,
    cancel: threading.Event | None = None,
    *,
    device: str | None = None,
) -> SegmentReport:
    """Render one segment of a plan, or find that it is there already.

    Args:
        folder: of the plan.
        index: which segment, from 0.
        renderer: whose networks are used, and who hears of progress.
        cancel: set it from another thread to stop; nothing half-written is left.
        device: in place of the one that was planned.

    Raises:
        UsageError: there is no such plan or segment.
        PlanError: the source, or this installation, is not what was planned.
        MediaError: the source cannot be read, or the segment not be written.
        Cancelled: `cancel` was set.
    """
    plan = read_plan(folder)
    if not 0 <= index < len(plan.segments):
        raise UsageError(f"{folder} has segments 0 to {len(plan.segments) - 1}, there is no {index}")
    report = read_report(folder, plan, index)
    if report is not None and damage(folder, plan, report) is None:
        log.info("segment %d of %s is there already", index, folder)
        return report
    check_versions(plan)
    clip = on_device(plan.clip(), device)
    check_source(plan, clip.source)
    renderer = renderer or Renderer()
    work = folder / f".work-{index:06d}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    begun = time.monotonic()
    with shutdown.unfinished(work):
        try:
            with writing(folder):
                work.mkdir()
            _render(clip, plan, index, folder / ANALYSIS, work, renderer, cancel)
            check_source(plan, clip.source)  # it may have changed while it was read
            return _publish(plan, index, work, folder, time.monotonic() - begun)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def on_device(clip: Clip, device: str | None) -> Clip:
    """The clip, to be rendered on another device where one is named."""
    return clip if device is None else replace(clip, job=clip.job.model_copy(update={"device": device}))


def _render(
    clip: Clip,
    plan: ShotPlan,
    index: int,
    looked: Path,
    folder: Path,
    renderer: Renderer,
    cancel: threading.Event | None,
) -> None:
    info = probe_from(clip.source, clip.job.fps, clip.job.start, clip.job.video_track)
    try:
        analysis = Analysis(looked)
    except DamagedError as error:
        raise PlanError(f"the analysis {looked} of the plan is damaged ({error}); plan again") from None
    work = OneSegment(folder, plan, index)
    segment = plan.segments[index]
    times: list[int] = []
    chain = renderer.chain(clip, info, analysis, work, cancel=cancel)
    if abs(chain.reach - plan.reach) > 1e-6:
        raise PlanError(f"here frames depend on {chain.reach:g} s around them, and {plan.reach:g} s were planned")
    renderer.progress.start(f"{clip.source.name} {index}", segment.frames)
    status = "failed"
    try:
        pipeline = chain.pipeline()
        pipeline.run(
            on_packet=lambda frame: times.append(frame.pts),
            on_tick=lambda: renderer.progress.update(pipeline.stats),
            cancel=cancel,
        )
        status = "done"
    except Exception as error:
        failure = machine_failure(error)
        if isinstance(failure, OutOfMemoryError):
            renderer.loaded.forget()
        if failure is None:
            raise
        raise failure from None
    finally:
        renderer.progress.end(status)
    if len(times) != segment.frames or hash_of_times(times) != segment.times:
        raise PlanError(
            f"segment {index} of {clip.source} came out with {len(times)} frames, not the {segment.frames} that were "
            "planned; plan again"
        )


def _publish(plan: ShotPlan, index: int, work: Path, folder: Path, seconds: float) -> SegmentReport:
    """Give a segment's files their names, and say that it is finished. Another's of the same name are as good."""
    written = OneSegment(work, plan, index)
    record = read_record(written.path(index))
    assert record is not None
    files = sorted(work.glob(f"{index:06d}*.segment"))
    planned = plan.segments[index]
    report = SegmentReport(
        plan.id,
        index,
        {file.name: sha256(file) for file in files},
        record["frames"],
        record["faces"],
        planned.times,
        round(seconds, 3),
        socket.gethostname(),
    )
    with writing(folder):
        for file in files:
            os.replace(file, folder / file.name)
        sync_folder(folder)
        write_report(folder, report)
        sync_folder(folder)
    return report


def join_shot(folder: Path, renderer: Renderer | None = None, *, overwrite: bool = False) -> RenderResult:
    """Write the output of a plan, all of whose segments are rendered, with everything else of its source.

    Raises:
        UsageError: there is no such plan, the output exists, or another run is writing it.
        PlanError: segments are missing or wrong, each is named; or the source is not what was planned.
        NoFaceError: no face was edited in any of them.
        MediaError: the output cannot be written.
    """
    begun = time.monotonic()
    plan = read_plan(folder)
    clip = plan.clip()
    if overwrite or AllSegments(folder, clip.output).handing_over():
        clip = replace(clip, replace=True)
    if wrong := missing(folder, plan):
        told = "; ".join(f"segment {index} {said}" for index, said in list(wrong.items())[:8])
        more = f"; and {len(wrong) - 8} more" if len(wrong) > 8 else ""
        raise PlanError(f"{folder} cannot be joined: {told}{more}; videdit farm {folder} renders what is not right")
    check_source(plan, clip.source, thorough=True)
    info = probe_from(clip.source, clip.job.fps, clip.job.start, clip.job.video_track)
    check_folders(clip)
    with Claim(*clip.files):
        if obstacle := clip.obstacle():
            raise UsageError(obstacle.in_place)
        return _join(plan, clip, info, folder, begun)


def _join(plan: ShotPlan, clip: Clip, info: MediaInfo, folder: Path, begun: float) -> RenderResult:
    work = AllSegments(folder, clip.output)
    for segment in plan.segments:
        record = read_record(work.path(segment.index))
        if record is None or record["frames"] != segment.frames:
            raise PlanError(f"{folder} cannot be joined: segment {segment.index} is damaged")
        following = plan.span(segment.index).following
        work.add(record | record_of(segment.place, following, record["faces"]))
    files = output_files(clip, info, work)

    def approve() -> None:
        if not work.faces:
            raise NoFaceError(f"no face to edit in {clip.source}: none could be seen well enough; nothing was written")
        files.join()

    commit = EncodeSegments(encoder(clip, info, edited=True, approve=approve), work)
    try:
        for _ in commit(_nothing()):
            pass
    except BaseException:
        files.drop()
        raise
    for warning in commit.warnings:
        log.warning("%s", warning)
    files.keep()
    work.take_back()
    sweep(folder)
    result = RenderResult(
        clip.source, clip.output, plan.frames, work.faces, time.monotonic() - begun, beside=tuple(clip.files[1:])
    )
    if clip.job.sidecar:
        tags.write_sidecar(clip.job, clip.source, clip.output, result.as_dict(), clip.replace)
    return result


def _nothing() -> Iterator[Frame]:
    yield from ()
