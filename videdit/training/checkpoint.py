"""Checkpoints: all that a training needs to go on as if it had never stopped, in one file.

Networks, averaged weights, optimisers (with LookAhead's slow weights and counter), the state of torch's random numbers,
the step and the time spent. Batches are functions of the step (see training.py), so the step is the samplers' state.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from videdit.errors import UsageError, WeightsError
from videdit.storage.outputs import written_whole
from videdit.training.optim import Ema
from videdit.training.training import Stateful, Training

FILE = "checkpoint.pt"
FORMAT = "videdit training 1"


@dataclass(frozen=True)
class TrainingPosition:
    """Where in a training."""

    step: int = 0  # steps done
    seconds: float = 0.0  # spent on them


def save(path: Path, name: str, training: Training, ema: Ema, moment: TrainingPosition) -> None:
    """Write the checkpoint of the recipe `name`: whole or not at all."""
    content = {
        "format": FORMAT,
        "recipe": name,
        "numbers": asdict(training.recipe),
        "step": moment.step,
        "seconds": moment.seconds,
        "parts": {key: part.state_dict() for key, part in _parts(training, ema).items()},
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if training.device.type == "cuda" else [],
    }
    try:
        with written_whole(path) as written, written.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise WeightsError(f"cannot write the checkpoint {path}: {error.strerror or error}") from None


def restore(path: Path, name: str, training: Training, ema: Ema) -> tuple[TrainingPosition, list[str]]:
    """Put a training where the checkpoint was: (that moment, the recipe's numbers that have changed since, in words).

    Raises:
        WeightsError: the file is damaged, or its networks have other shapes.
        UsageError: it is the checkpoint of another recipe.
    """
    content = _read(path)
    if content["recipe"] != name:
        raise UsageError(f"{path} is a checkpoint of {content['recipe']!r}, not of {name!r}: choose another --out")
    peaks = [group.get("peak") for group in training.optimizer.param_groups]  # the recipe's, not the checkpoint's
    try:
        for key, part in _parts(training, ema).items():
            part.load_state_dict(content["parts"][key])
        torch.set_rng_state(content["random"])
        if training.device.type == "cuda" and content["random_cuda"]:
            torch.cuda.set_rng_state_all(content["random_cuda"])
        moment = TrainingPosition(int(content["step"]), float(content["seconds"]))
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} does not fit this version of {name!r} ({_words(error)}): start anew") from None
    for group, peak in zip(training.optimizer.param_groups, peaks, strict=True):
        group["peak"] = peak
    now, then = asdict(training.recipe), content["numbers"]
    return moment, [f"{key} {then.get(key)} -> {value}" for key, value in now.items() if then.get(key) != value]


def _parts(training: Training, ema: Ema) -> dict[str, Stateful]:
    return {"model": training.model, "ema": ema, "optimizer": training.optimizer, **training.others}


def _read(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as file:  # torch does not look at the checksums that it writes
            if damaged := file.testzip():
                raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in pickle, zipfile, torch or the file system, each in its own way
        raise WeightsError(f"{path} is damaged or no checkpoint ({_words(error)}): remove it to start anew") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise WeightsError(f"{path} is no checkpoint of this program: choose another --out")
    return content


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
