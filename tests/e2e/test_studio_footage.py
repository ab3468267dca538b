"""Clips that are not plain: turned, in narrow pixels, HDR, uneven in time, vast. What lies over each other fits."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from synthetic import background, with_face, write_clip

pytest.importorskip("uvicorn")
pytest.importorskip("httpx")

from studio_server import Running, running  # noqa: E402

from videdit.studio import clips  # noqa: E402

SMILE = {"targets": [{"who": "largest", "edits": {"smile": {"strength": 2}}}]}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    (folder / "clips").mkdir()
    return folder


@pytest.fixture(scope="module")
def studio(place, render):
    with running(place / "clips", place / "state", render.session) as found:
        yield found


def picture(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def write_odd(path: Path, pictures: list[np.ndarray], kind: str) -> None:
    """Pictures as they are to be seen -> a clip whose coded pictures are turned, squeezed, or PQ."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx265" if kind == "hdr" else "libx264", rate=25)
        if kind == "turned":
            pictures = [np.ascontiguousarray(np.rot90(one)) for one in pictures]
            video.set_display_rotation(-90)
        if kind == "narrow":
            pictures = [cv2.resize(one, None, fx=0.5, fy=1, interpolation=cv2.INTER_AREA) for one in pictures]
            video.codec_context.sample_aspect_ratio = Fraction(2, 1)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p10le" if kind == "hdr" else "yuv420p"
        video.options = (
            {"crf": "12"}
            if kind != "hdr"
            else {"x265-params": "crf=12:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"}
        )
        for one in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(one, "rgb24").reformat(format=video.pix_fmt)))
        container.mux(video.encode(None))


@pytest.mark.parametrize("kind", ["turned", "narrow", "hdr"])
def test_source_edit_and_boxes_lie_on_each_other(studio: Running, place, people, kind):
    pictures = [with_face(background(320, 240), people[0], (150, 120), 200)] * 6
    if kind == "hdr":  # a face of 100 to 200 nits
        pictures = [(one * 0.55 + 20).astype(np.uint8) for one in pictures]
    write_odd(place / "clips" / f"{kind}.mp4", pictures, kind)
    clip = f"0/{kind}.mp4"
    told = studio.get("clip", clip=clip).json()["clip"]
    assert (told["width"], told["height"], told["hdr"]) == (320, 240, kind == "hdr")
    (face,) = studio.wait_for_look(clip)["faces"]
    (place_,) = studio.get("faces", clip=clip, time=0.1).json()
    left, top, right, bottom = place_["box"]
    assert left < 150 / 320 < right
    assert top < 120 / 240 < bottom
    for side in (None, 161):
        words = {"clip": clip, "document": SMILE, "time": 0.1, "viewer": "a"} | ({"side": side} if side else {})
        before = picture(studio.get("frame", **{"clip": clip, "time": 0.1} | ({"side": side} if side else {})))
        after = picture(studio.post("preview", tier="draft", **words))
        assert before.shape == after.shape
        changed = np.abs(before.astype(int) - after).mean(2) > 24
        ys, xs = np.nonzero(changed)
        assert len(xs) > 5
        height, width = changed.shape
        inside = (
            (xs > left * width - 3) & (xs < right * width + 3) & (ys > top * height - 3) & (ys < bottom * height + 3)
        )
        assert inside.mean() > 0.9
    assert face["track"] == 0
    assert studio.post("prepare", clip=clip).status_code == 200
    played = studio.get("play", clip=clip)
    assert played.status_code == 200


def test_frames_of_a_vast_file_are_exact_once_it_was_looked_at(studio: Running, place, people, monkeypatch):
    pictures = [with_face(background(320, 240), people[0], (150, 120), 200)] * 8
    write_clip(place / "clips" / "vast.mp4", pictures, pts=lambda i: 1000 * i * i, sound=False)
    monkeypatch.setattr(clips, "SMALL", 1000)
    exact = [i * i / 25 for i in range(8)]
    guessed = studio.get("clip", clip="0/vast.mp4").json()["times"]
    assert guessed["count"] == 8
    people_ = studio.wait_for_look("0/vast.mp4")
    assert people_["times"] == pytest.approx(exact)


def test_even_times_are_told_in_two_numbers_and_others_one_by_one():
    even = [0.5 + i / 29.97 for i in range(1000)]
    told = clips.told_times(even)
    assert told["count"] == 1000
    assert [told["first"] + i * told["step"] for i in range(1000)] == pytest.approx(even, abs=1e-8)
    for times in ([0.0], [0.0, 0.04], [0.0, 0.04, 0.09], [0.0, 0.033, 0.067, 0.1]):
        assert clips.told_times(times) == times
