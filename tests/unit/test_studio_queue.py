"""The queue of the studio: order, pause, restarts, and one studio a folder."""

from __future__ import annotations

import contextlib

import pytest

from videdit.errors import UsageError
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob

pytest.importorskip("starlette")

from videdit.studio.queue import DONE, FAILED, RUNNING, STOPPED, WAITING, RenderQueue  # noqa: E402
from videdit.studio.state import State  # noqa: E402


@pytest.fixture
def state(tmp_path):
    with contextlib.closing(State(tmp_path / "state")) as state:
        yield state


def clip(tmp_path, name: str) -> Clip:
    source, output = tmp_path / f"{name}.mp4", tmp_path / f"{name}_out.mp4"
    return Clip(RenderJob(input=str(source), edit="smile=1.5", output=str(output)), source, output)


def names(queue: RenderQueue) -> list[str]:
    return [row["clip"] for row in queue.rows()]


def test_jobs_are_taken_in_their_order_which_can_be_changed(state, tmp_path):
    queue = RenderQueue(state)
    a, b, c = (queue.add(name, clip(tmp_path, name)) for name in "abc")
    queue.move(c, -1)
    assert names(queue) == ["a", "c", "b"]
    queue.move(a, -1)  # the first stays the first
    queue.move(a, 1)
    assert names(queue) == ["c", "a", "b"]
    assert [queue.take(), queue.take(), queue.take(), queue.take()] == [c, a, b, None]
    assert queue.job(c).edit == "smile=1.5"


def test_a_paused_queue_begins_nothing_and_says_so_after_a_restart(state, tmp_path):
    queue = RenderQueue(state)
    number = queue.add("a", clip(tmp_path, "a"))
    queue.paused = True
    assert queue.take() is None
    assert RenderQueue(state).paused
    queue.paused = False
    assert queue.take() == number


def test_what_ran_when_the_studio_ended_waits_after_a_restart(state, tmp_path):
    queue = RenderQueue(state)
    first, second = (queue.add(name, clip(tmp_path, name)) for name in "ab")
    queue.take()
    queue.progress(first, "render", 5, 10, 0.5)
    again = RenderQueue(state)
    assert [row["state"] for row in again.rows()] == [WAITING, WAITING]
    assert "closed" in again.row(first)["log"]
    assert again.take() == first
    assert again.row(second)["state"] == WAITING


def test_ends_are_kept_and_failures_can_be_tried_again(state, tmp_path):
    queue = RenderQueue(state)
    number = queue.add("a", clip(tmp_path, "a"))
    queue.take()
    with pytest.raises(UsageError, match="stop it first"):
        queue.remove(number)
    queue.end(number, FAILED, "the disk is full")
    assert queue.row(number)["error"] == "the disk is full"
    queue.retry(number)
    assert queue.row(number)["state"] == WAITING
    queue.take()
    queue.end(number, DONE, result={"frames": 3})
    with pytest.raises(UsageError, match="failed or was stopped"):
        queue.retry(number)
    queue.remove(number)
    assert queue.rows() == []
    with pytest.raises(UsageError, match="not in the queue"):
        queue.row(number)


def test_stopping_one_that_waits(state, tmp_path):
    queue = RenderQueue(state)
    number = queue.add("a", clip(tmp_path, "a"))
    assert queue.stop_waiting(number)
    assert queue.row(number)["state"] == STOPPED
    assert not queue.stop_waiting(number)
    assert queue.take() is None


def test_two_jobs_never_write_one_file(state, tmp_path):
    queue = RenderQueue(state)
    first = queue.add("a", clip(tmp_path, "a"))
    with pytest.raises(UsageError, match="another name"):
        queue.add("a", clip(tmp_path, "a"))
    queue.take()
    queue.end(first, FAILED, "x")
    second = queue.add("a", clip(tmp_path, "a"))
    with pytest.raises(UsageError, match="another name"):
        queue.retry(first)
    assert queue.take() == second
    assert queue.row(second)["state"] == RUNNING


def test_a_log_stays_small(state, tmp_path):
    queue = RenderQueue(state)
    number = queue.add("a", clip(tmp_path, "a"))
    for _ in range(100):
        queue.say(number, "x" * 2000)
    assert len(queue.row(number)["log"]) <= 64 << 10


def test_one_studio_a_folder(state):
    with pytest.raises(UsageError, match="another studio"):
        State(state.folder)


def test_another_version_of_the_file_is_left_alone(tmp_path):
    folder = tmp_path / "state"
    with contextlib.closing(State(folder)) as state, state.writing() as connection:
        connection.execute("CREATE TABLE mine (x)")
    import sqlite3

    with contextlib.closing(sqlite3.connect(folder / "studio.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="another version"):
        State(folder)
