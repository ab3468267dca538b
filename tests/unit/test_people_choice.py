"""Whom to edit: words for faces, with a view of the whole clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.errors import NoFaceError, UsageError
from videdit.tracks.selection import STAY, choose, parse_choice
from videdit.tracks.track_table import TrackTable, describe, numbered

FPS = 25


def seen(*people: tuple[range, float, float], frames: int = 250, cuts: tuple[int, ...] = ()) -> TrackTable:
    """People as (frames, size, place from the left), tracks 0, 1, 2, ..."""
    faces = sorted((i, track, size, x) for track, (span, size, x) in enumerate(people) for i in span)
    frame, track, size, x = (np.array(column) for column in zip(*faces, strict=True)) if faces else [np.zeros(0)] * 4
    rows = np.arange(frames)
    return TrackTable(
        pts=1000 * rows,
        time=rows / FPS,
        scene=np.searchsorted(cuts, rows, side="right").astype(np.int32),
        frame=frame.astype(np.int32),
        track=track.astype(np.int32),
        size=size.astype(np.float32),
        x=x.astype(np.float32),
        yaw=np.zeros(len(frame), np.float32),
        points=np.zeros((len(frame), 5, 2)),
    )


def unknown(picture: Path) -> dict[int, float]:
    raise AssertionError("nobody asked for a picture")


def tracks(word: str | int, table: TrackTable, similarity=unknown) -> list[set[int]]:
    """Who is chosen in each frame."""
    chosen = choose(word, table, similarity)
    return [
        {int(t) for t, c in zip(table.track[rows], chosen[rows], strict=True) if c}
        for rows in map(table.faces, range(len(table.pts)))
    ]


def test_one_or_all_of_three() -> None:
    three = seen((range(250), 80, 0.2), (range(250), 120, 0.5), (range(250), 90, 0.8))
    for word, who in (("largest", {1}), ("left", {0}), ("all", {0, 1, 2}), (2, {2}), ("0,2", {0, 2}), ("1", {1})):
        assert tracks(word, three) == [who] * 250


def test_the_largest_is_known_before_it_comes() -> None:
    # A small face for a second, then a large one for nine: the small one is not edited for that second.
    assert tracks("largest", seen((range(250), 60, 0.2), (range(25, 250), 200, 0.7))) == [set()] * 25 + [{1}] * 225


def test_the_largest_changes_once_when_another_is_larger_for_long() -> None:
    first = seen((range(125), 120, 0.3), (range(100, 250), 130, 0.6))
    assert (
        tracks("largest", first) == [{0}] * 100 + [{1}] * 150 or tracks("largest", first) == [{0}] * 125 + [{1}] * 125
    )


def test_who_is_hidden_for_a_second_is_not_replaced() -> None:
    span = [*range(100), *range(125, 250)]
    both = seen((span, 120, 0.3), (range(250), 60, 0.7))  # type: ignore[arg-type]
    assert tracks("largest", both) == [{0} if i in span else set() for i in range(250)]
    assert tracks("left", both) == [{0} if i in span else set() for i in range(250)]


def test_every_shot_has_its_largest() -> None:
    cut = seen((range(10), 90, 0.2), (range(10), 60, 0.7), (range(10, 20), 50, 0.5), frames=20, cuts=(10,))
    assert tracks("largest", cut) == [{0}] * 10 + [{2}] * 10


def test_a_picture_means_one_person_in_every_shot() -> None:
    two = seen(
        (range(10), 90, 0.2), (range(10), 60, 0.7), (range(10, 20), 50, 0.5), (range(10, 20), 55, 0.9),
        frames=20, cuts=(10,),
    )  # fmt: skip
    asked = []

    def similarity(picture: Path) -> dict[int, float]:
        asked.append(picture)
        return {0: 0.2, 1: 0.8, 2: 0.7, 3: 0.69}

    assert tracks("ann.jpg", two, similarity) == [{1}] * 10 + [{2}] * 10  # not 3, who is there beside the liker 2
    assert asked == [Path("ann.jpg")]
    with pytest.raises(NoFaceError, match="nobody in the clip looks like"):
        choose("ann.jpg", two, lambda picture: {0: 0.1, 1: 0.2})


def test_who_is_not_there_is_said() -> None:
    one = seen((range(10), 90, 0.2), frames=10)
    with pytest.raises(NoFaceError, match="there is no face 3: only 0"):
        choose(3, one, unknown)
    with pytest.raises(NoFaceError, match="no face 0: there is none at all"):
        choose("0", seen(frames=10), unknown)
    for word in ("largest", "left", "all"):
        assert not choose(word, seen(frames=10), unknown).any()


@pytest.mark.parametrize("word", ["everyone", -1, "", "-2", 1.5, "0,", "largest,left", "ann"])
def test_other_words_are_refused(word: str | int) -> None:
    with pytest.raises(UsageError, match="largest, all, left, numbers"):
        parse_choice(word)


def test_tracks_are_numbered_as_they_appear_from_the_left() -> None:
    mixed = seen(
        (range(50, 100), 90, 0.1), (range(100), 60, 0.7), (range(100), 50, 0.5), (range(30, 32), 50, 0.9), frames=100
    )
    told = describe(numbered(mixed))
    assert [(t.track, t.frames, t.first, t.size) for t in told] == [
        (0, 100, 0.0, 50),
        (1, 100, 0.0, 60),
        (2, 50, 2.0, 90),
    ]
    assert (numbered(mixed).track == -1).sum() == 2  # two frames: nobody


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 90), st.integers(20, 300)), max_size=4),
    st.sampled_from(["largest", "left"]),
)
@settings(max_examples=60, deadline=None)
def test_one_at_a_time_and_never_back_and_forth(people: list[tuple[int, int, int]], word: str) -> None:
    table = seen(*((range(a, min(a + n, 90)), size, 0.1 * a) for a, n, size in people), frames=90)
    who = tracks(word, table)
    assert all(len(frame) <= 1 for frame in who)
    shown = [next(iter(frame)) for frame in who if frame]
    changes = sum(a != b for a, b in zip(shown, shown[1:], strict=False))
    assert changes <= 90 / FPS / STAY + 1
