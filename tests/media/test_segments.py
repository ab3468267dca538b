"""A video encoded in segments and joined: the same frames at the same times, beside the same other streams."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_clips import Clip, Sound, copied_packets, make

from videdit.datatypes import Frame
from videdit.errors import MediaError
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.segments import SegmentWriter, joined, read_record
from videdit.media.encode.write import VideoWriter
from videdit.media.info import MediaInfo
from videdit.media.probe import probe

FFV1 = {"level": "3", "slices": "1"}


def in_segments(
    source: Path, target: Path, how: EncodeSettings, cuts: list[int], **span: float
) -> tuple[VideoWriter, list[Path]]:
    """Copy a clip, encoded anew in segments that begin at the frames `cuts`, the first at 0."""
    with VideoReader(source, **span) as reader:
        frames, info = list(reader), reader.info
    writer = VideoWriter(target, info, how, replace=True, **span)
    paths, end = [], 0
    for i, (first, stop) in enumerate(zip(cuts, [*cuts[1:], len(frames)], strict=True)):
        path = target.with_name(f"{i}.segment")
        end = write_segment(path, info, writer, frames[first:stop])["end_pts"]
        paths.append(path)
    records = [read_record(path) for path in paths]
    assert {record["headers"] for record in records if record} == {writer.headers()}
    with writer:
        writer.join(paths, end)
    return writer, paths


def write_segment(path: Path, info: MediaInfo, writer: VideoWriter, frames: list[Frame]) -> dict:
    path.unlink(missing_ok=True)
    segment = SegmentWriter(path, info, writer.encoder, 2)
    for frame in frames:
        segment.write(frame)
    assert not path.exists()
    return segment.commit({"number": 7})


def frames_of(path: Path) -> list[tuple[Fraction, Fraction, tuple[np.ndarray, ...]]]:
    with VideoReader(path) as reader:
        return [(f.pts * f.time_base, (f.coded.duration or 0) * f.time_base, f.picture.planes) for f in reader]


def assert_same(one: Path, other: Path) -> None:
    a, b = frames_of(one), frames_of(other)
    assert [t for t, _, _ in a] == [t for t, _, _ in b]
    if one.suffix == other.suffix:  # MP4 tells when the next packet is decoded, Matroska how long the frame is shown
        assert [d for _, d, _ in a] == [d for _, d, _ in b]
    for (_, _, planes), (_, _, back) in zip(a, b, strict=True):
        assert len(planes) == len(back)
        assert all(map(np.array_equal, planes, back))


@pytest.mark.parametrize(
    ("codec", "suffix", "pix_fmt"),
    [("h264", ".mp4", "yuv420p"), ("h264", ".mkv", "yuv420p10le"), ("hevc", ".mov", "yuv420p10le")]
    + [("hevc", ".mkv", "yuv420p"), ("vp9", ".webm", "yuv420p"), ("av1", ".mp4", "yuv420p10le")]
    + [("ffv1", ".mkv", "yuv420p16le"), ("vp9", ".webm", "yuva420p"), ("vp9", ".mkv", "yuva420p")],
)
def test_joined_segments_are_the_clip(tmp_path: Path, codec: str, suffix: str, pix_fmt: str) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    # Steps of 5 ms, which Matroska keeps exactly.
    pts = tuple(int(450 * step) for step in np.cumsum([0, *np.random.default_rng(0).integers(1, 20, 40)]))
    clip = Clip(pts=pts, codec="ffv1", pix_fmt=pix_fmt, options=FFV1, width=128, height=96)
    clip.sounds = [Sound(2.0, codec="libopus" if suffix == ".webm" else "aac")]
    make(source, clip)
    writer, _ = in_segments(source, target, EncodeSettings(codec=codec, lossless=True), [0, 1, 3, 20, 33])
    assert writer.frames == 41
    assert_same(source, target)
    sounds = [[(data, time) for data, time, _ in copied_packets(path)[1]] for path in (source, target)]
    assert sounds[0] == sounds[1]
    with av.open(str(target)) as container:
        stamps = [(p.dts, p.pts, p.is_keyframe) for p in container.demux(video=0) if p.size]
    decoded = [dts for dts, _, _ in stamps if dts is not None]
    assert all(a < b for a, b in zip(decoded, decoded[1:], strict=False))
    assert all(dts is None or dts <= pts for dts, pts, _ in stamps)
    shown = sorted(pts for _, pts, _ in stamps)
    assert {0, 1, 3, 20, 33} <= {shown.index(pts) for _, pts, key in stamps if key}


def test_prores_in_segments(tmp_path: Path) -> None:
    """It has no lossless mode: the same frames one by one give the same pictures."""
    source = tmp_path / "in.mov"
    make(source, Clip(pts=tuple(range(0, 27000, 3000)), pix_fmt="yuv422p10le", codec="prores_ks", options={}))
    in_segments(source, tmp_path / "a.mov", EncodeSettings(), [0, 4])
    in_segments(source, tmp_path / "b.mov", EncodeSettings(), [0])
    assert_same(tmp_path / "a.mov", tmp_path / "b.mov")


def test_a_trimmed_clip_in_segments(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    make(source, Clip(pts=tuple(range(0, 60 * 3000, 3000)), sounds=[Sound(2.0)]))
    how = EncodeSettings(lossless=True, preset="ultrafast")
    with (
        VideoReader(source, 0.5, 1.5) as reader,
        VideoWriter(tmp_path / "a.mp4", reader.info, how, start=0.5, end=1.5) as w,
    ):
        for frame in reader:
            w.write(frame)
    in_segments(source, tmp_path / "b.mp4", how, [0, 11, 12], start=0.5, end=1.5)
    assert_same(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert copied_packets(tmp_path / "a.mp4") == copied_packets(tmp_path / "b.mp4")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.integers(1, 20000), min_size=2, max_size=14),
    start=st.integers(0, 500000),
    cuts=st.sets(st.integers(1, 13), max_size=5),
)
def test_any_timing_and_any_cuts(tmp_path: Path, steps: list[int], start: int, cuts: set[int]) -> None:
    pts = tuple(start + int(step) for step in np.cumsum([0, *steps[:-1]]))
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, Clip(pts=pts, last_duration=steps[-1], width=16, height=16))
    places = [0, *sorted(cut for cut in cuts if cut < len(pts))]
    in_segments(source, target, EncodeSettings(lossless=True, preset="ultrafast"), places)
    assert_same(source, target)


def test_a_segment_that_is_not_whole_is_none(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    make(source, Clip())
    _, (path, *_) = in_segments(source, tmp_path / "out.mp4", EncodeSettings(), [0, 5])
    record = read_record(path)
    assert record is not None
    assert (record["number"], record["frames"], record["end_pts"]) == (7, 5, 15000)
    assert len(list(joined([path]))) == 5
    data = path.read_bytes()
    for damaged in (b"", data[:20], data[:-1], data[:-30], bytes([data[0] ^ 1]) + data[1:], data + b"x"):
        path.write_bytes(damaged)
        assert read_record(path) is None
    assert read_record(tmp_path / "missing") is None


def test_an_unfinished_segment_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    make(source, Clip())
    writer = VideoWriter(tmp_path / "out.mp4", probe(source))
    segment = SegmentWriter(tmp_path / "0.segment", probe(source), writer.encoder, 2)
    segment.abort()
    writer.abort()
    with pytest.raises(MediaError, match="cannot write"):
        SegmentWriter(tmp_path / "nowhere" / "0.segment", probe(source), writer.encoder, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
