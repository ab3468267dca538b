"""What is written beside an edited clip: comparisons, the debug video; and previews of single frames."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from footage import frames_of, packets_of, same_planes

from videdit.errors import MediaError, NoFaceError, UsageError
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.color import picture_to_rgb
from videdit.provenance.tags import is_edited
from videdit.rendering.preview import previews


def test_the_comparison_holds_both_clips_and_the_sound(render, face_clip, tmp_path):
    out = tmp_path / "out.mp4"
    render(face_clip, out, edit="smile=2", lossless=True, compare="side", debug_video=True, end=0.16)
    before, after = frames_of(face_clip), frames_of(out)
    both, debug = frames_of(tmp_path / "out_compare.mp4"), frames_of(tmp_path / "out_debug.mp4")
    assert len(after) == len(both) == len(debug) == 4
    for old, new, pair, drawn in zip(before, after, both, debug, strict=False):
        halves = [np.hsplit(plane, 2) for plane in pair.picture.planes]
        assert all(np.array_equal(half[0], plane) for half, plane in zip(halves, old.picture.planes, strict=True))
        assert all(np.array_equal(half[1], plane) for half, plane in zip(halves, new.picture.planes, strict=True))
        assert new.pts * new.time_base == pair.pts * pair.time_base == drawn.pts * drawn.time_base
        shown, plain = picture_to_rgb(drawn.picture), picture_to_rgb(new.picture)
        assert shown.shape == plain.shape
        around = np.abs(shown.astype(int) - plain)[60:180, 100:200].max(2)
        assert (around > 60).mean() > 0.02, "landmarks and the box are drawn on the face"
    for name in ("out_compare.mp4", "out_debug.mp4"):
        assert packets_of(tmp_path / name, "audio") == packets_of(out, "audio")
        assert is_edited(tmp_path / name)


def test_nothing_is_left_beside_a_clip_without_a_face(render, empty_clip, tmp_path):
    with pytest.raises(NoFaceError):
        render(empty_clip, tmp_path / "out.mp4", compare="wipe", debug_video=True)
    assert list(tmp_path.iterdir()) == []


def test_a_preview_is_the_frame_before_and_after(render, face_clip, tmp_path):
    render(face_clip, tmp_path / "out.mp4", edit="smile=2", lossless=True)
    job = RenderJob(input=str(face_clip), edit="smile=2", output=str(tmp_path / "look.mp4"))
    plan = make_plan([job])
    paths = list(previews(plan, [0.0, 0.17], False, render.session))
    assert [path.name for path in paths] == ["look_at_0-00-00.000.png", "look_at_0-00-00.170.png"]
    before, after = frames_of(face_clip), frames_of(tmp_path / "out.mp4")
    for path, index in zip(paths, (0, 4), strict=True):  # at 25 frames a second
        left, right = np.hsplit(cv2.imread(str(path))[..., ::-1].astype(int), 2)
        assert np.abs(left - picture_to_rgb(before[index].picture)).max() <= 2
        whole = np.abs(right - picture_to_rgb(after[index].picture)).mean()
        change = np.abs(left - right).mean()
        assert change > 0.3
        assert whole < 0.5 * change, "the same edit, but for what is smoothed over more of the clip"
        assert is_edited(path)
    with pytest.raises(UsageError, match="exists already"):
        next(previews(plan, [0.0], False, render.session))
    with pytest.raises(MediaError, match="no frame at 5 s"):
        next(previews(plan, [5.0], False, render.session))
    assert not (tmp_path / "look.mp4").exists()


def test_a_preview_without_an_edit_is_said(render, face_clip, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("videdit"), "propagate", True)
    job = RenderJob(input=str(face_clip), edit="smile=0@0.2s,1@1s", output=str(tmp_path / "look.mp4"))
    (path,) = previews(make_plan([job]), [0.0], False, render.session)
    left, right = np.hsplit(cv2.imread(str(path)), 2)
    assert np.array_equal(left, right)
    assert "no face is edited" in caplog.text


def test_frames_of_strength_zero_are_the_source_s_own(render, face_clip, tmp_path):
    out = tmp_path / "out.mp4"
    render(face_clip, out, edit="smile=0@2f,2@5f,0@7f", lossless=True)
    same = [same_planes(*pair) for pair in zip(frames_of(face_clip), frames_of(out), strict=True)]
    assert same == [True, True, True, False, False, False, False, True]


def test_a_cache_without_room_stops_no_render(render, face_clip, tmp_path, monkeypatch, caplog):
    from videdit.tracks import analysis_store

    real = analysis_store.write_arrays

    def full(path: Path, arrays: dict) -> None:
        if (tmp_path / "cache") in path.parents:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, arrays)

    monkeypatch.setattr(analysis_store, "write_arrays", full)
    result = render(face_clip, tmp_path / "out.mp4", end=0.08, analysis=str(tmp_path / "cache"))
    assert result.faces == 2
    assert "No space left on device; the clip is looked at again, and this is not kept" in caplog.text
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
