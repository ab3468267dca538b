"""A watched folder: what has stopped growing is taken, once; what is done moves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from videdit.errors import MediaError, UsageError
from videdit.farm import admin, hooks
from videdit.farm.queue import Queue
from videdit.farm.schema import PLAN
from videdit.farm.tasks import Task
from videdit.farm.watch import Watch
from videdit.jobs.clip_record import to_values
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob


@pytest.fixture
def queue(tmp_path: Path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        yield queue


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


def watch(folder: Path, queue: Queue, done_to: Path | None = None) -> Watch:
    def take(file: Path) -> list[int]:
        if file.suffix != ".mp4":
            raise UsageError(f"{file.name} is no video")
        job = RenderJob(input=str(file), edit="smile")
        return queue.submit([Clip(job, file, folder.parent / "out" / file.name)])

    return Watch(folder, queue, take, settle=10, done_to=done_to)


def kinds(made: Watch, now: float) -> list[tuple[str, str]]:
    return [(event.kind, event.file.name) for event in made.look(now)]


def finish(queue: Queue) -> None:
    """All jobs are done, as far as the queue knows."""
    while (task := queue.take("w")) is not None:
        if task.kind == PLAN:
            queue.planned(task, [], 0.0)
        else:
            queue.job_done(task, {"frames": 1, "faces": 1}, 0.0)


def test_a_file_is_taken_when_it_has_stopped_growing(folder, queue):
    made = watch(folder, queue)
    file = folder / "a.mp4"
    file.write_bytes(b"1")
    (folder / ".a.mp4.part").write_bytes(b"1")
    assert kinds(made, 0) == []
    file.write_bytes(b"12")
    assert kinds(made, 9) == []
    assert kinds(made, 18) == []  # nine seconds as it is
    assert kinds(made, 19) == [("taken", "a.mp4")]
    assert kinds(made, 60) == []
    assert len(admin.jobs(queue)) == 1


def test_an_empty_file_is_one_that_is_about_to_grow(folder, queue):
    made = watch(folder, queue)
    (folder / "a.mp4").touch()
    assert kinds(made, 0) == []
    assert kinds(made, 100) == []
    made.settle = 0.01
    assert list(made.events(once=True, idle=lambda seconds: None)) == []  # and not for ever
    (folder / "a.mp4").write_bytes(b"1")
    assert [event.kind for event in made.events(once=True)] == ["taken"]


def test_what_was_taken_is_not_taken_by_the_next_start(folder, queue):
    (folder / "a.mp4").write_bytes(b"1")
    made = watch(folder, queue)
    kinds(made, 0)
    assert kinds(made, 10) == [("taken", "a.mp4")]
    again = watch(folder, queue)
    kinds(again, 0)
    assert kinds(again, 100) == []
    finish(queue)
    (folder / "a.mp4").write_bytes(b"another")  # a file of the same name
    kinds(again, 200)
    assert kinds(again, 300) == [("taken", "a.mp4")]


def test_what_is_no_clip_is_refused_once(folder, queue):
    (folder / "notes.txt").write_bytes(b"1")
    made = watch(folder, queue)
    kinds(made, 0)
    assert kinds(made, 10) == [("refused", "notes.txt")]
    assert kinds(made, 20) == []


def test_sources_move_when_their_jobs_are_done(folder, queue, tmp_path):
    done = tmp_path / "done"
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(name.encode())
    made = watch(folder, queue, done)
    kinds(made, 0)
    assert kinds(made, 10) == [("taken", "a.mp4"), ("taken", "b.mp4")]
    first, second = (job["id"] for job in admin.jobs(queue))
    admin.cancel(queue, [second])
    assert kinds(made, 11) == [("ended", "b.mp4")]
    finish(queue)
    assert kinds(made, 12) == [("moved", "a.mp4")]
    assert (done / "a.mp4").read_bytes() == b"a.mp4"
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == ["b.mp4"]
    assert kinds(made, 13) == []
    assert first < second


def test_nothing_is_moved_over_another_file(folder, queue, tmp_path):
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "a.mp4").write_bytes(b"older")
    (folder / "a.mp4").write_bytes(b"newer")
    made = watch(folder, queue, tmp_path / "done")
    kinds(made, 0)
    kinds(made, 10)
    finish(queue)
    (event,) = made.look(11)
    assert "it stays" in event.said
    assert (tmp_path / "done" / "a.mp4").read_bytes() == b"older"


def test_what_changes_while_it_is_rendered_is_not_moved_and_is_taken_later(folder, queue, tmp_path):
    """A second delivery under the same name: never moved away as done, nor forgotten."""
    file = folder / "a.mp4"
    file.write_bytes(b"first")
    made = watch(folder, queue, tmp_path / "done")
    kinds(made, 0)
    assert kinds(made, 10) == [("taken", "a.mp4")]
    file.write_bytes(b"second take")
    kinds(made, 20)
    assert kinds(made, 40) == []  # its job is not over
    finish(queue)
    (event,) = made.look(41)
    assert "has changed since" in event.said
    assert file.read_bytes() == b"second take"
    kinds(made, 50)
    assert kinds(made, 61) == [("taken", "a.mp4")]
    finish(queue)
    assert kinds(made, 62) == [("moved", "a.mp4")]


def test_what_is_deleted_or_renamed_while_it_is_rendered(folder, queue, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(b"1")
    made = watch(folder, queue, tmp_path / "done")
    kinds(made, 0)
    kinds(made, 10)
    (folder / "a.mp4").unlink()
    (folder / "b.mp4").rename(folder / "c.mp4")
    finish(queue)
    events = {event.file.name: event.said for event in made.look(11)}
    assert set(events) == {"a.mp4", "b.mp4"}
    assert all("not there any more" in said for said in events.values())
    assert kinds(made, 30) == [("taken", "c.mp4")]  # nobody can tell it from a new one


def test_a_folder_that_goes_or_takes_no_marks_is_one_line(folder, queue, tmp_path, monkeypatch):
    made = watch(folder, queue)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with pytest.raises(MediaError, match="cannot watch"):
        kinds(made, 0)
    with pytest.raises(MediaError, match="cannot write"):
        watch(folder, queue)


def test_once_ends_when_all_is_taken_and_moved(folder, queue, tmp_path):
    (folder / "a.mp4").write_bytes(b"1")
    made = watch(folder, queue, tmp_path / "done")
    made.settle = 0.01
    waits = []

    def idle(seconds: float) -> None:
        waits.append(seconds)
        finish(queue)

    assert [event.kind for event in made.events(once=True, idle=idle)] == ["taken", "moved"]
    assert waits


def hook(tmp_path: Path, *command: str) -> Task:
    clip = Clip(RenderJob(input="a b.mp4", edit="smile"), tmp_path / "a b.mp4", tmp_path / "o;rm.mp4")
    return Task(1, 7, "hook", 0, 1, 1, json.dumps(to_values(clip)), tmp_path, None, command, job_state="done")


def test_commands_are_run_word_by_word_and_by_no_shell(tmp_path):
    script = tmp_path / "say"
    script.write_text('#!/bin/sh\nprintf "%s|" "$@" "$VIDEDIT_JOB" "$VIDEDIT_STATE" > "$(dirname "$0")/said"\n')
    script.chmod(0o755)
    command = hooks.parse(f"'{script}' {{id}} '{{source}}' {{output}}.x '$HOME'")
    assert hooks.run(hook(tmp_path, *command)) is None
    said = (tmp_path / "said").read_text().split("|")
    assert said[:4] == ["7", str(tmp_path / "a b.mp4"), str(tmp_path / "o;rm.mp4") + ".x", "$HOME"]
    assert said[4:6] == ["7", "done"]


def test_commands_that_fail_are_told(tmp_path, monkeypatch):
    assert hooks.run(hook(tmp_path, "false")) == "false ended with exit code 1"
    assert "cannot be run" in str(hooks.run(hook(tmp_path, "/no/such/program")))
    monkeypatch.setattr(hooks, "SECONDS", 0.05)
    assert "took more than" in str(hooks.run(hook(tmp_path, "sleep", "5")))
    with pytest.raises(UsageError, match="cannot be read"):
        hooks.parse("echo 'open")
