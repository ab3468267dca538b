"""Faces are found and measured: two people of our generator's, whose crops are aligned by construction."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.faces.detector import FaceDetector, crop_reader, distinct, face_size, five_points, overlap
from videdit.faces.mtcnn import pyramid, squared, suppress
from videdit.geometry.affine import transform
from videdit.geometry.ffhq_align import ffhq_square
from videdit.geometry.warp import warp

PEOPLE = cv2.imread(str(Path(__file__).parent.parent / "data/faces.jpg"))[..., ::-1].copy()  # 512 x 256: two of 256 px


def placed(person: int, scale: float, x: float, y: float, angle: float = 0.0, shape=(360, 640)) -> np.ndarray:
    """One of the people, its tile's centre at (x, y), turned by an angle (degrees), on grey."""
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    matrix = np.array([[c, -s, x - 128 * c + 128 * s], [s, c, y - 128 * s - 128 * c]])
    inverse = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))[:2]
    tile = np.ascontiguousarray(PEOPLE[:, 256 * person : 256 * (person + 1)])
    if scale < 1:
        tile = cv2.GaussianBlur(tile, (0, 0), 0.4 / scale)
    return warp(tile, inverse, shape, border=cv2.BORDER_CONSTANT, value=110)


def test_both_are_found_where_they_are(detector: FaceDetector) -> None:
    faces = sorted(detector.detect(PEOPLE), key=lambda face: face.points[0, 0])
    assert len(faces) == 2
    for i, face in enumerate(faces):
        assert face.mesh is not None
        assert face.mesh.shape == (468, 2)
        assert face.points.shape == (5, 2)
        left, right, nose, mouth_left, mouth_right = face.points
        assert left[0] < nose[0] < right[0]
        assert left[1] < nose[1] < mouth_left[1]
        assert mouth_left[0] < mouth_right[0]
        # The generator's pictures are FFHQ crops: the aligned square is the tile.
        centre, half = ffhq_square(face.points)
        assert np.linalg.norm(centre - (256 * i + 128, 128)) < 0.02 * 256
        assert np.linalg.norm(half - (128, 0)) < 0.05 * 128
        assert abs(face.yaw) < 12
        assert 0.9 < face.score <= 1


@pytest.mark.parametrize("angle", [-25, 0, 30])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_points_go_with_the_picture(detector: FaceDetector, angle: float, scale: float) -> None:
    reference = detector.detect(np.ascontiguousarray(PEOPLE[:, :256]))[0]
    (face,) = detector.detect(placed(0, scale, 300.3, 180.8, angle))
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    expected = (reference.points - 128) @ np.array([[c, s], [-s, c]]) + (300.3, 180.8)
    assert np.abs(face.points - expected).max() < 0.02 * 256 * scale


@pytest.mark.parametrize("person", [0, 1])
def test_faces_from_20_pixels_up(detector: FaceDetector, person: int) -> None:
    picture = placed(person, 0.17, 412, 97)
    faces = detector.detect(picture)
    assert len(faces) == 1
    assert 18 < face_size(faces[0]) < 30
    assert np.linalg.norm(faces[0].points.mean(0) - (412, 98)) < 4


