"""A clip -> a plan of its segments: it is looked at once, and no picture is edited."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from videdit.datatypes import Frame
from videdit.errors import NoFaceError, UsageError
from videdit.hfgi.profile import load_profile
from videdit.jobs.clip_record import absolute, to_values
from videdit.jobs.plan import Clip
from videdit.jobs.segment_store import SegmentStart
from videdit.jobs.shot_plan import ANALYSIS, PLAN, PlannedSegment, ShotPlan, hash_of_times, versions, write_plan
from videdit.media.decode.start import probe_from
from videdit.media.failures import cannot_write
from videdit.media.frame_times import clock, key_frames
from videdit.media.image_sequence import is_sequence
from videdit.media.info import MediaInfo
from videdit.media.source_identity import SourceIdentity
from videdit.pipeline.graph import Compose
from videdit.rendering.assignments import people_of
from videdit.rendering.checks import check, check_scenes, idle
from videdit.rendering.other_tracks import elsewhere
from videdit.rendering.render_chain import no_face
from videdit.rendering.renderer import Renderer
from videdit.rendering.resolved_job import resolve
from videdit.rendering.stage_graph import Shape, Workshop, graph_of, reach_of
from videdit.shutdown import half_written
from videdit.stages.assign_faces import bare_frames
from videdit.stages.decode import Decode
from videdit.stages.split_segments import SplitSegments, place, work_of
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.track_table import TrackTable, within

BEYOND = 2  # frames that are read after the last one that counts: a segment's end is seen by what follows


def plan_shot(
    clip: Clip,
    folder: Path,
    seconds: float | None = None,
    *,
    overwrite: bool = False,
    renderer: Renderer | None = None,
    cancel: threading.Event | None = None,
) -> ShotPlan:
    """Look at a clip, lay out its segments, and write the plan.

    Args:
        clip: one input and its output; the output need not be seen from here.
        folder: where the plan goes (:mod:`videdit.jobs.shot_plan`).
        seconds: how long a segment is, at a cut half of that is enough; by default as a run on one machine has them.
        overwrite: replace a plan that is there, and all that was rendered of it.
        renderer: whose networks are used.
        cancel: set it from another thread to stop.

    Raises:
        UsageError: this clip or job is not rendered in segments, or the folder is there.
        NoFaceError: nobody in it is to be edited.
        MediaError: the clip cannot be read, or the plan not be written.
        Cancelled: `cancel` was set.
    """
    renderer = renderer or Renderer()
    if os.path.lexists(folder) and not (overwrite and (folder / PLAN).is_file()):
        raise UsageError(f"{folder} exists already; " + ("it is no plan" if overwrite else "--overwrite replaces it"))
    clip = absolute(clip)
    info = probe_from(clip.source, clip.job.fps, clip.job.start, clip.job.video_track)
    if why := not_in_segments(clip, info):
        raise UsageError(f"{clip.source}: {why}; render it without a plan")
    check(clip, info)
    with renderer.analyse(clip, info, cancel=cancel) as analysis:
        assert analysis is not None
        check_scenes(clip.job, analysis, info)
        plan = lay_out(clip, info, analysis, renderer, seconds)
        with _folder(folder, overwrite) as temporary:
            _copy(analysis.folder, temporary / ANALYSIS)
            write_plan(temporary, plan)
    return plan


def not_in_segments(clip: Clip, info: MediaInfo) -> str | None:
    """Why a clip is one machine's work, in words; None: it need not be."""
    if info.kind != "video":
        return "a picture has no segments"
    if info.container == "exr" or is_sequence(clip.output):
        return "numbered pictures have no segments that could be joined"
    if clip.job.tune:
        return "--tune changes the networks of one machine"
    if clip.crops:
        return "crops that are written too are counted from a clip's first frame"
    if idle(clip.job):
        return "nothing is edited, for every strength is 0"
    if load_profile(clip.job.profile, clip.job.checkpoint).subject != "face":
        return f"segments are laid out by faces, for which profile {clip.job.profile} does not look"
    return None


