"""Warps under the half-pixel convention, against pictures whose every sample is known."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import videdit
from videdit.datatypes import Color, Picture
from videdit.geometry.affine import invert, transform
from videdit.geometry.ffhq_align import crop_matrix
from videdit.geometry.warp import crop, displace, pixel_centres, pixels_at, polygon_mask, region, shift, warp
from videdit.imaging.crop import crop_picture

H, W = 120, 160
SAMPLERS = re.compile(r"cv2\.(remap|warp\w+|getRectSubPix|fillPoly|convertMaps)\b")


def ramp(height: int = H, width: int = W) -> np.ndarray:
    """A picture that says of each of its points where it is: channels x and y, float32."""
    y, x = np.indices((height, width), dtype=np.float32) + 0.5
    return np.stack([x, y], axis=-1)


def centres(size: int) -> np.ndarray:
    y, x = np.indices((size, size)) + 0.5
    return np.stack([x, y], axis=-1)


def square(x: float, y: float, half: float, angle: float) -> np.ndarray:
    v = half * np.array([np.cos(angle), np.sin(angle)])
    u, c = np.array([-v[1], v[0]]), np.array([x, y])
    return np.stack([c - v - u, c - v + u, c + v + u, c + v - u])


inner_squares = st.builds(square, st.floats(60, 100), st.floats(50, 70), st.floats(8, 30), st.floats(-3, 3))


@given(inner_squares, st.sampled_from([16, 33, 64]))
@settings(max_examples=40, deadline=None)
def test_crop_samples_where_the_matrix_says(corners: np.ndarray, size: int) -> None:
    to_image = crop_matrix(corners, size)
    found = crop(ramp(), to_image, size, cv2.INTER_LINEAR)
    # OpenCV before 5 rounds positions to 1/32 px.
    np.testing.assert_allclose(found, transform(to_image, centres(size)), atol=0.04)


def test_identity_is_exact() -> None:
    image = np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8)
    np.testing.assert_array_equal(warp(image, np.eye(2, 3), (H, W)), image)
    np.testing.assert_array_equal(crop(image, shift(np.eye(2, 3), 20, 30), 64), image[30:94, 20:84])


@pytest.mark.parametrize("size", [(31, 17), (64, 64)])
def test_a_flow_is_where_pixels_are_read_relative_to_themselves(size: tuple[int, int]) -> None:
    image, flow = ramp(*size), np.full((*size, 2), (2.5, -1.25), np.float32)
    np.testing.assert_array_equal(pixel_centres(*size), image)
    np.testing.assert_allclose(displace(image, flow)[4:-4, 4:-4], (image + flow)[4:-4, 4:-4], atol=1e-4)
    np.testing.assert_array_equal(displace(image, 0 * flow), image)


def test_a_point_lies_in_the_pixel_whose_centre_is_nearest() -> None:
    corners = pixel_centres(8, 8)[..., None, :] + np.array([(-0.5, -0.5), (0.49, -0.5), (0, 0), (0.49, 0.49)])
    rows, columns = np.indices((8, 8))
    for i in range(4):
        np.testing.assert_array_equal(pixels_at(corners[..., i, :]), np.stack((columns, rows), -1))


def test_opencv_s_pixel_centres_are_dealt_with_in_one_module_only() -> None:
    """What reads between pixels takes their centres for 0, 1, ...: nobody else is to know. Training's chance-drawn
    distortions of its pictures may be off by half a pixel."""
    root = Path(videdit.__file__).parent
    files = [*root.rglob("*.py"), *(root / "stages").glob("*.py")]  # stages may be a link
    using = {
        str(file.relative_to(root))
        for file in files
        if "training" not in file.parts and SAMPLERS.search(file.read_text())
    }
    assert len(files) > 200
    assert using == {"geometry/warp.py"}


def test_shrinking_by_two_is_the_mean_of_four() -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    found = crop(image, np.array([[2.0, 0, 0], [0, 2, 0]]), 32)
    mean = image.reshape(32, 2, 32, 2, 3).mean((1, 3))
    np.testing.assert_allclose(found, mean, atol=0.51)


def test_shrinking_leaves_no_moire() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (300, 150))[..., None].repeat(3, 2)
    found = crop(stripes, np.array([[3.3, 0.2, 1], [-0.2, 3.3, 60]]), 64).astype(float)
    assert found.std() < 20  # the stripes themselves: 127


def test_beyond_the_border_lies_the_mirror() -> None:
    found = crop(ramp(), np.array([[1.0, 0, -10], [0, 1, -10]]), 32, cv2.INTER_LINEAR)
    np.testing.assert_allclose(found[0, :10, 0], np.arange(10)[::-1] + 0.5)
    np.testing.assert_allclose(found[10, 10], (0.5, 0.5))


@given(inner_squares)
@settings(max_examples=20, deadline=None)
def test_frame_to_crop_and_back(corners: np.ndarray) -> None:
    size = 128  # finer than the frame, so that nothing is lost
    to_frame = crop_matrix(corners, size)
    y, x = np.indices((H, W)) / 9.0
    smooth = (np.sin(x) * np.cos(y) * 100).astype(np.float32)[..., None]
    cropped = crop(smooth, to_frame, size, cv2.INTER_LINEAR)[..., None]
    back = warp(cropped, invert(to_frame), (H, W), border=cv2.BORDER_CONSTANT)
    covered = warp(np.ones((size, size), np.float32), invert(to_frame), (H, W), border=cv2.BORDER_CONSTANT)
    inside = cv2.erode(covered, np.ones((5, 5))) > 0.999
    assert inside.sum() > 50
    assert np.abs(back - smooth[..., 0])[inside].max() < 1.5


def rgb_picture(rgb: np.ndarray) -> Picture:
    planes = tuple(np.ascontiguousarray(rgb[..., i]) for i in range(3))
    return Picture(planes, Color(matrix="rgb", full_range=True, chroma_log2=(0, 0)), "gbrp")


@given(st.builds(square, st.floats(-40, 200), st.floats(-40, 160), st.floats(4, 90), st.floats(-3, 3)))
@settings(max_examples=60, deadline=None)
def test_crop_of_a_picture_is_the_crop_of_all_of_it(corners: np.ndarray) -> None:
    # However far the square hangs over the border, the region that is converted holds all that is reflected.
    y, x = np.indices((H, W)) / 9.0
    rgb = (np.stack([np.sin(x), np.cos(y), np.sin(x + y)], -1) * 100 + 128).astype(np.uint8)
    to_frame = crop_matrix(corners, 32)
    found = crop_picture(rgb_picture(rgb), to_frame, 32).astype(int)
    x0, y0, x1, y1 = region(to_frame, 32, W, H)
    assert 0 <= x0 < x1 <= W
    assert 0 <= y0 < y1 <= H
    middle = transform(to_frame, centres(32))
    near = np.all((middle > (-W + 8, -H + 8)) & (middle < (2 * W - 8, 2 * H - 8)), axis=-1)  # one reflection
    assert np.abs(found - crop(rgb, to_frame, 32).astype(int))[near].max(initial=0) <= 3


def test_a_small_crop_converts_a_small_region() -> None:
    x0, y0, x1, y1 = region(crop_matrix(square(80, 60, 10, 0), 32), 32, W, H)
    assert (x0, y0, x1, y1) == (66, 46, 94, 74)


@pytest.mark.parametrize("size", [256, 512])
def test_polygons_are_filled_under_our_convention(size: int) -> None:
    mask = polygon_mask([np.array([(10, 20), (50, 20), (50, 40), (10, 40)])], size)  # edges between pixels
    weight = mask / 255
    assert weight.sum() == pytest.approx(800, rel=0.03)
    y, x = np.indices(mask.shape) + 0.5
    assert (weight * x).sum() / weight.sum() == pytest.approx(30, abs=0.15)
    assert (weight * y).sum() / weight.sum() == pytest.approx(30, abs=0.15)
