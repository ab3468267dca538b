"""Workers on a queue: a clip in segments comes out as one run makes it, also where a worker is killed on the way."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from footage import packets_of
from synthetic import ROOT, background, with_face, write_clip

from videdit.cli.main import run
from videdit.farm import admin
from videdit.farm.execution import TaskRunner
from videdit.farm.queue import Queue
from videdit.farm.tasks import ATTEMPTS
from videdit.farm.worker import Worker
from videdit.storage.outputs import Claim

WORDS = ["--edit", "smile=2", "--size", "256"]


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory, people) -> Path:
    """Ten frames, two seconds: a face in a shot without a cut."""
    plain = background(320, 240)
    pictures = [with_face(plain, people[0], (140 + 2 * i, 120), 190) for i in range(10)]
    return write_clip(tmp_path_factory.mktemp("clips") / "one.mp4", pictures, fps=5)


@pytest.fixture
def runner(render, monkeypatch) -> TaskRunner:
    """The networks of all end-to-end tests."""
    runner = TaskRunner()
    runner._renderer.loaded = render.renderer.loaded
    return runner


def worker(queue: Queue, runner: TaskRunner, **how) -> Worker:
    made = Worker(queue, **how)
    made._runner = runner
    return made


def submitted(queue: Path, *words: str) -> int:
    assert run(["submit", *words, "--queue", str(queue), "--json"]) == 0
    with Queue(queue) as opened:
        return max(job["id"] for job in admin.jobs(opened))


def test_a_killed_worker_loses_nothing_and_doubles_nothing(short_clip, tmp_path, runner):
    file, log = tmp_path / "queue.sqlite", tmp_path / "done"
    command = f"{sys.executable} -c \"import sys; open(sys.argv[1], 'a').write(sys.argv[2])\" {log} {{id}}"
    words = [str(short_clip), *WORDS, "--segment-seconds", "0.5", "-o", str(tmp_path / "out.mp4")]
    number = submitted(file, *words, "--on-done", command)
    killed = subprocess.Popen(
        [sys.executable, "-m", "videdit", "work", "--queue", str(file), "--lease", "4", "--json"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert killed.stdout is not None
        for line in killed.stdout:
            if json.loads(line)["task"] == "segment":
                break
        time.sleep(0.5)  # it is in the middle of the next one
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    with Queue(file) as queue:
        before = admin.job(queue, number)
        assert before["state"] == "running"
        assert 1 <= before["segments_done"] < before["segments"]
        outcomes = list(worker(queue, runner, lease=4).work(until_empty=True))
        job = admin.job(queue, number)
        assert (job["state"], job["frames"]) == ("done", 10), job
        done = [outcome.task.number for outcome in outcomes if outcome.task.kind == "segment"]
        assert len(done) == len(set(done)) == job["segments"] - before["segments_done"]
        assert log.read_text() == str(number)  # once
        assert "attempt 2" in admin.log_words(queue, number)
    submitted(tmp_path / "other.sqlite", *words[:-1], str(tmp_path / "whole.mp4"))
    with Queue(tmp_path / "other.sqlite") as queue:
        list(worker(queue, runner).work(until_empty=True))
    assert packets_of(tmp_path / "out.mp4", "video") == packets_of(tmp_path / "whole.mp4", "video")
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"queue.sqlite.logs", "other.sqlite.logs"}


def test_what_is_not_split_and_what_fails(short_clip, empty_clip, tmp_path, runner, capsys):
    """Of three jobs one is done, one has no face and one has no source any more."""
    file = tmp_path / "queue.sqlite"
    gone = tmp_path / "gone.mp4"
    gone.write_bytes(empty_clip.read_bytes())
    done = submitted(file, str(short_clip), *WORDS, "--end", "0.5", "-o", str(tmp_path / "out.mp4"))
    nobody = submitted(file, str(empty_clip), *WORDS, "-o", str(tmp_path / "nobody.mp4"))
    lost = submitted(file, str(gone), *WORDS, "-o", str(tmp_path / "lost.mp4"))
    gone.unlink()
    with Queue(file) as queue:
        made = worker(queue, runner)
        outcomes = {(o.task.job, o.task.kind): o for o in made.work(until_empty=True, idle=no_wait(queue))}
        states = {job["id"]: job["state"] for job in admin.jobs(queue)}
        assert states == {done: "done", nobody: "skipped", lost: "failed"}
        assert outcomes[done, "render"].frames == 3
        assert "no face" in admin.job(queue, nobody)["error"]
        assert "gone.mp4" in admin.job(queue, lost)["error"]
    capsys.readouterr()
    assert run(["jobs", "--all", "--json", "--queue", str(file)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {job["id"]: job["exit_code"] for job in told} == {done: 0, nobody: 3, lost: 1}


HOW = [[], ["--engine", "local"], pytest.param(["--engine", "ray"], marks=pytest.mark.extra("farm"))]


@pytest.mark.parametrize("how", HOW, ids=["alone", "local", "ray"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_is_told_to_end_gives_back_what_it_has_begun(short_clip, tmp_path, how, number):
    """At once, with no try spent, and it says so; of the lease nothing is waited for."""
    file = tmp_path / "queue.sqlite"
    job = submitted(file, str(short_clip), *WORDS, "-o", str(tmp_path / "out.mp4"))
    stopped = subprocess.Popen(
        [sys.executable, "-m", "videdit", "work", "--queue", str(file), *how],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with Queue(file) as queue:
        limit = time.monotonic() + 240
        while not [task for task in admin.job(queue, job)["tasks"] if task["state"] == "running"]:
            assert time.monotonic() < limit
            time.sleep(0.02)
        stopped.send_signal(number)
        told = stopped.communicate(timeout=60)[1]
        assert stopped.returncode == 130
        assert told.splitlines() == [
            f"videdit: job {job} waits for the next videdit work, which goes on there",
            "videdit: interrupted; nothing half-written is left",
        ]
        found = admin.job(queue, job)
        assert found["state"] == "waiting"
        assert {task["state"] for task in found["tasks"]} <= {"waiting", "done"}
        assert {task["attempts"] for task in found["tasks"] if task["state"] == "waiting"} == {0}
        assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == []


def test_an_output_that_is_there_when_a_worker_is_stopped_is_its_own(short_clip, tmp_path, runner, monkeypatch):
    """Between an output and the word of it: whoever goes on knows whose it is, and does not fail at it."""
    file = tmp_path / "queue.sqlite"
    number = submitted(file, str(short_clip), *WORDS, "--end", "0.3", "-o", str(tmp_path / "out.mp4"))
    rendering = runner.render

    def stopped(*words, **more):
        rendering(*words, **more)
        raise KeyboardInterrupt

    with Queue(file) as queue:
        monkeypatch.setattr(runner, "render", stopped)
        with pytest.raises(KeyboardInterrupt):
            list(worker(queue, runner).work(until_empty=True))
        assert (tmp_path / "out.mp4").exists()
        monkeypatch.setattr(runner, "render", rendering)
        assert [outcome.state for outcome in worker(queue, runner).work(until_empty=True)] == ["done"]
        assert admin.job(queue, number)["state"] == "done"


def test_a_log_that_cannot_be_written_stops_no_work(short_clip, tmp_path, runner, caplog):
    file = tmp_path / "queue.sqlite"
    submitted(file, str(short_clip), *WORDS, "--end", "0.3", "-o", str(tmp_path / "out.mp4"))
    (tmp_path / "queue.sqlite.logs").write_text("in the way")
    with Queue(file) as queue:
        assert [outcome.state for outcome in worker(queue, runner).work(until_empty=True)] == ["done", "done"]
    assert "goes on without its log" in caplog.text


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def no_clip(path: Path) -> None:
    path.write_bytes(b"%PDF-1.7 " * 400)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def two_sizes(path: Path) -> None:
    folder = path.parent
    for name, side in (("a.ts", 96), ("b.ts", 128)):
        write_clip(folder / name, [background(side, side)] * 8, sound=False)
    path.write_bytes((folder / "a.ts").read_bytes() + (folder / "b.ts").read_bytes())


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [cut_off, no_clip, emptied, two_sizes, gone])
def test_what_a_clip_holds_is_refused_once(empty_clip, tmp_path, runner, change):
    """Whatever is tried again: a file that cannot be edited does not become another one by waiting."""
    file, source = tmp_path / "queue.sqlite", tmp_path / "in.mp4"
    source.write_bytes(empty_clip.read_bytes())
    number = submitted(file, str(source), *WORDS, "-o", str(tmp_path / "out.mp4"))
    change(source)
    with Queue(file) as queue:
        outcomes = list(worker(queue, runner).work(until_empty=True, idle=no_wait(queue)))
        assert [o.state for o in outcomes if o.state != "done"] == ["failed"], outcomes
        job = admin.job(queue, number)
        assert (job["state"], job["exit_code"]) == ("failed", 1)


def test_what_may_pass_is_tried_again(short_clip, tmp_path, runner):
    """Where the output goes there is no folder now, as on a disk that comes back."""
    file, folder = tmp_path / "queue.sqlite", tmp_path / "out"
    submitted(file, str(short_clip), *WORDS, "--end", "0.3", "-o", str(folder / "out.mp4"))
    folder.write_text("in the way")
    with Queue(file) as queue:
        made = worker(queue, runner).work(until_empty=True, idle=no_wait(queue))
        assert [next(made).state for _ in range(2)] == ["done", "again"]
        folder.unlink()
        assert [outcome.state for outcome in made] == ["done"]


def test_what_another_run_writes_now_is_tried_again_when_it_may_be_done(short_clip, tmp_path, runner):
    file, output = tmp_path / "queue.sqlite", tmp_path / "out.mp4"
    number = submitted(file, str(short_clip), *WORDS, "--end", "0.3", "-o", str(output))
    with Queue(file) as queue:
        made = worker(queue, runner).work(until_empty=True, idle=no_wait(queue))
        assert next(made).state == "done"  # the plan
        with Claim(output):
            for _ in range(ATTEMPTS + 1):
                outcome = next(made)
                assert (outcome.state, "another run" in outcome.said) == ("again", True)
        assert [outcome.state for outcome in made] == ["done"]
        assert admin.job(queue, number)["state"] == "done"


def no_wait(queue: Queue):
    """In place of waiting for the next try: the queue's clock goes on."""
    ahead = 0.0

    def idle(seconds: float) -> None:
        nonlocal ahead
        ahead += 60
        queue.clock = lambda: time.time() + ahead

    return idle


