"""What goes wrong at a task: who tries it again, how often, and what a stopped worker leaves."""

from __future__ import annotations

from queues import clip, planned, taken

from videdit.errors import BusyError
from videdit.farm import admin
from videdit.farm.failures import Failure, in_words
from videdit.farm.schema import JOIN, PLAN, SEGMENT
from videdit.farm.tasks import ATTEMPTS


def test_a_job_whose_worker_was_stopped_waits_at_once_and_no_try_is_spent(queue, tmp_path):
    (number,) = queue.submit([clip(tmp_path)])
    planned(queue, 2)
    for _ in range(2 * ATTEMPTS):
        first, second = taken(queue, "one"), taken(queue, "two")
        assert queue.release(first)
        assert admin.job(queue, number)["state"] == "running", "another is at work on it"
        assert queue.release_all("two") == [number]
        assert not queue.release(second)
        assert admin.job(queue, number)["state"] == "waiting"
        assert [task["attempts"] for task in admin.job(queue, number)["tasks"] if task["kind"] == SEGMENT] == [0, 0]
    assert "stopped" in admin.job(queue, number)["tasks"][1]["error"]
    task = taken(queue)
    assert (task.attempt, task.again) == (1, True), "its output may be there already"
    admin.pause(queue, [number])
    assert queue.release(task)
    assert admin.job(queue, number)["state"] == "paused"
    admin.resume(queue, [number])
    assert admin.job(queue, number)["state"] == "waiting"


def test_a_job_at_which_nobody_is_at_work_waits(queue, tmp_path, clock):
    """However far it has come: between two tasks, before another try, when a worker was lost, after a pause."""
    (number,) = queue.submit([clip(tmp_path)])
    state = lambda: admin.job(queue, number)["state"]  # noqa: E731
    planned(queue, 2)
    assert state() == "waiting"
    queue.segment_done(taken(queue), 10, 1.0)
    assert state() == "waiting"
    queue.task_failed(taken(queue), Failure("the disk is full", 1, True), 1.0)
    assert state() == "waiting"
    clock.now += 100
    task = taken(queue)
    assert state() == "running"
    admin.pause(queue, [number])
    admin.resume(queue, [number])
    assert state() == "running", "what was begun goes on"
    clock.now += 100
    (other,) = queue.submit([clip(tmp_path, "b")], priority=9)
    assert taken(queue, "other").job == other
    assert state() == "waiting"
    assert not queue.holds(task)


def test_what_kills_its_workers_fails_in_the_end(queue, tmp_path, clock):
    (number,) = queue.submit([clip(tmp_path)])
    for _ in range(ATTEMPTS):
        assert taken(queue, "victim").kind == PLAN
        clock.now += 61
    assert queue.take("w") is None
    job = admin.job(queue, number)
    assert job["state"] == "failed"
    assert "victim was lost" in job["error"]
    assert not queue.left()


def test_a_failure_that_may_pass_is_tried_again_later(queue, tmp_path, clock):
    (number,) = queue.submit([clip(tmp_path)])
    for attempt in range(1, ATTEMPTS + 1):
        task = taken(queue)
        assert task.attempt == attempt
        final = queue.task_failed(task, Failure("the disk is full", 1, True), 1.0)
        assert final == (attempt == ATTEMPTS)
        assert queue.take("w") is None
        clock.now += 100
    assert admin.job(queue, number)["error"] == "the disk is full"
    assert not queue.left()
    admin.retry(queue, [number])
    assert taken(queue).attempt == 1


def test_waiting_for_another_run_spends_no_try(queue, tmp_path, clock):
    """However long that writes the output: a worker that was frozen, say, holds it until it comes to itself."""
    (number,) = queue.submit([clip(tmp_path)])
    planned(queue, 0)
    for _ in range(3 * ATTEMPTS):
        task = taken(queue)
        assert not queue.task_failed(task, in_words(BusyError("another run is writing it")), 0.1)
        assert queue.take("w") is None, "not at once"
        clock.now += 100
    task = taken(queue)
    assert task.attempt == 1
    assert queue.job_done(task, {"frames": 1, "faces": 1}, 1.0)


def test_a_failed_job_retries_only_what_failed(queue, tmp_path, monkeypatch):
    monkeypatch.setattr(admin, "_usable", lambda folder: True)  # tests/e2e/test_work.py has plans
    (number,) = queue.submit([clip(tmp_path)])
    planned(queue, 3)
    assert queue.segment_done(taken(queue), 10, 1.0)
    bad = taken(queue)
    assert queue.task_failed(bad, Failure("no", 1, False), 1.0)
    assert queue.take("w") is None
    assert admin.job(queue, number)["state"] == "failed"
    admin.retry(queue, [number])
    rest = [taken(queue), taken(queue)]
    assert [task.number for task in rest] == [1, 2]
    for task in rest:
        assert queue.segment_done(task, 10, 1.0)
    assert taken(queue).kind == JOIN


def test_a_join_that_finds_damage_has_the_segments_rendered_again(queue, tmp_path):
    queue.submit([clip(tmp_path)])
    planned(queue, 3)
    for _ in range(3):
        queue.segment_done(taken(queue), 10, 1.0)
    assert queue.render_again(taken(queue), [1], "segment 1 is damaged")
    again = taken(queue)
    assert (again.kind, again.number) == (SEGMENT, 1)
    assert queue.take("w") is None
    queue.segment_done(again, 10, 1.0)
    assert taken(queue).kind == JOIN


def test_a_clock_that_is_set_back_does_not_put_off_another_try(queue, tmp_path, clock):
    queue.submit([clip(tmp_path)])
    queue.task_failed(taken(queue), Failure("the disk is full", 1, True), 1.0)
    assert queue.take("w") is None  # a pause of seconds
    clock.now -= 3600
    assert taken(queue).attempt == 2
