"""A shot over many machines: the same packets as one run on one machine, and nothing joined that is not whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from pathlib import Path

import pytest
from footage import frames_of, packets_of, same_planes
from synthetic import background, with_face, write_clip

from videdit.errors import MediaError, NoFaceError, UsageError, VideditError
from videdit.jobs.plan import Clip, make_plan
from videdit.jobs.render_job import RenderJob
from videdit.jobs.shot_plan import PLAN, PlanError, done_path, missing, read_plan
from videdit.rendering.planned_segments import join_shot, render_segment
from videdit.rendering.planning import plan_shot

FRAMES, CUT = 16, 9


@pytest.fixture(scope="module")
def two_shots(tmp_path_factory, people) -> Path:
    """Sixteen frames, 3.2 seconds, with sound: one person in a shot of nine frames, then another."""
    plain = background(320, 240)
    one = [with_face(plain, people[0], (140 + 2 * i, 120), 190) for i in range(CUT)]
    two = [with_face(255 - plain, people[1], (150, 115 + i), 185) for i in range(FRAMES - CUT)]
    return write_clip(tmp_path_factory.mktemp("clips") / "shots.mp4", [*one, *two], fps=5)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr("videdit.stages.split_segments.CROPS", 4)
    monkeypatch.setattr("videdit.rendering.resuming.CROPS", 8)


def planned(source: Path, output: Path, **words) -> Clip:
    words = {"input": str(source), "output": str(output), "edit": "smile=2", "size": 256} | words
    (clip,) = make_plan([RenderJob.model_validate(words)]).clips
    return clip


@pytest.fixture(scope="module")
def rendered(two_shots, render, tmp_path_factory):
    """A plan all of whose segments are rendered, last first, and the output of one run on one machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("videdit.stages.split_segments.CROPS", 4)
        patch.setattr("videdit.rendering.resuming.CROPS", 8)
        folder = tmp_path_factory.mktemp("farm")
        files = {"alpha_out": str(folder / "farm_matte.mkv"), "compare": "side"}
        clip = planned(two_shots, folder / "farm.mp4", **files)
        plan = plan_shot(clip, folder / "shot.plan", renderer=render.renderer)
        for segment in reversed(plan.segments):
            report = render_segment(folder / "shot.plan", segment.index, render.renderer)
            assert (report.frames, report.plan) == (segment.frames, plan.id)
        one = {"alpha_out": str(folder / "one_matte.mkv"), "compare": "side", "edit": "smile=2", "size": 256}
        render(two_shots, folder / "one.mp4", **one)
    return folder


@pytest.fixture
def copy(rendered, tmp_path) -> Path:
    """The plan's folder, to be spoilt."""
    return shutil.copytree(rendered / "shot.plan", tmp_path / "shot.plan")


def test_the_plan_lays_out_every_frame_once(rendered, two_shots):
    plan = read_plan(rendered / "shot.plan")
    assert len(plan.segments) >= 3
    assert sum(segment.frames for segment in plan.segments) == FRAMES == plan.frames
    pts = [frame.pts for frame in frames_of(two_shots)]
    starts = [segment.pts for segment in plan.segments]
    assert starts == sorted(starts)
    assert starts[0] == pts[0]
    assert set(starts) <= set(pts)
    assert pts[CUT] in starts  # a cut ends a segment that is half full
    for segment in plan.segments:
        assert segment.first <= segment.pts <= segment.last
        assert segment.first >= segment.scene_pts
        assert segment.before <= plan.reach + 1e-5
        assert segment.keyframe is not None
        assert segment.keyframe <= segment.first


def test_the_same_packets_as_one_run_on_one_machine(rendered):
    result = join_shot(rendered / "shot.plan")
    assert result.frames == FRAMES
    assert result.faces == FRAMES
    for kind in ("video", "audio"):
        assert packets_of(rendered / "one.mp4", kind) == packets_of(rendered / "farm.mp4", kind)
    for name in ("_matte.mkv", "_compare.mp4"):
        one, farm = frames_of(rendered / f"one{name}"), frames_of(rendered / f"farm{name}")
        assert len(one) == FRAMES
        assert [frame.pts for frame in one] == [frame.pts for frame in farm]
        assert all(map(same_planes, one, farm)), name
    with pytest.raises(UsageError, match="exists"):
        join_shot(rendered / "shot.plan")
    assert join_shot(rendered / "shot.plan", overwrite=True).frames == FRAMES
    assert not [path for path in rendered.iterdir() if path.name.startswith(".")]


def test_a_segment_that_is_there_is_not_rendered_again(rendered, render, monkeypatch):
    def never(*_, **__):
        raise AssertionError("it is there")

    monkeypatch.setattr("videdit.rendering.renderer.Renderer.chain", never)
    assert render_segment(rendered / "shot.plan", 0, render.renderer).index == 0
    with pytest.raises(UsageError, match="there is no 99"):
        render_segment(rendered / "shot.plan", 99, render.renderer)


@pytest.mark.parametrize("how", ["gone", "flipped", "cut", "of another plan", "one frame less"])
def test_what_is_missing_or_wrong_is_named_and_not_joined(copy, tmp_path, how):
    path = copy / "000001.segment"
    if how == "gone":
        path.unlink()
    elif how == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        report = json.loads(done_path(copy, 1).read_text())
        report |= {"plan": "another"} if how == "of another plan" else {"frames": report["frames"] - 1}
        done_path(copy, 1).write_text(json.dumps(report))
    assert list(missing(copy, read_plan(copy))) == [1]
    with pytest.raises(PlanError, match="cannot be joined: segment 1 "):
        join_shot(copy, overwrite=True)


