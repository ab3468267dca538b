"""Queues between threads, bounded in bytes, and the account of what waits in them and elsewhere."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class Stopped(BaseException):
    """Raised inside a stage that pulls or hands on while the pipeline is being stopped. Not for catching."""


def nbytes(packet: Any) -> int:
    """The default ``sizeof``: the packet's own ``nbytes``."""
    return packet.nbytes


class Waiting:
    """How many bytes wait in a pipeline, all of it, and how many did at most."""

    def __init__(self, budget: int, beside: Callable[[], int] | None = None) -> None:
        """budget: bytes from which on queues take no more than one packet. beside: bytes that wait elsewhere."""
        self.budget, self.most, self._bytes = budget, 0, 0
        self._beside, self._lock = beside or (lambda: 0), threading.Lock()

    @property
    def bytes(self) -> int:
        """Those that were told to :meth:`add`, and those beside, as of now."""
        return self._bytes + self._beside()

    def add(self, size: int) -> None:
        """So many bytes more wait, or fewer."""
        with self._lock:
            self._bytes += size
            self.most = max(self.most, self.bytes)


class ByteQueue:
    """A first-in first-out queue between two threads that holds at most ``budget`` bytes, or one packet."""

    def __init__(self, budget: int, sizeof: Callable[[Any], int] = nbytes, waiting: Waiting | None = None) -> None:
        """sizeof: bytes a packet holds on to.

        waiting: of all queues; when more wait than its budget, this one holds one packet at most.
        """
        self.budget = budget
        self.sizeof = sizeof
        self.waiting = waiting or Waiting(budget)
        self._items: deque[tuple[Any, int]] = deque()
        self._bytes = 0
        self._closed = False  # the writer has no more
        self._stopped = False  # nobody is to wait any longer
        self._changed = threading.Condition()

    def put(self, packet: Any) -> None:
        """Append `packet`, waiting for room. Raises :class:`Stopped` once the queue is stopped."""
        size = self.sizeof(packet)
        with self._changed:
            while not self._stopped and self._items and self._full(size):
                self._changed.wait()
            if self._stopped:
                raise Stopped
            self._items.append((packet, size))
            self._bytes += size
            self.waiting.add(size)
            self._changed.notify_all()

    def _full(self, size: int) -> bool:
        waiting = self.waiting
        return self._bytes + size > self.budget or waiting.bytes + size > waiting.budget

    def __iter__(self) -> ByteQueue:
        return self

    def __next__(self) -> Any:
        """Take the oldest packet, waiting for one; the end of the iterator is the writer's :meth:`close`."""
        with self._changed:
            while not self._stopped and not self._items and not self._closed:
                self._changed.wait()
            if self._stopped:
                raise Stopped
            if not self._items:
                raise StopIteration
            packet, size = self._items.popleft()
            self._bytes -= size
            self.waiting.add(-size)
            self._changed.notify_all()
            return packet

    def close(self) -> None:
        """The writer has no more packets."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake both sides with :class:`Stopped` and drop what is queued."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self.waiting.add(-self._bytes)
            self._bytes = 0
            self._changed.notify_all()


class Held:
    """What a stage has pulled and not yet handed on. Stages keep order; they may leave out packets, or repeat some."""

    def __init__(self, waiting: Waiting, sizeof: Callable[[Any], int], order: Callable[[Any], Any] | None) -> None:
        """waiting: hears of what is held. order: a packet's place among all; None: nothing is counted."""
        self._waiting, self._sizeof, self._order = waiting, sizeof, order
        self._packets: deque[tuple[Any, int]] = deque()  # (place, bytes)

    def pulled(self, packet: Any) -> None:
        """One more packet is held. Places grow, or come again."""
        if self._order is not None:
            size = self._sizeof(packet)
            self._packets.append((self._order(packet), size))
            self._waiting.add(size)

    def handed_on(self, packet: Any) -> None:
        """With it go those before it: what a stage has left out it does not hold."""
        if self._order is None:
            return
        place = self._order(packet)
        if any(other == place for other, _ in self._packets):
            while self._packets:
                other, size = self._packets.popleft()
                self._waiting.add(-size)
                if other == place:
                    return

    def clear(self) -> None:
        """Nothing is held any more: the stage has ended."""
        self._waiting.add(-sum(size for _, size in self._packets))
        self._packets.clear()
