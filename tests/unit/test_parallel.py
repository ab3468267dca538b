"""Several threads in one stage: the same packets in the same order, whatever each takes, fails or is stopped by."""

from __future__ import annotations

import threading
import time

import pytest

from videdit.errors import Cancelled
from videdit.pipeline.executor import Pipeline
from videdit.pipeline.parallel import InOrder

pytestmark = pytest.mark.timeout(60)


class Uneven:
    """The later of two packets is done first; some are handed on twice, or not at all."""

    name = "uneven"

    def __init__(self, fails: int | None = None) -> None:
        self.fails = fails
        self.running = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, packets):
        for packet in packets:
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            time.sleep(0.004 * (packet % 3 == 0))
            with self.lock:
                self.running -= 1
            if packet == self.fails:
                raise OSError("bang")
            for _ in range(packet % 3):
                yield packet


class Numbers:
    name = "numbers"

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, packets):
        yield from range(self.count)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_packets_keep_their_order(workers) -> None:
    stage = Uneven()
    assert list(InOrder(stage, workers)(iter(range(40)))) == list(Uneven()(iter(range(40))))
    assert stage.most <= workers
    assert workers == 1 or stage.most > 1


def test_nothing_is_pulled_that_is_not_worked_on_soon() -> None:
    pulled = []
    stage = InOrder(Uneven(), 3)(pulled.append(i) or i for i in range(1, 100))
    assert next(stage) == 1
    assert len(pulled) == 4
    stage.close()
    assert len(pulled) == 4


def run(stage, **how):
    out = []
    pipeline = Pipeline([Numbers(60), InOrder(stage, 3)], sizeof=lambda packet: 1, order=lambda packet: packet)
    before = threading.active_count()
    try:
        pipeline.run(on_packet=out.append, tick=0.005, **how)
    finally:
        assert threading.active_count() == before
    return out, pipeline


def test_in_a_pipeline_all_is_counted_and_let_go() -> None:
    out, pipeline = run(Uneven())
    assert out == list(Uneven()(iter(range(60))))
    assert pipeline.waiting.bytes == 0


def test_a_failure_comes_at_its_packet_s_turn() -> None:
    with pytest.raises(OSError, match="bang"):
        run(Uneven(fails=20))
    made = []
    with pytest.raises(OSError, match="bang"):
        for packet in InOrder(Uneven(fails=20), 4)(iter(range(60))):
            made.append(packet)
    assert made == [packet for packet in range(20) for _ in range(packet % 3)]


def test_cancel_ends_all_threads() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        run(Uneven(), cancel=cancel)
