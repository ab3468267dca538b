"""Files with several videos: where nobody is found in one, it is said which other holds faces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic import background, with_face

from videdit.errors import NoFaceError
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.rendering.estimate import describe

ROOT = Path(__file__).resolve().parents[2]


def tracks(path: Path, *films: np.ndarray) -> Path:
    """A file of one video for each picture, three frames long."""
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("ffv1", rate=25) for _ in films]
        for stream, film in zip(streams, films, strict=True):
            stream.height, stream.width = film.shape[:2]
            stream.pix_fmt = "bgr0"
        for _ in range(3):
            for stream, film in zip(streams, films, strict=True):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(film, "rgb24")))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def empty() -> np.ndarray:
    return background(240, 180)


@pytest.fixture(scope="module")
def person(people) -> np.ndarray:
    return with_face(background(320, 240), people[0], (150, 120), 200)


def test_the_track_that_holds_faces_is_named(render, empty, person, tmp_path):
    clip = tracks(tmp_path / "three.mkv", empty, empty, person)
    with pytest.raises(NoFaceError, match="; its video track 3 holds faces: --video-track 3$"):
        render(clip, tmp_path / "out.mkv")
    with pytest.raises(NoFaceError, match="; its video track 3 holds faces: --video-track 3$"):
        render(clip, tmp_path / "out.mkv", video_track="2")
    assert render(clip, tmp_path / "out.mkv", video_track="3").faces == 3  # as it is advised


def test_where_none_does_that_is_said(render, empty, tmp_path):
    clip = tracks(tmp_path / "two.mkv", empty, empty)
    with pytest.raises(
        NoFaceError, match=r"; nor in 3 frames of its video track 2 \(--video-track N looks at all of one"
    ):
        render(clip, tmp_path / "out.mkv")


def test_the_faces_command_says_it_too(empty, person, tmp_path):
    clip = tracks(tmp_path / "both.mkv", empty, person)
    words = [sys.executable, str(ROOT / "run_video.py"), "faces", str(clip)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "its video track 2 holds faces: --video-track 2" in done.stderr


def test_a_dry_run_says_it_too(empty, person, tmp_path):
    clip = tracks(tmp_path / "both.mkv", empty, person)
    told = list(describe(make_plan([RenderJob(input=str(clip), edit="smile")])))
    assert "no face in 4 samples" in told[0]
    assert told[0].endswith("; its video track 2 holds faces: --video-track 2")
