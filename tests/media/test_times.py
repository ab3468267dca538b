"""The numbers of frames and their times, without decoding: the same as the reader's."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic import background, write_clip
from synthetic_clips import Clip, make

from videdit.jobs.render_job import RenderJob
from videdit.media.decode.read import VideoReader
from videdit.media.frame_times import clock, frame_times
from videdit.media.probe import probe
from videdit.rendering.estimate import share_edited
from videdit.tracks.shots import scene_times

KINDS = {
    "b-frames": Clip(),
    "uneven": Clip(pts=(0, 3000, 9000, 9500, 30000, 33000)),
    "late": Clip(pts=tuple(range(90000, 120000, 3000))),
    "rate 23.976": Clip(pts=tuple(range(0, 10 * 1001, 1001)), time_base=Fraction(1, 24000), last_duration=1001),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_where_the_reader_finds_them(tmp_path, kind, suffix):
    path = tmp_path / f"clip{suffix}"
    make(path, KINDS[kind])
    info = probe(path)
    with VideoReader(info) as reader:
        read = [frame.time for frame in reader]
    assert frame_times(info) == read
    time_of = clock(info)
    assert [time_of(i) for i in range(len(read))] == read
    step = float(info.frame_step * info.time_base)
    assert time_of(len(read) + 1) == pytest.approx(read[-1] + 2 * step)


@pytest.mark.parametrize("frames", ["0", "2"], ids=["in order", "b-frames"])
@pytest.mark.parametrize(("rate", "early"), [(25, 1), (25, 7), (Fraction(24000, 1001), 5), (25, 100)])
def test_frames_before_a_matroska_clock_begins(tmp_path, frames, rate, early):
    """FFmpeg drops their times. Each is shown as long as the others, also where they are many: then all begin late."""
    path, whole, count = tmp_path / "early.mkv", tmp_path / "whole.mkv", early + 12
    options = {"preset": "ultrafast", "qp": "0", "bf": frames}
    planes = make(whole, Clip(pts=range(count), time_base=1 / Fraction(rate), last_duration=1, options=options))
    with av.open(str(whole)) as source, av.open(str(path), "w", container_options={"avoid_negative_ts": "0"}) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts -= round(early * 1000 / rate)
                packet.dts -= round(early * 1000 / rate)
                packet.stream = stream
                out.mux(packet)
    info = probe(path)
    with VideoReader(info) as reader:
        read = list(reader)
    assert len(read) == count
    assert all(np.array_equal(a.picture.planes[0], b[0]) for a, b in zip(read, planes, strict=True))
    if early < 64:
        assert frame_times(info) == pytest.approx([frame.time for frame in read])
        assert [frame.time for frame in read] == pytest.approx([i / float(rate) for i in range(count)], abs=0.0011)
        assert f"first {early} frames have no time" in " ".join(reader.warnings)
        with VideoReader(info, start=read[early + 3].time) as late:
            assert [frame.pts for frame in late] == [frame.pts for frame in read[early + 3 :]]


@pytest.fixture(scope="module")
def two_shots(tmp_path_factory) -> Path:
    """Two seconds at 10 frames a second; a cut after 0.8 s."""
    plain = background(320, 180)
    pictures = [plain] * 8 + [255 - plain[:, ::-1]] * 12
    return write_clip(tmp_path_factory.mktemp("clips") / "shots.mp4", pictures, fps=10)


def test_shots_begin_at_the_start_and_at_cuts(two_shots):
    info = probe(two_shots)
    assert scene_times(info) == pytest.approx([0, 0.8])
    assert scene_times(info, 0.5) == pytest.approx([0.5, 0.8])
    assert scene_times(info, 1.0, 1.5) == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("words", "share"),
    [
        ({"edit": "smile"}, 1.0),
        ({"edit": "smile=0@1s,1@1.5s"}, 0.5),
        ({"edit": "smile=0@10f,1@15f"}, 0.5),
        ({"edit": "smile=0@1s,1@1.5s", "restore": "small"}, 1.0),
        ({"edit": "smile=0@1s,1@1.5s", "per_face": {"0": "age=0@0.5s,1@1s"}}, 0.75),
        ({"edit": "smile", "scenes": "2"}, 0.6),
        ({"edit": "smile=0@1s,1@1.5s", "scenes": "1"}, 0.0),
        ({"edit": "smile", "scenes": "1", "start": 0.4}, 0.25),
    ],
)
def test_a_dry_run_knows_what_part_of_a_clip_is_edited(two_shots, words, share):
    part, notes = share_edited(probe(two_shots), RenderJob.model_validate({"input": str(two_shots)} | words))
    assert part == pytest.approx(share, abs=0.02)
    assert ("2 at 0.80 s" in " ".join(notes)) == ("scenes" in words)
