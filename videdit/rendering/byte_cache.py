"""What is kept between requests, within a budget of bytes: what was of no use for longest goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class ByteCache:
    """Keys -> values of so many bytes in all. Threads may ask at once. Values are never changed, only dropped."""

    def __init__(self, budget: int) -> None:
        """budget: bytes. A value that is larger alone is not kept."""
        self.budget = budget
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept."""
        return self._bytes

    def __len__(self) -> int:
        """How many values are kept, not how many bytes."""
        return len(self._kept)

    def get(self, key: Hashable) -> Any:
        """The value of a key, None where it is not kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, nbytes: int | None = None) -> None:
        """Keep a value. nbytes: what it takes; by default what it says itself."""
        size = value.nbytes if nbytes is None else nbytes
        with self._lock:
            self._drop(key)
            if size > self.budget:
                return
            self._kept[key] = value, size
            self._bytes += size
            while self._bytes > self.budget:
                self._drop(next(iter(self._kept)))

    def forget(self, which: Callable[[Hashable], bool] = lambda key: True) -> None:
        """Drop the values of some keys, by default of all."""
        with self._lock:
            for key in [key for key in self._kept if which(key)]:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        _, size = self._kept.pop(key, (None, 0))
        self._bytes -= size