def test_no_face_in_pictures_without_one(detector: FaceDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    for picture in (noise, np.zeros_like(noise), cv2.GaussianBlur(noise, (0, 0), 9), noise[:1, :1], noise[:11, :9]):
        assert detector.detect(np.ascontiguousarray(picture)) == []


def test_following_a_face_that_moves(detector: FaceDetector) -> None:
    (first,) = detector.detect(placed(1, 0.6, 250, 170))
    second = detector.follow(first, crop_reader(placed(1, 0.6, 258, 165, 4)))
    assert second is not None
    moved = second.points.mean(0) - first.points.mean(0)
    assert np.abs(moved - (8, -5)).max() < 1.5
    assert detector.follow(first, crop_reader(np.full((360, 640, 3), 110, np.uint8))) is None


def test_yaw_says_which_way(detector: FaceDetector) -> None:
    for person in (0, 1):
        tile = np.ascontiguousarray(PEOPLE[:, 256 * person : 256 * (person + 1)])
        (face,), (mirrored,) = detector.detect(tile), detector.detect(np.ascontiguousarray(tile[:, ::-1]))
        assert mirrored.yaw == pytest.approx(-face.yaw, abs=4)
    # Squeezing the right half of a face looks as if it was turned to the right: the nose comes nearer to that cheek.
    tile = np.ascontiguousarray(PEOPLE[:, :256])
    squeezed = np.concatenate([tile[:, :128], cv2.resize(tile[:, 128:], (70, 256))], axis=1)
    assert detector.detect(np.ascontiguousarray(squeezed))[0].yaw > detector.detect(tile)[0].yaw + 5


def test_five_points_are_of_the_mesh(detector: FaceDetector) -> None:
    (face,) = detector.detect(np.ascontiguousarray(PEOPLE[:, :256]))
    assert face.mesh is not None
    matrix = np.array([[0.6, -0.8, 7], [0.8, 0.6, -30]])
    np.testing.assert_allclose(five_points(transform(matrix, face.mesh)), transform(matrix, face.points), atol=1e-6)


def test_distinct_keeps_the_first_of_two_alike(detector: FaceDetector) -> None:
    a, b = detector.detect(PEOPLE)
    assert overlap(a, a) == pytest.approx(1)
    assert overlap(a, b) == 0
    assert distinct([a, b, a]) == [a, b]


boxes = st.lists(st.tuples(*[st.floats(0, 100)] * 2, *[st.floats(1, 50)] * 2), min_size=0, max_size=20)


@settings(deadline=None)
@given(boxes, st.floats(0.1, 0.9), st.booleans())
def test_suppress(found: list[tuple[float, float, float, float]], most: float, of_smaller: bool) -> None:
    array = np.array([(x, y, x + w, y + h) for x, y, w, h in found]).reshape(-1, 4)
    scores = np.random.default_rng(len(found)).random(len(found))

    def shared(i: int, j: int) -> float:
        both = np.minimum(array[i, 2:], array[j, 2:]) - np.maximum(array[i, :2], array[j, :2])
        area = [np.prod(array[k, 2:] - array[k, :2]) for k in (i, j)]
        common = np.prod(np.maximum(both, 0))
        return common / (min(area) if of_smaller else sum(area) - common)

    keep = list(suppress(array, scores, most, of_smaller))
    assert all(scores[a] >= scores[b] for a, b in zip(keep, keep[1:], strict=False))
    for i in range(len(found)):
        better = [shared(i, k) for k in keep if k != i and scores[k] >= scores[i]]
        # Kept exactly when no better one that is kept covers it.
        assert (i in keep) == all(s <= most + 1e-9 for s in better) or any(abs(s - most) < 1e-9 for s in better)


@given(boxes)
def test_squared(found: list[tuple[float, float, float, float]]) -> None:
    array = np.array([(x, y, x + w, y + h) for x, y, w, h in found]).reshape(-1, 4)
    square = squared(array)
    sides = square[:, 2:] - square[:, :2]
    np.testing.assert_allclose(sides, (array[:, 2:] - array[:, :2]).max(1, initial=0)[:, None].repeat(2, 1))
    np.testing.assert_allclose(square[:, :2] + square[:, 2:], array[:, :2] + array[:, 2:], atol=1e-9)


@given(st.integers(1, 700), st.integers(1, 700), st.floats(0.2, 1.5))
def test_levels_of_the_pyramid_do_not_overlap(height: int, width: int, scale: float) -> None:
    places = pyramid(height, width, scale)
    right, bottom = (max((p[i] + p[i + 2] for p in places), default=1) for i in (0, 1))
    sheet = np.zeros((bottom, right), int)
    for x, y, w, h in places:
        assert x % 2 == 0
        assert y % 2 == 0
        assert min(w, h) >= 12
        assert w / width == pytest.approx(h / height, rel=0.1)
        sheet[y : y + h, x : x + w] += 1
    assert sheet.max() <= 1
    assert bool(places) == (min(height, width) * scale >= 12)
