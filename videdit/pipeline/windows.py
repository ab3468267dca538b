"""Streams of packets: a sliding window for what is smoothed over time, groups for what is worked on in batches."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Generic, TypeVar

import numpy as np

from videdit.datatypes import Array, Frame

log = logging.getLogger(__name__)

FEW = 4  # frames a crop, for which a batch that is not full waits: not all are rendered
ROUND = 1e-6  # seconds: times are sums of floats
MOST = 240  # packets on either side of a window: 0.9 s at 266 frames a second

T = TypeVar("T")
S = TypeVar("S", bound=Sized)


def within(span: tuple[float, float], time: float, reach: float = 0.0) -> bool:
    """Whether a time lies in a span, or up to `reach` before or after it; all in seconds."""
    return span[0] - reach - ROUND <= time <= span[1] + reach + ROUND


def block_of(time: float, seconds: float) -> int:
    """In which stretch of so many seconds a time lies; they are the clip's, wherever a segment of it begins."""
    return math.floor(time / seconds + ROUND)


class Window(Generic[T]):
    """Pairs each packet with its neighbours up to `reach` seconds before and after it, itself included.

    Memory holds one window, however long the stream; a packet is handed on once something later than its reach was
    seen, or the stream ends. At most `most` neighbours are kept on either side, for streams of absurd rates; a window
    that is cut so says it once. With `behind` False none is kept of those before it.

    What is kept of a packet that was handed on is what `remember` leaves of it: no pixels, which would take memory that
    nobody counts.
    """

    def __init__(
        self,
        time: Callable[[T], float],
        reach: float,
        most: int = MOST,
        behind: bool = True,
        remember: Callable[[T], T] = lambda packet: packet,
    ):
        """time: a packet's place in seconds, which never goes back. The rest is told above."""
        self.time, self.reach, self.most, self.behind, self.remember = time, reach, most, behind, remember
        self._said = False

    def __call__(self, packets: Iterable[T]) -> Iterator[tuple[T, list[T]]]:
        """Pairs (packet, its neighbours in order), one for each packet."""
        past: deque[T] = deque()
        ahead: deque[T] = deque()
        for packet in packets:
            ahead.append(packet)
            while len(ahead) > self.most or self.time(ahead[-1]) - self.time(ahead[0]) > self.reach:
                self._say_if_cut(self.time(ahead[-1]) - self.time(ahead[0]))
                yield self._next(past, ahead)
        while ahead:
            yield self._next(past, ahead)

    def _say_if_cut(self, seen: float) -> None:
        """Tell, once, that a window holds less than its reach."""
        if seen <= self.reach and not self._said:
            self._said = True
            log.warning("what is smoothed over %.2f s sees only %.2f s ahead: %d frames", self.reach, seen, self.most)

    def _next(self, past: deque[T], ahead: deque[T]) -> tuple[T, list[T]]:
        packet = ahead[0]
        now = self.time(packet)
        while past and (now - self.time(past[0]) > self.reach or len(past) > self.most):
            past.popleft()
        near = [*past, *(other for other in ahead if self.time(other) - now <= self.reach)]
        ahead.popleft()
        if self.behind:
            past.append(self.remember(packet))
        return packet, near


def reach_of(stages: Iterable[object]) -> float:
    """How many seconds before and after a frame decide how stages in a row leave it: the sum of what they declare.

    A stage that looks at other frames than its own says so in ``reach``; one that says nothing looks at none.
    """
    return sum(getattr(stage, "reach", 0.0) for stage in stages)


def gaussian(away: np.ndarray, sigma: float) -> np.ndarray:
    """The weights [N] of moments so many seconds away; with a sigma of 0 of the present one alone."""
    return np.exp(-0.5 * np.square(away / sigma)) if sigma > 0 else (away == 0).astype(float)


def weighted_mean(arrays: Sequence[Array], weights: np.ndarray) -> Array:
    """The mean of arrays of one shape, weighted by `weights` [N], whose sum is positive. Hardly any weight is none."""
    pairs = zip(arrays, map(float, weights), strict=True)
    counted = [(array, weight) for array, weight in pairs if weight > 1e-3 * weights.max()]
    total = sum(weight for _, weight in counted)
    return sum(weight / total * array for array, weight in counted)


def groups(items: Iterable[tuple[Frame, S]], crops: int) -> Iterator[list[tuple[Frame, S]]]:
    """Frames and what goes with their crops in groups of about `crops` crops, and of no more than FEW frames for each:
    frames without a face do not fill one."""
    group: list[tuple[Frame, S]] = []
    for item in items:
        group.append(item)
        if sum(len(content) for _, content in group) >= crops or len(group) >= FEW * crops:
            yield group
            group = []
    if group:
        yield group
