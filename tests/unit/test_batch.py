"""Batches go on after a failure, remember what is done, and tell it: progress, summary, report."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from videdit.errors import Cancelled, MediaError, NoFaceError, PartialFailure
from videdit.jobs import batch
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.jobs.result import RenderResult
from videdit.pipeline.executor import StageStats
from videdit.rendering.progress import BarProgress, JsonProgress, write_report

STATS = [StageStats("decode", 0, 10, 0.5), StageStats("edit", 10, 8, 4.0), StageStats("encode", 8, 5, 0.25)]


@pytest.fixture
def clips(tmp_path) -> Path:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"not opened here")
    return tmp_path


def plan_of(folder):
    return make_plan([RenderJob(input=(str(folder),), edit="smile")])


def rendering(clip):
    clip.output.write_bytes(b"edited")
    return RenderResult(clip.source, clip.output, 5, 4, 2.0, STATS)


def failing(error, name="b.mp4"):
    def render(clip):
        if clip.source.name == name:
            raise error
        return rendering(clip)

    return render


def test_a_failed_clip_does_not_stop_the_others(clips):
    outcomes = list(batch.run_plan(plan_of(clips), failing(MediaError("b is broken"))))
    assert [outcome.status for outcome in outcomes] == ["done", "failed", "done"]
    assert outcomes[1].reason == "b is broken"
    words = batch.summary(outcomes, 4.0)
    assert words.startswith("2 done, 0 skipped, 1 failed: 10 frames in 4.0 s")
    assert f"failed: {clips / 'b.mp4'}: b is broken" in words
    with pytest.raises(PartialFailure, match="1 of 3 clips failed") as error:
        batch.raise_if_failed(outcomes)
    assert error.value.exit_code == 4


def test_a_surprise_in_a_batch_names_itself_and_is_a_failure(clips):
    outcomes = list(batch.run_plan(plan_of(clips), failing(ZeroDivisionError("of all things"))))
    assert outcomes[1].reason == "unexpected ZeroDivisionError: of all things"


def test_the_second_run_does_only_what_is_left(clips):
    list(batch.run_plan(plan_of(clips), failing(MediaError("b is broken"))))
    outcomes = list(batch.run_plan(plan_of(clips), rendering))
    assert [outcome.status for outcome in outcomes] == ["skipped", "done", "skipped"]
    assert outcomes[0].reason == "done already and unchanged"
    batch.raise_if_failed(outcomes)


def test_a_clip_without_a_face_is_skipped_and_remembered(clips):
    for reason in ("no face in b", "no face, as found before"):
        outcomes = list(batch.run_plan(plan_of(clips), failing(NoFaceError("no face in b"))))
        assert (outcomes[1].status, outcomes[1].reason) == ("skipped", reason)
        batch.raise_if_failed(outcomes)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Cancelled("interrupted")])
def test_an_interruption_ends_the_batch_and_keeps_what_was_done(clips, error):
    with pytest.raises(type(error)):
        list(batch.run_plan(plan_of(clips), failing(error)))
    assert [clip.status for clip in plan_of(clips).clips] == ["done", "render", "render"]


def test_a_single_file_fails_as_itself(clips):
    plan = make_plan([RenderJob(input=(str(clips / "b.mp4"),), edit="smile")])
    with pytest.raises(MediaError, match="b is broken"):
        list(batch.run_plan(plan, failing(MediaError("b is broken"))))


def test_the_report_holds_every_clip_with_its_settings(clips, tmp_path):
    outcomes = list(batch.run_plan(plan_of(clips), failing(MediaError("b is broken"))))
    write_report(tmp_path / "report.json", batch.report(outcomes, 0.0, True, 4.0))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["finished"] is True
    assert (report["started"], report["seconds"]) == ("1970-01-01T00:00:00Z", 4.0)  # however the clock was set
    assert [clip["status"] for clip in report["clips"]] == ["done", "failed", "done"]
    done, failed, _ = report["clips"]
    assert done["fps"] == 2.5
    assert done["stages"][1] == {
        "name": "edit",
        "taken": 10,
        "packets": 8,
        "busy": 4.0,
        "waiting_input": 0.0,
        "waiting_output": 0.0,
        "cpu": 0.0,
        "passed": 0,
    }
    assert failed["reason"] == "b is broken"
    assert failed["settings"]["edit"] == "smile"
    with pytest.raises(MediaError, match="cannot write the report"):
        write_report(tmp_path / "no" / "report.json", report)


def test_the_summary_of_a_clip_is_for_people_and_stages_for_who_asks(tmp_path):
    said, beside = ("face 0: edited for 0.04 s, from 0.00 to 0.04 s",), (tmp_path / "out.mp4.json",)
    result = RenderResult(tmp_path / "in.mp4", tmp_path / "out.mp4", 2, 2, 4.0, STATS, told=said, beside=beside)
    lines = result.summary().splitlines()
    assert lines[0] == f"{tmp_path / 'out.mp4'}: 2 frames in 4.0 s (0.50 frames a second)"
    assert lines[1:] == [f"  {said[0]}", f"  also written: {beside[0]}"]
    assert result.summary(verbose=True).splitlines()[-1] == "  seconds a stage: decode 0.5, edit 4.0, encode 0.2"
    assert result.speed == 0.5
    with pytest.warns(DeprecationWarning, match="speed"):
        assert result.fps == 0.5  # the older name


def test_who_hears_of_progress_hears_which_clip_of_how_many_it_is(clips):
    heard = []
    list(batch.run_plan(plan_of(clips), rendering, lambda number, of: heard.append((number, of))))
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_json_progress_is_a_line_an_event_with_the_busiest_stage(tmp_path):
    stream, now = io.StringIO(), [0.0]
    progress = JsonProgress(stream, every=0.5, clock=lambda: now[0])
    progress.start("a.mp4", 10)
    progress.update(STATS)  # too soon
    now[0] = 1.0
    progress.update([replace(stage, packets=1) for stage in STATS])
    now[0] = 2.0
    progress.update(STATS)
    progress.end("done", {"output": "x"})
    start, first, event, end = map(json.loads, stream.getvalue().splitlines())
    assert start == {"clip": "a.mp4", "event": "start", "frames": 10}
    assert first["eta"] is None
    assert event == {
        "clip": "a.mp4",
        "event": "progress",
        "frame": 5,
        "frames": 10,
        "fps": 2.5,
        "eta": 1.2,  # five frames left, four in the last second
        "busiest": "edit",
    }
    assert end == {"clip": "a.mp4", "event": "end", "status": "done", "output": "x"}


def test_the_bar_shows_frames_and_the_busiest_stage():
    stream = io.StringIO()
    progress = BarProgress(stream)
    progress.clip(2, 7)
    progress.start("a\x1b[31m.mp4", 10)
    assert progress.bar is not None
    progress.bar.mininterval = 0
    progress.look([replace(stage, packets=8) for stage in STATS])
    assert progress.bar.n == 8
    assert "8/10" in stream.getvalue()
    assert "looks for faces" in stream.getvalue()
    progress.update(STATS)
    assert progress.bar.n == 5
    assert "\x1b[31m" not in stream.getvalue()
    progress.end("done")
    progress.update(STATS)  # after the end: nothing to draw on
    assert "clip 2 of 7: a?[31m.mp4" in stream.getvalue()
    assert "5/10" in stream.getvalue()
    assert "busy: edit" in stream.getvalue()
