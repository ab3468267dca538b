"""The second edit of a clip: neither looked at nor encoded again, and the same as if it had been."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from footage import frames_of, same_planes
from synthetic import background, with_face, write_clip

from videdit.engine import profiler
from videdit.errors import NoFaceError, UsageError
from videdit.media.color import picture_to_rgb


@pytest.fixture(scope="module")
def two_people(tmp_path_factory, people) -> Path:
    """Three frames: person 0 at the left, person 1, who is larger, at the right."""
    picture = with_face(background(480, 256), people[0], (120, 128), 200)
    picture = with_face(picture, people[1], (360, 128), 230)
    return write_clip(tmp_path_factory.mktemp("two") / "two.mp4", [picture] * 3)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("videdit"), "propagate", True)
    caplog.set_level("WARNING", "videdit")
    return caplog


def no_looking(*_: object) -> None:
    raise AssertionError("the clip is looked at again")


def encoded() -> int:
    """Crops that the encoder has seen in this process, in passes."""
    return sum(done.count for name, done in profiler.passes().items() if name == "Encoder")


def same(one: Path, other: Path) -> bool:
    return all(same_planes(a, b) for a, b in zip(frames_of(one), frames_of(other), strict=True))


def test_the_second_edit_neither_looks_nor_encodes(render, face_clip, tmp_path, monkeypatch):
    words = {"analysis": str(tmp_path / "kept"), "lossless": True}
    before = encoded()
    first = render(face_clip, tmp_path / "first.mp4", edit="smile=2", **words)
    between = encoded()
    without = render(face_clip, tmp_path / "without.mp4", edit="age=20", cache=False, lossless=True)
    after = encoded()
    assert between > before
    assert after - between == between - before
    monkeypatch.setattr("videdit.stages.detect.Detect.__call__", no_looking)
    again = render(face_clip, tmp_path / "again.mp4", edit="smile=2", **words)
    other = render(face_clip, tmp_path / "other.mp4", edit="age=20", **words)
    assert encoded() == after
    assert first.faces == again.faces == other.faces == without.faces == 8
    assert same(first.output, again.output)
    assert same(other.output, without.output)
    assert not same(first.output, other.output)
    (kept,) = (tmp_path / "kept").iterdir()
    assert {path.name.split("-")[0] for path in kept.iterdir()} == {
        *("analysis.json", "sightings.npz", "portraits.npz", "faces00000000.npz", "codes")
    }


def test_what_is_damaged_is_made_anew_and_said_in_a_line(render, face_clip, tmp_path, warnings):
    words = {"analysis": str(tmp_path / "kept"), "lossless": True}
    first = render(face_clip, tmp_path / "first.mp4", **words)
    (kept,) = (tmp_path / "kept").iterdir()
    (kept / "sightings.npz").write_bytes(b"not what it was")
    second = render(face_clip, tmp_path / "second.mp4", **words)
    (said,) = warnings.messages
    assert "damaged (sightings.npz has changed); it is made anew" in said
    assert same(first.output, second.output)


def test_a_place_where_nothing_can_be_kept_is_said(render, face_clip, tmp_path, warnings):
    (tmp_path / "file").write_text("in the way")
    assert render(face_clip, tmp_path / "out.mp4", analysis=str(tmp_path / "file")).faces == 8
    (said,) = warnings.messages
    assert said.startswith("cannot keep the analysis in ")


def halves(source: Path, output: Path) -> list[np.ndarray]:
    """What changed in the left and the right half of the second frame."""
    old, new = (picture_to_rgb(frames_of(path)[1].picture).astype(int) for path in (source, output))
    return [(new - old)[:, part] for part in (slice(0, 240), slice(240, 480))]


def test_each_with_edits_of_their_own(render, two_people, tmp_path):
    # An age is consulted, and then all edits of the job are: docs/edits.md.
    how = {"lossless": True, "consultation": "always"}
    words = {"edit": "smile=2", "faces": 1, "per_face": {"left": "age=30"}}
    both = render(two_people, tmp_path / "both.mp4", **how, **words)
    assert both.faces == 6
    left = render(two_people, tmp_path / "left.mp4", edit="age=30", faces="left", **how)
    right = render(two_people, tmp_path / "right.mp4", edit="smile=2", faces="largest", **how)
    found = halves(two_people, both.output)
    for mine, alone in (
        (found[0], halves(two_people, left.output)[0]),
        (found[1], halves(two_people, right.output)[1]),
    ):
        assert np.abs(alone).max() > 20
        assert np.array_equal(mine, alone)  # what another gets changes nothing: neither the edit nor its mask


def test_the_person_in_a_picture(render, people, two_people, tmp_path):
    # The same face larger, darker, warmer and turned a little: another photograph, as far as that can be had.
    turn = cv2.getRotationMatrix2D((128, 128), 8, 1.1)
    other = cv2.warpAffine(people[0], turn, (256, 256), borderMode=cv2.BORDER_REFLECT)
    other = np.clip(other * np.array([0.9, 0.8, 0.65]), 0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "ref.jpg"), with_face(background(400, 400), other, (200, 200), 380)[:, :, ::-1])
    result = render(two_people, tmp_path / "out.mp4", edit="smile=2", faces=str(tmp_path / "ref.jpg"), lossless=True)
    left, right = halves(two_people, result.output)
    assert left.any()
    assert not right.any()

    cv2.imwrite(str(tmp_path / "nobody.jpg"), background(300, 300))
    with pytest.raises(UsageError, match="there is no face in"):
        render(two_people, tmp_path / "none.mp4", faces=str(tmp_path / "nobody.jpg"))
    with pytest.raises(NoFaceError, match="there is no face 7: 0 to 1"):
        render(two_people, tmp_path / "none.mp4", faces=7)
    assert not (tmp_path / "none.mp4").exists()
