"""`videdit faces`: a table, JSON and a sheet of who is in a clip."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from synthetic import background, with_face, write_clip

from videdit.cli import run


@pytest.fixture(scope="module")
def two_shots(tmp_path_factory, people):
    """Two people in three frames, then one of them in another place in four."""
    first = with_face(with_face(background(480, 256), people[0], (120, 128), 200), people[1], (360, 128), 230)
    other = with_face(np.ascontiguousarray(background(480, 256)[::-1, ::-1, ::-1]), people[0], (300, 128), 220)
    return write_clip(tmp_path_factory.mktemp("shots") / "shots.mp4", [first] * 3 + [other] * 4)


def test_who_is_there(two_shots, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["faces", str(two_shots), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["scenes"], told["sheet"]) == (7, 2, "shots_faces.png")
    assert [(face["face"], face["shot"], face["frames"]) for face in told["faces"]] == [(0, 1, 3), (1, 1, 3), (2, 2, 4)]
    truth = ((0, 0.08, 125), (0, 0.08, 145), (0.12, 0.24, 138))
    for face, (first, last, size) in zip(told["faces"], truth, strict=True):
        assert (face["first"], face["last"]) == (first, last) and abs(face["size"] - size) < 15
        assert face["yaw"]["least"] <= face["yaw"]["median"] <= face["yaw"]["largest"] < 20
    sheet = cv2.imread("shots_faces.png")
    assert sheet.shape == (3 * 128, 5 * 128, 3)
    assert all(sheet[128 * row : 128 * row + 128, 128:256].std() > 20 for row in range(3))  # a portrait each

    assert run(["faces", str(two_shots)]) == 2  # the sheet is there already
    assert "shots_faces.png exists already" in capsys.readouterr().err
    monkeypatch.setattr("stages.detect.Detect.__call__", None)  # it was kept
    assert run(["faces", str(two_shots), "--overwrite"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["face", "shot", "frames"] and len(lines) == 5
    assert lines[3].split()[:5] == ["2", "2", "4", "0.12", "0.24"]


def test_nobody_and_nothing(empty_clip, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["faces", str(empty_clip), "--no-cache"]) == 3
    assert "no face found in" in capsys.readouterr().err
    assert run(["faces", "missing.mp4"]) == 1
    assert run(["faces", str(empty_clip), "--start", "soon"]) == 2
    assert "'soon' is not a time" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
