"""The Python interface: the same words as the command line, errors as exceptions."""

from __future__ import annotations

import threading

import cv2
import pytest
from synthetic import background, with_face

import videdit
from videdit.api import Options
from videdit.errors import Cancelled, UsageError
from videdit.jobs.render_job import RenderJob


def test_the_options_are_the_settings_of_a_job():
    assert set(Options.__annotations__) | {"input", "output", "edit"} == set(RenderJob.model_fields)


def test_a_picture_is_edited_in_one_line(tmp_path, people):
    picture = with_face(background(320, 256), people[1], (160, 128), 220)
    cv2.imwrite(str(tmp_path / "face.jpg"), picture[:, :, ::-1])
    result = videdit.edit_image(tmp_path / "face.jpg", edit={"smile": None, "age": 15})
    assert result.output == tmp_path / "face_smile+age+15.jpg"
    assert cv2.imread(str(result.output)).shape == (256, 320, 3)
    assert (result.frames, result.faces) == (1, 1)


def test_words_that_make_no_sense_are_usage_errors(face_clip, tmp_path):
    with pytest.raises(UsageError, match="crf"):
        videdit.edit_video(face_clip, tmp_path / "out.mp4", edit="smile", crf=99)
    with pytest.raises(UsageError, match="not a single file"):
        videdit.edit_video(face_clip.parent, tmp_path, edit="smile")


def test_another_thread_may_cancel(face_clip, tmp_path):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        videdit.edit_video(face_clip, tmp_path / "out.mp4", edit="smile", cancel=cancel)
    assert list(tmp_path.iterdir()) == []
