"""Who restores faces, and the question of which faces need it. :mod:`videdit.restoration.restorer` does it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from videdit.errors import UsageError, WeightsError
from videdit.weights import find, manifest
from videdit.weights.published import is_installed

ADVICE = 'pip install "videdit[restore]"' + (", with Python 3.11 or 3.12" if sys.version_info >= (3, 13) else "")
KINDS = ("none", "small", "gfpgan", "realesrgan", "auto")
SMALL = "restorer"  # our own network's name in the manifest
# Published networks that restore, the better one first.
PUBLISHED = {"gfpgan": ("gfpgan_v1.4", "gfpgan_v1.3"), "realesrgan": ("realesrgan_x4plus", "realesrgan_x2plus")}

# Our own network restores faces that are small and soft: 16 clean photographs of 256 px come through it with
# 43 dB, but less sharp (1.26 -> 1.19). GFPGAN, which makes new detail, is for all that are small or soft.
# Two thresholds each, for beginning and for ending.
# Sharpness of 50 aligned photographs at 100 to 280 px: .74 to 1.1 (5 to 95 %); after a blur of 1.3 px .50 to .61,
# enlarged twofold .60 to .83, enlarged threefold, with noise and JPEG .49 to .59.
SMALL_SIDE = (300.0, 330.0)  # px in the frame
SOFT = (0.62, 0.70)
MEMORY = 1.0  # seconds over which sharpness is averaged: a blurred movement is no soft face
LOOK = 0.2  # seconds from one look at a face's sharpness to the next: what a GPU holds takes time to fetch
RAMP = 0.5  # seconds from none to all of the restoration, when a track changes its mind


@dataclass(frozen=True)
class RestorerChoice:
    """Which restorer a job gets."""

    kind: str  # "none", "small", "gfpgan" or "realesrgan"
    file: Path | None = None  # its weights, where they are the user's
    if_needed: bool = False  # only faces that need it; else all

    @property
    def at_rest(self) -> bool:
        """Whether faces are restored also while no edit is at work: those in need are restored for the edit's sake."""
        return self.kind != "none" and not self.if_needed

    @property
    def need(self) -> str:
        """Which faces need it, in words."""
        return "small or soft" if self.kind == "gfpgan" else "small and soft"


def installed() -> bool:
    """Whether gfpgan, basicsr and torchvision are there; imports none of them."""
    return all(importlib.util.find_spec(name) is not None for name in ("torchvision", "basicsr", "gfpgan"))


def choose(words: str) -> RestorerChoice:
    """The restorer for what follows ``--restore``: a kind of KINDS; ``gfpgan:FILE`` names the file.

    "auto" is for faces in need: GFPGAN where its file and package are there, else our own, else none.

    Raises:
        UsageError: there is no such kind.
        WeightsError: the weights that it needs are not there.
    """
    kind, _, path = words.partition(":")
    if kind not in KINDS or (path and kind not in PUBLISHED):
        raise UsageError(f"unknown restoration {words!r}; there is: {', '.join(KINDS)}, and gfpgan:FILE")
    if kind == "auto":
        file = find_file("gfpgan")
        if file is not None and installed():
            return RestorerChoice("gfpgan", file, if_needed=True)
        return RestorerChoice("small" if have_small() else "none", if_needed=True)
    if kind in PUBLISHED:
        return RestorerChoice(kind, _file(kind, path))
    if kind == "small" and not have_small():
        raise WeightsError(
            "the small restorer's weights (weights/restorer.safetensors) do not ship with this version: use "
            "--restore none, or train them with python -m videdit.train restorer"
        )
    return RestorerChoice(kind)


def have_small() -> bool:
    """Whether our own restorer's weights ship."""
    return SMALL in manifest()


def find_file(kind: str) -> Path | None:
    """The user's copy of a published network, the best one that is there."""
    return next((find(name) for name in PUBLISHED[kind] if is_installed(name)), None)


def _file(kind: str, path: str) -> Path:
    if not path:
        return find_file(kind) or find(PUBLISHED[kind][0])
    if not Path(path).is_file():
        raise WeightsError(f"there is no file {path} for --restore {kind}")
    return Path(path)


def sharpness(crop: np.ndarray, side: float) -> float:
    """How strong a face's finest details are against those twice as coarse; about 0.5 where there are none.

    crop: [S, S, 3] uint8 RGB. side: what it measures in the frame, in pixels: details are looked at as the frame has
    them, for an enlarged crop is soft by nature.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = int(np.clip(round(side), 48, crop.shape[0]))
    if size != crop.shape[0]:
        grey = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)
    fine, coarse = cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.GaussianBlur(grey, (0, 0), 2.0)
    middle = slice(int(0.25 * size), int(0.8 * size))  # the face, without hair and background
    # The strongest details: noise is everywhere, edges are few.
    details = [np.percentile(np.abs(band[middle, middle]), 97) for band in (grey - fine, fine - coarse)]
    return float(details[0] / max(details[1], 0.5))


@dataclass
class _State:
    """What is known of one track."""

    time: float
    looked: float  # when its sharpness was measured last
    sharpness: float  # its running mean
    wanted: bool
    level: float  # 0..1, of the restoration


class RestorationGate:
    """Decides track by track whether its crops are restored, with hysteresis; a change of mind fades in or out."""

    def __init__(self, either: bool = False) -> None:
        """either: faces that are small or soft need it, not only those that are both."""
        self._rule = any if either else all
        self._tracks: dict[int, _State] = {}

    def __call__(self, track: int, time: float, side: float, look: Callable[[], np.ndarray]) -> float:
        """How much of the restoration a crop gets, 0..1; call it in the order of time.

        side: what the crop measures in the frame, in pixels. look: gives the crop; called only where it matters.
        """
        state = self._tracks.get(track)
        if state is None:
            sharp = sharpness(look(), side) if self._rule((side < SMALL_SIDE[0], True)) else np.inf
            wanted = self._rule((side < SMALL_SIDE[0], sharp < SOFT[0]))
            self._tracks[track] = _State(time, time, sharp, wanted, float(wanted))
            return float(wanted)
        bound = int(state.wanted)  # 0: what begins it, 1: what ends it
        small = side < SMALL_SIDE[bound]
        if time - state.looked >= LOOK and self._rule((small, True)):
            now = sharpness(look(), side)
            share = 1 - np.exp((state.looked - time) / MEMORY)
            state.sharpness = now if np.isinf(state.sharpness) else state.sharpness + share * (now - state.sharpness)
            state.looked = time
        state.wanted = self._rule((small, state.sharpness < SOFT[bound]))
        step = max(time - state.time, 0.0) / RAMP
        state.time = time
        state.level = float(np.clip(state.level + (step if state.wanted else -step), 0.0, 1.0))
        return state.level