def test_cancel_stops_the_work_and_leaves_nothing(short_clip, tmp_path, runner, monkeypatch):
    file = tmp_path / "queue.sqlite"
    words = [str(short_clip), *WORDS, "--segment-seconds", "0.5", "-o", str(tmp_path / "out.mp4")]
    number = submitted(file, *words)
    rendering = runner.segment

    def cancelled(folder, index, cancel):
        with Queue(file) as queue:
            admin.cancel(queue, [number])
        assert cancel.wait(10)  # the worker has noticed
        return rendering(folder, index, cancel)

    monkeypatch.setattr(runner, "segment", cancelled)
    with Queue(file) as queue:
        outcomes = list(worker(queue, runner, lease=4).work(until_empty=True))
        assert [outcome.state for outcome in outcomes] == ["done", "lost"]
        assert admin.job(queue, number)["state"] == "cancelled"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["queue.sqlite", "queue.sqlite.logs"]


def test_a_source_that_changes_after_planning_is_refused_and_retry_plans_again(short_clip, tmp_path, runner):
    """What was rendered of a plan stays only as long as something can come of it."""
    file, source = tmp_path / "queue.sqlite", tmp_path / "in.mp4"
    shutil.copy2(short_clip, source)
    words = [str(source), *WORDS, "--segment-seconds", "0.5", "-o", str(tmp_path / "out.mp4")]
    number = submitted(file, *words)
    with Queue(file) as queue:
        made = worker(queue, runner)
        first = made.work(until_empty=True, idle=no_wait(queue))
        assert [next(first).task.kind for _ in range(2)] == ["plan", "segment"]
        for kept in (True, False):
            if kept:
                (moved := tmp_path / "moved.mp4").write_bytes(source.read_bytes())
                source.unlink()  # its disk is away
            else:
                with source.open("ab") as grown:
                    grown.write(b"free" + bytes(60))
            outcomes = list(made.work(until_empty=True, idle=no_wait(queue)))
            job = admin.job(queue, number)
            assert job["state"] == "failed"
            assert str(source) in job["error"]
            assert [outcome.state for outcome in outcomes if outcome.said] == ["failed"], "nothing comes of waiting"
            if kept:
                shutil.move(moved, source)  # at another time, but it is the same
            admin.retry(queue, [number])
            assert queue.take("look") is not None
            task = next(task for task in admin.job(queue, number)["tasks"] if task["state"] == "running")
            assert task["kind"] == ("segment" if kept else "plan")
            queue.connection.execute("UPDATE task SET state = 'waiting', attempts = 0 WHERE state = 'running'")
        list(made.work(until_empty=True, idle=no_wait(queue)))
        assert (admin.job(queue, number)["state"], admin.job(queue, number)["frames"]) == ("done", 10)


