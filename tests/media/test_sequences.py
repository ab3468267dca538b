"""Numbered pictures in: one clip, nothing of a picture lost, no picture left out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from videdit.config import RenderJob
from videdit.errors import MediaError, UsageError
from videdit.media.codecs import EncodeSettings
from videdit.media.probe import probe
from videdit.media.read import VideoReader
from videdit.media.sequence import files, is_sequence, name_of
from videdit.media.write import VideoWriter
from videdit.plan import make_plan
from videdit.state import fingerprint


def pictures(folder: Path, suffix: str, numbers: range, depth: type = np.uint8) -> list[np.ndarray]:
    """Noise, written as shot_0007.png and so on; RGB [24, 32, 3]."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    made = [rng.integers(0, np.iinfo(depth).max, (24, 32, 3), depth, endpoint=True) for _ in numbers]
    for number, pixels in zip(numbers, made, strict=True):
        assert cv2.imwrite(str(folder / f"shot_{number:04d}{suffix}"), pixels[..., ::-1])
    return made


@pytest.mark.parametrize(
    ("suffix", "depth", "planar"),
    [(".png", np.uint8, "gbrp"), (".png", np.uint16, "gbrp16le"), (".tif", np.uint16, "gbrp16le")],
)
def test_pictures_become_a_clip_without_loss(tmp_path: Path, suffix: str, depth: type, planar: str) -> None:
    made = pictures(tmp_path / "50% 100%d", suffix, range(7, 13), depth)
    source = tmp_path / "50% 100%d" / f"shot_%04d{suffix}"
    info = probe(source, Fraction(24000, 1001))
    assert (info.kind, info.fps, info.frame_count, info.planar) == ("video", Fraction(24000, 1001), 6, planar)
    target = tmp_path / "out.mkv"
    with VideoReader(info) as reader, VideoWriter(target, info, EncodeSettings(lossless=True)) as writer:
        for frame in reader:
            writer.write(frame)
    assert probe(target).codec == "ffv1"
    with VideoReader(target) as reader:
        frames = list(reader)
    for frame, pixels in zip(frames, made, strict=True):
        for i in range(3):
            np.testing.assert_array_equal(frame.picture.planes[i], pixels[..., i])
    assert [round(f.pts * f.time_base * 1000) for f in frames] == [round(i * 1001 / 24) for i in range(6)]
    with VideoReader(info, first=3) as reader:
        assert [f.pts for f in reader] == [3, 4, 5]


def test_a_missing_picture_is_said(tmp_path: Path) -> None:
    pictures(tmp_path, ".png", range(1, 6))
    (tmp_path / "shot_0003.png").unlink()
    with pytest.raises(MediaError, match="shot_0003.png is missing between shot_0001.png and shot_0005.png"):
        probe(tmp_path / "shot_%04d.png")
    with pytest.raises(MediaError, match="no file is named like"):
        probe(tmp_path / "other_%04d.png")
    (tmp_path / "shot_0003.png").touch()
    with pytest.raises(MediaError, match="is empty"):
        probe(tmp_path / "shot_%04d.png")


def test_only_files_of_the_pattern_count(tmp_path: Path) -> None:
    pictures(tmp_path, ".png", range(9998, 10002))
    (tmp_path / "shot_00001.png").touch()
    (tmp_path / "shot_1.png").touch()
    (tmp_path / "shot_0001.jpg").touch()
    assert list(files(tmp_path / "shot_%04d.png")) == [9998, 9999, 10000, 10001]
    assert not is_sequence(tmp_path / "shot_1.png")
    assert not is_sequence(tmp_path / "%d_%d.png")
    (tmp_path / "real%d.mp4").touch()
    assert not is_sequence(tmp_path / "real%d.mp4")


def test_plan(tmp_path: Path) -> None:
    pictures(tmp_path / "take 2", ".png", range(3))
    source = tmp_path / "take 2" / "shot_%04d.png"
    job = RenderJob(input=str(source), edit="smile", fps="23.976")
    (clip,) = make_plan([job]).clips
    assert (clip.source, clip.output.name, clip.is_image) == (source, "shot_smile.mkv", False)
    assert name_of(Path("take/%04d.png")) == "take"
    before = fingerprint(source, job)
    (tmp_path / "take 2" / "shot_0001.png").write_bytes(b"another")
    assert fingerprint(source, job) != before
    assert RenderJob.model_validate_json(job.model_dump_json()) == job
    with pytest.raises(UsageError, match="cannot write a video"):
        make_plan([job.model_copy(update={"output": str(tmp_path / "out.png")})])
    for words in ("0", "-1", "1/0", "fast", "1e9"):
        with pytest.raises(ValueError, match="not a frame rate"):
            RenderJob(input="a", edit="smile", fps=words)
