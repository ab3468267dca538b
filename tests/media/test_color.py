"""Colours against the definitions of the standards, written down here a second time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from videdit.datatypes import Color, Picture
from videdit.media.color import (
    describe,
    picture_to_rgb,
    region_to_rgb,
    rgb_change_to_yuv,
    rgb_to_yuv,
    yuv_to_rgb,
)

MATRICES = ("bt709", "bt601", "bt2020", "fcc", "smpte240m", "ycgco", "rgb", "gray")
LUMA = {"bt709": (0.2126, 0.7152, 0.0722), "bt601": (0.299, 0.587, 0.114), "bt2020": (0.2627, 0.678, 0.0593)}


def full(matrix: str, full_range: bool = False, depth: int = 8) -> Color:
    return Color(matrix, full_range, depth, (0, 0), (0.5, 0.5))


def pixels(*values: float) -> tuple[np.ndarray, ...]:
    return tuple(np.full((1, 1), value) for value in values)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("matrix", LUMA)
def test_black_white_and_red_are_where_the_standard_puts_them(matrix: str, depth: int) -> None:
    unit = 1 << (depth - 8)
    black = yuv_to_rgb(pixels(16 * unit, 128 * unit, 128 * unit), full(matrix, depth=depth))
    white = yuv_to_rgb(pixels(235 * unit, 128 * unit, 128 * unit), full(matrix, depth=depth))
    np.testing.assert_allclose(black[0, 0], 0, atol=1e-5)
    np.testing.assert_allclose(white[0, 0], 1, atol=1e-5)
    red = [float(p[0, 0]) for p in rgb_to_yuv(np.array([[[1.0, 0, 0]]]), full(matrix, depth=depth))]
    kr, _, kb = LUMA[matrix]
    expected = [16 + 219 * kr, 128 - 224 * kr / (2 * (1 - kb)), 128 + 112]
    np.testing.assert_allclose(red, np.array(expected) * unit, rtol=1e-6)


def test_full_range_is_jpegs() -> None:
    """The JFIF standard's own formulas, to its three decimals."""
    y, cb, cr = 120.0, 90.0, 200.0
    rgb = yuv_to_rgb(pixels(y, cb, cr), full("bt601", True))[0, 0] * 255
    expected = [y + 1.402 * (cr - 128), y - 0.34414 * (cb - 128) - 0.71414 * (cr - 128), y + 1.772 * (cb - 128)]
    np.testing.assert_allclose(rgb, expected, atol=0.01)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(MATRICES[:-1]),
    st.booleans(),
    st.sampled_from([8, 10, 12, 16]),
    npst.arrays(np.float64, (3, 3, 4), elements=st.floats(0, 1)),
)
def test_there_and_back(matrix: str, full_range: bool, depth: int, rgb: np.ndarray) -> None:
    color = full(matrix, full_range, depth)
    planes = rgb_to_yuv(rgb.transpose(1, 2, 0), color)
    assert len(planes) == 3
    back = yuv_to_rgb(planes, color)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, rgb.transpose(1, 2, 0), atol=2e-6)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(MATRICES),
    st.booleans(),
    st.sampled_from([8, 10]),
    npst.arrays(np.float64, (2, 2, 3), elements=st.floats(0, 0.5)),
    npst.arrays(np.float64, (2, 2, 3), elements=st.floats(0, 0.5)),
)
def test_a_change_is_the_difference_of_two_pictures(
    matrix: str, full_range: bool, depth: int, rgb: np.ndarray, more: np.ndarray
) -> None:
    color = full(matrix, full_range, depth)
    before, after = rgb_to_yuv(rgb, color), rgb_to_yuv(rgb + more, color)
    change = rgb_change_to_yuv(2 * more, color)  # the networks' range is [-1, 1]
    assert len(change) == (1 if matrix == "gray" else 3)
    for a, b, c in zip(before, after, change, strict=True):
        np.testing.assert_allclose(b - a, c, atol=0.02 * (1 << (depth - 8)) / 4)


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_fast_bytes_are_the_exact_ones_rounded(matrix: str, full_range: bool, depth: int) -> None:
    rng = np.random.default_rng(1)
    count = 1 if matrix == "gray" else 3
    kind = np.uint8 if depth == 8 else np.uint16
    planes = tuple(rng.integers(0, 1 << depth, (40, 50)).astype(kind) for _ in range(count))
    picture = Picture(planes, full(matrix, full_range, depth), "any")
    exact = np.clip(yuv_to_rgb(planes, picture.color), 0, 1) * 255
    fast = picture_to_rgb(picture)
    assert fast.dtype == np.uint8
    assert fast.shape == (40, 50, 3)
    assert np.abs(fast - exact).max() < 1.01
    assert np.abs(fast - exact).mean() < 0.3
    np.testing.assert_allclose(region_to_rgb(picture, 0, 0, 50, 40, np.float32) * 255, exact, atol=1e-3)


