"""`videdit faces`: a table, JSON and a sheet of who is in a clip."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from footage import frames_of
from synthetic import background, with_face, write_clip

from videdit.cli.main import run
from videdit.errors import NoFaceError


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
        assert (face["first"], face["last"]) == (first, last)
        assert abs(face["size"] - size) < 15
        assert face["yaw"]["least"] <= face["yaw"]["median"] <= face["yaw"]["largest"] < 20
    sheet = cv2.imread("shots_faces.png")
    assert sheet.shape == (3 * 128, 5 * 128, 3)
    assert all(sheet[128 * row : 128 * row + 128, 128:256].std() > 20 for row in range(3))  # a portrait each

    made = (tmp_path / "shots_faces.png").read_bytes()
    (tmp_path / "shots_faces.png").write_bytes(b"holidays")
    assert run(["faces", str(two_shots)]) == 2
    assert "shots_faces.png exists and is no sheet of faces" in capsys.readouterr().err
    assert (tmp_path / "shots_faces.png").read_bytes() == b"holidays"
    (tmp_path / "shots_faces.png").write_bytes(made)
    monkeypatch.setattr("videdit.stages.detect.Detect.__call__", None)  # it was kept
    assert run(["faces", str(two_shots)]) == 0  # a sheet takes the place of a sheet
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["face", "shot", "frames"]
    assert len(lines) == 5
    assert lines[3].split()[:5] == ["2", "2", "4", "0.12", "0.24"]


@pytest.fixture(scope="module")
def two_people_and_a_third_shot(tmp_path_factory, people):
    """One person alone for four frames, then two for four more, the other one on the left."""
    alone = with_face(background(480, 256), people[0], (240, 128), 220)
    both = np.ascontiguousarray(background(480, 256)[::-1, ::-1, ::-1])
    both = with_face(with_face(both, people[1], (120, 128), 230), people[0], (360, 128), 220)
    return write_clip(tmp_path_factory.mktemp("cast") / "cast.mp4", [alone] * 4 + [both] * 4)


def test_numbers_are_of_the_whole_clip_whatever_the_cut(render, two_people_and_a_third_shot, tmp_path, capsys):
    """A cut that begins where the second shot does knows the same numbers, and edits the same person."""
    clip = two_people_and_a_third_shot
    faces = ["faces", str(clip), "--json", "--sheet", str(tmp_path / "s.png")]
    assert run([*faces, "--start", "0.16", "--end", "0.28"]) == 0
    part = json.loads(capsys.readouterr().out)
    assert [(face["face"], face["shot"], face["first"]) for face in part["faces"]] == [(1, 2, 0.16), (2, 2, 0.16)]
    assert (part["frames"], part["scenes"]) == (3, 1)
    span = {"start": 0.16, "lossless": True, "edit": "smile=2"}
    render(clip, tmp_path / "one.mp4", faces=1, **span)
    render(clip, tmp_path / "left.mp4", faces="left", **span)
    render(clip, tmp_path / "two.mp4", faces=2, **span)
    source = frames_of(clip)[4:]
    changes = {}
    for name in ("one", "left", "two"):
        pairs = zip(source, frames_of(tmp_path / f"{name}.mp4"), strict=True)
        change = sum(np.abs(a.picture.planes[0].astype(int) - b.picture.planes[0]).sum(0) for a, b in pairs)
        changes[name] = (change[:240].sum(), change[240:].sum())
    assert changes["one"][0] > 0 == changes["one"][1]
    assert changes["left"][0] > 0 == changes["left"][1]
    assert changes["two"][1] > 0 == changes["two"][0]
    with pytest.raises(NoFaceError, match="no face 3: 0 to 2"):
        render(clip, tmp_path / "none.mp4", faces=3, **span)


def test_nobody_and_nothing(empty_clip, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["faces", str(empty_clip), "--no-cache"]) == 3
    assert "no face found in" in capsys.readouterr().err
    assert run(["faces", "missing.mp4"]) == 2
    assert run(["faces", str(empty_clip), "--start", "soon"]) == 2
    assert "'soon' is not a time" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
