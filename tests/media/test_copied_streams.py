"""Streams beside the video: kept as they are where the container holds them, else named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_clips import LOSSLESS, Clip, Sound, copied_packets, copy, make

from videdit.media.encode.codecs import EncodeSettings
from videdit.media.probe import probe

IN_ORDER = {"preset": "ultrafast", "qp": "0", "bf": "0"}


def test_streams_that_do_not_fit_are_named(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    make(source, Clip(sounds=[Sound(codec="flac"), Sound()], subtitles=True, pts=(0, 3000, 6000)))
    writer = copy(source, tmp_path / "out.webm", EncodeSettings(codec="vp9"))
    assert [said.split(" is left out")[0] for said in writer.warnings[:3]] == [
        "audio stream 1 (flac)",
        "audio stream 2 (aac)",
        "subtitle stream 3 (subrip)",
    ]
    writer = copy(source, tmp_path / "out.mp4", EncodeSettings())
    assert [s.codec for s in probe(tmp_path / "out.mp4").streams] == ["flac", "aac"]
    assert any("subrip" in said for said in writer.warnings)


def test_attachments_and_covers_stay(tmp_path: Path) -> None:
    import cv2

    cover = cv2.imencode(".png", np.full((8, 8, 3), 99, np.uint8))[1].tobytes()
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make(
        source,
        Clip(pts=(0, 3000), attachments=[("font.ttf", "font/ttf", b"letters" * 100), ("c.png", "image/png", cover)]),
    )
    writer = copy(source, target, LOSSLESS)
    assert writer.warnings == []
    with av.open(str(source)) as a, av.open(str(target)) as b:
        assert [s.type for s in a.streams] == [s.type for s in b.streams]
        fonts = [[bytes(s.data) for s in c.streams if s.type == "attachment"] for c in (a, b)]
        assert fonts[0] == fonts[1] != []
    assert copied_packets(source) == copied_packets(target)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_cover_of_an_mp4_stays(tmp_path: Path, suffix: str) -> None:
    """Also where it becomes an attachment, which is what Matroska calls it."""
    source, target = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    with av.open(str(source), "w") as out:
        film = out.add_stream("libx264", rate=30, options={"qp": "0"})
        cover = out.add_stream("png", rate=1)
        cover.disposition = av.stream.Disposition.attached_pic
        for stream, size, pix_fmt in ((film, 64, "yuv420p"), (cover, 16, "rgb24")):
            stream.width, stream.height, stream.pix_fmt = size, size, pix_fmt
        for stream in (film, cover):
            frame = av.VideoFrame.from_ndarray(np.full((stream.height, stream.width, 3), 77, np.uint8), "rgb24")
            frame.pts = 0
            out.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
            out.mux(stream.encode(None))
    with av.open(str(source)) as container:
        (picture_before,) = [bytes(p) for p in container.demux(container.streams.video[1]) if p.size]
    writer = copy(source, target, LOSSLESS)
    assert any("hold no cover" in said for said in writer.warnings) == (suffix == ".mov")
    if suffix == ".mov":
        return
    assert [(s.kind, s.codec, s.cover) for s in probe(target).streams] == [("video", "png", True)]
    with av.open(str(target)) as container:
        stream = container.streams[probe(target).streams[0].index]
        assert [bytes(p) for p in container.demux(stream) if p.size] == [picture_before]


def test_dispositions_and_titles_stay(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make(source, Clip(sounds=[Sound(), Sound(language="fra")], subtitles=True))
    marked = tmp_path / "marked.mkv"
    with av.open(str(source)) as a, av.open(str(marked), "w") as b:
        streams = {s.index: b.add_stream_from_template(s, opaque=True) for s in a.streams}
        for index, stream in streams.items():
            stream.metadata.update(a.streams[index].metadata, title=f"number {index}")
        streams[1].disposition = av.stream.Disposition.comment
        streams[2].disposition = av.stream.Disposition.default | av.stream.Disposition.original
        streams[3].disposition = av.stream.Disposition.forced
        for packet in a.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                b.mux(packet)
    copy(marked, target, LOSSLESS)
    with av.open(str(marked)) as a, av.open(str(target)) as b:
        assert [s.disposition for s in a.streams] == [s.disposition for s in b.streams]
        assert len({s.disposition for s in a.streams}) == 4
        assert [s.metadata.get("title") for s in b.streams] == [f"number {i}" for i in range(4)]
        assert [s.language for s in a.streams] == [s.language for s in b.streams] == [None, "eng", "fra", "deu"]


@pytest.mark.parametrize(("codec", "rate"), [("aac", 48000), ("aac", 44100), ("libmp3lame", 44100), ("alac", 48000)])
def test_sound_in_matroska_is_what_it_was_in_mp4(tmp_path: Path, codec: str, rate: int) -> None:
    """With the packet before 0 that a decoder needs to get going, told by CodecDelay: the same samples at the same
    times, and not a millisecond more for the video. Once more from Matroska to Matroska, and back."""
    source = tmp_path / "in.mp4"
    make(source, Clip(sounds=[Sound(codec=codec, rate=rate)], pts=(0, 3000, 6000, 9000, 12000)))
    wanted, begins = samples(source)
    assert (begins < 0) is (codec != "alac")
    before = source
    for name in ("out.mkv", "again.mkv", "back.mp4"):
        writer = copy(before, tmp_path / name)
        found, there = samples(tmp_path / name)
        assert there == pytest.approx(begins, abs=0.0011)
        assert np.array_equal(found, wanted)
        with av.open(str(tmp_path / name)) as container:
            assert container.streams.audio[0].metadata.get("title") is None
        assert writer.frames == 5
        info = probe(tmp_path / name)
        assert info.start_pts * info.time_base == 0
        before = tmp_path / name
    cut = copy(source, tmp_path / "cut.mkv", start=0.05)
    assert cut.frames
    assert samples(tmp_path / "cut.mkv")[1] >= 0


def samples(path: Path) -> tuple[np.ndarray, float]:
    """All that its sound is decoded to, and when that begins."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        begins = float(packets[0].pts * packets[0].time_base)
        context = av.CodecContext.create(stream.codec_context.codec.name, "r")
        context.extradata = stream.codec_context.extradata
        context.sample_rate, context.layout = stream.rate, stream.layout
        frames = [frame.to_ndarray() for packet in packets for frame in context.decode(av.Packet(bytes(packet)))]
        return np.concatenate(frames, 1), begins


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("early", ["both", "second"])
def test_a_second_video_that_begins_before_a_matroska_clock(tmp_path: Path, early: str, suffix: str) -> None:
    """FFmpeg drops the times of its first packets, and its muxers take none without: they are set one before the
    other. No packet is lost, for all that follow need the first, and those with times keep them."""
    path, whole = tmp_path / "early.mkv", tmp_path / "whole.mkv"
    make(whole, Clip(pts=range(0, 25 * 40, 40), time_base=Fraction(1, 1000), last_duration=40, options=IN_ORDER))
    with av.open(str(whole)) as source, av.open(str(path), "w", container_options={"avoid_negative_ts": "0"}) as out:
        video = source.streams.video[0]
        targets = [out.add_stream_from_template(video) for _ in range(2)]
        for packet in source.demux(video):
            for target in targets if packet.size else ():
                one = av.Packet(bytes(packet))
                late = 200 if early == "both" or target is targets[1] else 0
                one.pts = one.dts = packet.pts - late
                one.time_base, one.duration, one.is_keyframe, one.stream = (
                    packet.time_base,
                    40,
                    packet.is_keyframe,
                    target,
                )
                out.mux(one)
    copy(path, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        packets = [packet for packet in container.demux(video=(0, 1)) if packet.size]
        first, times = ([float(p.pts * p.time_base) for p in packets if p.stream.index == i] for i in range(2))
    begins = 0.0 if early == "both" else -0.2
    assert sorted(first) == pytest.approx([i / 25 for i in range(25)], abs=0.0011)
    assert len(times) == 25
    assert times[6:] == pytest.approx([begins + i / 25 for i in range(6, 25)], abs=0.0011)
    if early == "both" or suffix == ".mp4":
        assert times[:6] == pytest.approx([begins + i / 25 for i in range(6)], abs=0.0011)
    else:  # before 0 is no time: as near as may be
        assert max(times[:6]) < 0.01
