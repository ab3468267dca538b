"""Copies between the host and a device, each way on a stream of its own, beside what the device works on.

On a CPU nothing is copied: tensors and arrays share their memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from videdit.engine.profiler import WAITING, booked, copied

UP, DOWN = "(to the device)", "(from the device)"  # copies are booked under these


class Transfer:
    """Carries arrays to one device and back, through pinned memory that torch keeps for the next time."""

    def __init__(self, device: torch.device) -> None:
        """device: one that is no GPU shares the host's memory, and nothing is copied."""
        self.device = device
        self._streams = (torch.cuda.Stream(device), torch.cuda.Stream(device)) if device.type == "cuda" else None

    def upload(self, array: np.ndarray) -> Tensor:
        """An array of any shape on the device; work that is given to it from now on finds it there. Nothing waits."""
        if self._streams is None:
            return torch.from_numpy(np.ascontiguousarray(array))
        up, _ = self._streams
        copied(UP, array.nbytes)
        like = torch.from_numpy(array[:0].copy())  # for the type alone
        pinned = torch.empty(array.shape, dtype=like.dtype, pin_memory=True)
        pinned.numpy()[...] = array
        with torch.cuda.stream(up):
            tensor = torch.empty(array.shape, dtype=like.dtype, device=self.device)
            tensor.copy_(pinned, non_blocking=True)
            there = up.record_event()
        work = torch.cuda.current_stream(self.device)
        work.wait_event(there)
        tensor.record_stream(work)  # or its memory could be another's while the work still reads it
        return tensor

    def download(self, tensors: Sequence[Tensor]) -> Callable[[], list[np.ndarray]]:
        """Start to bring tensors of any shapes to the host; what comes back waits for them and gives them as arrays."""
        if self._streams is None:
            return lambda: [tensor.numpy() for tensor in tensors]
        _, down = self._streams
        copied(DOWN, sum(tensor.nbytes for tensor in tensors))
        down.wait_event(torch.cuda.current_stream(self.device).record_event())
        with torch.cuda.stream(down):
            pinned = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in tensors]
            for there, here in zip(tensors, pinned, strict=True):
                here.copy_(there, non_blocking=True)
                there.record_stream(down)
            done = torch.cuda.Event(blocking=True)  # the thread sleeps while it waits
            done.record(down)

        def arrived() -> list[np.ndarray]:
            with booked(WAITING):
                done.synchronize()
            return [tensor.numpy() for tensor in pinned]

        return arrived
