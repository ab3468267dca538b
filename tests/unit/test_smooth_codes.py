"""Codes over time: smoothed per track, never across a cut, their fine layers over longer where that is wanted."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from videdit.datatypes import Color, Crop, Frame, Picture
from videdit.edits import Timeline, parse_edits
from videdit.imaging.host import HostPixels
from videdit.stages.invert_edit import CODE_SIGMA, FINE, InvertEdit

FPS = 30
GREY = Picture((np.zeros((8, 8), np.uint8),) * 3, Color(matrix="rgb", chroma_log2=(0, 0)), "gbrp")


def smoothed(codes: np.ndarray, cut: int | None = None, **sigmas: float) -> np.ndarray:
    """Codes [T, K, 18, 512] of K tracks over T frames, as the edit stage smooths them."""
    networks: Any = SimpleNamespace(pixels=HostPixels())  # none is run
    edit = InvertEdit(networks, Timeline(parse_edits("smile")), **sigmas)
    crops = tuple(Crop(track, np.zeros((4, 4, 3), np.uint8), np.eye(2, 3), 1.0) for track in range(codes.shape[1]))
    frames = [
        Frame(i, i, Fraction(1, FPS), i / FPS, GREY, scene=int(cut is not None and i >= cut), crops=crops)
        for i in range(len(codes))
    ]
    pairs = ((frame, list(own)) for frame, own in zip(frames, codes, strict=True))
    return np.array([own for _, own in edit._smoothed(pairs)])


def shaken(frames: int = 40, tracks: int = 1) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(frames, tracks, 18, 512)).astype(np.float32)


def tremble(codes: np.ndarray) -> float:
    return float(np.diff(codes[8:-8], axis=0).std())


def test_fine_layers_are_shared_over_longer_and_the_others_are_not() -> None:
    plain, shared = smoothed(shaken()), smoothed(shaken(), fine_sigma=0.14)
    np.testing.assert_allclose(shared[:, :, :FINE], plain[:, :, :FINE], atol=0.01)  # 3 sigma and beyond
    assert tremble(shared[:, :, FINE:]) < 0.5 * tremble(plain[:, :, FINE:]) < 0.1 * tremble(shaken())
    np.testing.assert_array_equal(smoothed(shaken(), fine_sigma=CODE_SIGMA / 2), plain)  # never over less


def test_none_is_smoothed_where_nothing_is_to_be() -> None:
    np.testing.assert_array_equal(smoothed(shaken(), code_sigma=0.0), shaken())
    fine = smoothed(shaken(), code_sigma=0.0, fine_sigma=0.1)
    np.testing.assert_array_equal(fine[:, :, :FINE], shaken()[:, :, :FINE])
    assert tremble(fine[:, :, FINE:]) < 0.2 * tremble(shaken())


@pytest.mark.parametrize("fine", [0.0, 0.2])
def test_tracks_and_shots_keep_to_themselves(fine: float) -> None:
    codes = np.zeros((30, 2, 18, 512), np.float32)
    codes[:, 1] = 1
    codes[15:] += 2  # the shot after the cut
    np.testing.assert_allclose(smoothed(codes, cut=15, fine_sigma=fine), codes, atol=1e-6)
