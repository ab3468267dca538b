"""A torch module -> an OpenVINO graph, kept between runs.

Converting takes seconds a network at every start, reading a converted graph tenths of one. Graphs lie in the user's
cache folder under a digest of everything that they depend on: weights, code, shapes, versions. A file that is not
whole, as its seal (sha256) says, is converted anew. Deleting the folder is always safe.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import logging
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videdit.engine import offline
from videdit.engine.recipe import NetworkRecipe, Shape
from videdit.paths import cache_dir
from videdit.shutdown import unfinished
from videdit.storage.outputs import written_whole

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

_conversion = threading.Lock()  # warnings and threads are switched for the whole process


def graph_of(network: nn.Module | NetworkRecipe, inputs: Sequence[Tensor | Shape], exact: bool = False) -> Any:
    """An OpenVINO model of a network for fixed shapes of its inputs, from the cache or converted now.

    exact: constants are kept in float32; else in fp16, as weights that ship are anyway.
    """
    openvino = offline.openvino()
    shapes = [tuple(map(int, getattr(given, "shape", given))) for given in inputs]
    path = cache_dir() / "graphs" / f"{_digest(network, shapes)}{'-fp32' if exact else ''}.xml"
    seal = path.with_suffix(".sha256")
    core = openvino.Core()
    try:
        if seal.read_text() == _seal(path):
            return core.read_model(path)
    except (OSError, RuntimeError):
        pass  # not there, or not readable: convert it
    import torch

    model = _convert(ready(network), tuple(map(torch.zeros, shapes)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as graph, written_whole(path.with_suffix(".bin")) as numbers:
            beside = graph.with_suffix(".bin")  # where OpenVINO puts the numbers
            with unfinished(beside):
                try:
                    openvino.save_model(model, graph, compress_to_fp16=not exact)
                    os.replace(beside, numbers)
                finally:
                    beside.unlink(missing_ok=True)
        seal.write_text(_seal(path))
        return core.read_model(path)  # so that the first run computes what all later ones do
    except (OSError, RuntimeError) as error:
        log.debug("no graph cache: %s", error)
        return model


def ready(network: nn.Module | NetworkRecipe) -> nn.Module:
    """The module itself, for inference."""
    module = network.build() if isinstance(network, NetworkRecipe) else network
    return module.eval().requires_grad_(False)


def _convert(module: nn.Module, example_inputs: tuple[Tensor, ...]) -> Any:
    import torch

    openvino = offline.openvino()
    shapes = [openvino.PartialShape(list(x.shape)) for x in example_inputs]
    # One thread: a team started for one trace costs more than it saves. Tracing is deprecated for torch.export,
    # which takes three times as long for these modules (10 s against 3 each); OpenVINO reads both.
    with _conversion, torch.inference_mode(), _one_thread(), warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning):  # which of them depends on torch's version
            warnings.simplefilter("ignore", kind)
        traced = torch.jit.trace(module, example_inputs, check_trace=False)
    return openvino.convert_model(traced, example_input=example_inputs, input=shapes)


def _digest(network: nn.Module | NetworkRecipe, shapes: Sequence[Shape]) -> str:
    versions = [importlib.metadata.version(name) for name in ("openvino", "torch")]
    digest = hashlib.sha256(repr((versions, shapes)).encode())
    sources = sorted((Path(__file__).parents[1] / "models").glob("*.py"))
    if isinstance(network, NetworkRecipe):
        digest.update(repr((network.name, network.depends_on)).encode())
    else:
        sources.append(Path(inspect.getfile(type(network))))
        numbers = sorted((k, v) for k, v in vars(network).items() if isinstance(v, int | float | str))
        digest.update(repr((type(network).__qualname__, numbers)).encode())
        digest.update(repr(network).encode())
        for name, value in network.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().contiguous().numpy().tobytes())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]


def _seal(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes())
    digest.update(path.with_suffix(".bin").read_bytes())
    return digest.hexdigest()


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
