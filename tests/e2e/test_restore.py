"""Restoration from file to file, with a network whose whole effect is known: it makes every crop brighter by 0.1."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from footage import frames_of, same_planes
from safetensors.torch import save_file
from synthetic import background, with_face, write_clip

from videdit.errors import WeightsError
from videdit.models.restorer import Restorer
from videdit.rendering.model_cache import ModelCache
from videdit.restoration.restorer import CropRestorer, small_network


@pytest.fixture()
def brightening(render, tmp_path, monkeypatch):
    """The tests' renderer with such a restorer."""
    net = Restorer()
    with torch.no_grad():
        net.leave.bias.fill_(0.1)
    save_file({k: v.half() for k, v in net.state_dict().items()}, tmp_path / "restorer.safetensors")
    restorer = CropRestorer(small_network(tmp_path / "restorer.safetensors"))
    monkeypatch.setattr(ModelCache, "restorer", lambda self, choice, job: restorer)
    return render


@pytest.mark.parametrize(("strength", "amount"), [(1.0, 12.75), (0.4, 5.1), (0.0, 0.0)])
def test_without_an_edit_the_restoration_is_all_that_changes(brightening, face_clip, tmp_path, strength, amount):
    words = {"edit": "smile=0", "restore": "small", "restore_strength": strength, "lossless": True}
    result = brightening(face_clip, tmp_path / "out.mp4", **words)
    for before, after in zip(frames_of(face_clip), frames_of(result.output), strict=True):
        old, new = (frame.picture.planes[0].astype(float) for frame in (before, after))
        change = new - old
        assert change[100:140, 140:170].mean() == pytest.approx(amount * 219 / 255, abs=0.8)  # in the face
        assert not change[:, :50].any()
        assert not change[:, 290:].any()


def test_by_default_a_clean_clip_stays_as_it_is(brightening, face_clip, tmp_path):
    result = brightening(face_clip, tmp_path / "out.mp4", edit="smile=0.000001", lossless=True)
    assert result.faces == 8
    assert "restoration: none, no face is small and soft" in result.summary()
    # Inversion and edit are rendered by two graphs above 256 px, which may round a code value in 10,000 pixels apart.
    for before, after in zip(frames_of(face_clip), frames_of(result.output), strict=True):
        for old, new in zip(before.picture.planes, after.picture.planes, strict=True):
            apart = np.abs(old.astype(int) - new)
            assert apart.max() <= 1
            assert apart.mean() < 5e-4


def test_by_default_a_soft_face_is_restored_in_every_frame(brightening, people, tmp_path):
    face = cv2.resize(cv2.resize(people[0], (56, 56), interpolation=cv2.INTER_AREA), (256, 256))
    clip = write_clip(tmp_path / "in.mp4", [with_face(background(320, 240), face, (155, 122), 200)] * 5)
    result = brightening(clip, tmp_path / "out.mp4", edit="smile=0.001", lossless=True)
    for before, after in zip(frames_of(clip), frames_of(result.output), strict=True):
        old, new = (frame.picture.planes[0].astype(float) for frame in (before, after))
        assert (new - old)[100:140, 140:170].mean() > 8
    assert "restoration: small, of face 0, small and soft (--restore none leaves it" in result.summary()
    assert result.as_dict()["restoration"].startswith("small, of face 0")


def test_by_default_the_restoration_comes_and_goes_with_the_edit(brightening, people, tmp_path):
    face = cv2.resize(cv2.resize(people[0], (56, 56), interpolation=cv2.INTER_AREA), (256, 256))
    clip = write_clip(tmp_path / "in.mp4", [with_face(background(320, 240), face, (155, 122), 200)] * 8)
    words = {"edit": "smile=0@2f,0.1@6f", "lossless": True}
    faces = [
        [frame.picture.planes[0][100:140, 140:170].astype(float) for frame in frames_of(path)]
        for path in (
            clip,
            brightening(clip, tmp_path / "auto.mp4", **words).output,
            brightening(clip, tmp_path / "none.mp4", **words, restore="none").output,
        )
    ]
    assert all((before == after).all() for before, after in zip(faces[0][:3], faces[1][:3], strict=True))
    gains = [(auto - none).mean() for auto, none in zip(faces[1], faces[2], strict=True)]
    assert all(later > sooner + 1 for sooner, later in zip(gains[2:6], gains[3:7], strict=True))
    assert gains[7] == pytest.approx(gains[6], abs=1)


def test_none_leaves_a_soft_face_exactly_as_it_is(brightening, people, tmp_path):
    face = cv2.resize(cv2.resize(people[0], (56, 56), interpolation=cv2.INTER_AREA), (256, 256))
    clip = write_clip(tmp_path / "in.mp4", [with_face(background(320, 240), face, (155, 122), 200)] * 2)
    result = brightening(clip, tmp_path / "out.mp4", edit="smile=0", restore="none", lossless=True)
    assert all(map(same_planes, frames_of(clip), frames_of(result.output)))
    assert "restoration" not in result.summary()


def test_a_restorer_that_does_not_ship_is_told(face_clip, tmp_path, monkeypatch, render):
    monkeypatch.setattr("videdit.restoration.policy.have_small", lambda: False)
    with pytest.raises(WeightsError, match="--restore none"):
        render(face_clip, tmp_path / "out.mp4", edit="smile=0", restore="small", batch=3)
    assert not (tmp_path / "out.mp4").exists()
