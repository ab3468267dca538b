"""A chain of generator stages, each in its own thread, joined by queues bounded in bytes.

Nothing in here knows what a packet is: a stage is any callable that turns an iterator of packets into another, and
``sizeof`` says how many bytes a packet holds on to::

    pipeline = Pipeline([decode, edit, encode], budget=256 << 20)
    stats = pipeline.run()

Stages pull. A stage that needs look-ahead keeps its own deque, and a queue always admits at least one packet, so a
chain cannot deadlock whatever the budget: the last stage can always be fed.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from videdit.errors import Cancelled

log = logging.getLogger(__name__)


class Stage(Protocol):
    """One step of the chain. The first stage gets an empty iterator; what the last one yields is counted and dropped.

    The generator is closed in its own thread: on an error elsewhere or on cancel it sees ``GeneratorExit`` at a
    ``yield``, or :class:`Stopped` where it pulls. It never sees its input end early, so a stage that finishes its
    work after its loop (renaming a file, say) does so only when everything before it went well.
    """

    @property
    def name(self) -> str: ...

    def __call__(self, packets: Iterator[Any], /) -> Iterator[Any]: ...


class Stopped(BaseException):
    """Raised inside a stage that pulls or hands on while the pipeline is being stopped. Not for catching."""


@dataclass
class StageStats:
    """What one stage did. Times are wall seconds of its own thread and add up to about its life."""

    name: str
    taken: int = 0  # packets pulled from the stage before
    packets: int = 0  # packets handed on
    busy: float = 0.0  # working
    waiting_input: float = 0.0
    waiting_output: float = 0.0


def nbytes(packet: Any) -> int:
    """The default ``sizeof``: the packet's own ``nbytes``."""
    return packet.nbytes


class ByteQueue:
    """A first-in first-out queue between two threads that holds at most ``budget`` bytes, or one packet."""

    def __init__(self, budget: int, sizeof: Callable[[Any], int] = nbytes) -> None:
        self.budget = budget
        self.sizeof = sizeof
        self._items: deque[tuple[Any, int]] = deque()
        self._bytes = 0
        self._closed = False  # the writer has no more
        self._stopped = False  # nobody is to wait any longer
        self._changed = threading.Condition()

    def put(self, packet: Any) -> None:
        """Append `packet`, waiting for room. Raises :class:`Stopped` once the queue is stopped."""
        size = self.sizeof(packet)
        with self._changed:
            while not self._stopped and self._items and self._bytes + size > self.budget:
                self._changed.wait()
            if self._stopped:
                raise Stopped
            self._items.append((packet, size))
            self._bytes += size
            self._changed.notify_all()

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
            self._bytes = 0
            self._changed.notify_all()


class Pipeline:
    """Runs `stages` once.

    Args:
        stages: at least one, in the order in which a packet meets them.
        budget: bytes that each queue between two stages may hold.
        sizeof: bytes a packet holds on to.
    """

    def __init__(
        self, stages: Sequence[Stage], *, budget: int = 256 << 20, sizeof: Callable[[Any], int] = nbytes
    ) -> None:
        if not stages:
            raise ValueError("a pipeline needs at least one stage")
        self.stages = list(stages)
        self.stats = [StageStats(stage.name) for stage in stages]
        self._queues = [ByteQueue(budget, sizeof) for _ in self.stages[1:]]
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._running = len(self.stages)

    def run(
        self,
        *,
        on_packet: Callable[[Any], None] | None = None,
        on_tick: Callable[[], None] | None = None,
        cancel: threading.Event | None = None,
        tick: float = 0.1,
    ) -> list[StageStats]:
        """Run to the end.

        Args:
            on_packet: called with each packet that leaves the last stage, in that stage's thread.
            on_tick: called about every `tick` seconds in the caller's thread (progress).
            cancel: set it from anywhere (a signal handler, another thread) to stop within a tick or so.
            tick: seconds.

        Returns:
            The statistics, one entry a stage.

        Raises:
            The first exception of any stage, as it was, after every stage has been stopped, closed and joined;
            :class:`videdit.errors.Cancelled` after `cancel`.
        """
        threads = [
            threading.Thread(target=self._work, args=(i, on_packet), name=f"videdit-{stage.name}", daemon=True)
            for i, stage in enumerate(self.stages)
        ]
        try:
            for thread in threads:
                thread.start()
            while not self._done.wait(tick):
                if cancel is not None and cancel.is_set():
                    self._fail(Cancelled("interrupted"))
                    break
                if on_tick is not None:
                    on_tick()
        except BaseException as error:  # Ctrl-C in this thread, or on_tick
            self._fail(error)
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._failure is not None:
            failure, self._failure = self._failure, None  # or the traceback would keep every frame alive
            raise failure
        return self.stats

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self._failure is None:
                self._failure = error
            else:
                log.debug("also failed while stopping: %r", error)
        for queue in self._queues:
            queue.stop()

    def _work(self, i: int, on_packet: Callable[[Any], None] | None) -> None:
        source = self._queues[i - 1] if i > 0 else None
        sink = self._queues[i] if i < len(self._queues) else None
        try:
            self._drive(i, source, sink, on_packet)
            if sink is not None:
                sink.close()
        except Stopped:
            pass
        except BaseException as error:
            self._fail(error)
        if source is not None:
            source.stop()  # whoever still feeds a stage that has ended may stop too
        with self._lock:
            self._running -= 1
            if not self._running or self._failure is not None:
                self._done.set()

    def _drive(
        self, i: int, source: ByteQueue | None, sink: ByteQueue | None, on_packet: Callable[[Any], None] | None
    ) -> None:
        stats = self.stats[i]
        packets = iter(self.stages[i](_Taking(source, stats) if source is not None else iter(())))
        try:
            while True:
                start, waited = perf_counter(), stats.waiting_input
                try:
                    packet = next(packets)
                except StopIteration:
                    return
                finally:
                    stats.busy += perf_counter() - start - (stats.waiting_input - waited)
                if sink is None:
                    if on_packet is not None:
                        on_packet(packet)
                else:
                    start = perf_counter()
                    sink.put(packet)
                    stats.waiting_output += perf_counter() - start
                del packet  # the next pull may take long: do not hold what was handed on
                stats.packets += 1
        finally:
            close = getattr(packets, "close", None)
            if close is not None:
                close()


class _Taking:
    """A stage's input: pulls from the queue and books the waiting."""

    def __init__(self, source: ByteQueue, stats: StageStats) -> None:
        self._source = source
        self._stats = stats

    def __iter__(self) -> _Taking:
        return self

    def __next__(self) -> Any:
        start = perf_counter()
        try:
            packet = next(self._source)
        finally:
            self._stats.waiting_input += perf_counter() - start
        self._stats.taken += 1
        return packet
