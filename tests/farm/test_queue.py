"""The queue: nothing is lost, nothing is doubled, and jobs come in the order that people want."""

from __future__ import annotations

import threading

import pytest
from queues import Clock, clip, planned, taken

from videdit.errors import UsageError
from videdit.farm import admin
from videdit.farm.failures import Failure
from videdit.farm.queue import Queue
from videdit.farm.schema import HOOK, JOIN, PLAN, RENDER, SEGMENT


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
