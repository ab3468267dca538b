"""Plates about motion: what is on them where it must be."""

from __future__ import annotations

import numpy as np
import pytest

from videdit.cli import main as cli
from videdit.edits import parse_edits
from videdit.evaluation.motion_figures import coordinate_maps, landmark_plate, squared, triangulated, viewpoint_plate
from videdit.faces.detector import FaceDetector
from videdit.geometry.delaunay_flow import flow_between
from videdit.hfgi.inverter import Inverter


@pytest.fixture(scope="module")
def inverter() -> Inverter:
    return Inverter.load(precision="fp32", batch=1)


def test_coordinates_are_slopes_that_a_motion_bends() -> None:
    across, down = coordinate_maps(np.zeros((256, 256, 2), np.float32))
    np.testing.assert_allclose(across[7, :, 0], np.arange(256), atol=1)
    np.testing.assert_allclose(down[:, 7, 0], np.arange(256), atol=1)
    points = np.stack(np.meshgrid(np.arange(60, 200, 20.0), np.arange(60, 200, 20.0)), -1).reshape(-1, 2)
    moved, still = coordinate_maps(flow_between(points, points + (10, 0), 256))
    assert abs(int(moved[128, 128, 0]) - 138) <= 2  # it was ten pixels further right
    assert abs(int(still[128, 128, 0]) - 128) <= 2


def test_triangles_join_all_points() -> None:
    black = np.zeros((256, 256, 3), np.uint8)
    points = np.array([[60.5, 60.5], [200.5, 70.5], [120.5, 190.5]])
    drawn = triangulated(black, points)
    for x, y in points:
        assert drawn[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].max() > 150
    assert drawn[95:150, 120].max() == 0  # nothing inside a triangle
    assert black.max() == 0


def test_the_plates_of_a_turn(inverter, people) -> None:
    edits = parse_edits("yaw=12")
    sheet = viewpoint_plate(inverter, people[:1], edits)
    assert sheet.shape == (272, 6 * 256, 3)
    tiles = [sheet[16:272, i * 256 : i * 256 + 256].astype(float) for i in range(6)]
    assert np.array_equal(tiles[0], people[0])
    assert np.abs(tiles[2] - tiles[3]).mean() > 0.3  # ADA alone, and after flow
    marks = landmark_plate(inverter, FaceDetector(), people[:1], edits)
    assert marks.shape == (272, 8 * 256, 3)
    across = marks[16:272, 4 * 256 : 5 * 256, 0].astype(int)
    assert (np.diff(across, axis=1) >= -1).mean() > 0.97  # it still goes from left to right
    assert np.abs(across - np.arange(256)).max() > 3  # and a head has turned


def test_a_strip_is_squares_from_the_middle(tmp_path, capsys) -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 255
    assert squared(wide, 50).min() == 255
    assert cli.run(["sheet", "strip", str(tmp_path), "-o", str(tmp_path / "s.png")]) == 2
    assert "takes one clip" in capsys.readouterr().err
