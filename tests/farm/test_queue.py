"""The queue: nothing is lost, nothing is doubled, and jobs come in the order that people want."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from videdit.errors import BusyError, UsageError, VideditError
from videdit.farm import admin
from videdit.farm.failures import Failure, in_words
from videdit.farm.queue import Queue
from videdit.farm.schema import HOOK, JOIN, PLAN, RENDER, SEGMENT
from videdit.farm.tasks import ATTEMPTS, Task
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock):
    with Queue(tmp_path / "queue.sqlite", clock) as queue:
        yield queue


def clip(folder: Path, name: str = "a") -> Clip:
    job = RenderJob(input=str(folder / f"{name}.mp4"), edit="smile")
    return Clip(job, folder / f"{name}.mp4", folder / f"{name}_smile.mp4")


def taken(queue: Queue, worker: str = "w") -> Task:
    task = queue.take(worker)
    assert task is not None
    return task


def planned(queue: Queue, segments: int = 3) -> int:
    """A job with a plan of so many segments, ten frames each."""
    task = taken(queue)
    assert task.kind == PLAN
    assert queue.planned(task, [(i, 10) for i in range(segments)], 0.1)
    return task.job


def test_a_job_goes_through_its_tasks_in_order(queue, tmp_path):
    (number,) = queue.submit([clip(tmp_path)])
    planned(queue)
    for i in range(3):
        task = taken(queue)
        assert (task.kind, task.number, task.job) == (SEGMENT, i, number)
        assert admin.job(queue, number)["state"] == "running"
        assert queue.segment_done(task, 10, 1.0)
    join = taken(queue)
    assert join.kind == JOIN
    assert queue.take("w") is None
    assert queue.job_done(join, {"frames": 30, "faces": 28}, 1.0)
    job = admin.job(queue, number)
    assert (job["state"], job["frames"], job["faces"], job["segments_done"]) == ("done", 30, 28, 3)
    assert not queue.left()


def test_a_clip_that_is_not_split_is_one_task(queue, tmp_path):
    queue.submit([clip(tmp_path)])
    planned(queue, 0)
    task = taken(queue)
    assert task.kind == RENDER
    assert queue.job_done(task, {"frames": 1, "faces": 1}, 1.0)
    assert queue.take("w") is None
    assert not queue.left()


def test_the_join_waits_for_the_last_segment_whoever_has_it(queue, tmp_path):
    queue.submit([clip(tmp_path)])
    planned(queue, 2)
    first, second = taken(queue, "one"), taken(queue, "two")
    assert queue.segment_done(second, 10, 1.0)
    assert queue.take("w") is None
    assert queue.left()
    assert queue.segment_done(first, 10, 1.0)
    assert taken(queue).kind == JOIN


def test_what_a_silent_worker_held_is_taken_again_and_its_result_is_refused(queue, tmp_path, clock):
    queue.submit([clip(tmp_path)])
    planned(queue, 1)
    lost = taken(queue, "dead")
    clock.now += 59
    assert queue.take("other") is None
    assert not admin.job(queue, lost.job)["silent"]
    clock.now += 2
    assert admin.job(queue, lost.job)["silent"]
    again = taken(queue, "other")
    assert (again.id, again.attempt) == (lost.id, 2)
    assert again.token > lost.token
    assert not queue.renew(lost)
    assert not queue.segment_done(lost, 10, 1.0)
    assert not admin.job(queue, lost.job)["silent"]
    assert queue.segment_done(again, 10, 1.0)
    assert not queue.task_failed(lost, Failure("late", 1, False), 1.0)
    assert admin.job(queue, lost.job)["state"] == "waiting"  # to be joined


def test_a_lease_that_is_renewed_lasts(queue, tmp_path, clock):
    queue.submit([clip(tmp_path)])
    task = taken(queue)
    for _ in range(5):
        clock.now += 50
        assert queue.renew(task)
        assert queue.take("other") is None
    assert queue.planned(task, [(0, 5)], 1.0)


def test_clocks_that_disagree_double_nothing(queue, tmp_path, clock):
    """A worker whose clock is an hour ahead takes what others hold; only one result of each task counts."""
    queue.submit([clip(tmp_path)])
    planned(queue, 1)
    held = taken(queue, "here")
    ahead = Clock()
    ahead.now = clock.now + 3600
    with Queue(queue.file, ahead) as other:
        stolen = taken(other, "ahead")
        assert stolen.id == held.id
        assert other.segment_done(stolen, 10, 1.0)
        assert not queue.segment_done(held, 10, 1.0)
    behind = Clock()
    behind.now = clock.now - 3600
    with Queue(queue.file, behind) as other:
        assert taken(other, "behind").kind == JOIN


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


def test_priority_order_and_what_waits_for_what(queue, tmp_path):
    a, b, c = queue.submit([clip(tmp_path, name) for name in "abc"])
    (d,) = queue.submit([clip(tmp_path, "d")], priority=5)
    (e,) = queue.submit([clip(tmp_path, "e")], after=[a], priority=9)
    order = [job["id"] for job in admin.jobs(queue)]
    assert order == [e, d, a, b, c]
    admin.move(queue, c, before=a)
    admin.move(queue, b, priority=7)
    assert [job["id"] for job in admin.jobs(queue)] == [e, b, d, c, a]
    admin.move(queue, a)
    assert [job["id"] for job in admin.jobs(queue)] == [e, b, d, a, c]
    assert [taken(queue).job for _ in range(4)] == [b, d, a, c]  # e waits for a
    assert queue.take("w") is None
    assert admin.job(queue, e)["waits_for"] == [a]
    with pytest.raises(UsageError, match="no job 99"):
        queue.submit([clip(tmp_path, "f")], after=[99])
    assert len(admin.jobs(queue)) == 5


def test_moving_before_a_job_holds_its_order_however_often(queue, tmp_path):
    """Also where a place between two others could not be told from theirs any more."""
    z, x, y = queue.submit([clip(tmp_path, name) for name in "zxy"])
    for i in range(150):
        first, second = ((y, x), (x, y))[i % 2]
        admin.move(queue, second, before=z)
        if i:
            assert [job["id"] for job in admin.jobs(queue)] == [first, second, z], i
    assert taken(queue).job == first


def test_a_job_named_twice_is_one_job(queue, tmp_path):
    (number,) = queue.submit([clip(tmp_path)])
    admin.cancel(queue, [number, number])
    admin.retry(queue, [number, number])
    assert taken(queue).kind == PLAN


def test_what_others_wait_for_is_not_taken_away(queue, tmp_path):
    """Whoever waits for a job that has failed would begin if nobody knew of it any more."""
    (a,) = queue.submit([clip(tmp_path)])
    (b,) = queue.submit([clip(tmp_path, "b")], after=[a])
    assert queue.task_failed(taken(queue), Failure("no", 1, False), 1.0)
    assert queue.take("w") is None
    assert not queue.left()
    assert admin.job(queue, b)["waits_for"] == [a] == admin.job(queue, b)["held_up_by"]
    assert admin.prune(queue) == []
    with pytest.raises(UsageError, match=f"stays, for job {b} waits for it"):
        admin.remove(queue, a)
    admin.cancel(queue, [b])
    admin.remove(queue, a)
    assert admin.prune(queue) == [b]


def test_pause_resume_cancel(queue, tmp_path):
    (number,) = queue.submit([clip(tmp_path)])
    planned(queue, 2)
    held = taken(queue)
    admin.pause(queue, [number])
    assert queue.take("w") is None
    assert queue.holds(held)
    assert queue.segment_done(held, 10, 1.0)  # what was begun is finished
    admin.resume(queue, [number])
    held = taken(queue)
    admin.pause(queue, [number], now=True)
    assert not queue.holds(held)
    admin.resume(queue, [number])
    held = taken(queue)
    assert held.attempt == 1
    admin.cancel(queue, [number])
    assert not queue.holds(held)
    assert not queue.left()
    assert admin.job(queue, number)["state"] == "cancelled"
    with pytest.raises(UsageError, match="is cancelled and cannot be paused"):
        admin.pause(queue, [number])
    admin.retry(queue, [number])  # its plan is gone
    assert taken(queue).kind == PLAN


def test_one_output_is_of_one_job(queue, tmp_path):
    (number,) = queue.submit([clip(tmp_path)])
    with pytest.raises(UsageError, match=f"job {number} writes"):
        queue.submit([clip(tmp_path, "b"), clip(tmp_path)])
    assert len(admin.jobs(queue)) == 1  # all or none
    admin.cancel(queue, [number])
    queue.submit([clip(tmp_path)])
    with pytest.raises(UsageError, match="writes"):
        admin.retry(queue, [number])


@pytest.mark.parametrize("good", [True, False])
def test_a_hook_is_a_task_of_its_own(queue, tmp_path, good):
    (number,) = queue.submit([clip(tmp_path)], on_done=["echo", "{id}"], on_fail=["false"])
    planned(queue, 0)
    task = taken(queue)
    if good:
        queue.job_done(task, {"frames": 1, "faces": 1}, 1.0)
    else:
        queue.task_failed(task, Failure("no face", 3, False), 1.0)
    hook = taken(queue)
    assert (hook.kind, hook.command) == (HOOK, ("echo", "{id}") if good else ("false",))
    assert hook.job_state == ("done" if good else "skipped")
    queue.hook_done(hook, None, 0.1)
    assert queue.take("w") is None
    assert not queue.left()
    assert admin.job(queue, number)["state"] == ("done" if good else "skipped")


def test_prune_forgets_what_is_over(queue, tmp_path, clock):
    a, b = queue.submit([clip(tmp_path, name) for name in "ab"])
    admin.cancel(queue, [a])
    queue.logs(a).mkdir(parents=True)
    assert admin.prune(queue, older=10) == []
    clock.now += 11
    assert admin.prune(queue, older=10) == [a]
    assert not queue.logs(a).exists()
    assert [job["id"] for job in admin.jobs(queue)] == [b]
    assert queue.connection.execute("SELECT COUNT(*) FROM task").fetchone()[0] == 1


def test_many_workers_take_each_task_once(tmp_path):
    file = tmp_path / "queue.sqlite"
    with Queue(file) as queue:
        queue.submit([clip(tmp_path, f"c{i}") for i in range(40)])
    done: list[int] = []

    def work() -> None:
        with Queue(file) as queue:
            while (task := queue.take("w")) is not None:
                if task.kind == PLAN:
                    assert queue.planned(task, [], 0.0)
                else:
                    assert queue.job_done(task, {"frames": 1, "faces": 1}, 0.0)
                    done.append(task.job)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(set(done))
    assert len(done) == 40


def test_a_full_disk_under_the_queue_is_one_line_and_changes_nothing(queue, tmp_path):
    """SQLite's own limit of pages stands for the disk: what does not fit is not there by half, and later it goes on."""
    (number,) = queue.submit([clip(tmp_path)])
    task = taken(queue)
    (pages,) = queue.connection.execute("PRAGMA page_count").fetchone()
    queue.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(VideditError, match="cannot be written: database or disk is full"):
        queue.submit([clip(tmp_path, f"b{i}") for i in range(100)])
    with pytest.raises(VideditError, match="full"):
        queue.planned(task, [(i, 10) for i in range(1000)], 0.1)
    assert [job["id"] for job in admin.jobs(queue)] == [number]
    assert queue.holds(task)
    queue.connection.execute("PRAGMA max_page_count = 1000000")
    assert queue.planned(task, [(i, 10) for i in range(1000)], 0.1)
    assert admin.job(queue, number)["segments"] == 1000


