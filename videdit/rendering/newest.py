"""Requests that overtake each other: of those of one viewer only the newest is worth an answer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable, Iterator

from videdit.errors import Cancelled, Superseded


class NewestFirst:
    """Lets one request work at a time. One that is overtaken by another of its viewer stops, waiting or at work."""

    def __init__(self) -> None:
        """Nobody works or waits."""
        self._changed = threading.Condition()
        self._newest: dict[Hashable, int] = {}
        self._count = 0
        self._working = False

    @contextlib.contextmanager
    def turn(self, viewer: Hashable, cancel: threading.Event | None = None) -> Iterator[Turn]:
        """Wait for one's turn, and hold it for as long as the context lasts.

        Raises:
            Superseded: a newer request of the same viewer came first.
            Cancelled: `cancel` was set.
        """
        with self._changed:
            self._count += 1
            turn = Turn(self, viewer, self._count, cancel)
            self._newest[viewer] = turn.number
            self._changed.notify_all()
        try:
            with self._changed:
                while self._working:
                    self._changed.wait(0.05 if cancel else None)
                    turn.check()
                self._working = turn.works = True
            turn.check()
            yield turn
        finally:
            with self._changed:
                if turn.works:
                    self._working = False
                if self._newest.get(viewer) == turn.number:
                    del self._newest[viewer]  # viewers come and go
                self._changed.notify_all()

    def newest(self, viewer: Hashable) -> int | None:
        """The number of the newest request of a viewer that waits or works."""
        return self._newest.get(viewer)


class Turn:
    """The right to work, until somebody newer comes."""

    def __init__(self, owner: NewestFirst, viewer: Hashable, number: int, cancel: threading.Event | None) -> None:
        """owner: who gives turns. number: grows from request to request. cancel: None: nobody can."""
        self._owner, self._viewer, self.number, self._cancel = owner, viewer, number, cancel
        self.works = False  # whether it has come

    def check(self) -> None:
        """Call it between steps. Raises Superseded or Cancelled where it is of no use to go on."""
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("the preview was cancelled")
        if self._owner.newest(self._viewer) != self.number:
            raise Superseded("a newer preview was asked for")
