"""Numbered pictures in: one clip, nothing of a picture lost, no picture left out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from synthetic_clips import Clip, Sound, make

from videdit.errors import MediaError, RefusedInput, UsageError
from videdit.jobs.fingerprint import fingerprint
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.image_sequence import files, is_sequence, name_of
from videdit.media.numbered_stills import StillsWriter
from videdit.media.probe import file_tags, probe
from videdit.stages.decode import Decode
from videdit.stages.encode import Encode


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


def test_a_percent_that_is_no_number_is_one(tmp_path: Path) -> None:
    pictures(tmp_path, ".png", range(1, 9))
    for i, file in files(tmp_path / "shot_%04d.png").items():
        file.rename(tmp_path / f"100% a%_{i:02d}%.png")
    source = tmp_path / "100% a%_%02d%.png"
    with VideoReader(probe(source)) as reader:
        assert len(list(reader)) == 8
    # and as it is advised
    for file in files(source).values():
        file.rename(file.with_name(file.name.replace("%.png", ".png")))
    (hint,) = make_plan([RenderJob(input=str(tmp_path), edit="smile")]).hints
    pattern = Path(hint.partition("give ")[2].removesuffix(" in place of the folder"))
    assert pattern.parent == tmp_path
    assert len(files(pattern)) == 8


@pytest.mark.parametrize(
    "output", ["shot_%d.png", "shot_%05d.png", "shot_%04d.png", "./shot_%d.png", "link/shot_%d.png"]
)
def test_pictures_are_never_written_over_themselves(tmp_path: Path, output: str) -> None:
    """Though the patterns differ: a number of five digits is written the same by all of these."""
    pictures(tmp_path, ".png", range(10000, 10003))
    (tmp_path / "link").symlink_to(tmp_path)
    source = tmp_path / "shot_%04d.png"
    job = RenderJob(input=str(source), edit="smile", output=f"{tmp_path}/{output}", overwrite=True)
    with pytest.raises(UsageError, match="is the input itself|is also an input"):
        make_plan([job])
    assert make_plan([job.model_copy(update={"output": f"{tmp_path}/shot_%06d.png"})]).clips


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


@pytest.mark.parametrize(
    ("suffix", "depth"), [(".png", np.uint8), (".png", np.uint16), (".tif", np.uint16), (".jpg", np.uint8)]
)
def test_pictures_become_pictures(tmp_path: Path, suffix: str, depth: type) -> None:
    made = pictures(tmp_path / "in", suffix, range(7, 12), depth)
    source, target = tmp_path / "in" / f"shot_%04d{suffix}", tmp_path / "out" / f"new_%05d{suffix}"
    target.parent.mkdir()
    info = probe(source)
    encode = Encode(target, info, EncodeSettings(), metadata={"comment": "edited by videdit"})
    assert len(list(encode(Decode(info, start=0.04)(iter(()))))) == 4
    assert sorted(file.name for file in target.parent.iterdir()) == [f"new_{n:05d}{suffix}" for n in range(8, 12)]
    for number, pixels in zip(range(8, 12), made[1:], strict=True):
        file = target.parent / f"new_{number:05d}{suffix}"
        written = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)[..., ::-1]
        assert written.dtype == depth
        if suffix != ".jpg":
            np.testing.assert_array_equal(written, pixels)
        else:
            seen = cv2.imread(str(tmp_path / "in" / f"shot_{number:04d}.jpg"))[..., ::-1]
            assert np.abs(written.astype(int) - seen).mean() < 8  # noise, encoded again
        assert "edited by videdit" in str(file_tags(file))


def test_a_clip_becomes_pictures(tmp_path: Path) -> None:
    frames = make(tmp_path / "in.mp4", Clip(pts=tuple(range(0, 5 * 3000, 3000)), sounds=(Sound(),), rotation=90))
    info = probe(tmp_path / "in.mp4")
    encode = Encode(tmp_path / "out_%03d.png", info, EncodeSettings())
    list(encode(Decode(info)(iter(()))))
    found = sorted(tmp_path.glob("out_*.png"))
    assert [file.name for file in found] == [f"out_{n:03d}.png" for n in range(1, 6)]
    assert cv2.imread(str(found[0])).shape[:2] == frames[0][0].shape[::-1]  # upright
    assert encode.warnings == ["numbered pictures hold nothing beside the picture: sound left out"]


def test_a_plan_of_pictures(tmp_path: Path) -> None:
    pictures(tmp_path / "in", ".png", range(1, 13))
    source, out = str(tmp_path / "in" / "shot_%04d.png"), str(tmp_path / "out_%04d.png")
    job = RenderJob(input=source, edit="smile", output=out)
    (clip,) = make_plan([job]).clips
    assert str(clip.output) == out
    (tmp_path / "out_0003.png").touch()
    with pytest.raises(UsageError, match="exists already"):
        make_plan([job])
    for more in ({"compare": "side"}, {"debug_video": True}, {"sign": "a", "sign_key": "b"}):
        with pytest.raises(UsageError, match="pictures"):
            make_plan([job.model_copy(update=more | {"overwrite": True})])
    with pytest.raises(UsageError, match=r"or as numbered pictures: out_%04d.png"):
        make_plan([job.model_copy(update={"output": str(tmp_path / "out.png")})])
    plan = make_plan([RenderJob(input=str(tmp_path / "in"), edit="smile", output=str(tmp_path / "new"))])
    assert len(plan.clips) == 12
    assert plan.hints == [
        f"{tmp_path / 'in'} holds 12 numbered pictures, which are edited one by one; "
        f"if they are the frames of a clip, give {source} in place of the folder"
    ]


def test_segments_of_pictures_join(tmp_path: Path) -> None:
    made = pictures(tmp_path / "in", ".png", range(1, 7))
    info = probe(tmp_path / "in" / "shot_%04d.png")
    (tmp_path / "work").mkdir()
    writer = StillsWriter(tmp_path / "out_%04d.png", info, temporary=tmp_path / "work" / "joined.png")
    frames = list(Decode(info)(iter(())))
    paths = []
    for i in range(2):
        paths.append(tmp_path / "work" / f"{i:06d}.segment")
        segment = writer.segment(paths[-1])
        for frame in frames[3 * i : 3 * i + 3]:
            segment.write(frame)
        segment.commit({})
    writer.join(paths, 6)
    writer.commit()
    for number, pixels in enumerate(made, 1):
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / f"out_{number:04d}.png"))[..., ::-1], pixels)


@pytest.mark.parametrize("suffix", [".mp4", ".MOV", ".mkv", ".webm"])
def test_a_film_may_be_called_like_a_pattern(tmp_path: Path, suffix: str) -> None:
    film = tmp_path / f"100%03d{suffix}"
    film.write_bytes(b"\x00\x00\x00\x18ftypisom")
    (clip,) = make_plan([RenderJob(input=[str(film)], edit="smile")]).clips
    assert not is_sequence(clip.source)
    assert not is_sequence(clip.output)  # which is not there yet
    assert is_sequence(tmp_path / "100%03d.png")


@pytest.mark.parametrize("odd", [1, 3])
def test_a_picture_of_another_kind_among_numbered_ones_is_named(tmp_path, odd):
    """It was taken for a damaged one, and the picture before it was written in its place."""
    for number in range(1, 5):
        suffix = ".jpg" if number == odd else ".png"
        found, data = cv2.imencode(suffix, np.full((48, 64, 3), 20 * number, np.uint8))
        assert found
        (tmp_path / f"a_{number}.png").write_bytes(data.tobytes())
    with pytest.raises(RefusedInput, match=rf"a_{odd}.png is of kind .jpg, whatever its name says; convert it to .png"):
        probe(tmp_path / "a_%d.png")
