"""The example clip, and the first command that a reader of the README types."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from footage import frames_of, largest_face, packets_of, smile
from synthetic import ROOT

from videdit.faces.detector import FaceDetector

EXAMPLE = ROOT / "examples" / "portrait.mp4"
SECONDS = 0.4  # of the example: ten frames


@pytest.fixture(scope="module")
def edited(tmp_path_factory) -> Path:
    """What the README's command makes of the beginning of the example."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copy(EXAMPLE, folder / "portrait.mp4")
    command = [sys.executable, str(ROOT / "run_video.py"), "portrait.mp4", "--edit", "smile", "--end", str(SECONDS)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["portrait.mp4", "portrait_smile.mp4"]
    return folder / "portrait_smile.mp4"


def test_the_example_is_a_small_clip_with_sound():
    assert EXAMPLE.stat().st_size < 1_500_000
    with av.open(str(EXAMPLE)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        assert (video.width, video.height, video.average_rate, video.frames) == (1280, 720, 25, 125)
        assert (context.name, context.color_primaries, context.color_trc, context.colorspace) == ("h264", 1, 1, 1)
        assert audio.codec_context.name == "aac"
        assert abs(float(audio.duration * audio.time_base) - 5) < 0.1


def test_she_turns_blinks_and_talks_before_a_background_that_moves():
    detector = FaceDetector()
    frames = frames_of(EXAMPLE)[::3]
    faces = [largest_face(detector, frame) for frame in frames]
    assert len(faces) == 42
    yaw = np.array([face.yaw for face in faces])
    assert -20 < yaw.min() < -8
    assert 8 < yaw.max() < 20
    meshes = np.stack([face.mesh for face in faces])

    def opening(upper: int, lower: int, left: int, right: int) -> np.ndarray:
        height = np.linalg.norm(meshes[:, upper] - meshes[:, lower], axis=1)
        return height / np.linalg.norm(meshes[:, left] - meshes[:, right], axis=1)

    eyes, lips = opening(159, 145, 33, 133), opening(13, 14, 78, 308)
    assert eyes.min() < 0.8 * np.median(eyes)
    assert lips.min() < 0.05
    assert lips.max() > 0.12
    corner = np.stack([frame.picture.planes[0][:150, :250] for frame in frames]).astype(float)
    assert np.abs(np.diff(corner, axis=0)).mean() > 0.5


def test_the_command_keeps_frames_times_and_sound(edited):
    before, after = frames_of(EXAMPLE, 10), frames_of(edited)
    assert [frame.time for frame in after] == [frame.time for frame in before]
    heard, copied = packets_of(EXAMPLE, "audio"), packets_of(edited, "audio")
    assert copied == heard[: len(copied)]
    assert abs(len(copied) * 1024 / 48000 - SECONDS) < 0.05


def test_the_command_makes_her_smile(edited):
    detector = FaceDetector()
    for before, after in zip(frames_of(EXAMPLE, 10), frames_of(edited), strict=True):
        assert smile(largest_face(detector, after)) > smile(largest_face(detector, before)) + 0.03
