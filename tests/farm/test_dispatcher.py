"""A worker with an engine: what it gives away, what it keeps, and that it holds on to what is not in the queue yet."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from videdit.errors import AwayError
from videdit.farm import admin, dispatcher, staging, worker
from videdit.farm.dispatcher import Dispatcher
from videdit.farm.engines.base import ALL_KINDS, Ended
from videdit.farm.queue import Queue
from videdit.farm.schema import JOIN, PLAN, RENDER, SEGMENT
from videdit.farm.tasks import Piece
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob

TOLD = {PLAN: {"segments": [(0, 5), (1, 5)]}, SEGMENT: {"frames": 5}, JOIN: {"frames": 10}, RENDER: {"frames": 10}}


class Prompt:
    """An engine that has done everything by the next poll, except what it is told to be slow with."""

    slots = 2

    def __init__(self, kinds: frozenset[str] = ALL_KINDS, far: bool = False, slow: str = "") -> None:
        self.kinds, self.far, self.slow = kinds, far, slow
        self.got: list[str] = []
        self.flying: list[Piece] = []

    def submit(self, piece: Piece) -> None:
        self.got.append(piece.kind)
        self.flying.append(piece)

    def poll(self, seconds: float) -> list[Ended]:
        if self.flying[0].kind == self.slow:
            time.sleep(0.05)
            return []
        piece = self.flying.pop(0)
        return [Ended(piece, seconds=0.1, told=TOLD[piece.kind], log=f"did {piece.name}")]

    def progress(self) -> dict[Piece, int]:
        return dict.fromkeys(self.flying, 3)

    def cancel(self, piece: Piece | None = None) -> None:
        self.flying = [other for other in self.flying if piece not in (None, other)]

    def close(self) -> None:
        self.cancel()


@pytest.fixture
def queue(tmp_path: Path):
    with Queue(tmp_path / "queue.sqlite") as queue:
        yield queue


@pytest.fixture(autouse=True)
def quick(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(worker, "BEAT", 0.05)
    monkeypatch.setattr(dispatcher, "BEAT", 0.05)
    monkeypatch.setattr(dispatcher, "ASK", 0.05)


def submitted(queue: Queue, **how) -> int:
    folder = queue.file.parent
    clip = Clip(RenderJob(input=str(folder / "a.mp4"), edit="smile"), folder / "a.mp4", folder / "out.mp4")
    (number,) = queue.submit([clip], **how)
    return number


def test_all_of_a_job_is_the_engine_s_and_what_it_logs_is_the_job_s(queue):
    number, engine = submitted(queue), Prompt()
    made = Dispatcher(queue, engine)
    assert [outcome.state for outcome in made.work(until_empty=True)] == ["done"] * 4
    assert engine.got == [PLAN, SEGMENT, SEGMENT, JOIN]
    assert made._runner is None
    job = admin.job(queue, number)
    assert (job["state"], job["frames"], job["segments_done"]) == ("done", 10, 2)
    assert "did segment 1" in admin.log_words(queue, number, 1)
    assert "did the join" in admin.log_words(queue, number)


def test_copies_of_files_elsewhere_are_not_for_machines_that_may_not_see_them(queue, tmp_path):
    submitted(queue, staged=tmp_path / "copies")
    task = queue.take("w")
    assert Dispatcher(queue, Prompt())._for_engine(task)
    assert Dispatcher(queue, Prompt(far=True))._for_engine(task) is False
    submitted_here = Dispatcher(queue, Prompt(kinds=frozenset({SEGMENT})))
    assert submitted_here._for_engine(task) is False


def test_an_output_that_is_sent_for_long_is_held_on_to(queue, tmp_path, monkeypatch):
    number = submitted(queue, staged=tmp_path / "copies", upload="memory://out/a.mp4")
    sent = []

    def send(file: Path, url: str, replace: bool) -> str:
        time.sleep(1.5)  # three leases
        with Queue(queue.file) as other:
            sent.append(other.take("another"))
        return "hash"

    monkeypatch.setattr(staging, "send", send)
    assert [outcome.state for outcome in Dispatcher(queue, Prompt(), lease=0.5).work(until_empty=True)] == ["done"] * 4
    assert sent == [None]
    assert admin.job(queue, number)["result"]["sha256"] == "hash"


def test_what_cannot_be_sent_is_tried_again(queue, tmp_path, monkeypatch):
    number = submitted(queue, upload="memory://out/a.mp4")

    def send(*_: object) -> str:
        raise AwayError("the bucket is gone")

    monkeypatch.setattr(staging, "send", send)
    made = Dispatcher(queue, Prompt())
    ends = []
    for outcome in made.work(until_empty=True, idle=lambda _: None):
        ends.append(outcome)
        if outcome.task.kind == JOIN:
            break
    assert (ends[-1].state, ends[-1].said) == ("again", "the bucket is gone")
    assert not made._held
    assert admin.job(queue, number)["state"] == "waiting"


def test_progress_is_told_and_a_cancelled_job_is_taken_from_the_engine(queue, monkeypatch):
    number, engine = submitted(queue), Prompt(slow=SEGMENT)
    made, seen = Dispatcher(queue, engine), []
    asked = made._ask

    def look() -> None:
        asked()
        tasks = admin.job(queue, number)["tasks"]
        if [task["frames_done"] for task in tasks if task["kind"] == SEGMENT] == [3, 3] and not seen:
            seen.append(admin.job(queue, number)["frames_done"])
            admin.cancel(queue, [number])

    monkeypatch.setattr(made, "_ask", look)
    states = [outcome.state for outcome in made.work(until_empty=True)]
    assert seen == [6]
    assert states == ["done", "lost", "lost"]
    assert not engine.flying
    assert admin.job(queue, number)["state"] == "cancelled"
