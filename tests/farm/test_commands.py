"""The words of submit, jobs, work, watch, plan, segment, join and farm: what makes no sense is said in one line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from videdit.cli.main import run
from videdit.farm.queue import Queue


@pytest.fixture
def queue(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ["--queue", str(tmp_path / "queue.sqlite")]


@pytest.mark.parametrize(
    "words, code, said",
    [
        (["jobs", "show", "7"], 2, "there is no job 7"),
        (["jobs", "cancel", "7"], 2, "there is no job 7"),
        (["jobs", "cancel", "9" * 30], 2, "no number of a job"),
        (["jobs", "show", "-1"], 2, "no number of a job"),
        (["jobs", "move", "7", "--priority", "9" * 30], 2, "no priority"),
        (["submit", "in.mp4", "--edit", "smile", "--priority", "9" * 30], 2, "no priority"),
        (["submit", "in.mp4", "--edit", "smile", "--after", "9" * 30], 2, "no number of a job"),
        (["jobs", "frobnicate"], 2, "unrecognized arguments"),
        (["submit", "gone.mp4", "--edit", "smile"], 2, "gone.mp4 does not exist"),
        (["submit", "notes.txt", "--edit", "smile"], 1, "notes.txt"),
        (["submit", "in.mp4"], 2, "say what to change"),
        (["submit", "in.mp4", "--edit", "smile", "--dry-run"], 2, "--dry-run is of a rendering"),
        (["submit", "in.mp4", "--edit", "smile", "--after", "9"], 2, "there is no job 9"),
        (["submit", "in.mp4", "--edit", "smile", "--on-done", "echo 'x"], 2, "cannot be read"),
        (["submit", "in.mp4", "--edit", "smile", "--segment-seconds", "0"], 2, "no number of seconds above 0"),
        (["submit", "s3://b/in.mp4", "--edit", "smile"], 2, "both are URLs"),
        (["submit", "in.mp4", "--edit", "smile", "--start", "99"], 2, "in.mp4 has no frame from 99 s on"),
        (["submit", "in.mp4", "--edit", "smile", "--codec", "nice"], 2, "nice"),
        (["watch", "gone", "--edit", "smile"], 2, "there is no folder gone"),
        (["jobs", "move", "7", "--before", "8", "--priority", "3"], 2, "leave --priority out"),
        (["work", "--lease", "x"], 2, "x is no number of seconds above 0"),
        (["work", "--device", "cuda:99", "--until-empty"], 2, "--device cuda:99"),
        (["work", "--device", "abacus", "--until-empty"], 2, "abacus"),
        (["work", "--engine", "local", "--workers", "0", "--until-empty"], 2, "at least 1"),
        (["work", "--engine", "local", "--address", "auto", "--until-empty"], 2, "--address is of engine ray"),
    ],
)
def test_one_clear_line(queue, tmp_path, empty_clip, capsys, words, code, said):
    shutil.copy(empty_clip, tmp_path / "in.mp4")
    Queue(tmp_path / "queue.sqlite").close()
    (tmp_path / "notes.txt").write_text("no clip")
    assert run([*words, *queue]) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("more", [[], ["--alpha-out", "notes.txt/matte.mkv"], ["--crops-out", "notes.txt/crops"]])
@pytest.mark.parametrize("output", ["out/a.mp4", "notes.txt/a.mp4", "notes.txt/sub/a.mp4", "/proc/self/a.mp4"])
def test_an_output_that_cannot_be_written_is_refused_when_it_is_submitted(
    queue, tmp_path, empty_clip, capsys, output, more
):
    """Not in the night, when it is rendered; and a folder that can be made is made only then."""
    if output.startswith("/proc") and not os.path.isdir("/proc/self"):
        pytest.skip("there is no place where nobody may write")
    shutil.copy(empty_clip, tmp_path / "in.mp4")
    (tmp_path / "notes.txt").write_text("no folder")
    good = output == "out/a.mp4" and not more
    words = ["submit", "in.mp4", "--edit", "smile", "--method", "plain", "-o", output, *more, *queue]
    assert run(words) == (0 if good else 2)
    told = capsys.readouterr()
    assert ("cannot write to" in told.err) is not good
    assert told.err.count("\n") == (not good)
    assert ("job 1" in told.out) is good
    assert not (tmp_path / "out").exists()


def test_of_several_those_that_cannot_be_written_are_left_out(queue, tmp_path, empty_clip, capsys):
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(empty_clip, tmp_path / "in" / name)
    (tmp_path / "a").write_text("no folder")
    assert run(["submit", "in", "--edit", "smile", "-o", "{stem}/out{ext}", *queue]) == 4
    assert "left out: in/a.mp4: cannot write to a: a is a file" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["submit", "in.mp4", "--edit", "smile"], ["work", "--until-empty"], ["jobs"]])
@pytest.mark.parametrize(
    "name, code, said",
    [(".", 2, "is a folder; name a file with --queue"), ("/dev/null", 2, "is no file"), ("in.mp4", 2, "is no queue")],
)
def test_what_can_be_no_queue(tmp_path, monkeypatch, empty_clip, capsys, words, name, code, said):
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_clip, tmp_path / "in.mp4")
    assert run([*words, "--queue", name]) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("words", [["work", "--until-empty"], ["work"], ["jobs"], ["jobs", "cancel", "1"]])
def test_a_queue_that_is_named_wrongly_is_not_made_and_waited_at(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert run([*words, "--queue", "my/quue.sqlite"]) == 2
    assert capsys.readouterr().err == "videdit: there is no queue my/quue.sqlite; videdit submit makes one\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", ["{", "", "[]", "5", '{"layout": 1, "segments": 5}', '{"layout": 1, "segments": []}'])
def test_a_damaged_plan_is_said_to_be_one(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    Path("p").mkdir()
    Path("p/plan.json").write_text(words)
    for command in (["segment", "p", "0"], ["join", "p"], ["farm", "p"], ["join", "p", "--check"]):
        assert run(command) == 1
        told = capsys.readouterr().err
        assert "the plan p is damaged" in told
        assert told.count("\n") == 1
        assert "plan again" in told


@pytest.mark.parametrize("words", [["segment", "in.mp4", "0"], ["join", "in.mp4"], ["farm", "in.mp4"]])
def test_a_clip_is_no_plan(tmp_path, monkeypatch, empty_clip, capsys, words):
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_clip, tmp_path / "in.mp4")
    assert run(words) == 2
    assert "in.mp4 is no plan" in capsys.readouterr().err


def test_of_a_folder_what_is_no_clip_is_left_out_and_said(queue, tmp_path, empty_clip, capsys):
    """The night's other clips are submitted; where nothing is left that is an error like that of one clip."""
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(empty_clip, tmp_path / "in" / name)
    (tmp_path / "in" / "broken.mp4").write_bytes(b"no clip either" * 100)
    words = ["submit", "in", "--edit", "smile", *queue]
    assert run([*words, "-o", "out/", "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert [job["source"] for job in told["jobs"]] == ["in/a.mp4", "in/b.mp4"]
    assert [job["source"] for job in told["left_out"]] == ["in/broken.mp4"]
    assert run([*words, "-o", "more/"]) == 4
    assert "left out: in/broken.mp4: in/broken.mp4 is not" in capsys.readouterr().out
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "in" / name).write_bytes(b"no clip either" * 100)
    assert run([*words, "-o", "other/"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_command_for_the_end_that_failed_is_seen_and_run_again(queue, tmp_path, empty_clip, capsys):
    """The job is done all the same: who lists it learns of it, and retry runs the command, not the render."""
    shutil.copy(empty_clip, tmp_path / "in.mp4")
    assert run(["submit", "in.mp4", "--edit", "smile", "-o", "a.mp4", "--on-done", "./tell {id}", *queue]) == 0
    with Queue(tmp_path / "queue.sqlite") as opened:
        assert opened.planned(opened.take("w"), [], 0.1)
        assert opened.job_done(opened.take("w"), {"frames": 1, "faces": 1}, 0.1)
    assert run(["work", "--until-empty", *queue]) == 4
    capsys.readouterr()
    assert run(["jobs", "--all", *queue]) == 0
    assert "(its command: ./tell cannot be run: No such file or directory)" in capsys.readouterr().out
    assert run(["jobs", "show", "1", "--json", *queue]) == 0
    assert "./tell" in json.loads(capsys.readouterr().out)["command_error"]
    (tmp_path / "tell").write_text("#!/bin/sh\necho $1 > told\n")
    (tmp_path / "tell").chmod(0o755)
    assert run(["jobs", "retry", "1", *queue]) == 0
    capsys.readouterr()
    assert run(["work", "--until-empty", *queue]) == 0
    assert "job 1 hook: done" in capsys.readouterr().out
    assert (tmp_path / "told").read_text() == "1\n"
    assert run(["jobs", "retry", "1", *queue]) == 2
    assert "is done and cannot be tried again" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["segment", "p", "0"], ["join", "p"], ["farm", "p"], ["join", "p", "--check"]])
def test_what_is_no_plan(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    assert "p is no plan" in capsys.readouterr().err
    assert run(["farm", "p", "--engine", "slurm", "--script", "s"]) == 2


def test_jobs_as_people_and_machines_read_them(queue, tmp_path, empty_clip, capsys):
    shutil.copy(empty_clip, tmp_path / "in.mp4")
    words = ["in.mp4", "--edit", "smile", "-o", "a.mp4"]
    assert run(["submit", *words, "--priority", "3", *queue]) == 0
    assert "job 1: in.mp4 -> a.mp4" in capsys.readouterr().out
    assert run(["submit", *words[:-1], "b.mp4", "--after", "1", "--json", *queue]) == 0
    assert json.loads(capsys.readouterr().out)["jobs"][0]["id"] == 2
    assert run(["jobs", *queue]) == 0
    told = capsys.readouterr().out
    assert "(after 1)" in told
    assert told.splitlines()[-1] == "2 waiting"
    assert run(["jobs", *queue, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["id"], first["priority"], second["waits_for"]) == (1, 3, [1])
    for action in (["pause", "2"], ["resume", "2"], ["move", "2", "--priority", "5"], ["cancel", "1"], ["retry", "1"]):
        assert run(["jobs", *action, *queue, "--json"]) == 0
        json.loads(capsys.readouterr().out)
    assert run(["jobs", "show", "2", *queue]) == 0
    assert "priority: 5" in capsys.readouterr().out
    assert run(["jobs", "log", "2", *queue]) == 2
    assert run(["jobs", "cancel", "1", "2", *queue]) == 0
    assert run(["jobs", "prune", *queue]) == 0
    assert "2 jobs are forgotten" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["submit", "watch", "plan", "segment", "join", "farm", "work", "jobs"])
def test_help(capsys, command):
    try:
        code = run([command, "--help"])
    except SystemExit as end:
        code = end.code
    assert code == 0
    assert "usage: videdit" in capsys.readouterr().out


def test_watch_refuses_what_is_no_clip_and_takes_the_rest(queue, tmp_path, empty_clip, capsys):
    """Of all that may lie in a folder: clips of any name are taken once each, and each other file is told of once."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    names = ["a.mp4", "ü ñ $x.mp4", "-dash.mp4", os.fsdecode(b"\xff.mp4"), "sub/inner.mp4", ".hidden.mp4"]
    for name in names:
        shutil.copy(empty_clip, folder / name)
    (folder / "notes.txt").write_text("no clip")
    (folder / "broken.mp4").write_bytes(b"no clip either" * 100)
    (folder / "empty.mp4").touch()
    (folder / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.mp4")
    words = ["watch", str(folder), "--edit", "smile", "-o", "out/", "--settle", "0.1", "--once", "--json", *queue]
    assert run(words) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    taken = {Path(event["file"]).name for event in events if event["event"] == "taken"}
    refused = {Path(event["file"]).name: event["said"] for event in events if event["event"] == "refused"}
    assert taken == {name for name in names[:4]}
    assert set(refused) == {"notes.txt", "broken.mp4"}
    assert run(words) == 0
    assert capsys.readouterr().out == ""
    assert run(["jobs", "--json", *queue]) == 0
    jobs = json.loads(capsys.readouterr().out)
    assert {Path(job["source"]).name for job in jobs} == taken
    assert len({job["output"] for job in jobs}) == len(jobs)