def test_names_that_are_no_text_come_back_as_they_were(queue, tmp_path):
    """A file system knows bytes, which need not be UTF-8; errors and workers' names may hold such names too."""
    odd = clip(tmp_path, os.fsdecode(b"\xff\xfe"))
    (number,) = queue.submit([odd], on_fail=["echo", os.fsdecode(b"\xff")])
    with pytest.raises(UsageError, match=f"job {number} writes"):
        queue.submit([odd])
    task = taken(queue, os.fsdecode(b"host\xff"))
    assert task.clip.source == odd.source
    assert queue.task_failed(task, Failure(f"{odd.source} does not exist", 2, False), 1.0)
    hook = taken(queue)
    assert hook.why == f"{odd.source} does not exist"
    assert hook.command == ("echo", os.fsdecode(b"\xff"))
    job = admin.job(queue, number)
    assert (job["source"], job["output"]) == (str(odd.source), str(odd.output))
    assert json.loads(json.dumps(admin.jobs(queue)))[0]["error"] == hook.why


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_a_queue_that_can_only_be_read_is_read(queue, tmp_path, monkeypatch):
    """As on a disk that is mounted so: who looks sees it, who changes it is told in one line."""
    (number,) = queue.submit([clip(tmp_path)])
    queue.close()
    folder = tmp_path / "ro ü#?%"
    folder.mkdir()
    shutil.copy(queue.file, folder / "queue.sqlite")
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder and allowed(path, mode))  # root may all
    with Queue(folder / "queue.sqlite") as read:
        assert [job["id"] for job in admin.jobs(read)] == [number]
        assert read.left()
        with pytest.raises(VideditError, match="cannot be written: attempt to write a readonly database"):
            read.take("w")
        with pytest.raises(VideditError, match="cannot be written: attempt to write a readonly database"):
            admin.cancel(read, [number])
    assert [path.name for path in folder.iterdir()] == ["queue.sqlite"]


def test_what_is_no_queue_is_refused(tmp_path):
    (tmp_path / "words").write_text("not a database at all, but long enough to look like a file of something" * 20)
    with pytest.raises(UsageError, match="is no queue"):
        Queue(tmp_path / "words")
    with pytest.raises(VideditError, match="cannot"):
        Queue(tmp_path / "words" / "queue.sqlite")
