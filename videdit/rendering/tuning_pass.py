"""--tune: the generator, tuned to the people of one clip before that is rendered, and kept for the next time.

Pivotal tuning (PTI) needs a few crops that stand for all, their codes, and minutes of computing: what it leaves is a
state dict that takes the generator's place. See :mod:`videdit.hfgi.optimize` for the losses.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from videdit import paths, weights
from videdit._version import __version__
from videdit.datatypes import LOW, Coded, Color, Frame, Picture
from videdit.edits import Timeline
from videdit.errors import Cancelled, NoFaceError
from videdit.geometry.face_regions import edit_mask
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.optimize import CLIP, Examples, tune_for_clip
from videdit.hfgi.sample_selection import Representatives, face_sample
from videdit.jobs.render_job import RenderJob
from videdit.media.source_identity import SourceIdentity
from videdit.models.mobile_stylegan import Synthesis
from videdit.storage import hashes
from videdit.storage.outputs import written_whole
from videdit.threads import settle_torch

CROPS = 8  # that stand for a clip
_LAYOUT = 3  # raised when tuning is done in another way
# Settings on which a tuned generator does not depend.
_INDIFFERENT = {"codec", "crf", "preset", "lossless", "mark", "sign", "alpha_out", "compare", "debug_video"}

_NOTHING = Picture((np.zeros((1, 1), np.uint8),), Color("gray"), "gray")

StateDict: TypeAlias = dict[str, torch.Tensor]

log = logging.getLogger(__name__)


def tuned_path(job: RenderJob, source: Path) -> Path:
    """Where the state of a generator that was tuned for this clip and job is kept."""
    settings = {key: value for key, value in job.settings().items() if key not in _INDIFFERENT}
    parts = {
        "layout": _LAYOUT,
        "source": SourceIdentity.of(source).content(),
        "settings": settings,
        "version": __version__,
        "weights": hashes.sha256(paths.weights_dir() / weights.MANIFEST),
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
    return paths.cache_dir() / "tuned" / f"{digest}.safetensors"


def load_tuned(path: Path) -> StateDict | None:
    """The state at `path`, float32; None where there is none that can be read."""
    try:
        return {name: value.float() for name, value in load_file(path).items()}
    except (OSError, SafetensorError):
        return None


def tune(
    generator: Synthesis,
    examples: Examples,
    steps: int,
    path: Path,
    bf16: bool = False,
    cancel: threading.Event | None = None,
) -> StateDict:
    """The state of a generator tuned on examples, which is kept at `path`.

    Raises:
        Cancelled: `cancel` was set.
    """
    settle_torch()
    schedule = replace(CLIP, steps=steps, size=examples.targets.shape[-1], bf16=bf16)
    begun, seen = time.monotonic(), list[float]()

    def on_step(step: int, loss: float) -> None:
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled while the generator was tuned")
        seen.append(loss)
        if step == 4:
            left = (time.monotonic() - begun) / len(seen) * (schedule.steps - len(seen))
            log.warning("the generator is tuned to this clip: about %.0f s more for %d steps", left, schedule.steps)

    tuned = tune_for_clip(generator, examples, schedule, on_step=on_step)
    seconds = time.monotonic() - begun
    log.info("tuned on %d crops in %.0f s: loss %.4f -> %.4f", len(examples.pivots), seconds, seen[0], seen[-1])
    state = {name: value.half().cpu().contiguous() for name, value in tuned.state_dict().items()}
    keep(state, path)
    return {name: value.float() for name, value in state.items()}


def keep(state: StateDict, path: Path) -> None:
    """Write a state in one step; where that cannot be done it is only not kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as written:
            save_file(state, written)
    except (OSError, SafetensorError) as error:
        log.warning("the tuned generator cannot be kept: %s", error)


def representatives(frames: Iterator[Frame]) -> list[Frame]:
    """Frames, each with one crop and without its picture, that stand for all crops."""
    chosen: Representatives[Frame] = Representatives(CROPS)
    for frame in frames:
        for crop in frame.crops:
            if crop.mesh is not None:
                alone = replace(frame, crops=(crop,), picture=_NOTHING, faces=(), coded=Coded())
                chosen.add(face_sample(crop.track, crop.image, crop.mesh), alone)
    return list(chosen)


def examples_of(inverter: Inverter, frames: Iterable[Frame], timeline: Timeline, regions: Iterable[str]) -> Examples:
    """What a generator is tuned on, from frames with one crop each.

    Pictures are of 256 px: at 512 a step takes many times as long, and what is tuned is shared by all sizes.
    """
    pairs = [(frame, crop) for frame in frames for crop in frame.crops]
    if not pairs:
        raise NoFaceError("no face to tune the generator on")
    pixels = inverter.pixels
    codes = pixels.fetch(inverter.encode([pixels.put(crop.seen) for _, crop in pairs]))
    delta = np.stack([timeline.delta_for_crop(c, frame.time, w) for (frame, c), w in zip(pairs, codes, strict=True)])
    masks = [cv2.resize(edit_mask(crop.mesh, crop.size, regions), (LOW, LOW)) for _, crop in pairs]
    targets = [cv2.resize(crop.seen, (LOW, LOW), interpolation=cv2.INTER_AREA) for _, crop in pairs]

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).float().to(inverter.device)

    return Examples(
        put(np.stack(targets)).permute(0, 3, 1, 2) / 127.5 - 1,
        put(codes),
        put(codes + delta),
        put(np.stack(masks))[:, None] / 255,
    )
