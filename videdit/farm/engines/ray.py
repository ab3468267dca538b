"""Engine `ray`: actors of a Ray cluster, one a GPU or so many cores, each with networks that stay loaded.

An actor gets paths and words, and gives back words; frames go to the shared folder, never through Ray's store.
Ray is not asked to restart anything: an actor that dies, alone or with its node, is replaced by a new one wherever
there is room, and its piece is given to another. What an actor raises is its piece's end, and not the actor's.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from videdit import threads
from videdit.errors import UsageError, VideditError
from videdit.farm.engines.base import Ended
from videdit.farm.engines.workers import Hand, WorkersEngine
from videdit.farm.tasks import Piece

# Of the variables that decide what is rendered those that an actor elsewhere needs as they are here.
_PASSED = ("PYTHONPATH", "OMP_NUM_THREADS", "VIDEDIT_CACHE", "VIDEDIT_SHIPPED", "VIDEDIT_WEIGHTS", "VIDEDIT_EDITS")
ANSWERS = 10.0  # seconds in which a cluster's address has to answer
_GRACE = 5.0  # seconds in which an actor may give up what it works on
_MOST_FAILURES = 3  # starts of actors that fail in a row, before all is given up
_READY = 0.05  # seconds, at least, for which a poll looks
_STORE = 80 << 20  # bytes of the store for objects of a cluster of our own: nothing but words is put there


@dataclass(eq=False)
class _Actor(Hand):
    """An actor, and the reference to its answer: while it starts, to whether it has."""

    handle: Any = field(kw_only=True)
    reference: Any = field(kw_only=True)
    asked: Any = None  # the reference to how many frames are done
    frames: int = 0  # what was said last


class RayEngine(WorkersEngine[_Actor]):
    """Renders pieces by actors of a cluster that runs, or of one that lives as long as the engine.

    An actor takes a piece when it has started: one that waits for room on a node would only hold it.
    """

    def __init__(
        self,
        workers: int = 1,
        device: str | None = None,
        address: str | None = None,
        cores: float | None = None,
        gpus: float = 0.0,
    ) -> None:
        """Connect, or start a cluster on this machine.

        Args:
            workers: actors at most; those that find no room wait for it.
            device: in place of the one that was planned.
            address: of a cluster that runs: "auto", "10.0.0.1:6379" or "ray://...". None: a cluster of its own, unless
                this process is connected to one.
            cores: CPUs that an actor takes. None: its share of this machine where the cluster is the engine's own, else
                1; by one of two cores a clip takes half as long again.
            gpus: GPUs that an actor takes; 1 where the device is cuda and nothing else is said.

        Raises:
            UsageError: Ray is not installed, or there are to be fewer workers than one.
            VideditError: there is no cluster at the address.
        """
        super().__init__(workers, device)
        if not address and not _connected():
            _alone()
        try:
            import ray
        except ImportError:
            raise UsageError('engine ray needs a package that is not here: pip install "videdit[farm]"') from None
        self.far = bool(address)
        self.ray, self._connects = ray, not ray.is_initialized()
        own = self._connects and not address
        cores = cores or (max(1.0, threads.cores() // workers) if own else 1.0)
        gpus = gpus or (1.0 if (device or "").startswith("cuda") else 0.0)
        how: dict[str, Any] = {"num_cpus": cores, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        how["max_concurrency"] = 2  # one that is at work hears that it is to stop
        if address or not self._connects:  # actors of a cluster of our own have all of our environment
            passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
            how["runtime_env"] = {"env_vars": passed}
        if self._connects:
            _connect(ray, address, max(1, round(workers * cores)))
        self._make = ray.remote(_Renderer).options(**how)
        self._failed = 0  # starts of actors, one after the other

    def close(self) -> None:
        """Kill all actors, and the cluster if it is the engine's own."""
        super().close()
        if self._connects:
            self.ray.shutdown()

    def start(self) -> _Actor:
        """An actor, which Ray starts where there is room."""
        handle: Any = self._make.remote(self.device)
        return _Actor(starting=True, handle=handle, reference=handle.ready.remote())

    def hand_over(self, hand: _Actor, piece: Piece) -> None:
        """Call it."""
        hand.asked, hand.frames = None, 0
        hand.reference = hand.handle.do.remote(piece)

    def ready(self, hands: list[_Actor], seconds: float) -> list[_Actor]:
        """Those whose references are ready."""
        of = {hand.reference: hand for hand in hands}
        if not self.ray.wait(list(of), num_returns=1, timeout=max(seconds, _READY))[0]:
            return []
        return [of[reference] for reference in self.ray.wait(list(of), num_returns=len(of), timeout=0)[0]]

    def answer(self, hand: _Actor) -> Ended | None:
        """What an actor has answered, or what became of it."""
        piece, hand.piece, hand.starting = hand.piece, None, False
        try:
            told = self.ray.get(hand.reference)
        except self.ray.exceptions.RayTaskError as raised:  # the actor lives
            said = f"unexpected {_line(raised.cause or raised)}"
            if piece is None:
                self._unborn(hand, said)
                return None
        except self.ray.exceptions.RayError as lost:
            if piece is None:
                self._unborn(hand, _line(lost))
                return None
            self._drop(hand)
            said = f"the actor that worked on {piece.name} was lost ({type(lost).__name__})"
        else:
            self._failed = 0
            return None if piece is None else cast(Ended, told)
        return Ended(piece, said, 1, True, time.monotonic() - hand.begun)

    def _unborn(self, hand: _Actor, said: str) -> None:
        """An actor could not be started. Raises VideditError: nor could those before."""
        self._drop(hand)
        self._failed += 1
        if self._failed >= _MOST_FAILURES:
            raise VideditError(f"no Ray actor can be started: {said}")

    def frames_done(self, hand: _Actor) -> int:
        """What the actor has said to the last question, and the next one."""
        if hand.asked is not None and self.ray.wait([hand.asked], timeout=0)[0]:
            with contextlib.suppress(Exception):  # it is dead, which its piece's reference says
                hand.frames = self.ray.get(hand.asked)
            hand.asked = None
        if hand.asked is None:
            hand.asked = hand.handle.frames_done.remote()
        return hand.frames

    def stop(self, hands: list[_Actor]) -> None:
        """Have actors give up what they work on, so that nothing of it is left; those that do not are killed."""
        with contextlib.suppress(Exception):  # some may be dead
            for hand in hands:
                hand.handle.stop.remote()
        for hand in hands:
            hand.piece = None
        limit = time.monotonic() + _GRACE
        for hand in hands:
            try:
                self.ray.get(hand.reference, timeout=max(0.0, limit - time.monotonic()))
            except Exception:  # it is dead, or at something that cannot be stopped
                self._drop(hand)

    def end(self, hand: _Actor) -> None:
        """Kill it."""
        with contextlib.suppress(Exception):  # it may be dead, and its node with it
            self.ray.kill(hand.handle, no_restart=True)


