"""The pipeline keeps order and counts, and stops cleanly whatever fails, wherever, whenever."""

from __future__ import annotations

import threading
import time
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.errors import Cancelled
from videdit.pipeline.executor import Pipeline
from videdit.pipeline.queues import ByteQueue, Stopped

pytestmark = pytest.mark.timeout(60)


class Source:
    name = "source"

    def __init__(self, items):
        self.items = items

    def __call__(self, packets):
        assert list(packets) == []  # the first stage has nothing to pull
        yield from self.items


class Repeat:
    """Expands or filters: hands each packet on ``counts[i % n]`` times."""

    name = "repeat"

    def __init__(self, counts):
        self.counts = counts

    def __call__(self, packets):
        for i, packet in enumerate(packets):
            for _ in range(self.counts[i % len(self.counts)]):
                yield packet


class LookAhead:
    """Holds `window` packets back before it hands on the first."""

    name = "lookahead"

    def __init__(self, window):
        self.window = window

    def __call__(self, packets):
        held = deque()
        for packet in packets:
            held.append(packet)
            if len(held) > self.window:
                yield held.popleft()
        yield from held


class Bomb:
    name = "bomb"

    def __init__(self, at, when, closed):
        self.at, self.when, self.closed = at, when, closed

    def __call__(self, packets):
        try:
            if self.at == 0 and self.when == "before":
                raise OSError("bang")
            for i, packet in enumerate(packets):
                if i == self.at and self.when == "before":
                    raise OSError("bang")
                yield packet
                if i == self.at:
                    raise OSError("bang")
            raise OSError("bang")  # the clip was shorter: fail at the end of the stream
        finally:
            self.closed.append(self.name)


class Watch:
    """Records how it ended: 'done' only after a complete input."""

    def __init__(self, name, endings):
        self.name, self.endings = name, endings

    def __call__(self, packets):
        ending = "stopped"
        try:
            yield from packets
            ending = "done"
        finally:
            self.endings[self.name] = ending


def run(stages, budget, **kwargs):
    out = []
    pipeline = Pipeline(stages, budget=budget, sizeof=lambda packet: packet[1])
    before = threading.active_count()
    try:
        stats = pipeline.run(on_packet=out.append, tick=0.005, **kwargs)
    finally:
        assert threading.active_count() == before  # every thread is joined, whatever happened
    return out, stats


