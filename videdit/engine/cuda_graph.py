"""A module on a device, tensors in and tensors out, captured as a CUDA graph where it can be.

A pass of our networks is some hundred small kernels. Started one by one they keep the host busy for longer than a GPU
needs to run them; a graph starts them all at once.
"""

from __future__ import annotations

import logging
import threading

import torch
from torch import Tensor, nn

from videdit.engine.profiler import booked, name_of

log = logging.getLogger(__name__)

# One capture at a time: torch waits for the whole device at its beginning, which another capture would not survive.
_capturing = threading.Lock()


class Network:
    """Runs a module for one fixed set of input shapes. Nothing waits for the device."""

    def __init__(self, module: nn.Module, example_inputs: tuple[Tensor, ...], device: torch.device, precision: str):
        """precision: "fp32", or "bf16" for convolutions and matrix products in bfloat16; results are float32."""
        module = module.eval().requires_grad_(False)
        self.name = name_of(module)
        self.module = module
        _move(module, device)
        self.device, self.bf16 = device, precision == "bf16"
        self._inputs = [torch.zeros_like(example, device=device) for example in example_inputs]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._results: tuple[Tensor, ...] = ()
        if device.type == "cuda":
            self._capture()

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Inputs of the examples' shapes and any real type -> float32 tensors that are the caller's own."""
        with booked(self.name, self.device):
            if self._graph is None:
                return tuple(result.float() for result in self._run(*(value.float() for value in inputs)))
            for own, value in zip(self._inputs, inputs, strict=True):
                own.copy_(value)
            self._graph.replay()
            return tuple(result.to(torch.float32, copy=True) for result in self._results)

    @property
    def captured(self) -> bool:
        """Whether a graph is replayed."""
        return self._graph is not None

    def _run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        # A graph must hold the casts of the weights too: no cache that outlives the pass.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16, cache_enabled=False):
            results = self.module(*inputs)
        return (results,) if isinstance(results, Tensor) else tuple(results)

    @torch.inference_mode()
    def _capture(self) -> None:
        with _capturing, torch.cuda.device(self.device):
            work, side = torch.cuda.current_stream(), torch.cuda.Stream()
            try:
                side.wait_stream(work)
                with torch.cuda.stream(side):
                    for _ in range(3):  # libraries choose their kernels and take their memory
                        self._run(*self._inputs)
                work.wait_stream(side)
                graph = torch.cuda.CUDAGraph()
                # Other threads go on meanwhile: only what this one does is held to the rules of a capture.
                with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                    results = self._run(*self._inputs)
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError as error:
                log.warning("%s runs without a CUDA graph, which is slower: %s", self.name, str(error).splitlines()[0])
                return
            self._graph, self._results = graph, results


def _move(module: nn.Module, device: torch.device) -> None:
    """Bring parameters and buffers to a device, but leave where they are those that other networks' graphs read."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.device.type != device.type:
            layout = torch.channels_last if tensor.dim() == 4 else torch.preserve_format
            tensor.data = tensor.data.to(device, memory_format=layout)
