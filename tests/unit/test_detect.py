"""The detect stage on pictures of known content: our generator's people on a moving background."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from videdit.datatypes import Coded, Color, Frame, Picture
from videdit.faces.detector import FaceDetector
from videdit.geometry.affine import invert, transform, upright_matrix
from videdit.geometry.ffhq_align import ffhq_square
from videdit.stages.detect import Detect

PEOPLE = cv2.imread(str(Path(__file__).parent.parent / "data/faces.jpg"))[..., ::-1]
RGB = Color(matrix="rgb", full_range=True, chroma_log2=(0, 0))


def scene(width: int, height: int, *tiles: tuple[int, int, int, int], shade: int = 100) -> np.ndarray:
    """People (person, side, x, y: the tile's top left corner) before a wall."""
    y, x = np.indices((height, width))
    rgb = np.repeat((shade + 20 * np.sin(x / 40) * np.cos(y / 30))[..., None], 3, 2).astype(np.uint8)
    for person, side, x0, y0 in tiles:
        tile = PEOPLE[:, 256 * person : 256 * (person + 1)]
        how = cv2.INTER_AREA if side < 256 else cv2.INTER_LINEAR
        rgb[y0 : y0 + side, x0 : x0 + side] = cv2.resize(tile, (side, side), interpolation=how)
    return rgb


def clip(pictures: list[np.ndarray], rotation: int = 0) -> Iterator[Frame]:
    for i, rgb in enumerate(pictures):
        coded = np.rot90(rgb, rotation // 90)
        planes = tuple(np.ascontiguousarray(coded[..., c]) for c in range(3))
        yield Frame(i, i, Fraction(1, 25), i / 25, Picture(planes, RGB, "gbrp"), coded=Coded(rotation=rotation))


def test_a_moving_face_is_found_in_every_frame(detector: FaceDetector) -> None:
    places = [(100 + 6 * i, 60 + 2 * i) for i in range(12)]
    frames = list(Detect(detector)(clip([scene(640, 360, (0, 200, x, y)) for x, y in places])))
    assert [frame.index for frame in frames] == list(range(12))
    assert {frame.scene for frame in frames} == {0}
    for frame, (x, y) in zip(frames, places, strict=True):
        (face,) = frame.faces
        centre, half = ffhq_square(face.points)
        assert np.linalg.norm(centre - (x + 100, y + 100)) < 0.02 * 200
        assert np.linalg.norm(half - (100, 0)) < 0.06 * 100


def test_a_face_of_40_pixels_in_720p(detector: FaceDetector) -> None:
    (frame,) = Detect(detector)(clip([scene(1280, 720, (1, 76, 903, 211))]))  # the face is half as wide as the tile
    (face,) = frame.faces
    assert 36 < np.ptp(face.mesh, axis=0).max() < 50
    assert np.linalg.norm(ffhq_square(face.points)[0] - (941, 249)) < 3


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("wide, high", [(360, 480), (640, 300)])
def test_points_are_in_square_pixels(detector: FaceDetector, wide: int, high: int, rotation: int) -> None:
    upright = scene(640, 480, (0, 200, 200, 120))
    coded = cv2.resize(
        np.ascontiguousarray(np.rot90(upright, rotation // 90)), (wide, high), interpolation=cv2.INTER_AREA
    )
    shape = upright.shape if rotation == 0 else (640, 480)
    aspect = (shape[1] / wide) / (shape[0] / high)
    (plain,) = Detect(detector)(clip([upright], rotation))
    planes = tuple(np.ascontiguousarray(coded[..., c]) for c in range(3))
    picture = Picture(planes, RGB, "gbrp", aspect)
    (found,) = Detect(detector)(iter([Frame(0, 0, Fraction(1, 25), 0.0, picture, coded=Coded(rotation=rotation))]))
    scale = picture.square_size[0] / shape[1]
    assert len(found.faces) == 1
    assert np.abs(found.faces[0].points / scale - plain.faces[0].points).max() < 2
    assert abs(np.ptp(found.faces[0].mesh, axis=0).max() / scale / np.ptp(plain.faces[0].mesh, axis=0).max() - 1) < 0.03


@pytest.mark.parametrize("roll", [90, 135, 180, 225, 270])
@pytest.mark.parametrize("person", [0, 1])
def test_a_face_is_found_the_right_way_up_at_any_roll(detector: FaceDetector, person: int, roll: int) -> None:
    upright = scene(420, 420, (person, 200, 110, 110))
    turn = cv2.getRotationMatrix2D((210, 210), -roll, 1)
    turned = cv2.warpAffine(upright, turn, (420, 420), borderMode=cv2.BORDER_REPLICATE)
    (plain,) = next(Detect(detector)(clip([upright]))).faces
    for frame in Detect(detector)(clip([turned] * 7)):
        (face,) = frame.faces
        expected = (plain.points - 210) @ turn[:, :2].T + 210  # getRotationMatrix2D counts from pixel centres
        assert np.abs(face.points - expected).max() < 4


def test_a_hanging_head_beside_an_upright_one(detector: FaceDetector) -> None:
    picture = scene(640, 300, (0, 180, 60, 60))
    picture[60:240, 380:560] = scene(640, 300, (1, 180, 380, 60))[60:240, 380:560][::-1, ::-1]
    for frame in Detect(detector)(clip([picture] * 3)):
        one, other = sorted(frame.faces, key=lambda face: face.points[0, 0])
        assert ffhq_square(one.points)[1][0] > 70
        assert ffhq_square(other.points)[1][0] < -70


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_clips_are_searched_as_they_are_displayed(detector: FaceDetector, rotation: int) -> None:
    upright = [scene(400, 300, (0, 180, 150 + 3 * i, 60)) for i in range(3)]
    plain = list(Detect(detector)(clip(upright)))
    turned = list(Detect(detector)(clip(upright, rotation)))
    for a, b in zip(plain, turned, strict=True):
        matrix = invert(upright_matrix(rotation, b.picture.width, b.picture.height))
        np.testing.assert_allclose(transform(matrix, b.faces[0].points), a.faces[0].points, atol=0.5)
        assert b.faces[0].yaw == pytest.approx(a.faces[0].yaw, abs=1)


def test_cuts_entries_and_exits(detector: FaceDetector) -> None:
    one = scene(640, 360, (0, 200, 80, 80))
    two = scene(640, 360, (0, 200, 80, 80), (1, 160, 400, 100))
    other = scene(640, 360, (1, 240, 300, 60), shade=200)
    empty = scene(640, 360)
    frames = list(Detect(detector, every=3)(clip([one] * 3 + [two] * 4 + [other] * 3 + [empty] * 2 + [one])))
    counts = [len(frame.faces) for frame in frames]
    assert counts[:3] == [1, 1, 1]
    assert counts[6] == 2  # found by the next search at the latest
    assert counts[7:] == [1, 1, 1, 0, 0, 1]
    assert [frame.scene for frame in frames][:8] == [0] * 7 + [1]
