"""A chain of generator stages, each in its own thread, joined by queues bounded in bytes.

Nothing in here knows what a packet is: a stage is any callable that turns an iterator of packets into another, and
``sizeof`` says how many bytes a packet holds on to::

    pipeline = Pipeline([decode, edit, encode], budget=256 << 20)
    stats = pipeline.run()

Stages pull. A stage that needs look-ahead keeps its own deque, and a queue always admits at least one packet, so a
chain cannot deadlock whatever the budget: the last stage can always be fed.

The budget is of all that waits: of packets in queues, of those that a stage has pulled and not yet handed on, whatever
it keeps them in, and of what the packets have left elsewhere (``beside``). Stages get what their look-ahead takes, and
the queues between them what that leaves. Not counted is what a stage makes of its packets before it hands them on, nor
what a decoder or an encoder keeps.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Any, Protocol

from videdit.errors import Cancelled
from videdit.pipeline.queues import ByteQueue, Held, Stopped, Waiting, nbytes

log = logging.getLogger(__name__)


class Stage(Protocol):
    """One step of the chain. The first stage gets an empty iterator; what the last one yields is counted and dropped.

    The generator is closed in its own thread: on an error elsewhere or on cancel it sees ``GeneratorExit`` at a
    ``yield``, or :class:`Stopped` where it pulls. It never sees its input end early, so a stage that finishes its
    work after its loop (renaming a file, say) does so only when everything before it went well.
    """

    @property
    def name(self) -> str:
        """For statistics and messages; need not be unique."""

    def __call__(self, packets: Iterator[Any], /) -> Iterator[Any]:
        """Called once, in the stage's own thread: packets in, packets out, in their order."""


@dataclass
class StageStats:
    """What one stage did. Times but ``cpu`` are wall seconds of its own thread and add up to about its life."""

    name: str
    taken: int = 0  # packets pulled from the stage before
    packets: int = 0  # packets handed on
    busy: float = 0.0  # working
    waiting_input: float = 0.0
    waiting_output: float = 0.0
    cpu: float = 0.0  # processor seconds of its own thread: not of those that networks or encoders start
    passed: int = 0  # bytes that the packets handed on hold; they are not copied


class Pipeline:
    """Runs `stages` once.

    Args:
        stages: at least one, in the order in which a packet meets them.
        budget: bytes that may wait, in queues and in stages; these get what they need.
        queue: bytes that each queue between two stages may hold; by default all share the budget.
        sizeof: bytes a packet holds on to.
        order: a packet's place among all, the same when a stage hands it on as when it pulled it: by it is known what
            a stage still holds. None: what stages hold is not counted.
        beside: bytes that wait elsewhere.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        budget: int = 256 << 20,
        queue: int | None = None,
        sizeof: Callable[[Any], int] = nbytes,
        order: Callable[[Any], Any] | None = None,
        beside: Callable[[], int] | None = None,
    ) -> None:
        if not stages:
            raise ValueError("a pipeline needs at least one stage")
        self.stages = list(stages)
        self.stats = [StageStats(stage.name) for stage in stages]
        self.waiting, self._sizeof, self._order = Waiting(budget, beside), sizeof, order
        share = budget // max(1, len(stages) - 1) if queue is None else queue
        self._queues = [ByteQueue(share, sizeof, self.waiting) for _ in self.stages[1:]]
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
        begun = thread_time()
        held = Held(self.waiting, self._sizeof, self._order)
        packets = iter(self.stages[i](_Taking(source, stats, held) if source is not None else iter(())))
        try:
            while True:
                start, waited = perf_counter(), stats.waiting_input
                try:
                    packet = next(packets)
                except StopIteration:
                    return
                finally:
                    stats.busy += perf_counter() - start - (stats.waiting_input - waited)
                held.handed_on(packet)
                if sink is None:
                    if on_packet is not None:
                        on_packet(packet)
                else:
                    stats.passed += self._sizeof(packet)
                    start = perf_counter()
                    sink.put(packet)
                    stats.waiting_output += perf_counter() - start
                del packet  # the next pull may take long: do not hold what was handed on
                stats.packets += 1
        finally:
            close = getattr(packets, "close", None)
            if close is not None:
                close()
            held.clear()
            stats.cpu = thread_time() - begun


class _Taking:
    """A stage's input: pulls from the queue and books the waiting."""

    def __init__(self, source: ByteQueue, stats: StageStats, held: Held) -> None:
        self._source = source
        self._stats = stats
        self._held = held

    def __iter__(self) -> _Taking:
        return self

    def __next__(self) -> Any:
        start = perf_counter()
        try:
            packet = next(self._source)
        finally:
            self._stats.waiting_input += perf_counter() - start
        self._stats.taken += 1
        self._held.pulled(packet)
        return packet
