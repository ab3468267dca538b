"""--alpha-out: a grey clip that shows where the edit may have changed anything."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from footage import frames_of
from synthetic import background, with_face

from videdit.errors import NoFaceError, UsageError
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.probe import probe


def test_the_matte_covers_every_change(render, face_clip, tmp_path):
    matte = tmp_path / "mattes" / "matte.mkv"
    result = render(face_clip, tmp_path / "out.mp4", edit="smile=2", lossless=True, alpha_out=str(matte), end=0.16)
    before, after, mattes = frames_of(face_clip), frames_of(result.output), frames_of(matte)
    assert len(after) == len(mattes) == result.frames == 4
    info = probe(matte)
    assert (info.codec, info.planar, info.color.full_range, info.streams) == ("ffv1", "gray", True, ())
    for old, new, alpha in zip(before, after, mattes, strict=False):
        mask = alpha.picture.planes[0]
        changed = old.picture.planes[0] != new.picture.planes[0]
        assert changed.any()
        assert not changed[mask == 0].any()
        assert mask.max() == 255
        assert (mask == 0).mean() > 0.3
        # Dark where the edit, which may repaint all of the face, has left it as it was.
        strong = np.abs(old.picture.planes[0].astype(int) - new.picture.planes[0]) >= 8
        assert mask[strong].mean() > 200
        assert mask[~changed].mean() < 60
        assert alpha.pts * alpha.time_base == new.pts * new.time_base


def test_the_matte_of_a_picture(render, people, tmp_path):
    picture = with_face(background(320, 256), people[0], (160, 128), 220)
    cv2.imwrite(str(tmp_path / "in.png"), picture[:, :, ::-1])
    render(tmp_path / "in.png", tmp_path / "out.png", edit="smile=2", alpha_out=str(tmp_path / "mattes/"))
    mask = cv2.imread(str(tmp_path / "mattes" / "out_matte.png"), cv2.IMREAD_UNCHANGED)
    changed = np.any(cv2.imread(str(tmp_path / "out.png"))[..., ::-1] != picture, axis=2)
    assert mask.shape == changed.shape
    assert changed.any()
    assert not changed[mask == 0].any()


def test_no_edit_no_matte(render, empty_clip, tmp_path):
    with pytest.raises(NoFaceError):
        render(empty_clip, tmp_path / "out.mp4", alpha_out=str(tmp_path / "matte.mkv"))
    assert list(tmp_path.iterdir()) == []


def test_where_a_matte_cannot_go(face_clip, tmp_path):
    for words, match in (
        ({"alpha_out": str(tmp_path / "m.webm")}, "cannot write a matte"),
        ({"alpha_out": str(tmp_path / "a.mp4"), "output": str(tmp_path / "a.mp4")}, "both be written"),
        ({"alpha_out": str(face_clip), "overwrite": True}, "the input itself"),
    ):
        with pytest.raises(UsageError, match=match):
            make_plan([RenderJob(input=str(face_clip), edit="smile", **words)])
    with pytest.raises(UsageError, match="many inputs"):
        make_plan([RenderJob(input=str(face_clip.parent), edit="smile", alpha_out=str(tmp_path / "m.mkv"))])
