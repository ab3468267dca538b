"""Engines: whoever renders the segments, the frames are the same; what dies is done again by others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from footage import packets_of
from synthetic import ROOT, background, with_face, write_clip

from videdit.cli.main import run
from videdit.errors import UsageError, VideditError
from videdit.farm import admin
from videdit.farm.dispatcher import Dispatcher
from videdit.farm.engines.base import Ended, Engine
from videdit.farm.engines.choose import engine_of
from videdit.farm.engines.local import LocalEngine
from videdit.farm.engines.openjd import template
from videdit.farm.engines.slurm import SCRIPT, array
from videdit.farm.queue import Queue
from videdit.farm.shot import render_shot
from videdit.farm.tasks import Piece
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.jobs.shot_plan import PlanError, done_path, missing, read_plan
from videdit.rendering.planned_segments import join_shot, render_segment
from videdit.rendering.planning import plan_shot

SEGMENTS = 5
EDIT = "smile=0@0s,0@4.5s,1@4.8s"


@pytest.fixture(scope="module")
def clip(tmp_path_factory, people) -> Path:
    """Twenty-five frames, five seconds, with sound."""
    plain = background(160, 128)
    pictures = [with_face(plain, people[0], (70 + i, 64), 100) for i in range(25)]
    return write_clip(tmp_path_factory.mktemp("clips") / "in.mp4", pictures, fps=5)


@pytest.fixture(autouse=True)
def workers_find_the_code(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def planned(clip: Path, folder: Path, render, name: str = "shot") -> Path:
    """A plan of five segments, of which the last two frames are edited: networks take no time, all else does."""
    words = {"input": str(clip), "output": str(folder / f"{name}.mp4"), "edit": EDIT, "size": 256}
    (planned,) = make_plan([RenderJob.model_validate(words)]).clips
    plan = plan_shot(planned, folder / f"{name}.plan", 0.9, renderer=render.renderer)
    assert len(plan.segments) == SEGMENTS
    return folder / f"{name}.plan"


@pytest.fixture(scope="module")
def expected(clip, render, tmp_path_factory) -> list:
    """The packets of the output as this process makes it."""
    folder = tmp_path_factory.mktemp("here")
    plan = planned(clip, folder, render)
    for number in range(SEGMENTS):
        render_segment(plan, number, render.renderer)
    join_shot(plan)
    return packets_of(folder / "shot.mp4", "video")


@pytest.fixture
def plan(clip, tmp_path, render) -> Path:
    return planned(clip, tmp_path, render)


@pytest.fixture
def local() -> Iterator[LocalEngine]:
    engine = LocalEngine(1)
    yield engine
    engine.close()


def assert_joined(plan: Path, expected: list) -> None:
    assert not missing(plan, read_plan(plan))
    assert join_shot(plan).frames == 25
    assert packets_of(plan.with_suffix(".mp4"), "video") == expected
    assert not list(plan.glob(".work*"))


def until_at_work(plan: Path, seconds: float = 240) -> None:
    """Wait until somebody renders a segment."""
    limit = time.monotonic() + seconds
    while not list(plan.glob(".work*")):
        assert time.monotonic() < limit, "nobody begins"
        time.sleep(0.01)


def test_local_processes_render_what_is_missing_and_one_that_is_killed_is_replaced(plan, local, expected):
    local.submit(Piece(plan, 0))
    until_at_work(plan)
    os.kill(local._hands[0].process.pid, signal.SIGKILL)
    (ended,) = local.poll(60)
    assert ended.again
    assert "was killed by signal 9" in str(ended.error)
    told: list[Ended] = []
    assert render_shot(plan, local, lambda ended, done, total: told.append(ended)) == SEGMENTS
    assert [ended.piece.number for ended in told] == list(range(SEGMENTS))
    assert render_shot(plan, local) == 0
    assert list(plan.glob(".work*"))  # of the one that was killed; who joins sweeps it away
    assert_joined(plan, expected)


def test_processes_end_with_who_started_them_even_if_that_is_killed(plan, render):
    """They would go on with a piece that others take by then."""
    for number in range(SEGMENTS - 1):
        render_segment(plan, number, render.renderer)
    command = [sys.executable, "-m", "videdit", "farm", str(plan), "--engine", "local"]
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        until_at_work(plan)
        theirs = psutil.Process(killed.pid).children(recursive=True)
        assert theirs
    finally:
        killed.kill()
        killed.wait()
    assert psutil.wait_procs(theirs, timeout=30)[1] == []
    assert not list(plan.glob(".work*"))
    assert not done_path(plan, SEGMENTS - 1).exists()


def test_cancel_leaves_nothing(plan, local):
    local.submit(Piece(plan, 0))
    local.submit(Piece(plan, 1))
    until_at_work(plan)
    local.cancel()
    assert not list(plan.glob(".work*"))
    assert not list(plan.glob("*.done"))
    assert local.poll(0.1) == []


def test_what_cannot_be_rendered_is_said_and_not_tried_again(plan, local, monkeypatch):
    (plan / "analysis" / "analysis.json").write_text("{}")
    with pytest.raises(VideditError, match="segment 0 of .* failed: the analysis .* is damaged"):
        render_shot(plan, local)


class Flaky:
    """An engine that fails at each piece once, in a way that may pass."""

    slots = 2
    kinds, far = frozenset({"segment"}), True

    def __init__(self, render, hopeless: int | None = None) -> None:
        self.render, self.hopeless = render, hopeless
        self.tried: set[Piece] = set()
        self.waiting: list[Piece] = []

    def submit(self, piece: Piece) -> None:
        assert len(self.waiting) < self.slots  # bounded
        self.waiting.append(piece)

    def poll(self, seconds: float) -> list[Ended]:
        piece = self.waiting.pop()
        if piece not in self.tried or piece.number == self.hopeless:
            self.tried.add(piece)
            return [Ended(piece, "the node is gone", 1, True)]
        render_segment(piece.folder, piece.number, self.render.renderer)
        return [Ended(piece, told={"frames": SEGMENTS})]

    def progress(self) -> dict[Piece, int]:
        return {}

    def cancel(self, piece: Piece | None = None) -> None:
        self.waiting.clear()

    def close(self) -> None:
        self.cancel()


def test_failures_that_may_pass_are_tried_again_so_often(plan, render, expected):
    engine: Engine = Flaky(render)
    render_shot(plan, engine)
    assert_joined(plan, expected)
    done_path(plan, 2).unlink()
    with pytest.raises(PlanError, match="segment 2 of .* failed: the node is gone"):
        render_shot(plan, Flaky(render, hopeless=2))


def test_a_worker_of_the_queue_hands_segments_to_an_engine(clip, render, expected, tmp_path):
    """Each fails once; planning and joining are the worker's own."""
    file, ahead = tmp_path / "queue.sqlite", 0.0

    def idle(seconds: float) -> None:
        nonlocal ahead
        ahead += 20  # what failed is tried again some seconds later

    words = ["--edit", EDIT, "--size", "256", "--segment-seconds", "0.9", "-o", str(tmp_path / "shot.mp4")]
    assert run(["submit", str(clip), *words, "--queue", str(file)]) == 0
    with Queue(file, lambda: time.time() + ahead) as queue:
        dispatcher = Dispatcher(queue, Flaky(render))
        dispatcher.runner._renderer.loaded = render.renderer.loaded
        outcomes = list(dispatcher.work(until_empty=True, idle=idle))
        assert admin.jobs(queue)[0]["state"] == "done"
        logs = admin.log_words(queue, 1, 0)
    ends = [(outcome.task.kind, outcome.state) for outcome in outcomes]
    assert ends.count(("segment", "again")) == SEGMENTS == ends.count(("segment", "done"))
    assert (ends[0], ends[-1]) == (("plan", "done"), ("join", "done"))
    assert "the node is gone" in logs
    assert packets_of(tmp_path / "shot.mp4", "video") == expected


