"""A torch module -> a callable on this machine's best engine: OpenVINO on a CPU, torch itself on a GPU.

Every engine takes and returns the same thing, so that nothing above this file knows which one runs:
``engine(*arrays)`` takes numpy arrays of the example's shapes and any real type, and returns a tuple of float32 numpy
arrays, or of float16 ones where it was asked to (:class:`videdit.engine.recipe.Halves`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from videdit.engine import offline
from videdit.engine.devices import resolve_precision
from videdit.engine.openvino_cache import graph_of, ready
from videdit.engine.profiler import booked, copied, name_of
from videdit.engine.recipe import NO_HALVES, Halves, NetworkRecipe, Shape
from videdit.threads import networks, settle_torch

if TYPE_CHECKING:
    from torch import Tensor, nn

Engine = Callable[..., tuple[np.ndarray, ...]]


# Networks take turns: two at once on the same cores only push each other out of the cache.
compute = threading.Lock()


def compile_module(
    network: nn.Module | NetworkRecipe,
    inputs: Sequence[Tensor | Shape],
    device: str = "cpu",
    precision: str = "auto",
    threads: int | None = None,
    channels_last: bool = True,
    halves: Halves = NO_HALVES,
) -> Engine:
    """Compile a network for one fixed set of input shapes, given as such or as examples.

    A recipe is followed only where no graph of what it makes is kept; PyTorch is not imported otherwise.

    halves: what is float16 on a CPU.
    channels_last: the layout in which a GPU keeps pictures; networks of others may not stand the faster one.
    threads: cores a run may use on a CPU; by default those of
        :func:`videdit.threads.networks`. With a number, runs do not wait their turn: a small net (the
    face mesh) must not stand in line behind every pass of a large one.
    """
    precision = resolve_precision(precision, device)
    if device.startswith("cuda"):
        return _torch_engine(ready(network), device, precision, channels_last)
    return _openvino_engine(network, inputs, precision, threads, halves)


def eager(module: nn.Module, device: str = "cpu") -> Engine:
    """The module run by eager torch in float32: the reference that compiled engines are tested against."""
    return _torch_engine(module.eval().requires_grad_(False), device, "fp32")


def _openvino_engine(
    network: nn.Module | NetworkRecipe,
    inputs: Sequence[Tensor | Shape],
    precision: str,
    threads: int | None,
    halves: Halves,
) -> Engine:
    openvino = offline.openvino()
    config: dict[str, object] = {
        "INFERENCE_PRECISION_HINT": "f32" if precision == "fp32" else precision,
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads or networks(),
        "ENABLE_CPU_PINNING": False,
    }
    exact = precision == "fp32" and not (isinstance(network, NetworkRecipe) or _fits_half(network))
    graph = graph_of(network, inputs, exact)
    compiled = openvino.Core().compile_model(_with_halves(graph, halves), "CPU", config)
    request = compiled.create_infer_request()
    turn = threading.Lock() if threads else compute
    name = network.name if isinstance(network, NetworkRecipe) else name_of(network)
    kinds = [np.float16 if i in halves.inputs else np.float32 for i in range(len(inputs))]

    def engine(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        inputs = [np.ascontiguousarray(*pair) for pair in zip(arrays, kinds, strict=True)]
        with turn, booked(name):
            results = request.infer(inputs, share_inputs=True)
        outputs = tuple(results[output] for output in compiled.outputs)  # copies: the request keeps its own
        made = [given for given, array in zip(inputs, arrays, strict=True) if given is not array]
        copied(name, sum(array.nbytes for array in (*made, *outputs)))
        return outputs

    return engine


def _with_halves(graph: Any, halves: Halves) -> Any:
    """A graph that takes and gives some tensors in float16."""
    if halves == NO_HALVES:
        return graph
    openvino = offline.openvino()
    steps = openvino.preprocess.PrePostProcessor(graph)
    for tensors, places in ((steps.input, halves.inputs), (steps.output, halves.outputs)):
        for place in places:
            tensors(place).tensor().set_element_type(openvino.Type.f16)
    return steps.build()


def _fits_half(network: nn.Module) -> bool:
    """Whether fp16 holds a network's weights as they are, as it does those that ship."""
    values = (value for value in network.state_dict().values() if value.is_floating_point())
    return all(bool((value.half() == value).all()) for value in values)


def _torch_engine(module: nn.Module, device: str, precision: str, channels_last: bool = True) -> Engine:
    import torch
    from torch import Tensor

    if device == "cpu":
        settle_torch()
    layout = torch.channels_last if channels_last else torch.preserve_format
    module = module.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    where = torch.device(device)
    # A stream of its own, before others: whoever waits for a small net does not wait for all that a GPU is at.
    stream = torch.cuda.Stream(where, priority=-1) if where.type == "cuda" else None
    if stream:
        stream.wait_stream(torch.cuda.current_stream(where))  # which brings the weights
    name = name_of(module)

    def engine(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        # Who calls it waits for it: that is the host's time.
        with torch.cuda.stream(stream) if stream else nullcontext(), booked(name):
            inputs = (torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(where) for array in arrays)
            with torch.inference_mode(), torch.autocast(where.type, torch.bfloat16, enabled=precision == "bf16"):
                results = module(*inputs)
            results = (results,) if isinstance(results, Tensor) else results
            return tuple(result.float().cpu().numpy() for result in results)

    return engine
