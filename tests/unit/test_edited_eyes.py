"""Irises stay the source's when lids move."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from test_detail import rendering, smooth_image
from test_masks import STILL, at, facing

from videdit.datatypes import LOW, Crop, Rendering
from videdit.faces.detector import FaceDetector
from videdit.faces.edited_eyes import eyes_of_edit, kept_eyes
from videdit.imaging.detail_transfer import return_detail
from videdit.imaging.host import HostPixels

EYES = ((103, 118), (153, 118))  # of `facing`, at 256 px


@pytest.mark.parametrize("opened", [10.0, 14.0, 20.0])
def test_of_eyes_that_open_all_that_was_open_stays(opened: float) -> None:
    kept = kept_eyes(facing(10.0), facing(opened))
    for x, y in EYES:
        assert at(kept, x, y) == 255
        assert at(kept, x, y - 3) > 200
        assert at(kept, x, y - 9) == 0


@pytest.mark.parametrize("height", [0.5, 4.0, 7.0])
def test_of_eyes_that_narrow_only_what_is_still_open_stays(height: float) -> None:
    kept = kept_eyes(facing(14.0), facing(height))
    for x, y in EYES:
        assert at(kept, x, y - 6) < 40  # a lid now
        if height > 2:
            assert at(kept, x, y) > 200
    assert kept_eyes(facing(14.0), facing(0.01)).max() < 160


def test_nothing_changes_where_eyes_are_kept_and_everything_does_beside_them() -> None:
    source = smooth_image(256, 3) * 0.3
    edit = source + 0.3
    crop = ((source + 1) * 127.5).round().astype(np.uint8)
    made = rendering(source, edit)
    eyes = kept_eyes(facing(14.0), facing(14.0))
    change = np.abs(return_detail(crop, replace(made, eyes=eyes)))
    plain = np.abs(return_detail(crop, made))
    for x, y in EYES:
        assert change[y, x].max() < 0.03 < plain[y, x].min()
        np.testing.assert_allclose(change[y - 14, x], plain[y - 14, x], atol=1e-3)


def test_a_face_s_own_eyes_are_found_and_none_where_there_is_no_face(people: list[np.ndarray]) -> None:
    detector, pixels = FaceDetector("cpu"), HostPixels("cpu", "fp32")
    for person in people:
        mesh = detector.aligned(person).mesh
        picture = person.astype(np.float32) / 127.5 - 1
        same = Rendering(picture, picture, STILL, picture, picture)
        double = cv2.resize(person, (512, 512))
        eyes = eyes_of_edit(pixels, detector, Crop(0, double, np.eye(2, 3), 1.0, mesh * 2), same).eyes
        assert eyes.shape == (LOW, LOW)
        for middle in (mesh[[33, 133]].mean(0), mesh[[263, 362]].mean(0)):
            assert at(eyes, *middle) > 128
        assert 100 < (eyes > 128).sum() < 1500
        grey = np.zeros_like(picture)
        nobody = Rendering(picture, grey, STILL, picture, grey)
        crop = Crop(0, person, np.eye(2, 3), 1.0, mesh)
        assert eyes_of_edit(pixels, detector, crop, nobody).eyes is None
        assert eyes_of_edit(pixels, detector, replace(crop, mesh=None), same).eyes is None