def assert_jobs_are_done_by_the_engine(engine: Engine, clip: Path, folder: Path, expected: list) -> None:
    """Two jobs, one in segments and one without, by one worker of the engine."""
    file = folder / "queue.sqlite"
    words = [str(clip), "--edit", EDIT, "--size", "256", "--queue", str(file)]
    assert run(["submit", *words, "--segment-seconds", "0.9", "-o", str(folder / "shot.mp4")]) == 0
    assert run(["submit", *words, "-o", str(folder / "whole.mp4")]) == 0
    with Queue(file) as queue:
        dispatcher = Dispatcher(queue, engine)
        try:
            outcomes = list(dispatcher.work(until_empty=True))
            hands = len(engine._hands)
        finally:
            engine.close()
        assert [job["state"] for job in admin.jobs(queue)] == ["done", "done"]
        assert {job["frames"] for job in admin.jobs(queue)} == {25}
        logs = [admin.log_words(queue, number) for number in (1, 2)]
    kinds = [outcome.task.kind for outcome in outcomes if outcome.state == "done"]
    assert sorted(kinds) == sorted(["plan", *["segment"] * SEGMENTS, "join", "plan", "render"])
    assert hands == 1, "one worker did it all"
    assert dispatcher._runner is None, "nothing was loaded here"
    assert "whole.mp4" in logs[1]
    assert "settings:" in logs[1], "what the worker of the engine has logged"
    assert packets_of(folder / "shot.mp4", "video") == expected
    assert len(packets_of(folder / "whole.mp4", "video")) == 25
    assert {f.name for f in folder.iterdir()} == {file.name, f"{file.name}.logs", "shot.mp4", "whole.mp4"}


