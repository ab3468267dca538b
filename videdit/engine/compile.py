"""A torch module -> a callable on this machine's best engine: OpenVINO on a CPU, torch itself on a GPU.

Every engine takes and returns the same thing, so that nothing above this file knows which one runs:
``engine(*arrays)`` takes numpy arrays of the example's shapes and any real type, and returns a tuple of float32 numpy
arrays.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from videdit.engine import offline
from videdit.engine.openvino_cache import graph_of
from videdit.errors import UsageError

Engine = Callable[..., tuple[np.ndarray, ...]]
Precision = Literal["auto", "fp32", "bf16"]

WAITING = "(wait for the device)"  # booked as a pass: what the host spends on it

# Networks take turns: two at once on the same cores only push each other out of the cache.
compute = threading.Lock()


@dataclass
class Passes:
    """How often a network ran and how long in all, waiting for its turn not counted."""

    count: int = 0
    seconds: float = 0.0
    on_device: bool = False  # booked in the time of a device that works beside the host


_passes: dict[str, Passes] = {}
# Begun on a device and not read yet: when, in its own time, each began and ended.
_running: dict[str, deque[tuple[torch.cuda.Event, torch.cuda.Event]]] = {}
_turns: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)  # by stream


def passes() -> dict[str, Passes]:
    """What every network has done since :func:`reset_passes`, by its name. Waits for what still runs on a device."""
    for name in _running:
        _read(name, wait=True)
    return {name: replace(done) for name, done in _passes.items() if done.count}


def reset_passes() -> None:
    """Count from zero."""
    passes()
    for done in _passes.values():
        done.count, done.seconds = 0, 0.0


@contextmanager
def booked(name: str, device: torch.device) -> Iterator[None]:
    """Book what is done inside as one pass of `name`, in the time of the device that does it."""
    done = _passes.setdefault(name, Passes())
    if device.type == "cuda":
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


def synchronize(device: str) -> None:
    """Wait until a device has done all that it was given; a CPU has."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def name_of(module: nn.Module) -> str:
    """What a network's passes are booked under."""
    return type(module).__name__ + (f" {module.size}" if hasattr(module, "size") else "")


def resolve_device(device: str = "auto") -> str:
    """ "auto" -> "cuda" where there is a usable GPU, else "cpu"; anything else is checked.

    Raises:
        UsageError: a CUDA device was asked for and there is none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"--device {device}: PyTorch sees no CUDA GPU here; use --device cpu, or --device auto")
    return device


def resolve_precision(precision: str, device: str) -> str:
    """ "auto" -> "bf16" where the hardware multiplies it fast, else "fp32"."""
    if precision != "auto":
        return precision
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    openvino = offline.openvino()
    return "bf16" if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "fp32"


def compile_module(
    module: nn.Module,
    example_inputs: tuple[Tensor, ...],
    device: str = "cpu",
    precision: str = "auto",
    threads: int | None = None,
    channels_last: bool = True,
) -> Engine:
    """Compile a module for one fixed set of input shapes.

    channels_last: the layout in which a GPU keeps pictures; networks of others may not stand the faster one.
    threads: cores a run may use on a CPU; by default all. With a number, runs do not wait their turn: a small net (the
    face mesh) must not stand in line behind every pass of a large one.
    """
    precision = resolve_precision(precision, device)
    module = module.eval().requires_grad_(False)
    if device.startswith("cuda"):
        return _torch_engine(module, device, precision, channels_last)
    return _openvino_engine(module, example_inputs, precision, threads)


def eager(module: nn.Module, device: str = "cpu") -> Engine:
    """The module run by eager torch in float32: the reference that compiled engines are tested against."""
    return _torch_engine(module.eval().requires_grad_(False), device, "fp32")


def _openvino_engine(
    module: nn.Module, example_inputs: tuple[Tensor, ...], precision: str, threads: int | None
) -> Engine:
    openvino = offline.openvino()
    config: dict[str, object] = {
        "INFERENCE_PRECISION_HINT": "f32" if precision == "fp32" else precision,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(graph_of(module, example_inputs), "CPU", config)
    request = compiled.create_infer_request()
    turn = threading.Lock() if threads else compute
    name, cpu = name_of(module), torch.device("cpu")

    def engine(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        inputs = [np.ascontiguousarray(array, np.float32) for array in arrays]
        with turn, booked(name, cpu):
            results = request.infer(inputs, share_inputs=True)
        return tuple(results[output] for output in compiled.outputs)  # copies: the request keeps its own

    return engine


def _torch_engine(module: nn.Module, device: str, precision: str, channels_last: bool = True) -> Engine:
    layout = torch.channels_last if channels_last else torch.preserve_format
    module = module.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    where = torch.device(device)
    # A stream of its own, before others: whoever waits for a small net does not wait for all that a GPU is at.
    stream = torch.cuda.Stream(where, priority=-1) if where.type == "cuda" else None
    if stream:
        stream.wait_stream(torch.cuda.current_stream(where))  # which brings the weights
    name, cpu = name_of(module), torch.device("cpu")  # who calls it waits for it: that is the host's time

    def engine(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        with torch.cuda.stream(stream) if stream else nullcontext(), booked(name, cpu):
            inputs = (torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(where) for array in arrays)
            with torch.inference_mode(), torch.autocast(where.type, torch.bfloat16, enabled=precision == "bf16"):
                results = module(*inputs)
            results = (results,) if isinstance(results, Tensor) else results
            return tuple(result.float().cpu().numpy() for result in results)

    return engine