def ramp_picture(site: tuple[float, float], log2: tuple[int, int], width: int, height: int, depth: int) -> Picture:
    """Chroma sampled, where the site says, from U = 118 + x / 4, V = 120 + y / 8 (x, y in luma pixels), luma flat."""
    unit = 1 << (depth - 8)
    kind = np.uint8 if depth == 8 else np.uint16
    w, h = -(-width >> log2[0]), -(-height >> log2[1])
    x, y = np.meshgrid(site[0] + np.arange(w) * (1 << log2[0]), site[1] + np.arange(h) * (1 << log2[1]))
    planes = (np.full((height, width), 120 * unit), np.rint((118 + x / 4) * unit), np.rint((120 + y / 8) * unit))
    color = Color("bt709", False, depth, log2, site)
    return Picture(tuple(p.astype(kind) for p in planes), color, "any")


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    ("site", "log2"),
    [((0.5, 1.0), (1, 1)), ((1.0, 1.0), (1, 1)), ((0.5, 0.5), (1, 1)), ((0.5, 0.5), (1, 0)), ((0.5, 0.5), (2, 0))],
)
def test_chroma_lies_where_its_samples_sit(site: tuple[float, float], log2: tuple[int, int], depth: int) -> None:
    width, height = 71, 65
    picture = ramp_picture(site, log2, width, height, depth)
    whole = region_to_rgb(picture, 0, 0, width, height, np.float32)
    _, u, v = rgb_to_yuv(whole, full("bt709", depth=depth))
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    unit = 1 << (depth - 8)
    inside = (slice(4, -4), slice(4, -4))  # at the border samples are repeated
    rounding = 0.55 if depth == 8 else 2.0  # code values; at 16 bits half a pixel is 32 and 16
    np.testing.assert_allclose(u[inside], (118 + x[inside] / 4) * unit, atol=rounding)
    np.testing.assert_allclose(v[inside], (120 + y[inside] / 8) * unit, atol=rounding)
    for x0, y0, x1, y1 in ((10, 7, 33, 40), (0, 0, 9, 5), (60, 50, 71, 65), (13, 13, 14, 14)):
        part = region_to_rgb(picture, x0, y0, x1, y1, np.float32)
        np.testing.assert_allclose(part, whole[y0:y1, x0:x1], atol=1e-4)
        small = region_to_rgb(picture, x0, y0, x1, y1)
        assert np.abs(small - part * 255).max() < 2.1


def test_regions_outside_are_mistakes() -> None:
    picture = ramp_picture((0.5, 1.0), (1, 1), 20, 20, 8)
    for box in ((-1, 0, 5, 5), (0, 0, 21, 5), (5, 5, 5, 9)):
        with pytest.raises(ValueError, match="outside"):
            region_to_rgb(picture, *box)


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (101, 37), (16, 16), (1, 1), (3, 500)])
def test_a_proxy_is_the_picture_made_small(width: int, height: int) -> None:
    picture = ramp_picture((0.5, 1.0), (1, 1), width, height, 8)
    proxy = picture_to_rgb(picture, 64)
    assert max(proxy.shape[:2]) == min(64, max(width, height))
    if min(width, height) > 16:
        whole = picture_to_rgb(picture).astype(float)
        np.testing.assert_allclose(proxy.mean((0, 1)), whole.mean((0, 1)), atol=1.5)


@pytest.mark.parametrize(
    ("tags", "size", "matrix"),
    [
        ((0, 2, 2, 2), (640, 480), "bt601"),
        ((0, 2, 2, 2), (720, 576), "bt601"),
        ((0, 2, 2, 2), (1280, 720), "bt709"),
        ((0, 2, 2, 2), (512, 800), "bt709"),
        ((0, 9, 2, 2), (640, 480), "bt2020"),
        ((0, 2, 2, 1), (640, 480), "bt709"),
        ((0, 2, 2, 6), (1920, 1080), "bt601"),
        ((0, 2, 2, 9), (640, 480), "bt2020"),
    ],
)
def test_silent_streams_are_guessed_as_players_do(
    tags: tuple[int, int, int, int], size: tuple[int, int], matrix: str
) -> None:
    color = describe("yuv420p", 8, (1, 1), tags, None, size, False, False)
    assert color.matrix == matrix
    assert color.chroma_site == (0.5, 1.0)
    assert not color.full_range
