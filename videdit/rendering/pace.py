"""How long a face takes on this machine: measured once, kept in the user's cache, looked up by the next estimate."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from videdit import paths
from videdit._version import __version__
from videdit.datatypes import Crop
from videdit.engine.devices import synchronize
from videdit.jobs.render_job import RenderJob
from videdit.models.sizes import EDITS, W_DIM
from videdit.rendering.model_cache import ModelCache
from videdit.rendering.resolved_job import ResolvedJob
from videdit.storage.outputs import written_whole
from videdit.threads import networks

_FILE = "pace.json"
_MOST = 200  # entries


class Pace:
    """Jobs and sizes of crops -> seconds of network passes a face."""

    def __init__(self, models: ModelCache) -> None:
        """models: loads what has to be measured."""
        self.models = models

    def __call__(self, resolved: ResolvedJob, size: int) -> float:
        """size: of the crop, in pixels. Raises what loading the networks raises."""
        job, method = resolved.job, resolved.method + ("" if resolved.consulted else " alone")
        machine = (job.profile, *job.checkpoint, job.device, job.precision, job.batch, method, size, networks())
        key = " ".join(map(str, (__version__, *machine)))
        path = paths.cache_dir() / _FILE
        known = _read(path)
        if key not in known:
            known[key] = round(self._measured(job, resolved.method, size), 5)
            if job.cache:
                _write(path, dict(list(known.items())[-_MOST:]))
        return known[key]

    def _measured(self, job: RenderJob, method: str, size: int) -> float:
        inverter = self.models.inverter(job.networks)
        image = inverter.pixels.put(np.full((size, size, 3), 127, np.uint8))
        if method == "student":
            student = self.models.student(job.networks, alone=inverter.device == "cpu")
            crops = [Crop(0, image, np.eye(2, 3), 1.0)] * student.batch(size)
            return _timed(
                lambda: student(crops, np.zeros((len(crops), len(EDITS)), np.float32)), inverter.device, crops
            )
        if inverter.device == "cpu":  # a full batch takes no less a face, and many times as long to be measured
            editor = self.models.editor(job.networks, "none")
            crop, delta = Crop(0, image, np.eye(2, 3), 1.0), np.zeros((inverter.profile.layers, W_DIM), np.float32)
            return _timed(lambda: editor.edit(editor.invert(crop), delta), "cpu", [crop])
        images = [image] * max(inverter.batch(256), inverter.batch(size))
        codes = inverter.encode(images)
        parts = [images[: inverter.batch(part)] for part in (256, size)]
        encode = _timed(lambda: inverter.encode(parts[0]), inverter.device, parts[0])
        edited = codes[: len(parts[1])]
        return encode + _timed(lambda: inverter.render(parts[1], edited, edited, size), inverter.device, parts[1])


def _timed(work: Callable[[], object], device: str, crops: list) -> float:
    """Seconds a crop of the second run: the first compiles.

    On a CPU what its cores would take if nobody else used them: what is kept should not depend on that.
    """
    work()
    synchronize(device)
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    work()
    synchronize(device)
    return (clock() - start) / len(crops) / (networks() if device == "cpu" else 1)


def _read(path: Path) -> dict[str, float]:
    """What was measured before; nothing where that cannot be read."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): float(value) for key, value in found.items()}
    return {}


def _write(path: Path, known: dict[str, float]) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as written:
            written.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
