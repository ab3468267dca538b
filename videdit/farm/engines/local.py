"""Engine `local`: processes of this machine, each with networks of its own that stay loaded."""

from __future__ import annotations

import multiprocessing
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from videdit.errors import UsageError
from videdit.farm.engines.base import Ended, Piece

GRACE = 5.0  # seconds in which a process that is stopped may clean up


@dataclass
class _Hand:
    """A process, and what it works on."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection
    piece: Piece | None = None
    begun: float = 0.0


class LocalEngine:
    """Renders pieces in processes, which are started when they are needed; one that dies is replaced."""

    def __init__(self, workers: int = 1, device: str | None = None) -> None:
        """workers: processes. device: in place of the one that was planned. Raises UsageError: fewer than one."""
        if workers < 1:
            raise UsageError("--workers should be at least 1")
        self.slots, self.device = workers, device
        self._hands: list[_Hand] = []
        self._waiting: list[Piece] = []

    def submit(self, piece: Piece) -> None:
        """Begin a piece, or when a process is free."""
        self._waiting.append(piece)
        self._begin()

    def poll(self, seconds: float) -> list[Ended]:
        """What has ended, if anything, within so many seconds."""
        busy = {hand.pipe: hand for hand in self._hands if hand.piece}
        ended = []
        if not busy:
            time.sleep(min(seconds, 0.1))
        for ready in wait(list(busy), seconds) if busy else ():
            assert isinstance(ready, Connection)
            ended.append(self._answer(busy[ready]))
        self._begin()
        return ended

    def cancel(self, piece: Piece | None = None) -> None:
        """End the processes that work on it."""
        self._waiting = [other for other in self._waiting if piece not in (None, other)]
        for hand in [hand for hand in self._hands if hand.piece and piece in (None, hand.piece)]:
            self._end(hand)

    def close(self) -> None:
        """End all processes."""
        self._waiting.clear()
        for hand in list(self._hands):
            self._end(hand)

    def _begin(self) -> None:
        while self._waiting:
            hand = next((hand for hand in self._hands if hand.piece is None), None)
            if hand is None:
                if len(self._hands) >= self.slots:
                    return
                hand = self._start()
            hand.piece, hand.begun = self._waiting.pop(0), time.monotonic()
            try:
                hand.pipe.send((str(hand.piece.folder), hand.piece.number))
            except OSError:  # it has died while it was idle
                self._waiting.insert(0, hand.piece)
                self._end(hand)

    def _start(self) -> _Hand:
        context = multiprocessing.get_context("spawn")  # torch and OpenVINO do not survive a fork
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there, self.device), name="videdit-segment", daemon=True)
        process.start()
        there.close()
        hand = _Hand(process, here)
        self._hands.append(hand)
        return hand

    def _answer(self, hand: _Hand) -> Ended:
        assert hand.piece is not None
        piece, hand.piece = hand.piece, None
        try:
            error, code, again, seconds = hand.pipe.recv()
        except (EOFError, OSError):
            hand.process.join(GRACE)
            said = f"the process that rendered segment {piece.number} {_end_of(hand.process.exitcode)}"
            self._end(hand)
            return Ended(piece, said, 1, True, time.monotonic() - hand.begun)
        return Ended(piece, error, code, again, seconds)

    def _end(self, hand: _Hand) -> None:
        self._hands.remove(hand)
        hand.process.terminate()
        hand.process.join(GRACE)
        if hand.process.is_alive():
            hand.process.kill()
            hand.process.join()
        hand.pipe.close()


def serve(pipe: Connection, device: str | None) -> None:
    """The life of a process: pieces come until nobody is there any more who sends them."""
    from videdit import shutdown
    from videdit.farm.engines.piece import PieceRenderer

    shutdown.install()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who sends; it ends us
    renderer = PieceRenderer(device)
    try:
        while True:
            folder, number = pipe.recv()
            pipe.send(renderer.render(folder, number))
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _end_of(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {-code}"
    return f"ended with exit code {code}"
