"""The sliding window hands on every packet once, in order, with exactly its neighbours."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videdit.pipeline.windows import MOST, Window, reach_of
from videdit.stages.average_changes import AverageChanges
from videdit.stages.invert_edit import InvertEdit

TIMES = st.lists(st.floats(0.0, 5.0, allow_nan=False), max_size=60).map(sorted)


@given(TIMES, st.floats(0.01, 1.0))
def test_neighbours_are_those_within_reach(times: list[float], reach: float) -> None:
    window: Window[tuple[int, float]] = Window(lambda item: item[1], reach)
    packets = list(enumerate(times))
    out = list(window(packets))
    assert [packet for packet, _ in out] == packets
    for (_, now), near in out:
        assert near == [item for item in packets if abs(item[1] - now) <= reach]


@given(st.integers(0, 300), st.integers(1, 9))
def test_memory_is_bounded_at_any_rate(count: int, most: int) -> None:
    window: Window[int] = Window(lambda item: item * 1e-6, 1.0, most=most)
    out = list(window(range(count)))
    assert [packet for packet, _ in out] == list(range(count))
    assert all(len(near) <= 2 * most + 1 for _, near in out)


def test_it_does_not_read_ahead_further_than_it_must() -> None:
    read = []

    def source():
        for i in range(100):
            read.append(i)
            yield i

    window: Window[int] = Window(lambda item: float(item), 3.0)
    for packet, _ in window(source()):
        assert len(read) <= packet + 5
        if packet == 50:
            break


@pytest.mark.parametrize("rate", [24, 30, 50, 60])
@pytest.mark.parametrize("smoothed", [0.07, 0.3])
def test_what_a_stage_declares_is_what_it_sees_at_every_rate(rate: int, smoothed: float) -> None:
    """Windows once held twelve frames at most: .45 s of look-ahead were .20 s at 60 frames a second."""
    for reach in (InvertEdit.reach_of(smoothed, 0.0), AverageChanges.reach):
        window: Window[int] = Window(lambda item: item / rate, reach)
        for frame, near in window(range(4 * rate)):
            if 1.5 * rate < frame < 2.5 * rate:
                inside = {n for n in range(4 * rate) if abs(n - frame) / rate < reach - 1e-9}
                assert inside <= set(near) <= {n for n in range(4 * rate) if abs(n - frame) / rate < reach + 1e-9}


def test_a_window_that_is_cut_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    window: Window[int] = Window(lambda item: item / 1000, 1.0)
    with caplog.at_level(logging.WARNING):
        assert all(len(near) <= 2 * MOST + 1 for _, near in window(range(3000)))
    assert [record.getMessage() for record in caplog.records] == [
        "what is smoothed over 1.00 s sees only 0.24 s ahead: 240 frames"
    ]


def test_reaches_add_up_and_who_declares_none_has_none() -> None:
    class Far:
        reach = 0.5

    assert reach_of([Far(), object(), Far()]) == 1.0
