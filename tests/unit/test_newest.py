"""What a session is made of: a cache within its budget, and requests that overtake each other."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from videdit.errors import Cancelled, Superseded
from videdit.rendering.byte_cache import ByteCache
from videdit.rendering.newest import NewestFirst


def test_what_was_of_no_use_for_longest_makes_room():
    cache = ByteCache(100)
    for key in "abc":
        cache.put(key, np.zeros(30, np.uint8))
    assert cache.get("a") is not None  # so that "b" is the one that goes
    cache.put("d", np.zeros(30, np.uint8))
    assert [key for key in "abcd" if cache.get(key) is not None] == ["a", "c", "d"]
    assert cache.nbytes == 90


def test_what_is_larger_than_the_budget_is_not_kept_and_costs_nothing_else():
    cache = ByteCache(100)
    cache.put("a", 1, 60)
    cache.put("b", 2, 101)
    assert cache.get("a") == 1
    assert cache.get("b") is None
    assert cache.nbytes == 60


def test_a_value_that_is_put_again_counts_once():
    cache = ByteCache(100)
    for _ in range(3):
        cache.put("a", 1, 60)
    assert cache.nbytes == 60
    assert len(cache) == 1
    cache.forget(lambda key: key == "a")
    assert cache.nbytes == 0
    assert cache.get("a") is None


class Request(threading.Thread):
    """Asks for a turn, and works until it may end, or until it is told that it is of no use."""

    def __init__(self, turns: NewestFirst, viewer: str, cancel: threading.Event | None = None) -> None:
        super().__init__(daemon=True)
        self.turns, self.viewer, self.cancel = turns, viewer, cancel
        self.works, self.may_end, self.error = threading.Event(), threading.Event(), None
        self.start()

    def run(self) -> None:
        try:
            with self.turns.turn(self.viewer, self.cancel) as turn:
                self.works.set()
                while not self.may_end.wait(0.005):
                    turn.check()
        except (Superseded, Cancelled) as error:
            self.error = error

    def ended(self) -> BaseException | None:
        self.join(10)
        assert not self.is_alive()
        return self.error


def test_a_newer_request_of_the_same_viewer_stops_the_older_ones():
    turns = NewestFirst()
    other = Request(turns, "other")
    assert other.works.wait(10)
    waiting = Request(turns, "me")
    while turns.newest("other") == turns._count:
        pass
    newer = Request(turns, "me")
    assert isinstance(waiting.ended(), Superseded), "while it still waits"
    assert not newer.works.is_set(), "one at a time"
    other.may_end.set()
    assert other.ended() is None, "another viewer's is none of its business"
    assert newer.works.wait(10)
    newest = Request(turns, "me")
    assert isinstance(newer.ended(), Superseded), "at work"
    assert newest.works.wait(10)
    newest.may_end.set()
    assert newest.ended() is None


def test_a_request_is_cancelled_while_it_waits_and_while_it_works():
    turns, cancel, later = NewestFirst(), threading.Event(), threading.Event()
    one = Request(turns, "one", later)
    assert one.works.wait(10)
    two = Request(turns, "two", cancel)
    cancel.set()
    assert isinstance(two.ended(), Cancelled)
    later.set()
    assert isinstance(one.ended(), Cancelled)
    with turns.turn("three"):
        pass


def test_a_failure_gives_the_turn_back():
    turns = NewestFirst()
    with pytest.raises(ZeroDivisionError), turns.turn("one"):
        raise ZeroDivisionError
    with turns.turn("two"):
        pass
