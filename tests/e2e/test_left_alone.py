"""Faces that are left as they are, and what is said of it: nothing to take away, or no telling which way up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from footage import frames_of, same_planes
from synthetic import background, with_face, write_clip

from videdit.errors import NoFaceError
from videdit.faces.beard import beard
from videdit.faces.detector import FaceDetector
from videdit.rendering.session import Session


@pytest.fixture(scope="module")
def both(tmp_path_factory, people):
    """Three frames: person 0, who is shaven, at the left, person 1, who has a beard, at the right."""
    picture = with_face(background(480, 256), people[0], (120, 128), 220)
    picture = with_face(picture, people[1], (360, 128), 220)
    return write_clip(tmp_path_factory.mktemp("both") / "both.mp4", [picture] * 3)


def test_one_has_a_beard_and_one_has_not(people):
    detector = FaceDetector()
    assert [beard([face], detector.aligned) for face in people] == [0, 1]
    assert beard([], detector.aligned) == beard([np.zeros((128, 128, 3), np.uint8)], detector.aligned) == 1


@pytest.mark.parametrize("edit", ["beard=-1", "beard=-1@0s,-2@0.2s", "beard=-1,smile=0"])
def test_a_shaven_face_has_no_beard_to_take_away(render, face_clip, tmp_path, edit):
    result = render(face_clip, tmp_path / "out.mp4", edit=edit, lossless=True)
    assert (result.frames, result.faces, result.people) == (8, 0, [])
    assert result.told == ("face 0: beard takes away nothing, for no beard is seen",)
    assert list(result.told) == result.as_dict()["told"]
    assert result.told[0] in result.summary()
    for before, after in zip(frames_of(face_clip), frames_of(result.output), strict=True):
        assert same_planes(before, after)


@pytest.mark.parametrize("edit", ["beard=1", "beard=-1,smile"])
def test_the_other_edits_are_made(render, face_clip, tmp_path, edit):
    result = render(face_clip, tmp_path / "out.mp4", edit=edit, end=0.1)
    assert result.faces == result.frames
    assert result.people[0]["seconds"] > 0
    assert ("face 0: beard takes away nothing" in result.told[0]) == ("smile" in edit)


def test_each_face_by_itself(render, both, tmp_path):
    words = {"faces": "all", "lossless": True, "restore": "none"}
    result = render(both, tmp_path / "out.mp4", edit="beard=-1.5", **words)
    left, right = (0, 1) if result.people[0]["face"] == 1 else (1, 0)
    assert [face["face"] for face in result.people] == [right]
    assert result.told[0] == f"face {left}: beard takes away nothing, for no beard is seen"
    for before, after in zip(frames_of(both), frames_of(result.output), strict=True):
        apart = before.picture.planes[0] != after.picture.planes[0]
        assert not apart[:, :240].any()
        assert apart[:, 240:].any()
    own = render(both, tmp_path / "own.mp4", edit="smile", per_face={str(left): "beard=-1"}, **words)
    assert [face["face"] for face in own.people] == [right]
    assert own.told[0] == result.told[0]


def test_a_face_of_which_nobody_can_tell_which_way_up_it_is(render, people, tmp_path):
    picture = with_face(background(360, 240), people[0], (180, 120), 150)
    turned = cv2.GaussianBlur(np.ascontiguousarray(picture[::-1]), (0, 0), 4.5)
    clip = write_clip(tmp_path / "turned.mp4", [turned] * 3)
    with pytest.raises(NoFaceError, match="which way up the one at 0.00 s is cannot be told; not"):
        render(clip, tmp_path / "out.mp4")
    kept = render(clip, tmp_path / "kept.mp4", keep_unedited=True)
    assert kept.faces == 0
    beside = with_face(background(360, 240), people[1], (180, 120), 200)
    clip = write_clip(tmp_path / "beside.mp4", [np.hstack([turned, beside])] * 3)
    result = render(clip, tmp_path / "beside_out.mp4")
    assert result.faces == 3
    assert result.unclear == result.as_dict()["unclear"] == [{"from": 0.0, "to": 0.0}]
    assert result.told[-1] == "a face is left as it is, for which way up it is cannot be told: at 0.00 s"


def test_where_there_is_no_face_none_is_left_alone(render, empty_clip, tmp_path):
    with pytest.raises(NoFaceError, match="^no face found in"):
        render(empty_clip, tmp_path / "out.mp4")


def test_a_preview_of_nothing_to_take_away_is_the_source(face_clip):
    job = {"input": str(face_clip), "edit": "beard=-1"}
    with Session() as session:
        for tier in ("draft", "exact"):
            found = session.preview(job, 0.1, tier=tier)
            assert np.array_equal(found.before, found.after)
