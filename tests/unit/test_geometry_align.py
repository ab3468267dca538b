"""FFHQ squares, the matrices made of them, and the choice of the crop's size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videdit.geometry.affine import compose, invert, rot90, similarity, transform, upright_matrix
from videdit.geometry.ffhq_align import (
    SIZES,
    UP_TO,
    choose_size,
    crop_matrix,
    crop_side,
    face_matrix,
    ffhq_quad,
    ffhq_square,
)

FACE = np.array([(-30.0, -20), (30, -20), (0, 5), (-22, 40), (22, 40)])  # upright, looking at us


def turned(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


similarities = st.builds(turned, st.floats(-3, 3), st.floats(0.1, 20), st.floats(-999, 9999), st.floats(-999, 9999))


def test_quad_of_an_upright_face() -> None:
    # Eyes 60 apart, mouth 60 below: half a side is max(2 * 60, 1.8 * 60), the centre 0.1 * 60 below the eyes.
    np.testing.assert_allclose(ffhq_quad(FACE), [(-120, -134), (-120, 106), (120, 106), (120, -134)], atol=1e-9)
    assert crop_side(FACE) == pytest.approx(240)


def test_a_long_face_is_measured_from_eyes_to_mouth() -> None:
    face = FACE.copy()
    face[3:, 1] = 80
    assert crop_side(face) == pytest.approx(2 * 1.8 * 100)


@given(similarities)
def test_square_goes_with_the_face(matrix: np.ndarray) -> None:
    np.testing.assert_allclose(ffhq_quad(transform(matrix, FACE)), transform(matrix, ffhq_quad(FACE)), atol=1e-6)


@given(similarities, st.sampled_from(SIZES))
def test_crop_matrix_is_recovered(matrix: np.ndarray, size: int) -> None:
    # A square drawn by a known matrix gives that matrix back: corners are at 0 and size, centres at +0.5.
    corners = transform(matrix, np.array([(0, 0), (0, size), (size, size), (size, 0)]))
    np.testing.assert_allclose(crop_matrix(corners, size), matrix, rtol=1e-9, atol=1e-6)


@given(similarities)
def test_sizes_show_the_same_square(matrix: np.ndarray) -> None:
    points = transform(matrix, FACE)
    small, large = face_matrix(points, 256), face_matrix(points, 1024)
    np.testing.assert_allclose(transform(small, [100.25, 7.5]), transform(large, [401, 30]), atol=1e-6)


@given(similarities, similarities)
def test_inverse_and_product(a: np.ndarray, b: np.ndarray) -> None:
    points = np.array([(0, 0), (100, 0), (0, 100.0)])
    np.testing.assert_allclose(transform(invert(a), transform(a, points)), points, atol=1e-6)
    np.testing.assert_allclose(transform(compose(a, b), points), transform(a, transform(b, points)), atol=1e-6)


@given(similarities)
def test_similarity_between_squares(matrix: np.ndarray) -> None:
    found = similarity(ffhq_square(FACE), ffhq_square(transform(matrix, FACE)))
    np.testing.assert_allclose(found, matrix, rtol=1e-7, atol=1e-6)


def test_a_quarter_turn_goes_from_right_to_down() -> None:
    np.testing.assert_array_equal(rot90(np.array([1.0, 0])), [0, 1])


def test_size_is_what_suits_the_face_in_the_frame() -> None:
    assert [choose_size(side) for side in (50, 160, 161, 320, 640, 641, 3000)] == [256, 256, 512, 512, 512, 1024, 1024]


@given(st.floats(20, 3000))
def test_size_stays_when_the_face_wavers(side: float) -> None:
    size = choose_size(side)
    for wavering in (side * 1.05, side / 1.05):
        assert choose_size(wavering, size) == size


@given(st.floats(20, 3000), st.sampled_from(SIZES))
def test_size_follows_a_clear_change(side: float, size: int) -> None:
    chosen = choose_size(side, size)
    assert chosen in (choose_size(side / 1.12), choose_size(side * 1.12), size)
    if size < 1024 and side > 1.5 * UP_TO[size]:
        assert chosen > size
    if size > 256 and side < UP_TO[size // 2] / 1.2:
        assert chosen < size


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_upright_matrix_agrees_with_rot90(rotation: int) -> None:
    coded = np.arange(12).reshape(3, 4)  # height 3, width 4
    upright = np.rot90(coded, -rotation // 90)
    matrix = upright_matrix(rotation, 4, 3)
    for (y, x), value in np.ndenumerate(upright):
        cx, cy = transform(matrix, [x + 0.5, y + 0.5])
        assert coded[int(cy), int(cx)] == value
        assert (cx % 1, cy % 1) == (0.5, 0.5)
