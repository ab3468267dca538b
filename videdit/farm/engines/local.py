"""Engine `local`: processes of this machine, each with networks of its own that stay loaded."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

from videdit.farm.engines.base import Ended
from videdit.farm.engines.workers import Hand, WorkersEngine
from videdit.farm.tasks import Piece

_TOLD = 1.0  # seconds between two words on how many frames are done
GRACE = 5.0  # seconds in which a process that is stopped may clean up


@dataclass(eq=False)
class _Process(Hand):
    """A process, and the pipe to it. It takes a piece at once, and begins when it has started."""

    process: BaseProcess = field(kw_only=True)
    pipe: Connection = field(kw_only=True)
    frames: Any = field(kw_only=True)  # memory that both see: frames that are done


class LocalEngine(WorkersEngine[_Process]):
    """Renders pieces in processes, which are started when they are needed; one that dies is replaced."""

    def __init__(self, workers: int = 1, device: str | None = None) -> None:
        """As :class:`WorkersEngine`."""
        super().__init__(workers, device)

    def start(self) -> _Process:
        """A process of its own interpreter: torch and OpenVINO do not survive a fork."""
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        frames = context.Value("q", 0, lock=False)
        process = context.Process(target=serve, args=(there, self.device, frames), name="videdit-segment", daemon=True)
        with ThreadPoolExecutor(1) as starter:  # no signal stops it: half a process has a traceback to tell
            starter.submit(process.start).result()
        there.close()
        return _Process(process=process, pipe=here, frames=frames)

    def hand_over(self, hand: _Process, piece: Piece) -> None:
        """Send it."""
        hand.frames.value = 0
        hand.pipe.send(piece)

    def ready(self, hands: list[_Process], seconds: float) -> list[_Process]:
        """Those that have sent something, or have died."""
        pipes = wait([hand.pipe for hand in hands], seconds)
        return [hand for hand in hands if hand.pipe in pipes]

    def answer(self, hand: _Process) -> Ended | None:
        """What a process has sent."""
        assert hand.piece is not None
        piece, hand.piece = hand.piece, None
        try:
            return cast(Ended, hand.pipe.recv())
        except (EOFError, OSError):
            hand.process.join(GRACE)
            said = f"the process that worked on {piece.name} {_end_of(hand.process.exitcode)}"
            self._drop(hand)
            return Ended(piece, said, 1, True, time.monotonic() - hand.begun)

    def frames_done(self, hand: _Process) -> int:
        """What the process has written where both see it."""
        return int(hand.frames.value)

    def stop(self, hands: list[_Process]) -> None:
        """All at once: one after the other they would take their time one after the other."""
        for hand in hands:
            hand.process.terminate()
        super().stop(hands)

    def end(self, hand: _Process) -> None:
        """Ask it to end, and then end it."""
        hand.process.terminate()
        hand.process.join(GRACE)
        if hand.process.is_alive():
            hand.process.kill()
            hand.process.join()
        hand.pipe.close()


def serve(pipe: Connection, device: str | None, frames: Any) -> None:
    """The life of a process: pieces come until nobody is there any more who sends them."""
    from videdit import shutdown

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who sends; it ends us
        shutdown.install("")
        threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
        _serve(pipe, device, frames)
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _serve(pipe: Connection, device: str | None, frames: Any) -> None:
    from videdit.farm.engines.piece import PieceRenderer

    renderer = PieceRenderer(device)

    def count() -> None:
        while True:
            time.sleep(_TOLD)
            frames.value = renderer.frames_done

    threading.Thread(target=count, name="videdit-progress", daemon=True).start()
    while True:
        pipe.send(renderer.do(pipe.recv()))


def _end_with(parent: Any) -> None:
    """Who was killed cannot end us, and another worker may be at our piece soon."""
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _end_of(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {-code}"
    return f"ended with exit code {code}"