packets = st.lists(st.tuples(st.integers(), st.integers(0, 50)), max_size=30)
counts = st.lists(st.integers(0, 3), min_size=1, max_size=4)
middle = st.lists(st.one_of(counts.map(Repeat), st.integers(0, 40).map(LookAhead)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(packets, middle, st.integers(0, 60))
def test_order_and_counts_equal_the_plain_nested_generators(items, stages, budget):
    expected = iter(items)
    for stage in stages:
        expected = stage(expected)
    expected = list(expected)
    out, stats = run([Source(items), *stages], budget)
    assert out == expected
    assert stats[0].packets == len(items)
    assert stats[-1].packets == len(expected)
    for before, after in zip(stats, stats[1:], strict=False):
        assert after.taken == before.packets
    assert stats[0].passed == (sum(size for _, size in items) if stages else 0)


@settings(max_examples=60, deadline=None)
@given(packets, st.integers(0, 3), st.integers(0, 30), st.sampled_from(["before", "after"]), st.integers(0, 60))
def test_an_exception_anywhere_stops_all_and_comes_out_as_it_was(items, position, at, when, budget):
    closed, endings = [], {}
    stages = [Source(items), *(Watch(f"watch{i}", endings) for i in range(4))]
    stages.insert(position + 1, Bomb(at, when, closed))
    with pytest.raises(OSError, match="bang"):
        run(stages, budget)
    assert closed == ["bomb"]
    # A stage after the bomb never believes that its input was complete.
    assert all(endings.get(f"watch{i}", "stopped") == "stopped" for i in range(position, 4))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(0, 100))
def test_cancel_stops_an_endless_chain(length, budget):
    def endless():
        while True:
            yield (0, 10)

    endings, cancel = {}, threading.Event()
    stages = [Source(endless()), *(Watch(f"watch{i}", endings) for i in range(length))]
    timer = threading.Timer(0.02, cancel.set)
    timer.start()
    start = time.perf_counter()
    with pytest.raises(Cancelled):
        Pipeline(stages, budget=budget, sizeof=lambda packet: packet[1]).run(cancel=cancel, tick=0.005)
    assert time.perf_counter() - start < 5
    assert set(endings.values()) <= {"stopped"}


def test_queues_hold_no_more_than_their_budget():
    high = []
    lock = threading.Lock()
    alive = 0

    class Produce:
        name = "produce"

        def __call__(self, packets):
            nonlocal alive
            for i in range(200):
                with lock:
                    alive += 10
                    high.append(alive)
                yield (i, 10)

    class Consume:
        name = "consume"

        def __call__(self, packets):
            nonlocal alive
            for packet in packets:
                time.sleep(0.0005)
                with lock:
                    alive -= 10
                yield packet

    run([Produce(), Consume()], 50)
    # in the queue, plus one in the producer's hand and one in the consumer's
    assert max(high) <= 50 + 20


def test_a_packet_larger_than_the_budget_still_passes():
    items = [(i, 1000) for i in range(5)]
    out, _ = run([Source(items), LookAhead(3)], 1)
    assert out == items


def test_a_stage_that_ends_early_ends_the_ones_before_it():
    endings = {}

    class First:
        name = "first"

        def __call__(self, packets):
            for i, packet in enumerate(packets):
                yield packet
                if i == 2:
                    return

    def endless():
        while True:
            yield (1, 1)

    out, _ = run([Source(endless()), Watch("watch", endings), First()], 10)
    assert len(out) == 3
    assert endings == {"watch": "stopped"}


def test_the_first_failure_wins_and_failing_clean_up_does_not_hide_it():
    class Untidy:
        name = "untidy"

        def __call__(self, packets):
            try:
                yield from packets
            finally:
                raise ValueError("while closing")

    with pytest.raises(OSError, match="bang"):
        run([Source([(i, 1) for i in range(100)]), Bomb(3, "before", []), Untidy()], 2)


def test_on_tick_runs_in_the_callers_thread_and_its_failure_stops_the_run():
    threads, endings = [], {}

    def tick():
        threads.append(threading.current_thread())
        raise KeyboardInterrupt  # as Ctrl-C in the main thread would

    def slow():
        while True:
            time.sleep(0.002)
            yield (0, 1)

    with pytest.raises(KeyboardInterrupt):
        run([Source(slow()), Watch("watch", endings)], 10, on_tick=tick)
    assert threads == [threading.current_thread()]
    assert endings == {"watch": "stopped"}


def test_statistics_tell_work_from_waiting():
    class Sleep:
        def __init__(self, name, seconds):
            self.name, self.seconds = name, seconds

        def __call__(self, packets):
            for packet in packets:
                time.sleep(self.seconds)
                yield packet

    _, (source, fast, slow, last) = run(
        [Source([(i, 10) for i in range(20)]), Sleep("fast", 0.001), Sleep("slow", 0.01), Sleep("last", 0.0)], 10
    )
    assert slow.busy >= 0.2
    assert 0 < slow.cpu < slow.busy  # sleeping takes no processor
    assert fast.waiting_output > fast.busy  # held up by the slow one
    assert last.waiting_input > last.busy  # starved by it
    assert source.name == "source"
    assert source.waiting_input == 0


def test_a_stopped_queue_wakes_a_waiting_reader():
    queue = ByteQueue(10, len)
    threading.Timer(0.02, queue.stop).start()
    with pytest.raises(Stopped):
        next(queue)


def test_an_empty_pipeline_is_refused():
    with pytest.raises(ValueError, match="at least one stage"):
        Pipeline([])


placed = st.lists(st.integers(0, 50), max_size=30).map(lambda sizes: list(enumerate(sizes)))  # (place, bytes)


@settings(max_examples=60, deadline=None)
@given(placed, middle, st.integers(0, 200))
def test_what_stages_hold_is_counted_and_nothing_waits_at_the_end(items, stages, budget):
    expected = iter(items)
    for stage in stages:
        expected = stage(expected)
    expected, out = list(expected), []
    pipeline = Pipeline([Source(items), *stages], budget=budget, sizeof=lambda p: p[1], order=lambda p: p[0])
    pipeline.run(on_packet=out.append, tick=0.005)
    assert out == expected
    assert pipeline.waiting.bytes == 0
    assert pipeline.waiting.most <= sum(size for _, size in items) * max(1, 3 ** len(stages))


@pytest.mark.parametrize("window", [0, 5, 20])
@pytest.mark.parametrize("budget", [50, 260])
def test_a_window_takes_its_memory_from_the_queues(window, budget):
    """Packets that are alive at once: those in the window, and in queues no more than that leaves."""
    alive, most, lock = 0, 0, threading.Lock()

    class Produce:
        name = "produce"

        def __call__(self, packets):
            nonlocal alive, most
            for i in range(200):
                with lock:
                    alive += 10
                    most = max(most, alive)
                yield (i, 10)

    class Consume:
        name = "consume"

        def __call__(self, packets):
            nonlocal alive
            for packet in packets:
                time.sleep(0.0005)
                with lock:
                    alive -= 10
                yield packet

    stages = [Produce(), LookAhead(window), Watch("watch", {}), Consume()]
    pipeline = Pipeline(stages, budget=budget, queue=1000, sizeof=lambda p: p[1], order=lambda p: p[0])
    pipeline.run(tick=0.005)
    # The window takes what it must, and three queues hold one at least. A packet more may be in the hands of each of
    # the four stages, and three of them may find room at the same moment.
    assert most <= max(budget, 10 * (window + 3)) + 70
    assert 10 * window <= pipeline.waiting.most <= max(budget, 10 * (window + 3)) + 70
    assert pipeline.waiting.bytes == 0


def test_what_waits_elsewhere_leaves_queues_one_packet():
    elsewhere = [0]
    pipeline = Pipeline([Source([]), LookAhead(0)], budget=100, sizeof=len, beside=lambda: elsewhere[0])
    (queue,) = pipeline._queues
    for _ in range(3):
        queue.put("ten bytes.")
    elsewhere[0] = 1000
    blocked = threading.Thread(target=queue.put, args=("ten bytes.",), daemon=True)
    blocked.start()
    for left in (2, 1, 0):
        assert len(next(queue)) == 10
        time.sleep(0.05)
        assert blocked.is_alive() == (left > 0)
    blocked.join(5)
    assert next(queue) == "ten bytes."
    assert pipeline.waiting.most == 1020
