"""The file of the queue: disks that are full or read-only, names that are no text, what is no queue."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from queues import clip, taken

from videdit.errors import UsageError, VideditError
from videdit.farm import admin
from videdit.farm.failures import Failure
from videdit.farm.queue import Queue


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
