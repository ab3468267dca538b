"""The Python interface: the same words as the command line, errors as exceptions."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from synthetic import background, with_face

import videdit
from videdit.api import Options
from videdit.errors import Cancelled, NoFaceError, UsageError
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


@pytest.mark.parametrize("kind", ["rgb", "view", "rgba", "grey", "uint16", "pil"])
def test_pixels_in_memory_give_pixels(tmp_path, people, kind):
    picture = with_face(background(320, 256), people[1], (160, 128), 200)
    made = {
        "rgb": lambda: picture,
        "view": lambda: np.ascontiguousarray(picture[:, :, ::-1])[:, :, ::-1],
        "rgba": lambda: np.dstack([picture, np.full((256, 320), 200, np.uint8)]),
        "grey": lambda: cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY),
        "uint16": lambda: picture.astype(np.uint16) * 257,
        "pil": lambda: pytest.importorskip("PIL.Image").fromarray(picture),
    }
    source = made[kind]()
    before = np.array(source)
    result = videdit.edit_image(source, edit="age=20")
    assert isinstance(result, np.ndarray)
    assert (result.shape, result.dtype) == (before.shape, before.dtype)
    assert np.array_equal(np.asarray(source), before)  # is not written to
    apart = np.abs(result.astype(int) - before).reshape(256, 320, -1).max(2)
    assert apart[:, :20].max() == 0
    assert apart[80:200, 100:220].mean() > (2 if result.dtype == np.uint8 else 500)
    if kind == "rgba":
        assert np.array_equal(result[:, :, 3], source[:, :, 3])


def test_pixels_in_memory_are_what_the_file_of_them_is(tmp_path, people):
    picture = with_face(background(320, 256), people[1], (160, 128), 200)
    result = videdit.edit_image(picture, edit="smile")
    cv2.imwrite(str(tmp_path / "face.png"), picture[:, :, ::-1])
    file = videdit.edit_image(tmp_path / "face.png", edit="smile").output
    assert np.array_equal(result, cv2.imread(str(file))[:, :, ::-1])
    written = videdit.edit_image(picture, tmp_path / "out.jpg", edit="smile")
    assert written.output == tmp_path / "out.jpg"
    assert written.faces == 1
    assert written.output.is_file()
    with pytest.raises(UsageError, match="out.jpg exists"):
        videdit.edit_image(picture, tmp_path / "out.jpg", edit="smile")


def test_pixels_with_nobody_in_them(tmp_path):
    empty = background(320, 256)
    with pytest.raises(NoFaceError, match="no face found in the picture;"):
        videdit.edit_image(empty, edit="smile")
    assert np.array_equal(videdit.edit_image(empty, edit="smile", keep_unedited=True), empty)
    with pytest.raises(UsageError, match="sidecar is for files: name an output"):
        videdit.edit_image(empty, edit="smile", sidecar=True)
    with pytest.raises(UsageError, match="for edit_image"):
        videdit.edit_video(empty, edit="smile")


def test_networks_are_loaded_once(people):
    picture = with_face(background(320, 256), people[1], (160, 128), 200)
    videdit.edit_image(picture, edit="smile")
    kept = videdit.api._session
    networks = dict(kept._models._networks)
    videdit.edit_image(picture, edit="smile=1")
    assert videdit.api._session is kept
    assert list(kept._models._networks.values()) == list(networks.values())
    videdit.forget_networks()
    assert videdit.api._session is None
    assert not kept._models._networks
