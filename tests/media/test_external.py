"""Encoders of an ffmpeg program: the guarantees of PyAV's own. Skipped where there is no such program."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import psutil
import pytest
from synthetic_clips import Clip, Sound, copied_packets, make
from test_roundtrip import CLIPS, KEPT, assert_same_frames, check_nothing_is_lost, copy, frames_of

from videdit.errors import MediaError
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.ffmpeg_codecs import encoders
from videdit.media.encode.ffmpeg_process import ADVICE, find_ffmpeg
from videdit.media.encode.segments import SegmentWriter
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe

try:
    PROGRAM: str | None = find_ffmpeg() if importlib.util.find_spec("ffmpeg") else None
except MediaError:
    PROGRAM = None
pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"no ffmpeg program or ffmpeg-python here: {ADVICE}")


def how(codec: str | None = None, **words) -> EncodeSettings:
    return EncodeSettings(codec, backend="ffmpeg", **words)


def needs(*names: str) -> None:
    assert PROGRAM is not None
    if missing := [name for name in names if name not in encoders(PROGRAM)]:
        pytest.skip(f"{PROGRAM} has no {', '.join(missing)}")


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_nothing_is_lost(tmp_path: Path, name: str, suffix: str) -> None:
    needs("libx264")
    check_nothing_is_lost(tmp_path, CLIPS[name], suffix, how(lossless=True, preset="ultrafast"))


@pytest.mark.parametrize("name", ["variable rate", "29.97", "one frame", "starts at 5 s"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_nothing_is_lost_where_the_encoder_reorders_frames(tmp_path: Path, name: str, codec: str) -> None:
    needs(codec)
    source, target, own = (tmp_path / f"{name}.mp4" for name in ("in", "out", "own"))
    make(source, CLIPS[name])
    copy(source, target, how(codec, lossless=True, preset="medium"))
    copy(source, own, EncodeSettings(codec, lossless=True, preset="medium"))
    for (time, _, planes), (back, _, decoded) in zip(frames_of(source), frames_of(target), strict=True):
        assert time == back
        for plane, other in zip(planes, decoded, strict=True):
            np.testing.assert_array_equal(plane, other)
    kept = set(KEPT) - {"fps"}  # MP4 does not tell exactly how long reordered frames of a variable rate last
    assert {key: getattr(probe(own), key) for key in kept} == {key: getattr(probe(target), key) for key in kept}
    assert copied_packets(source) == copied_packets(target)


def test_fields_stay_fields(tmp_path: Path) -> None:
    needs("libx264")
    source, target, own = (tmp_path / f"{name}.mkv" for name in ("in", "out", "own"))
    make(source, Clip(interlaced=True, options={"preset": "ultrafast", "qp": "0", "x264-params": "tff=1"}))
    assert probe(source).interlaced
    copy(source, target, how("libx264", lossless=True))
    copy(source, own, EncodeSettings("libx264", lossless=True))
    assert_same_frames(source, target)
    assert (probe(target).interlaced, probe(target).field_order) == (probe(own).interlaced, probe(own).field_order)


def test_a_trim_keeps_times_and_sound(tmp_path: Path) -> None:
    needs("libx264")
    source = tmp_path / "in.mp4"
    make(source, Clip(pts=tuple(range(0, 90000, 3600)), sounds=[Sound(1.0)]))
    results = []
    for backend in ("pyav", "ffmpeg"):
        target = tmp_path / f"{backend}.mp4"
        copy(source, target, EncodeSettings(lossless=True, backend=backend), start=0.3, end=0.7)
        results.append((frames_of(target), copied_packets(target)))
    assert [times for times, *_ in results[0][0]] == [times for times, *_ in results[1][0]]
    assert results[0][1] == results[1][1]


@pytest.mark.parametrize(
    ("codec", "suffix", "pix_fmt"),
    [
        ("libaom-av1", ".mp4", "yuv420p"),
        ("libopenh264", ".mp4", "yuv420p"),
        ("libkvazaar", ".mp4", "yuv420p"),
        ("librav1e", ".mkv", "yuv420p10le"),
        ("dnxhd", ".mov", "yuv422p"),
        ("cfhd", ".mov", "yuv422p10le"),
        ("mpeg2video", ".mkv", "yuv420p"),
    ],
)
def test_encoders_that_pyav_lacks(tmp_path: Path, codec: str, suffix: str, pix_fmt: str) -> None:
    needs(codec)
    source, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    clip = Clip(tuple(range(0, 12 * 3000, 3000)), width=256, height=128, pix_fmt=pix_fmt, tags=(1, 1, 1, 1), noise=0)
    truth = make(source, clip)
    writer = copy(source, target, how(codec))
    assert writer.encoder.name == codec
    before, after = frames_of(source), frames_of(target)
    assert [t for t, *_ in before] == [t for t, *_ in after]
    for (_, _, planes), made in zip(after, truth, strict=True):
        error = np.abs(planes[0].astype(float) - made[0]).mean() / made[0].max()
        assert error < 0.02
    assert probe(target).color_tags[1:] == (1, 1, 1)  # .mov has no place for the range
    assert suffix == ".mov" or probe(target).color_tags[0] == 1


def test_transparency_that_lies_beside_the_packets_is_dropped_aloud(tmp_path: Path) -> None:
    needs("libvpx-vp9")
    source, target = tmp_path / "in.mkv", tmp_path / "out.webm"
    make(source, Clip(codec="ffv1", pix_fmt="yuva420p", options={"level": "3", "slices": "1"}, pts=(0, 3000)))
    writer = copy(source, target, how("libvpx-vp9", lossless=True))
    assert any("transparency is dropped" in said for said in writer.warnings)
    assert probe(target).planar == "yuv420p"


def test_segments_join_into_what_one_run_makes(tmp_path: Path) -> None:
    needs("libx264")
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, Clip(pts=tuple(range(0, 30 * 3000, 3000)), sounds=[Sound()]))
    settings = how("libx264", lossless=True)
    info = probe(source)
    with VideoReader(info) as reader:
        frames = list(reader)
    with VideoWriter(target, info, settings) as writer:
        headers, paths = writer.headers(), []
        for start in (0, 1, 12):
            paths.append(tmp_path / f"{start:06d}.segment")
            segment = SegmentWriter(paths[-1], info, writer.encoder, 2)
            for frame in frames[start : {0: 1, 1: 12, 12: 30}[start]]:
                segment.write(frame)
            record = segment.commit({})
            assert record["headers"] == headers
        writer.join(paths, record["end_pts"])
    assert_same_frames(source, target)
    assert copied_packets(source) == copied_packets(target)


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "ffmpeg" in child.name()]


def test_an_error_leaves_neither_file_nor_program(tmp_path: Path) -> None:
    needs("libx264")
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, CLIPS["plain"])
    with (
        pytest.raises(ZeroDivisionError),
        VideoReader(source) as reader,
        VideoWriter(target, reader.info, how()) as writer,
    ):
        for frame in reader:
            writer.write(frame)
            assert len(children()) == 1
            if writer.frames == 3:
                raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    assert not children()


def test_a_program_that_dies_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    needs("libx264")
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, Clip(pts=tuple(range(0, 200 * 3000, 3000))))
    with (
        pytest.raises(MediaError, match="ffmpeg failed while encoding: ") as error,
        VideoReader(source) as reader,
        VideoWriter(target, reader.info, how()) as writer,
    ):
        for frame in reader:
            writer.write(frame)
            for child in children():
                child.kill()
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    assert not children()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_program_ends_with_the_process(tmp_path: Path, number: int) -> None:
    needs("libx264")
    source = tmp_path / "in.mp4"
    make(source, CLIPS["plain"])
    script = f"""
        import time
        from videdit.media.encode.codecs import EncodeSettings
        from videdit.media.decode.read import VideoReader
        from videdit.media.encode.write import VideoWriter
        with VideoReader({str(source)!r}) as reader:
            with VideoWriter({str(tmp_path / "out.mp4")!r}, reader.info, EncodeSettings(backend="ffmpeg")) as writer:
                writer.write(next(iter(reader)))
                print("begun", flush=True)
                time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline()
    (program,) = [child for child in psutil.Process(process.pid).children() if "ffmpeg" in child.name()]
    process.send_signal(number)
    process.wait(20)
    program.wait(20)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (how("nosuchcodec"), "has no encoder 'nosuchcodec'"),
        (how("mpeg4", lossless=True), "no lossless mode of mpeg4 is known"),
        (how("libx264", preset="warp"), "libx264 of .* cannot encode this clip: .*preset"),
        (how("png"), "png of .* does not keep yuv420p video"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(tmp_path: Path, settings: EncodeSettings, message: str) -> None:
    needs("libx264", "mpeg4", "png")
    source = tmp_path / "in.mp4"
    make(source, CLIPS["plain"])
    with pytest.raises(MediaError, match=message) as error:
        copy(source, tmp_path / "out.mp4", settings)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_packets_that_a_container_does_not_hold_are_told(tmp_path: Path) -> None:
    needs("libx264")
    source = tmp_path / "in.mp4"
    make(source, CLIPS["plain"])
    with pytest.raises(MediaError, match="webm files hold no libx264 video"):
        copy(source, tmp_path / "out.webm", how("libx264"))


def test_hardware_that_is_not_here_gives_way_to_the_familys_own_encoder(tmp_path: Path) -> None:
    needs("libx264", "h264_nvenc")
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, CLIPS["plain"])
    writer = copy(source, target, how("h264_nvenc"))
    if writer.encoder.name == "h264_nvenc":
        pytest.skip("NVENC works here")
    assert writer.encoder.name == "libx264"
    assert "h264_nvenc does not work here" in writer.warnings[0]
    assert "libx264 is used" in writer.warnings[0]


def test_the_program_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "my ffmpeg"
    assert PROGRAM is not None
    program.symlink_to(os.path.realpath(PROGRAM))
    monkeypatch.setenv("VIDEDIT_FFMPEG", str(program))
    assert find_ffmpeg() == str(program)
    monkeypatch.setenv("VIDEDIT_FFMPEG", str(tmp_path / "nothing"))
    with pytest.raises(MediaError, match="no program .*nothing"):
        find_ffmpeg()
