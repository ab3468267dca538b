"""Face masks: inside full, at the crop's border exactly nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.geometry.face_regions import REGIONS, face_mask, region_mask, region_polygon


def round_mesh(size: int, x: float = 0.5, y: float = 0.55, radius: float = 0.25) -> np.ndarray:
    """A mesh [468, 2] whose regions are circles: the oval large, starting at the top, others small about the centre."""
    mesh = np.full((468, 2), (x * size, y * size))
    for name, indices in REGIONS.items():
        angle = 2 * np.pi * np.arange(len(indices)) / len(indices) - np.pi / 2
        r = radius if name == "oval" else 0.05
        mesh[list(indices)] = np.stack([x + r * np.cos(angle), y + r * np.sin(angle)], axis=1) * size
    return mesh


@pytest.mark.parametrize("size", [128, 256, 512, 1024])
def test_covers_the_face_and_ends_before_the_border(size: int) -> None:
    mask = face_mask(round_mesh(size), size)
    assert mask.shape == (size, size)
    assert mask.dtype == np.uint8
    assert mask[round(0.55 * size), size // 2] == 255
    assert mask[round(0.32 * size), size // 2] > 200  # some forehead above the oval's top at 0.30
    assert mask[round(0.95 * size), size // 2] == 0


@given(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2), st.floats(0.05, 0.8), st.floats(0.0, 0.2), st.floats(0, 0.3))
@settings(max_examples=40, deadline=None)
def test_border_is_exactly_zero(x: float, y: float, radius: float, feather: float, grow: float) -> None:
    mask = face_mask(round_mesh(512, x, y, radius), 512, feather, grow)
    rim = mask.copy()
    rim[25:-25, 25:-25] = 0
    assert not rim.any()


def test_sizes_agree() -> None:
    small, large = face_mask(round_mesh(256), 256), face_mask(round_mesh(1024), 1024)
    assert np.abs(large.reshape(256, 4, 256, 4).mean((1, 3)) - small).max() < 4


def test_mask_is_soft() -> None:
    mask = face_mask(round_mesh(512), 512).astype(int)
    assert np.abs(np.diff(mask, axis=0)).max() <= 12
    assert np.abs(np.diff(mask, axis=1)).max() <= 12


def test_growing_and_feathering() -> None:
    areas = [face_mask(round_mesh(256), 256, grow=grow).sum() for grow in (0, 0.05, 0.1)]
    assert areas == sorted(areas)
    assert areas[0] < areas[2]


@pytest.mark.parametrize("name", REGIONS)
def test_regions(name: str) -> None:
    mesh = round_mesh(256)
    assert region_polygon(mesh, name).shape == (len(set(REGIONS[name])), 2)
    mask = region_mask(mesh, name, 256)
    assert mask[round(0.55 * 256), 128] > 128
    assert mask[60, 20] == 0