def lay_out(
    clip: Clip, info: MediaInfo, analysis: Analysis, renderer: Renderer, seconds: float | None = None
) -> ShotPlan:
    """The segments of a clip, by what was found in it. Raises NoFaceError: nobody in it is to be edited."""
    job, resolved = clip.job, resolve(clip.job)
    detector = renderer.loaded.detector(job.networks)
    people = people_of(job, analysis, clock(info), resolved.profile.layers, detector.aligned)
    table = within(analysis.table, job.start, job.end)
    shop = Workshop(resolved, info, renderer.loaded, people, renderer.loaded.inverter(job.networks), analysis)
    graph = graph_of(Shape(resolved), shop)
    frames_most = None if seconds is None else max(1, round(seconds * float(info.fps or 25)))
    crops = None if seconds is None else 1 << 30  # by length alone
    like = next(Decode(info, job.start, job.end, decoder=job.decoder)(iter(())))
    split = SplitSegments(reach=reach_of(resolved, first="split"), crops=crops, frames=frames_most)
    find = Compose(*graph.part("recall", "size"), split)
    reach = reach_of(resolved)
    keys = key_frames(info)
    frames = find(bare_frames(table, int(table.pts[0]), None, like))
    segments = [_segment(*found, table, reach, keys) for found in _segments(frames)]
    faces = sum(segment.faces for segment in segments)
    if not faces:
        unclear = analysis.unclear_between(job.start, job.end)
        raise NoFaceError(no_face(clip.source, graph, unclear) + elsewhere(info, detector))
    identity = SourceIdentity.of(clip.source)
    return ShotPlan(
        clip_values=to_values(replace(clip, state=None)),
        size=identity.size,
        modified=identity.modified,
        sha256=identity.content(),
        reach=reach,
        crops=crops,
        frames_most=frames_most,
        frames=len(table.pts),
        faces=faces,
        segments=tuple(segments),
        versions=versions(),
    )


def _segments(frames: Iterator[Frame]) -> Iterator[tuple[SegmentStart, list[int], int]]:
    """(where it begins, the pts of its own frames, faces in them) of each segment."""
    for start, group in groupby(frames, key=place):
        mine = [(frame.pts or 0, work_of(frame)) for frame in group if frame.own]
        yield start, [pts for pts, _ in mine], sum(faces for _, faces in mine)


def _segment(
    start: SegmentStart, pts: list[int], faces: int, table: TrackTable, reach: float, keys: list[int]
) -> PlannedSegment:
    """A segment with what has to be read for it: `reach` seconds on either side, but nothing before a cut."""
    rows = [table.row(pts[0]), table.row(pts[-1])]
    assert rows[0] is not None
    assert rows[1] is not None
    begin, end = float(table.time[rows[0]]), float(table.time[rows[1]])
    first = max(int(table.time.searchsorted(begin - reach - 1e-6)), table.row(start.scene_pts) or 0)
    last = min(int(table.time.searchsorted(end + reach + 1e-6)) - 1 + BEYOND, len(table.pts) - 1)
    before = [key for key in keys if key <= table.pts[first]]
    return PlannedSegment(
        index=start.index,
        pts=start.pts,
        scene_pts=start.scene_pts,
        scene=start.scene,
        frames=len(pts),
        faces=faces,
        start=round(begin, 6),
        end=round(end, 6),
        times=hash_of_times(pts),
        first=int(table.pts[first]),
        last=int(table.pts[last]),
        before=round(begin - float(table.time[first]), 6),
        after=round(float(table.time[last]) - end, 6),
        keyframe=before[-1] if before else None,
    )


def _copy(analysis: Path, target: Path) -> None:
    """What was found in a clip, without the codes of its faces. copytree would tell of each file what went wrong."""
    target.mkdir()
    for file in analysis.iterdir():
        if not file.name.startswith("codes-"):
            shutil.copy2(file, target / file.name)


@contextlib.contextmanager
def _folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """A hidden folder that takes its name at the end of the block, or goes with an exception."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(3)}.part")
    half_written(temporary)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if overwrite and folder.exists():
            old = folder.with_name(f"{temporary.name}.old")
            half_written(old)
            os.replace(folder, old)
            shutil.rmtree(old, ignore_errors=True)
        os.rename(temporary, folder)
    except OSError as error:
        raise cannot_write(folder, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