def test_whole_jobs_are_done_by_processes(clip, tmp_path, expected):
    assert_jobs_are_done_by_the_engine(LocalEngine(), clip, tmp_path, expected)


def test_how_far_a_process_is(plan, local):
    piece = Piece(plan, 4)  # whose last frames are edited
    local.submit(piece)
    assert local.progress() == {piece: 0}
    limit = time.monotonic() + 240
    while not (ended := local.poll(0.1)) and not local.progress()[piece]:
        assert time.monotonic() < limit
    assert all(end.error is None for end in ended)
    assert ended or 0 < local.progress()[piece] <= 25


def test_the_script_of_slurm_needs_environment_variables_only(plan, render, tmp_path, monkeypatch):
    for number in range(1, SEGMENTS):
        render_segment(plan, number, render.renderer)
    script = tmp_path / "segment.sbatch"
    assert run(["farm", str(plan), "--engine", "slurm", "--script", str(script)]) == 0
    assert script.read_text() == SCRIPT
    wanted = {"VIDEDIT_PLAN": str(plan), "VIDEDIT_COMMAND": f"{sys.executable} -m videdit"}
    missing_one = subprocess.run(["bash", str(script)], env=os.environ | wanted, capture_output=True, text=True)
    assert missing_one.returncode
    assert "run this as an array job" in missing_one.stderr
    done = subprocess.run(["bash", str(script)], env=os.environ | wanted | {"SLURM_ARRAY_TASK_ID": "0"}, cwd=tmp_path)
    assert done.returncode == 0
    assert not missing(plan, read_plan(plan))
    assert array([0, 1, 2, 5, 7, 8], 4) == "0-2,5,7-8%4"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs sbatch"):
        engine_of("slurm")


@pytest.mark.extra("farm-test")
def test_the_template_of_openjd_is_valid_and_runs(plan, render, expected, tmp_path):
    openjd = Path(sys.executable).with_name("openjd")
    for number in range(1, SEGMENTS):
        render_segment(plan, number, render.renderer)
    file = tmp_path / "job.json"
    file.write_text(json.dumps(template(read_plan(plan))))
    assert subprocess.run([openjd, "check", file], capture_output=True, cwd=tmp_path).returncode == 0
    done = subprocess.run(
        [openjd, "run", file, "--step", "Join", "--run-dependencies", "-p", f"PlanFolder={plan}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert packets_of(plan.with_suffix(".mp4"), "video") == expected