def test_a_segment_of_other_times_is_not_joined(copy):
    """Two segments of the same length, exchanged: every byte is right, and the order is wrong."""
    for name in ("000001.segment", "000002.segment"):
        assert (copy / name).exists()
    one, two = (json.loads(done_path(copy, number).read_text()) for number in (1, 2))
    one["times"], two["times"] = two["times"], one["times"]
    for number, report in ((1, one), (2, two)):
        done_path(copy, number).write_text(json.dumps(report))
    with pytest.raises(PlanError, match="segment 1 has frames at other times"):
        join_shot(copy, overwrite=True)


def test_a_source_that_changes_after_planning_is_refused(two_shots, tmp_path, render):
    source = shutil.copy(two_shots, tmp_path / "in.mp4")
    plan_shot(planned(source, tmp_path / "out.mp4"), tmp_path / "p", renderer=render.renderer)
    os.utime(source, (1, 1))  # a copy is as good
    with source.open("ab") as file:
        file.write(b"\0")
    for use in (lambda: render_segment(tmp_path / "p", 0, render.renderer), lambda: join_shot(tmp_path / "p")):
        with pytest.raises(PlanError, match="has changed since it was planned|cannot be joined"):
            use()
    assert not list((tmp_path / "p").glob(".work*"))


def test_a_damaged_plan_is_refused(copy, render):
    values = json.loads((copy / PLAN).read_text())
    values["segments"][0]["frames"] += 1
    (copy / PLAN).write_text(json.dumps(values))
    with pytest.raises(PlanError, match="is not as it was written"):
        render_segment(copy, 0, render.renderer)
    (copy / PLAN).unlink()
    with pytest.raises(UsageError, match="is no plan"):
        join_shot(copy)


def test_another_version_is_refused(copy, render, monkeypatch):
    done_path(copy, 0).unlink()
    monkeypatch.setattr("videdit.jobs.shot_plan.__version__", "0.0.1")
    with pytest.raises(PlanError, match="use the same installation"):
        render_segment(copy, 0, render.renderer)


def test_what_has_no_plan(empty_clip, two_shots, tmp_path, render):
    with pytest.raises(NoFaceError, match="no face"):
        plan_shot(planned(empty_clip, tmp_path / "o.mp4"), tmp_path / "p", renderer=render.renderer)
    with pytest.raises(UsageError, match="without a plan"):
        plan_shot(planned(two_shots, tmp_path / "o.mp4", tune=3), tmp_path / "p", renderer=render.renderer)
    with pytest.raises(MediaError, match="cannot write .*: Not a directory"):
        (tmp_path / "file").touch()
        plan_shot(planned(two_shots, tmp_path / "o.mp4"), tmp_path / "file" / "p", renderer=render.renderer)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(UsageError, match="exists already"):
        plan_shot(planned(two_shots, tmp_path / "o.mp4"), tmp_path / "file", renderer=render.renderer)


def test_who_joins_is_not_told_to_choose_another_output(copy):
    """It was planned: what helps is --overwrite, or nothing."""
    output = read_plan(copy).clip().output
    was = output.read_bytes()
    with pytest.raises(UsageError, match=r"exists already; pass --overwrite to replace it$"):
        join_shot(copy)
    output.unlink()
    output.mkdir()
    with pytest.raises(UsageError, match=r"is a folder$"):
        join_shot(copy)
    output.rmdir()
    output.write_bytes(was)


def test_two_who_join_write_one_output(copy, rendered):
    """One writes it, the other is told so in one line; who comes later finds that it is there."""
    output = read_plan(copy).clip().output
    output.unlink(missing_ok=True)
    for name in ("_matte.mkv", "_compare.mp4"):
        output.with_name(f"{output.stem}{name}").unlink(missing_ok=True)
    ends: list = []

    def joiner() -> None:
        try:
            ends.append(join_shot(copy).frames)
        except VideditError as error:
            ends.append(error)

    threads = [threading.Thread(target=joiner) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [str(end) for end in ends if isinstance(end, VideditError)]
    assert ends.count(FRAMES) >= 1
    assert len(refused) == 3 - ends.count(FRAMES)
    assert all("another run is writing" in said or "exists" in said for said in refused), refused
    assert len(frames_of(output)) == FRAMES


@pytest.mark.parametrize("where", ["shutil.copy2", "videdit.rendering.planning.write_plan"])
def test_a_full_disk_under_a_plan_is_one_short_line(two_shots, tmp_path, render, monkeypatch, where):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "here", None, "there")

    monkeypatch.setattr(where, full)
    folder = tmp_path / "shot.plan"
    with pytest.raises(MediaError, match=f"^cannot write {folder}: the disk is full; make room and run again$"):
        plan_shot(planned(two_shots, tmp_path / "out.mp4"), folder, renderer=render.renderer)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_half_written(copy, render, monkeypatch):
    done_path(copy, 1).unlink()
    before = sorted(path.name for path in copy.iterdir())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("videdit.media.encode.segments.SegmentFile.append", full)
        with pytest.raises(MediaError, match="full|No space"):
            render_segment(copy, 1, render.renderer)
    assert sorted(path.name for path in copy.iterdir()) == before
    assert render_segment(copy, 1, render.renderer).index == 1
