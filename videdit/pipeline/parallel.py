"""One stage, several threads: for stages in which no packet depends on another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from videdit.pipeline.executor import Stage


class InOrder:
    """A stage that is pure a packet, by several threads; what it makes is handed on in the order of its packets.

    For each packet the stage is called anew, with that one alone. It holds up to ``workers`` packets, and one more.
    """

    def __init__(self, stage: Stage, workers: int) -> None:
        """workers: threads, at least 1."""
        self.stage, self.workers, self.name = stage, workers, stage.name

    def __call__(self, packets: Iterator[Any]) -> Iterator[Any]:
        """What the stage makes of each packet. Raises what it raises, at that packet's turn."""
        begun: deque[Future[list[Any]]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix=f"videdit-{self.name}") as pool:
            try:
                for packet in packets:
                    begun.append(pool.submit(self._alone, packet))
                    del packet
                    if len(begun) > self.workers:
                        yield from begun.popleft().result()
                while begun:
                    yield from begun.popleft().result()
            finally:
                for one in begun:
                    one.cancel()

    def _alone(self, packet: Any) -> list[Any]:
        return list(self.stage(iter((packet,))))
