"""Streams beside the video: kept as they are where the container holds them, else named."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_clips import LOSSLESS, Clip, Sound, copied_packets, copy, make

from videdit.media.encode.codecs import EncodeSettings
from videdit.media.probe import probe


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
