"""Paste-back adds exactly the change, and nothing where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.datatypes import Color, Edited, Picture
from videdit.imaging.host import HostPixels
from videdit.imaging.paste import add_changes
from videdit.media.color import picture_to_rgb
from videdit.stages.matte import mask_of


def picture(height: int = 60, width: int = 81, depth: int = 8, matrix: str = "bt709", seed: int = 0) -> Picture:
    rng = np.random.default_rng(seed)
    kind = np.uint8 if depth == 8 else np.uint16
    low, high = 40 << (depth - 8), 200 << (depth - 8)
    chroma = (1, 1) if matrix != "rgb" else (0, 0)
    half = ((height + chroma[1]) >> chroma[1], (width + chroma[0]) >> chroma[0])
    shapes = [(height, width), half, half]
    planes = tuple(rng.integers(low, high, shape).astype(kind) for shape in shapes)
    color = Color(matrix=matrix, depth=depth, chroma_log2=chroma, full_range=matrix == "rgb")
    return Picture(planes, color, "yuv420p" if matrix != "rgb" else "gbrp")


def edited(size: int = 32, change: float = 0.1, x: float = 10.0, y: float = 12.0, scale: float = 1.0) -> Edited:
    mask = np.zeros((size, size), np.uint8)
    mask[4:-4, 4:-4] = 255
    to_frame = np.array([[scale, 0, x], [0, scale, y]])
    black = np.zeros((size, size, 3), np.uint8)
    whole = np.full((size, size, 3), change, np.float16)
    return Edited(0, whole, mask, to_frame, black)


@pytest.mark.parametrize("matrix", ["bt709", "rgb"])
@pytest.mark.parametrize("depth", [8, 10])
def test_no_change_keeps_every_bit(matrix: str, depth: int) -> None:
    before = picture(depth=depth, matrix=matrix)
    after = add_changes(before, [edited(change=1e-4)])
    for a, b in zip(before.planes, after.planes, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("depth", [8, 10])
def test_a_grey_change_moves_luma_alone_by_its_value(depth: int) -> None:
    before = picture(depth=depth)
    after = add_changes(before, [edited(change=0.1)])
    expected = 0.1 / 2 * 219 * (1 << (depth - 8))
    moved = after.planes[0].astype(float) - before.planes[0]
    assert abs(moved[20:36, 18:34].mean() - expected) < 0.5
    np.testing.assert_array_equal(before.planes[1], after.planes[1])


def test_outside_the_mask_every_bit_is_kept() -> None:
    before = picture()
    edit = edited(scale=0.83, x=20.3)
    edit.change[...] = np.array([0.8, 0.1, -0.5], np.float16)
    after = add_changes(before, [edit])
    for index, (a, b) in enumerate(zip(before.planes, after.planes, strict=True)):
        changed = np.argwhere(a != b)
        step = 1 if index == 0 else 2
        (y0, x0), (y1, x1) = changed.min(0) * step, changed.max(0) * step
        margin = 2 * step
        assert x0 >= 20.3 + 4 * 0.83 - margin
        assert x1 <= 20.3 + 28 * 0.83 + margin
        assert y0 >= 12 + 4 * 0.83 - margin
        assert y1 <= 12 + 28 * 0.83 + margin


@given(change=st.floats(-7, 0).map(lambda power: 10**power), mask=st.integers(1, 255), scale=st.floats(0.4, 2.5))
@settings(deadline=None, max_examples=60)
def test_where_the_matte_is_black_floating_point_keeps_every_bit(change: float, mask: int, scale: float) -> None:
    rng = np.random.default_rng(1)
    color = Color("rgb", True, 32, (0, 0), (0.5, 0.5), "linear")
    before = Picture(tuple(rng.random((60, 81), np.float32) for _ in range(3)), color, "gbrpf32le")
    edit = edited(scale=scale, change=change)
    edit.change[...] *= rng.random((32, 32, 1))
    edit.mask[...] = edit.mask // 255 * mask
    black = mask_of(before, [edit], HostPixels("cpu", "fp32")).planes[0] == 0
    after = add_changes(before, [edit])
    for a, b in zip(before.planes, after.planes, strict=True):
        np.testing.assert_array_equal(a[black], b[black])
    assert change < 1e-3 or mask < 128 or not black.all()


def test_the_source_is_not_written_to() -> None:
    before = picture()
    copies = [plane.copy() for plane in before.planes]
    add_changes(before, [edited(change=0.5)])
    for plane, copy in zip(before.planes, copies, strict=True):
        np.testing.assert_array_equal(plane, copy)


def test_a_crop_partly_or_wholly_outside_the_frame_is_cut() -> None:
    before = picture()
    after = add_changes(before, [edited(x=-20.5, y=-8), edited(x=500, y=500)])
    assert (after.planes[0] != before.planes[0]).any()
    assert (after.planes[0][40:] == before.planes[0][40:]).all()


def test_colour_of_the_change_arrives_as_rgb() -> None:
    before = picture(height=64, width=64)
    flat = tuple(np.full_like(plane, value) for plane, value in zip(before.planes, (120, 128, 128), strict=True))
    before = replace(before, planes=flat)
    change = edited(x=16, y=16)
    change.change[...] = np.array([0.2, 0.0, -0.2], np.float16)
    moved = picture_to_rgb(add_changes(before, [change])).astype(float) - picture_to_rgb(before)
    np.testing.assert_allclose(moved[28:36, 28:36].mean((0, 1)), [25.5, 0, -25.5], atol=2.5)
