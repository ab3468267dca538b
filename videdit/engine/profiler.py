"""How often each network ran, and how long in all."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

WAITING = "(wait for the device)"  # booked as a pass: what the host spends on it


@dataclass
class Passes:
    """How often a network ran and how long in all, waiting for its turn not counted."""

    count: int = 0
    seconds: float = 0.0
    on_device: bool = False  # booked in the time of a device that works beside the host
    copied: int = 0  # bytes that were copied into its layout, out of it, or to a device or back


_passes: dict[str, Passes] = {}
# Begun on a device and not read yet: when, in its own time, each began and ended.
_running: dict[str, deque[tuple[torch.cuda.Event, torch.cuda.Event]]] = {}
_turns: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)  # by stream


def passes() -> dict[str, Passes]:
    """What every network has done since :func:`reset_passes`, by its name. Waits for what still runs on a device."""
    for name in _running:
        _read(name, wait=True)
    return {name: replace(done) for name, done in _passes.items() if done.count or done.copied}


def reset_passes() -> None:
    """Count from zero."""
    passes()
    for done in _passes.values():
        done.count, done.seconds, done.copied = 0, 0.0, 0


def copied(name: str, size: int) -> None:
    """Book bytes that were copied for `name`."""
    _passes.setdefault(name, Passes()).copied += size


@contextmanager
def booked(name: str, device: torch.device | None = None) -> Iterator[None]:
    """Book what is done inside as one pass of `name`, in the time of the device that does it; None: of the host."""
    done = _passes.setdefault(name, Passes())
    if device is not None and device.type == "cuda":
        import torch

        done.on_device = True
        stream = torch.cuda.current_stream(device)
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        with _turns[stream.cuda_stream]:  # or what other threads give to the device meanwhile were booked here too
            begin.record(stream)
            yield
            end.record(stream)
        _running.setdefault(name, deque()).append((begin, end))
        _read(name)
    else:
        start = perf_counter()
        yield
        done.count += 1
        done.seconds += perf_counter() - start


def _read(name: str, wait: bool = False) -> None:
    """Book passes on a device that have ended, or all."""
    running, done = _running[name], _passes[name]
    while running and (wait or running[0][1].query()):
        begin, end = running.popleft()
        end.synchronize()
        done.count += 1
        done.seconds += begin.elapsed_time(end) / 1000


def name_of(module: nn.Module) -> str:
    """What a network's passes are booked under."""
    return type(module).__name__ + (f" {module.size}" if hasattr(module, "size") else "")
