"""The published networks in the pipeline, from a checkpoint's file to the edited clip.

The checkpoints are of the published layout, narrow and of chance numbers: what is seen is that every part is at work,
not what it looks like.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import published
import pytest
import torch
from footage import difference, frames_of, same_planes
from pydantic import ValidationError
from synthetic import ROOT, background

from videdit.errors import UsageError, WeightsError
from videdit.jobs.render_job import RenderJob


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> str:
    """A checkpoint of a 1024 px generator."""
    path = tmp_path_factory.mktemp("weights") / "ckpt.pt"
    torch.save(published.checkpoint(), path)
    return str(path)


def test_a_face_is_edited_and_nothing_else(render, face_clip, faces, tmp_path) -> None:
    result = render(
        face_clip, tmp_path / "out.mp4", profile="hfgi-ffhq", checkpoint=faces, edit="smile=2", end=0.1, lossless=True
    )
    assert result.faces == 3
    for before, after in zip(frames_of(face_clip, 3), frames_of(result.output), strict=True):
        for old, new in zip(before.picture.planes, after.picture.planes, strict=True):
            changed = np.argwhere(old != new) / old.shape  # (y, x) in 0..1
            assert len(changed)
            # The face is drawn 200 px wide around (150..164, 120..127) in 320x240.
            assert changed[:, 1].min() > 50 / 320
            assert changed[:, 1].max() < 264 / 320


def test_hardly_any_strength_gives_back_the_source(render, face_clip, faces, tmp_path) -> None:
    words = {"profile": "hfgi-ffhq", "checkpoint": faces, "edit": "smile=0.00001", "end": 0.1}
    how = words | {"lossless": True, "precision": "fp32"}  # in bf16 random networks make much of a little
    result = render(face_clip, tmp_path / "out.mp4", **how)
    assert result.faces == 3  # every step ran
    assert difference(frames_of(face_clip, 3), frames_of(result.output)) < 0.01


def test_a_checkpoint_that_is_not_there_is_told_before_anything_is_written(render, face_clip, tmp_path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        render(face_clip, tmp_path / "out.mp4", profile="hfgi-ffhq", checkpoint=str(tmp_path / "none.pt"))
    assert list(tmp_path.iterdir()) == []


def test_the_command_tells_how_to_get_what_is_not_installed(face_clip, tmp_path) -> None:
    words = [sys.executable, "run_video.py", str(face_clip), "--edit", "smile", "--profile", "hfgi-ffhq"]
    done = subprocess.run(
        [*words, "-o", str(tmp_path / "out.mp4")],
        cwd=ROOT,
        env={"PATH": "", "VIDEDIT_WEIGHTS": str(tmp_path / "none"), "PYTHONPATH": str(ROOT), "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "videdit weights fetch hfgi_ffhq" in done.stderr
    assert "--checkpoint" in done.stderr
    assert not (tmp_path / "out.mp4").exists()


@pytest.fixture(scope="module")
def cars(tmp_path_factory) -> str:
    """A checkpoint of a 512 px generator."""
    path = tmp_path_factory.mktemp("weights") / "car.pt"
    torch.save(published.checkpoint(published.NARROW[:8]), path)
    return str(path)


@pytest.fixture(scope="module")
def direction(tmp_path_factory) -> Path:
    """A direction in the codes of cars."""
    path = tmp_path_factory.mktemp("edits") / "colour.npy"
    np.save(path, np.random.default_rng(0).normal(0, 0.5, (16, 512)).astype(np.float32))
    return path


def changed(before, after) -> np.ndarray:
    """Where the luma of two frames differs, bool [H, W]."""
    return before.picture.planes[0] != after.picture.planes[0]


def test_a_car_clip_is_edited_as_a_whole(render, empty_clip, cars, direction, tmp_path) -> None:
    words = {"profile": "hfgi-car", "checkpoint": cars, "lossless": True, "end": 0.1}
    result = render(empty_clip, tmp_path / "out.mp4", edit=f"{direction}=2", **words)
    assert result.faces == 3
    for before, after in zip(frames_of(empty_clip, 3), frames_of(result.output), strict=True):
        where = changed(before, after)
        # No soft edge where the picture ends: every side is edited.
        assert all(side.mean() > 0.5 for side in (where[:8], where[-8:], where[:, :8], where[:, -8:]))
    same = render(empty_clip, tmp_path / "same.mp4", edit=f"{direction}=0", **words)
    assert all(map(same_planes, frames_of(empty_clip, 3), frames_of(same.output)))


def test_a_box_says_where_the_car_is(render, empty_clip, cars, direction, tmp_path) -> None:
    words = {"profile": "hfgi-car", "checkpoint": cars, "lossless": True, "end": 0.05}
    result = render(empty_clip, tmp_path / "out.mp4", edit=f"{direction}=2", box="120,60,160,100", **words)
    where = changed(frames_of(empty_clip, 1)[0], frames_of(result.output)[0])
    rows, columns = np.nonzero(where)
    assert 60 <= rows.min() < 72
    assert 148 < rows.max() <= 160
    assert 120 <= columns.min() < 134
    assert 266 < columns.max() <= 280


def test_a_still_of_a_car(render, cars, direction, tmp_path) -> None:
    picture = background(800, 450)
    cv2.imwrite(str(tmp_path / "in.png"), picture[:, :, ::-1])
    words = {"profile": "hfgi-car", "checkpoint": cars, "size": 256}
    result = render(tmp_path / "in.png", tmp_path / "out.png", edit=f"{direction}=2", **words)
    assert result.faces == 1
    edited = cv2.imread(str(result.output))[:, :, ::-1]
    assert edited.shape == picture.shape
    assert (edited != picture).any(axis=2).mean() > 0.5
    render(tmp_path / "in.png", tmp_path / "same.png", edit=f"{direction}=0", **words)
    assert np.array_equal(cv2.imread(str(tmp_path / "same.png"))[:, :, ::-1], picture)


def test_a_box_beside_the_picture_is_refused(render, empty_clip, cars, direction, tmp_path) -> None:
    words = {"profile": "hfgi-car", "checkpoint": cars, "edit": f"{direction}=2"}
    with pytest.raises(UsageError, match="less than 32 pixels a side in the picture of 320x240"):
        render(empty_clip, tmp_path / "out.mp4", box="310,10,100,100", **words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"edit": "smile"}, "smile is an edit of codes of 18 layers; those of profile hfgi-car have 16"),
        ({"faces": "all"}, "say where with box, not with faces"),
        ({"restore": "small"}, "restore=small is of faces"),
        ({"size": 1024}, "renders at 256 or 512 pixels"),
        ({"box": "1,2,3"}, "write it x,y,width,height"),
        ({"box": "1,2,0,9"}, "greater than 0"),
        ({"profile": "hfgi-ffhq", "edit": "smile", "box": "0,0,64,64"}, "finds faces by itself"),
    ],
)
def test_words_that_make_no_sense_for_a_car(direction, words, said) -> None:
    with pytest.raises(ValidationError, match=said):
        RenderJob.model_validate({"input": "in.mp4", "edit": str(direction), "profile": "hfgi-car"} | words)
