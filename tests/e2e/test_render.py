"""From file to file: the clip comes back edited where the face is, and as it was everywhere else."""

from __future__ import annotations

import json
import shutil

import av
import cv2
import numpy as np
import pytest
from synthetic import background, with_face, write_clip

from videdit.errors import NoFaceError
from videdit.media.color import picture_to_rgb
from videdit.media.decode.read import VideoReader, read_image
from videdit.provenance import tags


def frames_of(path):
    with VideoReader(path) as reader:
        return list(reader)


def packets_of(path, kind):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


@pytest.fixture(scope="module")
def edited(render, face_clip, tmp_path_factory):
    """The face clip with a smile, encoded without loss."""
    output = tmp_path_factory.mktemp("out") / "out.mp4"
    return render(face_clip, output, edit="smile=2", lossless=True, sidecar=True)


def test_every_frame_comes_back_at_its_time(edited, face_clip):
    before, after = frames_of(face_clip), frames_of(edited.output)
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert edited.frames == len(before) == 8


def test_many_cores_give_the_same_pictures(edited, render, face_clip, tmp_path, monkeypatch):
    monkeypatch.setattr("videdit.rendering.stage_graph.workers", lambda: 4)
    again = render(face_clip, tmp_path / "out.mp4", edit="smile=2", lossless=True)
    assert again.faces == 8
    for one, other in zip(frames_of(edited.output), frames_of(again.output), strict=True):
        assert all(map(np.array_equal, one.picture.planes, other.picture.planes))


def test_the_sound_is_copied(edited, face_clip):
    assert packets_of(edited.output, "audio") == packets_of(face_clip, "audio")


def test_the_face_changes_and_nothing_else_does(edited, face_clip):
    assert edited.faces == 8
    for before, after in zip(frames_of(face_clip), frames_of(edited.output), strict=True):
        for old, new in zip(before.picture.planes, after.picture.planes, strict=True):
            changed = np.argwhere(old != new) / old.shape  # (y, x) in 0..1
            assert len(changed)
            # The face is drawn 200 px wide around (150..164, 120..127) in 320x240.
            assert changed[:, 1].min() > 50 / 320
            assert changed[:, 1].max() < 264 / 320


def test_hardly_any_strength_gives_back_the_source(render, face_clip, tmp_path):
    result = render(face_clip, tmp_path / "out.mp4", edit="smile=0.00001", lossless=True)
    assert result.faces == 8  # every step ran
    assert result.method == result.as_dict()["method"] == "hfgi"
    assert result.consulted is result.as_dict()["consulted"] is False
    for before, after in zip(frames_of(face_clip), frames_of(result.output), strict=True):
        for old, new in zip(before.picture.planes, after.picture.planes, strict=True):
            assert cv2.absdiff(old, new).mean() < 0.01


def test_the_change_grows_smoothly_with_the_strength(render, people, tmp_path):
    picture = with_face(background(320, 256), people[0], (160, 128), 220)
    cv2.imwrite(str(tmp_path / "in.png"), picture[:, :, ::-1])
    amounts = []
    for strength in (0.05, 0.2, 0.5, 1):
        output = tmp_path / f"{strength}.png"
        render(tmp_path / "in.png", output, edit=f"smile={strength}")
        new = picture_to_rgb(read_image(output).picture).astype(float)
        amounts.append(float(np.abs(new - picture).mean()))
    assert 0 < amounts[0] < 0.5
    assert amounts == sorted(amounts)


def test_the_output_says_that_it_was_edited(edited, face_clip):
    assert tags.is_edited(edited.output)
    assert not tags.is_edited(face_clip)
    told = json.loads(tags.sidecar_path(edited.output).read_text())
    assert told["settings"]["edit"] == "smile=2"
    assert told["result"]["faces"] == 8
    assert told["source"]["sha256"] != told["output"]["sha256"]


def test_a_cut_keeps_the_frames_between_its_times(render, face_clip, tmp_path):
    result = render(face_clip, tmp_path / "out.mp4", start=0.08, end=0.2)
    assert result.frames == 3


def test_two_faces_and_whom_to_edit(render, people, tmp_path):
    picture = with_face(background(480, 256), people[0], (120, 128), 200)
    picture = with_face(picture, people[1], (360, 128), 230)
    clip = write_clip(tmp_path / "two.mp4", [picture] * 3)
    counts, halves = {}, {}
    for who in ("all", "largest", "left"):
        result = render(clip, tmp_path / f"{who}.mp4", faces=who, edit="smile=2", lossless=True)
        counts[who] = result.faces
        old, new = (picture_to_rgb(frames_of(path)[1].picture).astype(int) for path in (clip, result.output))
        halves[who] = [bool(np.any(old[:, part] != new[:, part])) for part in (slice(0, 240), slice(240, 480))]
    assert counts == {"all": 6, "largest": 3, "left": 3}
    assert halves == {"all": [True, True], "largest": [False, True], "left": [True, False]}


def test_a_clip_without_a_face_leaves_no_output_unless_wanted(render, empty_clip, tmp_path):
    with pytest.raises(NoFaceError, match="no face found"):
        render(empty_clip, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
    result = render(empty_clip, tmp_path / "out.mp4", keep_unedited=True, lossless=True)
    assert result.faces == 0
    assert not tags.is_edited(result.output)
    for before, after in zip(frames_of(empty_clip), frames_of(result.output), strict=True):
        assert all(map(np.array_equal, before.picture.planes, after.picture.planes))


def test_a_face_smaller_than_40_px_is_left_alone_and_said(render, people, tmp_path):
    clip = write_clip(tmp_path / "small.mp4", [with_face(background(320, 240), people[0], (160, 120), 57)] * 3)
    with pytest.raises(NoFaceError, match="too small"):
        render(clip, tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["small.mp4"]


def test_a_face_at_the_border_is_edited_up_to_it(render, people, tmp_path):
    clip = write_clip(tmp_path / "border.mp4", [with_face(background(320, 240), people[0], (80, 100), 240)] * 3)
    assert render(clip, tmp_path / "out.mp4").faces == 3


@pytest.mark.parametrize(("width", "height"), [(321, 241), (320, 241), (321, 240)])
def test_odd_dimensions_stay_odd(render, people, tmp_path, width, height):
    picture = with_face(background(width, height), people[0], (160, 120), 200)
    clip = write_clip(tmp_path / "odd.mkv", [picture] * 2, pix_fmt="yuv444p")
    result = render(clip, tmp_path / "out.mkv")
    with av.open(str(result.output)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (width, height)


def test_a_failing_run_removes_its_beginnings_and_keeps_what_was_there(render, face_clip, tmp_path, monkeypatch):
    output = tmp_path / "out.mp4"
    shutil.copy(face_clip, output)
    kept = output.read_bytes()
    monkeypatch.setattr("videdit.stages.paste.Paste.__call__", failing_after_two)
    with pytest.raises(ZeroDivisionError):
        render(face_clip, output, overwrite=True)
    assert output.read_bytes() == kept
    assert list(tmp_path.iterdir()) == [output]


def failing_after_two(self, frames):
    for i, frame in enumerate(frames):
        if i == 2:
            raise ZeroDivisionError("of all things")
        yield frame
