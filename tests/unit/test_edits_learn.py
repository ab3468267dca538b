"""Directions from two folders of pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.cli.direction import main
from videdit.edits import edit_delta, parse_edits
from videdit.errors import NoFaceError, UsageError
from videdit.faces.aligned_folder import aligned_faces, pictures
from videdit.geometry.ffhq_align import ffhq_quad
from videdit.training.learn import check_output, difference, learn_direction, save_learnt


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100), st.floats(2, 20))
def test_the_difference_of_means_is_found(seed, size):
    rng = np.random.default_rng(seed)
    way = np.zeros((18, 512))
    way[3:7] = rng.normal(size=512)
    way *= size / np.linalg.norm(way)
    before, after = (rng.normal(size=(200, 18, 512)) * 0.05 + k * way for k in (0, 1))
    learnt = difference(before, after)
    np.testing.assert_allclose(learnt.difference * learnt.direction, way, atol=0.05)
    assert learnt.faces == (200, 200)
    # two groups that differ by `size` have a standard deviation of half of it along the difference
    assert learnt.difference == pytest.approx(2, rel=0.05)


def test_equal_folders_teach_nothing():
    codes = np.random.default_rng(0).normal(size=(3, 18, 512))
    with pytest.raises(UsageError, match="nothing to learn"):
        difference(codes, codes)


def test_a_learnt_direction_is_an_edit_by_its_file(tmp_path):
    learnt = difference(np.zeros((2, 18, 512)), np.ones((3, 18, 512)) + np.arange(3)[:, None, None])
    path = tmp_path / "mine.safetensors"
    save_learnt(learnt, path, tmp_path / "a", tmp_path / "b")
    (edit,) = parse_edits(str(path))  # a bare name is the whole difference
    np.testing.assert_allclose(edit_delta([edit]), 2, atol=2e-3)


def test_faces_are_found_and_aligned(tmp_path, detector, people):
    scene = np.full((400, 500, 3), 90, np.uint8)
    scene[60:316, 120:376] = people[0]
    cv2.imwrite(str(tmp_path / "1.png"), scene[..., ::-1])
    cv2.imwrite(str(tmp_path / "2.png"), np.full((100, 100, 3), 90, np.uint8))
    (tmp_path / "3.jpg").write_bytes(b"")
    (tmp_path / "4.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    said: list[str] = []
    (face,) = aligned_faces(pictures(tmp_path), detector, said.append)
    assert face.shape == (256, 256, 3)
    assert face.dtype == np.uint8
    assert len(said) == 3
    assert "no face" in said[0]
    assert all("cannot" not in line for line in said)
    (again,) = detector.detect(face)  # the crop is aligned: its own square is the whole crop
    np.testing.assert_allclose(ffhq_quad(again.points), [(0, 0), (0, 256), (256, 256), (256, 0)], atol=8)


def test_mistakes_are_told_before_networks_are_loaded(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        learn_direction(tmp_path / "no", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no picture"):
        learn_direction(tmp_path / "empty", tmp_path)
    with pytest.raises(UsageError, match="safetensors"):
        check_output(tmp_path / "x.npy")
    with pytest.raises(UsageError, match="no folder"):
        check_output(tmp_path / "no" / "x.safetensors")
    (tmp_path / "x.safetensors").write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists already"):
        main(["--from", str(tmp_path), "--to", str(tmp_path), "-o", str(tmp_path / "x.safetensors")])


def test_the_command_from_folders_to_file(tmp_path, people, capsys):
    for name, person in zip(("a", "b"), people, strict=True):
        (tmp_path / name).mkdir()
        for shift in (0, 9):
            scene = np.full((300, 320, 3), 60 + shift, np.uint8)
            scene[20:276, 20 + shift : 276 + shift] = person
            cv2.imwrite(str(tmp_path / name / f"{shift}.png"), scene[..., ::-1])
    out = tmp_path / "b.safetensors"
    words = ["--from", str(tmp_path / "a"), "--to", str(tmp_path / "b"), "-o", str(out)]
    assert main(words) == 0
    assert "--edit" in capsys.readouterr().out
    assert np.linalg.norm(edit_delta(parse_edits(str(out)))) > 1
    (tmp_path / "b" / "0.png").unlink()
    out.unlink()
    with pytest.raises(NoFaceError, match="at least 2"):
        main(words)