class _Renderer:
    """The actor."""

    def __init__(self, device: str | None) -> None:
        from videdit.farm.engines.piece import PieceRenderer

        self._renderer = PieceRenderer(device)
        self._cancel = threading.Event()

    def ready(self) -> bool:
        return True

    def do(self, piece: Piece) -> Ended:
        self._cancel.clear()
        return self._renderer.do(piece, self._cancel)

    def frames_done(self) -> int:
        return self._renderer.frames_done

    def stop(self) -> None:
        self._cancel.set()


def _connected() -> bool:
    return "ray" in sys.modules and sys.modules["ray"].is_initialized()


def _alone() -> None:
    """What Ray reads of the environment when it is imported, for a cluster of our own that is for nothing else.

    It tells nobody of itself, its actors count as much as we do, and it does what it is told only by who knows its
    token, which is in no file. Where the program has imported Ray itself it is too late for a token: Ray would start a
    cluster that asks for it, and not know that it has one to show.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")
    said = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ)
    if not said and "ray" not in sys.modules:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _connect(ray: Any, address: str | None, cores: int) -> None:
    """To a cluster that runs, or to one that is started here. Raises VideditError: there is none."""
    if address:
        check_answers(address)
    how: dict[str, Any] = {"address": address or "local"}  # without "local" Ray joins any cluster of this machine
    if not address:
        how |= {"num_cpus": cores, "include_dashboard": False, "object_store_memory": _STORE}
    try:
        with _own_signals(), contextlib.nullcontext() if address else _without_monitors():
            ray.init(log_to_driver=False, configure_logging=False, **how)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise VideditError(f"cannot use Ray at {address or 'this machine'}: {_line(error)}") from None


def check_answers(address: str) -> None:
    """Raises VideditError: nobody answers at an address with a host and a port. Ray itself would try for minutes."""
    place = urllib.parse.urlsplit(address if "://" in address else f"//{address}")
    try:
        if place.hostname and place.port:
            socket.create_connection((place.hostname, place.port), timeout=ANSWERS).close()
    except ValueError:
        told = f"{address} is no address of a Ray cluster; write HOST:PORT, ray://HOST:PORT or auto"
        raise VideditError(told) from None
    except OSError as error:
        why = error.strerror or "it does not answer"
        told = f"cannot reach a Ray cluster at {address} ({why}): start it there, or leave --address out"
        raise VideditError(told) from None


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Signals do what they did before: Ray would end us at a SIGTERM with exit code 1 and a list of calls."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def _without_monitors() -> Iterator[None]:
    """What is started meanwhile has nobody who gathers logs, which answers bring, and nobody who adds nodes.

    Each takes half a second to start, and more later. `ray start` has words for this, ray.init has none; a Ray that
    has neither word starts both.
    """
    from ray._private import parameter

    usual = parameter.RayParams
    words = {"include_log_monitor": False, "no_monitor": True}
    if words.keys() <= inspect.signature(usual).parameters.keys():
        parameter.RayParams = functools.partial(usual, **words)
    try:
        yield
    finally:
        parameter.RayParams = usual


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
