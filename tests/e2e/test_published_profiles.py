"""The published networks in the pipeline, from a checkpoint's file to the edited clip.

The checkpoints are of the published layout, narrow and of chance numbers: what is seen is that every part is at work,
not what it looks like.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import published
import pytest
import torch
from footage import frames_of, same_planes
from synthetic import ROOT

from videdit.errors import WeightsError


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
            assert changed[:, 1].min() > 50 / 320 and changed[:, 1].max() < 264 / 320


def test_strength_zero_gives_back_the_source_exactly(render, face_clip, faces, tmp_path) -> None:
    result = render(
        face_clip, tmp_path / "out.mp4", profile="hfgi-ffhq", checkpoint=faces, edit="smile=0", end=0.1, lossless=True
    )
    assert result.faces == 3  # every step ran
    assert all(map(same_planes, frames_of(face_clip, 3), frames_of(result.output)))


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
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "videdit weights fetch hfgi_ffhq" in done.stderr and "--checkpoint" in done.stderr
    assert not (tmp_path / "out.mp4").exists()
