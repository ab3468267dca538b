"""The queue of the studio: order, pause, stop, restarts, and one studio a folder."""

from __future__ import annotations

import contextlib
import logging
import sqlite3

import pytest

from videdit.errors import UsageError
from videdit.farm.failures import Failure
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob

pytest.importorskip("starlette")

from videdit.studio.queue import RenderQueue  # noqa: E402
from videdit.studio.state import State  # noqa: E402


@pytest.fixture
def state(tmp_path):
    with contextlib.closing(State(tmp_path / "state")) as state:
        yield state


def clip(tmp_path, name: str) -> Clip:
    source, output = tmp_path / f"{name}.mp4", tmp_path / f"{name}_out.mp4"
    return Clip(RenderJob(input=str(source), edit="smile=1.5", output=str(output)), source, output)


def names(queue: RenderQueue, state: str) -> list[str]:
    return [row["source"].rpartition("/")[2][0] for row in queue.rows() if row["state"] == state]


def test_jobs_are_taken_in_their_order_which_can_be_changed(state, tmp_path):
    queue = RenderQueue(state)
    a, b, c = (queue.add(clip(tmp_path, name)) for name in "abc")
    queue.move(c, -1)
    assert names(queue, "waiting") == ["a", "c", "b"]
    queue.move(a, -1)  # the first stays the first
    queue.move(a, 1)
    assert names(queue, "waiting") == ["c", "a", "b"]
    queue.move(b, 1)  # the last stays the last
    assert names(queue, "waiting") == ["c", "a", "b"]
    with queue.opened() as opened:
        assert [opened.take("me").job for _ in range(3)] == [c, a, b]


def test_whether_it_is_paused_is_kept(state):
    RenderQueue(state).paused = True
    assert RenderQueue(state).paused
    RenderQueue(state).paused = False
    assert not RenderQueue(state).paused


def test_a_stopped_job_goes_on_when_it_is_tried_again_and_can_be_taken_away(state, tmp_path):
    queue = RenderQueue(state)
    a, b = (queue.add(clip(tmp_path, name)) for name in "ab")
    with queue.opened() as opened:
        task = opened.take("me")
        assert task.job == a
        queue.stop(a)
        assert not opened.holds(task)  # the worker hears of it
        assert names(queue, "stopped") == ["a"]
        assert opened.take("me").job == b
    with pytest.raises(UsageError, match="running"):
        queue.remove(b)
    queue.retry(a)
    assert names(queue, "stopped") == []
    queue.stop(a)
    queue.remove(a)
    assert [row["id"] for row in queue.rows()] == [b]
    for action in (queue.remove, queue.retry, queue.stop, queue.log):
        with pytest.raises(UsageError, match="no job"):
            action(a)


def test_a_failure_is_kept_and_can_be_tried_again(state, tmp_path):
    queue = RenderQueue(state)
    number = queue.add(clip(tmp_path, "a"))
    with queue.opened() as opened:
        assert opened.task_failed(opened.take("me"), Failure("the disk is full", 1, False), 0.1)
    (row,) = queue.rows()
    assert (row["state"], row["error"]) == ("failed", "the disk is full")
    queue.retry(number)
    assert names(queue, "waiting") == ["a"]
    with pytest.raises(UsageError, match="waiting"):
        queue.retry(number)


def test_two_jobs_never_write_one_file(state, tmp_path):
    queue = RenderQueue(state)
    queue.add(clip(tmp_path, "a"))
    with pytest.raises(UsageError, match="writes"):
        queue.add(clip(tmp_path, "a"))


@pytest.mark.parametrize("number", [0, -1, 7, 1 << 63, 10**30])
def test_numbers_of_no_job(state, number):
    queue = RenderQueue(state)
    for action in (queue.stop, queue.retry, queue.remove, queue.log):
        with pytest.raises(UsageError):
            action(number)
    with pytest.raises(UsageError):
        queue.move(number, 1)


def test_names_of_faces_are_kept(state):
    state.give_name("0/a.mp4", 3, "Ada")
    state.give_name("0/a.mp4", 4, "Grace")
    state.give_name("0/a.mp4", 4, "")
    assert state.names("0/a.mp4") == {"3": "Ada"}
    assert state.secret() == state.secret()


def test_one_studio_a_folder(state):
    with pytest.raises(UsageError, match="another studio"):
        State(state.folder)


def test_another_version_of_the_file_is_left_alone(tmp_path):
    folder = tmp_path / "state"
    State(folder).close()
    with contextlib.closing(sqlite3.connect(folder / "studio.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="another version"):
        State(folder)


def test_a_log_has_no_traces_of_the_stack(state, tmp_path):
    queue = RenderQueue(state)
    number = queue.add(clip(tmp_path, "a"))
    with queue.opened() as opened:
        file = opened.log_file(opened.take("me"))
    log = logging.getLogger("videdit.tests.studio_queue")
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.info("begun")
    for cause in (None, RuntimeError("another")):
        try:
            try:
                raise OSError("the first")
            except OSError:
                raise RuntimeError("the second\n\nof them") from cause
        except RuntimeError:
            log.debug("where", exc_info=True)
        log.info("failed: the disk is full")
    log.removeHandler(handler)
    handler.close()
    assert "Traceback" in file.read_text()
    words = queue.log(number).splitlines()
    assert [line.split(": ", 1)[-1] for line in words] == [
        f"== {file.name}", "begun", "where", "failed: the disk is full", "where", "failed: the disk is full"
    ]  # fmt: skip
