"""Engine `ray`: actors of a Ray cluster, one a GPU or so many cores, each with networks that stay loaded.

An actor gets a path and a number, and gives back words; frames go to the shared folder, never through Ray's store.
Ray is not asked to restart anything: an actor that dies, alone or with its node, is replaced by a new one wherever
there is room, and its piece is given to another. What an actor raises is its piece's end, and not the actor's.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import Any

from videdit.errors import UsageError, VideditError
from videdit.farm.engines.base import Ended, Piece

# Of the variables that decide what is rendered those that an actor needs as they are here.
_PASSED = ("PYTHONPATH", "OMP_NUM_THREADS", "VIDEDIT_CACHE", "VIDEDIT_SHIPPED", "VIDEDIT_WEIGHTS", "VIDEDIT_EDITS")
_MOST_FAILURES = 3  # starts of actors that fail in a row, before all is given up
_READY = 0.05  # seconds, at least, for which a poll looks


@dataclass
class _Actor:
    """An actor, what it works on, and the reference to its answer: without a piece, to whether it has started."""

    handle: Any
    piece: Piece | None = None
    answer: Any = None  # None: it is idle
    begun: float = 0.0


class RayEngine:
    """Renders pieces by actors of a cluster that runs, or of one that lives as long as the engine."""

    def __init__(
        self,
        workers: int = 1,
        device: str | None = None,
        address: str | None = None,
        cores: float = 1.0,
        gpus: float = 0.0,
    ) -> None:
        """Connect, or start a cluster on this machine.

        Args:
            workers: actors at most; those that find no room wait for it.
            device: in place of the one that was planned.
            address: of a cluster that runs: "auto", "10.0.0.1:6379" or "ray://...".
            cores: CPUs that an actor takes.
            gpus: GPUs that an actor takes; 1 where the device is cuda and nothing else is said.

        Raises:
            UsageError: Ray is not installed.
            VideditError: there is no cluster at the address.
        """
        try:
            import ray
        except ImportError:
            raise UsageError('engine ray needs a package that is not here: pip install "videdit[farm]"') from None
        self.ray, self.slots, self.device = ray, workers, device
        gpus = gpus or (1.0 if (device or "").startswith("cuda") else 0.0)
        self._own = not ray.is_initialized()
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        if self._own:
            how: dict[str, Any] = {"address": address} if address else {"include_dashboard": False}
            if not address:
                how["num_cpus"] = max(1, round(workers * cores))
            try:
                ray.init(log_to_driver=False, configure_logging=False, **how)
            except (ConnectionError, OSError, RuntimeError, ValueError) as error:
                raise VideditError(f"cannot use Ray at {address or 'this machine'}: {_line(error)}") from None
        self._make = ray.remote(_Renderer).options(
            num_cpus=cores,
            num_gpus=gpus,
            max_restarts=0,
            max_task_retries=0,
            runtime_env={"env_vars": passed},
        )
        self._actors: list[_Actor] = []
        self._failed = 0  # starts of actors, one after the other
        self._waiting: list[Piece] = []

    def submit(self, piece: Piece) -> None:
        """Give a piece to an actor, or keep it until one is free."""
        self._waiting.append(piece)
        self._begin()

    def poll(self, seconds: float) -> list[Ended]:
        """What has ended, if anything, within so many seconds.

        Raises:
            VideditError: no actor can be started.
        """
        awaited = {actor.answer: actor for actor in self._actors if actor.answer is not None}
        if not awaited:
            time.sleep(min(seconds, _READY))
            self._begin()
            return []
        ready, _ = self.ray.wait(list(awaited), num_returns=1, timeout=max(seconds, _READY))
        more, _ = self.ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        ended = [self._answer(awaited[answer]) for answer in {*ready, *more}]
        self._begin()
        return [end for end in ended if end is not None]

    def cancel(self, piece: Piece | None = None) -> None:
        """Kill the actors that work on it."""
        self._waiting = [other for other in self._waiting if piece not in (None, other)]
        for actor in [actor for actor in self._actors if actor.piece and piece in (None, actor.piece)]:
            self._drop(actor)

    def close(self) -> None:
        """Kill all actors, and the cluster if it is the engine's own."""
        self._waiting.clear()
        for actor in list(self._actors):
            self._drop(actor)
        if self._own:
            self.ray.shutdown()

    def _begin(self) -> None:
        """Give pieces to actors that are there; one that still waits for room on a node would only hold its piece."""
        idle = [actor for actor in self._actors if actor.answer is None]
        while self._waiting and idle:
            actor = idle.pop()
            actor.piece, actor.begun = self._waiting.pop(0), time.monotonic()
            actor.answer = actor.handle.render.remote(str(actor.piece.folder), actor.piece.number)
        starting = sum(actor.piece is None for actor in self._actors)
        for _ in range(min(len(self._waiting) - starting, self.slots - len(self._actors))):
            handle: Any = self._make.remote(self.device)
            self._actors.append(_Actor(handle, answer=handle.ready.remote()))

    def _answer(self, actor: _Actor) -> Ended | None:
        """What has become of an actor's piece; None: the actor has started, or could not."""
        piece, actor.piece = actor.piece, None
        answer, actor.answer = actor.answer, None
        seconds = time.monotonic() - actor.begun
        try:
            told = self.ray.get(answer)
        except self.ray.exceptions.RayTaskError as raised:  # the actor lives
            said = f"unexpected {_line(raised.cause or raised)}"
            if piece is not None:
                return Ended(piece, said, 1, True, seconds)
            self._unborn(actor, said)
            return None
        except self.ray.exceptions.RayError as lost:
            self._drop(actor)
            if piece is None:
                self._unborn(actor, _line(lost))
                return None
            said = f"the actor that rendered segment {piece.number} was lost ({type(lost).__name__})"
            return Ended(piece, said, 1, True, seconds)
        if piece is None:
            self._failed = 0
            return None
        return Ended(piece, *told)

    def _unborn(self, actor: _Actor, said: str) -> Ended | None:
        """An actor could not be started. Raises VideditError: nor could those before."""
        if actor in self._actors:
            self._drop(actor)
        self._failed += 1
        if self._failed >= _MOST_FAILURES:
            raise VideditError(f"no Ray actor can be started: {said}")
        return None

    def _drop(self, actor: _Actor) -> None:
        self._actors.remove(actor)
        with contextlib.suppress(Exception):  # it may be dead, and its node with it
            self.ray.kill(actor.handle, no_restart=True)


class _Renderer:
    """The actor."""

    def __init__(self, device: str | None) -> None:
        from videdit.farm.engines.piece import PieceRenderer

        self._renderer = PieceRenderer(device)

    def ready(self) -> bool:
        return True

    def render(self, folder: str, number: int) -> tuple[str | None, int, bool, float]:
        return self._renderer.render(folder, number)


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
