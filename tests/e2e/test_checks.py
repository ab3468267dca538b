"""What is known to be wrong is told before the work, by a dry run too; what has nothing to do is done at once."""

from __future__ import annotations

import logging
import os

import cv2
import numpy as np
import pytest
from footage import packets_of

from videdit import edit_image
from videdit.cli import main as cli
from videdit.errors import MediaError, NoFaceError, SettingsError, UsageError
from videdit.media.probe import probe


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        (["--preset", "warp"], 2, "unknown preset 'warp'"),
        (["--codec", "hevc", "--crf", "63"], 2, "crf 63 is out of range for hevc: 0 to 51"),
        (["--batch", "999999999"], 2, "less than or equal to 256"),
        (["--codec", "nothing"], 2, "unknown codec 'nothing'"),
        (["--start", "99"], 2, "has no frame from 99 s on"),
        (["--faces", "nobody.jpg"], 2, "nobody.jpg of a face to edit does not exist"),
        (["--restore", "gfpgan"], 1, "gfpgan"),
        (["--detector", "insightface"], 1, "insightface"),
        (["--report", "nodir/r.json"], 2, "there is no folder nodir"),
        (["--scenes", "9"], 2, "there is no scene 9"),
        (["--faces", "7"], 3, "there is no face 7"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.parametrize("how", [[], ["--dry-run"]], ids=["render", "dry-run"])
def test_it_is_told_before_the_work(face_clip, tmp_path, monkeypatch, capsys, words, code, answer, how):
    monkeypatch.chdir(tmp_path)
    if words[0] not in ("--scenes", "--faces") or "nobody.jpg" in words:  # for these the clip is looked at
        monkeypatch.setattr("videdit.pipeline.executor.Pipeline.__init__", refuse)
    assert cli.run([str(face_clip), "--edit", "smile", "-o", "out.mp4", *words, *how]) == code
    said = capsys.readouterr().err
    assert answer in said
    assert len(said.splitlines()) == 1
    assert os.listdir(tmp_path) == []


def refuse(*_, **__):
    raise AssertionError("work has begun")


def test_a_clip_that_has_ended_is_one_mistake_in_every_command(face_clip, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["faces", str(face_clip), "--start", "99"]) == 2
    assert "has no frame from 99 s on" in capsys.readouterr().err


def test_a_cut_between_two_frames_is_a_mistake_too(face_clip, tmp_path, monkeypatch, capsys):
    """It is within the clip, so only who reads it finds that no frame is there."""
    monkeypatch.chdir(tmp_path)
    late = f"{probe(face_clip).duration - 0.001:.3f}"
    for words in (["--start", late], ["--start", "0.001", "--end", "0.002"]):
        assert cli.run([str(face_clip), "--edit", "smile=0", "-o", "out.mp4", *words]) == 2
        said = capsys.readouterr().err
        assert f"has no frame from {float(words[1]):g} s" in said
        assert said.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("place", ["notes.txt/", "notes.txt/deep/"])
def test_previews_into_what_is_no_folder(face_clip, tmp_path, monkeypatch, capsys, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    assert cli.run([str(face_clip), "--edit", "smile", "--preview", "0", "-o", place, "--overwrite"]) == 1
    said = capsys.readouterr().err
    assert "notes.txt is a file, not a folder" in said
    assert said.count("\n") == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_keyframes_beyond_the_end_are_said(render, face_clip, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        render(face_clip, tmp_path / "out.mp4", edit="smile=1@0s,2@50s,2@9999f", end=0.08)
    assert "the keyframes 2@50s, 2@9999f of smile lie beyond the end of" in caplog.text


def test_what_a_picture_does_not_heed_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cv2.imwrite("in.png", np.zeros((48, 64, 3), np.uint8))
    words = ["--edit", "smile=0@0,1@1", "--start", "1", "--codec", "hevc", "--crf", "20", "--dry-run"]
    assert cli.run(["in.png", *words]) == 0
    said = capsys.readouterr().out
    assert "in.png is a picture, for which --start, --codec, --crf mean nothing" in said
    assert "of the keyframes of smile it gets the strength at 0 s" in said
    assert cli.run(["in.png", "--edit", "smile", "--dry-run"]) == 0
    assert "is a picture" not in capsys.readouterr().out


def test_some_scenes_that_are_not_there_are_said_once(render, face_clip, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        render(face_clip, tmp_path / "out.mp4", scenes="1,9", end=0.08)
    assert caplog.text.count("there is no scene 9") == 1
    with pytest.raises(SettingsError, match="there is no scene 8, 9 in .*: 1 at 0.00 s"):
        render(face_clip, tmp_path / "no.mp4", scenes="8-9", end=0.08)


@pytest.mark.parametrize("edit", ["smile=0", "smile=0,age=0@0s,0@1s"])
def test_strength_0_copies_the_file(render, face_clip, tmp_path, monkeypatch, edit):
    monkeypatch.setattr("videdit.pipeline.executor.Pipeline.__init__", refuse)
    result = render(face_clip, tmp_path / "out.mp4", edit=edit)
    assert (tmp_path / "out.mp4").read_bytes() == face_clip.read_bytes()
    assert (result.frames, result.faces, result.people) == (8, 0, [])
    assert "nothing is edited, for every strength is 0; the file is copied as it is" in result.summary()
    with pytest.raises(UsageError, match="exists already"):
        render(face_clip, tmp_path / "out.mp4", edit=edit)
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_strength_0_in_another_file_only_encodes(render, face_clip, tmp_path, monkeypatch):
    monkeypatch.setattr("videdit.rendering.renderer.cached_analysis", refuse)
    result = render(face_clip, tmp_path / "out.mkv", edit="smile=0")
    assert result.frames == 8
    assert "only encoded anew" in result.summary()
    assert len(packets_of(tmp_path / "out.mkv", "video")) == 8


def test_a_sidecar_that_has_nothing_to_tell_is_said(render, face_clip, empty_clip, tmp_path, caplog):
    for source, words in ((face_clip, {"edit": "smile=0"}), (empty_clip, {"keep_unedited": True})):
        caplog.clear()
        render(source, tmp_path / f"{source.stem}_out.mp4", sidecar=True, **words)
        assert f"{source.stem}_out.mp4.json is not written: nothing in the clip was edited" in caplog.text
    assert not list(tmp_path.glob("*.json"))


def test_a_file_where_a_folder_should_be(render, face_clip, tmp_path):
    (tmp_path / "file").touch()
    for output in ("file/out.mp4", "file/deeper/out.mp4", "file"):
        with pytest.raises(MediaError, match=f"{tmp_path / 'file'} is a file, not a folder"):
            render(face_clip, tmp_path / output, edit="smile=0")


def test_strength_0_of_one_face_is_no_reason_to_stop(render, face_clip, tmp_path):
    assert render(face_clip, tmp_path / "out.mp4", edit="smile=0", per_face={"largest": "smile"}, end=0.08).faces == 2


def test_pixels_of_another_kind_are_refused_in_words():
    with pytest.raises(UsageError, match=r"this is float64 \[8, 8, 3\]; for values in 0..1"):
        edit_image(np.zeros((8, 8, 3)), edit="smile")
    with pytest.raises(UsageError, match="path of a file, not list"):
        edit_image([[0]], edit="smile")


def test_a_face_number_that_is_not_there(render, face_clip, tmp_path):
    with pytest.raises(NoFaceError, match="there is no face 7: only 0"):
        render(face_clip, tmp_path / "out.mp4", faces=7)
    assert os.listdir(tmp_path) == []


def test_numbered_pictures_come_of_the_command(face_clip, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [str(face_clip), "--edit", "smile", "--end", "0.08", "-o", "out_%03d.png"]
    assert cli.run([*words, "--dry-run"]) == 0
    assert cli.run([*words, "--crf", "20", "--codec", "h264"]) == 2
    assert "--codec, --crf: of video" in capsys.readouterr().err
    assert cli.run(words) == 0
    assert sorted(os.listdir(tmp_path)) == ["out_001.png", "out_002.png"]
