"""A torch module -> an OpenVINO graph, kept between runs.

Converting takes seconds a network at every start, reading a converted graph tenths of one. Graphs lie in the user's
cache folder under a digest of everything that they depend on: weights, code, shapes, versions. A file that is not
whole, as its seal (sha256) says, is converted anew. Deleting the folder is always safe.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from videdit.engine import offline
from videdit.paths import cache_dir

log = logging.getLogger(__name__)

_conversion = threading.Lock()  # warnings and threads are switched for the whole process


def graph_of(module: nn.Module, example_inputs: tuple[Tensor, ...]) -> Any:
    """An OpenVINO model of a module for the examples' fixed shapes, from the cache or converted now."""
    openvino = offline.openvino()
    path = cache_dir() / "graphs" / f"{_digest(module, example_inputs)}.xml"
    seal = path.with_suffix(".sha256")
    core = openvino.Core()
    try:
        if seal.read_text() == _seal(path):
            return core.read_model(path)
    except (OSError, RuntimeError):
        pass  # not there, or not readable: convert it
    model = _convert(module, example_inputs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{os.getpid()}-{path.name}")
        openvino.save_model(model, draft)  # fp16, as the shipped weights are
        os.replace(draft.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(draft, path)
        seal.write_text(_seal(path))
        return core.read_model(path)  # so that the first run computes what all later ones do
    except (OSError, RuntimeError) as error:
        log.debug("no graph cache: %s", error)
        return model


def _convert(module: nn.Module, example_inputs: tuple[Tensor, ...]) -> Any:
    openvino = offline.openvino()
    shapes = [openvino.PartialShape(list(x.shape)) for x in example_inputs]
    # One thread: a team started for one trace costs more than it saves. Tracing is deprecated for torch.export,
    # which takes three times as long for these modules (10 s against 3 each); OpenVINO reads both.
    with _conversion, torch.inference_mode(), _one_thread(), warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning):  # which of them depends on torch's version
            warnings.simplefilter("ignore", kind)
        traced = torch.jit.trace(module, example_inputs, check_trace=False)
    return openvino.convert_model(traced, example_input=example_inputs, input=shapes)


def _digest(module: nn.Module, example_inputs: tuple[Tensor, ...]) -> str:
    openvino = offline.openvino()
    digest = hashlib.sha256(f"{openvino.__version__} {torch.__version__} {type(module).__qualname__}".encode())
    digest.update(repr([tuple(x.shape) for x in example_inputs]).encode())
    digest.update(repr(module).encode())
    digest.update(repr(sorted((k, v) for k, v in vars(module).items() if isinstance(v, int | float | str))).encode())
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().contiguous().numpy().tobytes())
    package = Path(__file__).parents[1]
    for source in [*sorted((package / "models").glob("*.py")), Path(inspect.getfile(type(module)))]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]


def _seal(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes())
    digest.update(path.with_suffix(".bin").read_bytes())
    return digest.hexdigest()


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