def test_what_a_killed_render_has_left_goes_with_the_next_try(short_clip, tmp_path, runner):
    file = tmp_path / "queue.sqlite"
    submitted(file, str(short_clip), *WORDS, "--end", "0.5", "-o", str(tmp_path / "out.mp4"))
    with Queue(file) as queue:
        made = worker(queue, runner)
        next(made.work())  # the plan
        assert queue.take("killed", 0.0) is not None  # the render, by one that is silent from now on
        left = tmp_path / ".out.999999999-abcdef.part.mp4"
        other = tmp_path / f".out.{os.getpid()}-abcdef.part.mp4"
        for path in (left, other):
            path.write_bytes(b"half")
        assert [outcome.state for outcome in made.work(until_empty=True)] == ["done"]
    assert not left.exists()
    assert other.exists(), "somebody lives who may go on with it"


def test_a_worker_that_is_interrupted_gives_its_task_back(short_clip, tmp_path, runner, monkeypatch):
    file = tmp_path / "queue.sqlite"
    number = submitted(file, str(short_clip), *WORDS, "-o", str(tmp_path / "out.mp4"))

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "plan", interrupted)
    with Queue(file) as queue:
        with pytest.raises(KeyboardInterrupt):
            list(worker(queue, runner).work(until_empty=True))
        (task,) = admin.job(queue, number)["tasks"]
        assert (task["state"], task["attempts"]) == ("waiting", 0)
    left = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.FileHandler)]
    assert not [handler for handler in left if str(tmp_path) in handler.baseFilename]
