"""`videdit doctor`: is this machine and installation fit to render, and with what?"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from videdit.engine import offline
from videdit.errors import VideditError
from videdit.threads import cores

PACKAGES = {  # module -> distribution
    "torch": "torch",
    "openvino": "openvino",
    "av": "av",
    "cv2": "opencv-python-headless",
    "numpy": "numpy",
    "scipy": "scipy",
    "pydantic": "pydantic",
    "safetensors": "safetensors",
}
EXTRAS = {  # extra -> the modules that it brings, with their distributions; all of them are optional
    "restore": {"torchvision": "torchvision", "basicsr": "basicsr", "gfpgan": "gfpgan"},
    "insightface": {"insightface": "insightface", "onnxruntime": "onnxruntime"},
    "c2pa": {"c2pa": "c2pa-python"},
    "exr": {"OpenEXR": "OpenEXR"},
}
ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "ffv1")
NEEDED_ENCODERS = ("libx264",)


@dataclass(frozen=True)
class Check:
    """One line of the examination; a check that is not good makes `videdit doctor` exit with 1."""

    name: str
    good: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.good else 'FAIL'} {self.name:12} {self.detail}"


def examine() -> Iterator[Check]:
    """Every check, one after the other; none of them raises."""
    yield _check("machine", _machine)
    yield _check("python", platform.python_version)
    for module, distribution in PACKAGES.items():
        yield _check(module, partial(_package, module, distribution))
    yield _check("encoders", _encoders)
    for extra, modules in EXTRAS.items():
        yield _check(extra, partial(_extra, extra, modules))
    yield _check("ffmpeg", _ffmpeg)
    yield _check("weights", _weights)
    yield _check("devices", _devices)
    yield _check("network", _network)


def _check(name: str, find: Callable[[], str]) -> Check:
    try:
        return Check(name, True, find())
    except VideditError as error:
        return Check(name, False, str(error))
    except Exception as error:  # an examination names what is broken and goes on
        return Check(name, False, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _machine() -> str:
    import psutil

    memory = psutil.virtual_memory()
    return (
        f"{platform.system()} {platform.machine()}, {cores()} cores, "
        f"{memory.total / 2**30:.0f} GiB memory ({memory.available / 2**30:.0f} free)"
    )


def _package(module: str, distribution: str) -> str:
    (offline.openvino if module == "openvino" else partial(importlib.import_module, module))()
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:  # opencv comes in several distributions
        return str(getattr(importlib.import_module(module), "__version__", "version unknown"))


def _extra(extra: str, modules: dict[str, str]) -> str:
    """What is there of an optional package; imports none of it."""
    there, missing = [], []
    for module, distribution in modules.items():
        if importlib.util.find_spec(module) is None:
            missing.append(module)
            continue
        try:
            there.append(f"{module} {importlib.metadata.version(distribution)}")
        except importlib.metadata.PackageNotFoundError:  # onnxruntime comes in several
            there.append(module)
    if missing:
        old = extra == "restore" and sys.version_info >= (3, 13)
        how = "needs Python 3.11 or 3.12" if old else f'pip install "videdit[{extra}]"'
        there.append(f"optional, without {', '.join(missing)} ({how})")
    return ", ".join(there)


def _ffmpeg() -> str:
    """The program whose encoders --encoder-backend ffmpeg takes."""
    from videdit.media.encode.ffmpeg_process import find_ffmpeg

    try:
        return f"{find_ffmpeg()} (for --encoder-backend ffmpeg)"
    except VideditError:
        return "optional, not found (for --encoder-backend ffmpeg)"


def _encoders() -> str:
    import av

    there = [name for name in ENCODERS if name in av.codecs_available]
    missing = set(NEEDED_ENCODERS) - set(there)
    if missing:
        raise VideditError(f"no {', '.join(sorted(missing))}: install the av package from its wheel")
    return ", ".join(there)


def _weights() -> str:
    from videdit import weights
    from videdit.weights import published

    entries = weights.manifest()
    for name in entries:
        weights.verified(name)
    copies = [name for name in published.installed() if published.find(name)]
    theirs = f"; published: {', '.join(copies)}" if copies else ""
    return f"{len(entries)} files, {sum(e.bytes for e in entries.values()) / 2**20:.1f} MiB, all verified{theirs}"


def _devices() -> str:
    import torch

    from videdit.engine.devices import resolve_precision

    names = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    return ", ".join([*names, f"cpu ({resolve_precision('auto', 'cpu')})"])


def _network() -> str:
    """The smallest of the networks, compiled and run here, must answer with numbers."""
    import numpy as np

    from videdit.faces.detector import FaceDetector

    found = FaceDetector().detect(np.zeros((64, 64, 3), np.uint8))
    if found:
        raise VideditError("the face detector sees a face in a black picture: its engine computes nonsense here")
    return "the face detector runs"
