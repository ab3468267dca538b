"""Engines with workers of their own, each of which does one piece after the other and keeps its networks."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

from videdit.errors import UsageError
from videdit.farm.engines.base import ALL_KINDS, Ended
from videdit.farm.tasks import Piece

_IDLE = 0.1  # seconds for which nothing is asked, where nothing is awaited


@dataclass(eq=False)
class Hand:
    """A worker, and what it works on."""

    piece: Piece | None = None
    begun: float = 0.0  # by the monotonic clock
    starting: bool = False  # it takes no piece yet

    @property
    def awaited(self) -> bool:
        """Whether an answer is to come from it."""
        return self.starting or self.piece is not None


AnyHand = TypeVar("AnyHand", bound=Hand)


class WorkersEngine(ABC, Generic[AnyHand]):
    """What such engines share: pieces wait for a free worker, workers are started when they are needed."""

    kinds = ALL_KINDS
    far = False

    def __init__(self, workers: int, device: str | None) -> None:
        """workers: at most. device: in place of the one that was planned. Raises UsageError: fewer than one."""
        if workers < 1:
            raise UsageError("--workers should be at least 1")
        self.slots, self.device = workers, device
        self._hands: list[AnyHand] = []
        self._waiting: list[Piece] = []

    def submit(self, piece: Piece) -> None:
        """Begin a piece, or when a worker is free."""
        self._waiting.append(piece)
        self._begin()

    def poll(self, seconds: float) -> list[Ended]:
        """What has ended, if anything, within so many seconds. Raises VideditError: no worker can be started."""
        awaited = [hand for hand in self._hands if hand.awaited]
        if awaited:
            ended = [self.answer(hand) for hand in self.ready(awaited, seconds)]
        else:
            time.sleep(min(seconds, _IDLE))
            ended = []
        self._begin()
        return [end for end in ended if end is not None]

    def progress(self) -> dict[Piece, int]:
        """Frames that are done of what workers work on."""
        return {hand.piece: self.frames_done(hand) for hand in self._hands if hand.piece}

    def cancel(self, piece: Piece | None = None) -> None:
        """Have nobody work on it."""
        self._waiting = [other for other in self._waiting if piece not in (None, other)]
        self.stop([hand for hand in self._hands if hand.piece and piece in (None, hand.piece)])

    def stop(self, hands: list[AnyHand]) -> None:
        """Have workers give up what they work on, or end them."""
        for hand in hands:
            self._drop(hand)

    def close(self) -> None:
        """End all workers."""
        self._waiting.clear()
        for hand in list(self._hands):
            self._drop(hand)

    def _begin(self) -> None:
        """Give pieces to workers that are free, and start as many as are wanted."""
        free = sum(not hand.awaited for hand in self._hands)
        starting = sum(hand.starting for hand in self._hands)
        for _ in range(min(len(self._waiting) - free - starting, self.slots - len(self._hands))):
            self._hands.append(self.start())
        for hand in [hand for hand in self._hands if not hand.awaited][: len(self._waiting)]:
            hand.piece, hand.begun = self._waiting.pop(0), time.monotonic()
            try:
                self.hand_over(hand, hand.piece)
            except OSError:  # it has died while it was idle
                self._waiting.insert(0, hand.piece)
                self._drop(hand)

    def _drop(self, hand: AnyHand) -> None:
        self._hands.remove(hand)
        self.end(hand)

    @abstractmethod
    def start(self) -> AnyHand:
        """A new worker, which is starting."""

    @abstractmethod
    def hand_over(self, hand: AnyHand, piece: Piece) -> None:
        """Give a worker its piece. Raises OSError: it is dead."""

    @abstractmethod
    def ready(self, hands: list[AnyHand], seconds: float) -> list[AnyHand]:
        """Those that have answered, waiting so many seconds at most for the first."""

    @abstractmethod
    def answer(self, hand: AnyHand) -> Ended | None:
        """What has become of a worker's piece; it has none then. None: it has started, or could not.

        Raises:
            VideditError: workers cannot be started.
        """

    @abstractmethod
    def frames_done(self, hand: AnyHand) -> int:
        """Of what a worker works on. It does not wait."""

    @abstractmethod
    def end(self, hand: AnyHand) -> None:
        """End a worker, whatever it does."""
