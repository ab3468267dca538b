"""The sliding window hands on every packet once, in order, with exactly its neighbours."""

from hypothesis import given
from hypothesis import strategies as st

from videdit.temporal import Window

TIMES = st.lists(st.floats(0.0, 5.0, allow_nan=False), max_size=60).map(sorted)


@given(TIMES, st.floats(0.01, 1.0))
def test_neighbours_are_those_within_reach(times: list[float], reach: float) -> None:
    window: Window[tuple[int, float]] = Window(lambda item: item[1], reach, most=1000)
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
