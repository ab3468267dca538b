"""An optimisation of hours in a file: what ended goes on from its last minute, and what is done is not done again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from videdit.errors import WeightsError
from videdit.storage.outputs import written_whole

EVERY = 60.0  # seconds between two writings


@dataclass
class Spent:
    """Time of earlier runs, and of this one where it is told."""

    seconds: float = 0.0
    processor: float = 0.0  # seconds of all threads

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.processor + other.processor)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.seconds - other.seconds, self.processor - other.processor)

    @staticmethod
    def now() -> Spent:
        """The clocks; two of them tell a time."""
        return Spent(time.perf_counter(), time.process_time())


@dataclass
class Kept:
    """A folder of optimisations."""

    folder: Path
    earlier: Spent = field(default_factory=Spent)  # that earlier runs took for all that went on from here

    def of(self, *identity: object) -> KeptOptimisation:
        """The place of one optimisation. identity: all that it depends on; tensors by their numbers."""
        digest = hashlib.sha256()
        for part in identity:
            digest.update(part.numpy(force=True).tobytes() if isinstance(part, Tensor) else repr(part).encode())
        return KeptOptimisation(self, self.folder / f"{digest.hexdigest()[:16]}.pt")


class KeptOptimisation:
    """Where an optimisation by Adam is; a file of its parameters, its optimiser, its step and its time."""

    def __init__(self, kept: Kept, path: Path) -> None:
        """path: the file, which need not be there yet."""
        self.kept, self.path = kept, path
        self._before = Spent()
        self._start = self._written = Spent.now()

    def resume(self, parameters: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> int:
        """Put both where the file has them; steps done. parameters: of any shapes. Raises WeightsError: damaged."""
        if not self.path.exists():
            return 0
        try:
            content = torch.load(self.path, map_location=parameters[0].device, weights_only=True)
            optimizer.load_state_dict(content["optimizer"])
            with torch.no_grad():
                for parameter, value in zip(parameters, content["parameters"], strict=True):
                    parameter.copy_(value)
            self._before = Spent(float(content["seconds"]), float(content["processor"]))
            step = int(content["step"])
        except Exception as error:  # a damaged file fails in pickle, zipfile or torch, each in its own way
            raise WeightsError(f"{self.path} is damaged ({type(error).__name__}): remove it to start anew") from None
        self.kept.earlier += self._before
        return step

    def keep(self, step: int, parameters: Sequence[Tensor], optimizer: torch.optim.Optimizer, last: bool) -> None:
        """Write the file, now and then and after the last step. step: steps done. parameters: of any shapes."""
        now = Spent.now()
        if not last and (now - self._written).seconds < EVERY:
            return
        spent = self._before + (now - self._start)
        content = {
            "step": step,
            "seconds": spent.seconds,
            "processor": spent.processor,
            "parameters": [parameter.detach() for parameter in parameters],
            "optimizer": optimizer.state_dict(),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self.path) as written:
            torch.save(content, written)
        self._written = Spent.now()
