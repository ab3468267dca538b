"""Bad input and failing disks: one clear line, nothing half-written, and what can be saved is saved."""

from __future__ import annotations

import os
import struct
import sys
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_clips import Clip, Sound, make

from videdit.errors import MediaError
from videdit.media.decode.read import VideoReader, read_image
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe


def refused(path: Path, match: str) -> str:
    with pytest.raises(MediaError, match=match) as caught:
        probe(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_files_that_are_none(tmp_path: Path) -> None:
    refused(tmp_path / "missing.mp4", "no such file")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", "is empty")
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", "not a regular file")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("suffix", [".mp4", ".jpg", ".mkv"])
def test_garbage(tmp_path: Path, seed: int, suffix: str) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(seed).bytes(5000))
    refused(path, "not a video or picture")


def test_exr_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    (tmp_path / "a.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(100))
    refused(tmp_path / "a.exr", r"pip install \"videdit\[exr\]\"")


def test_text_and_sound_are_no_video(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("a list of things to do\n" * 50)
    refused(tmp_path / "notes.mp4", "not a video")
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts = 48000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    refused(tmp_path / "song.m4a", "no video stream")
    with av.open(str(tmp_path / "cover.mp4"), "w") as out:
        stream = out.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        stream.disposition = av.stream.Disposition.attached_pic
        out.mux(stream.encode(av.VideoFrame(64, 64, "yuvj420p")))
        out.mux(stream.encode(None))
    refused(tmp_path / "cover.mp4", "no video stream, only a cover picture")
    (tmp_path / "song.mp4").write_bytes(b"ID3\x04" + bytes(6) + (b"\xff\xfb\x90\x64" + bytes(413)) * 40)
    refused(tmp_path / "song.mp4", "is sound without a picture")
    (tmp_path / "drawing.png").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>')
    refused(tmp_path / "drawing.png", "not a video or picture of a kind that is read; convert it")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_cut_off(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"whole{suffix}"
    make(path, Clip(sounds=[Sound()]))
    data = path.read_bytes()
    (tmp_path / f"part{suffix}").write_bytes(data[: int(len(data) * share)])
    refused(tmp_path / f"part{suffix}", "cut off")


def test_index_never_written(tmp_path: Path, clip: Path) -> None:
    data = clip.read_bytes()
    path = tmp_path / "no_index.mp4"
    path.write_bytes(data[: data.index(b"moov") - 4])
    assert "moov" in refused(path, "cut off")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_no_frames(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"hollow{suffix}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        out.start_encoding()
        out.mux(stream.encode(None))
    refused(path, "holds no")


def test_huge_dimensions_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10**6))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(MediaError, match="60000x60000|Invalid|no picture"):
        probe(bomb)
    wide = tmp_path / "wide.png"
    wide.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 2, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 2 * 20001))
        + chunk(b"IEND", b"")
    )
    refused(wide, "20000x2")


def test_video_that_needs_too_much_memory_is_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videdit.media.probe.MAX_VIDEO_PIXELS", 64 * 48 - 1)
    assert "64x48" in refused(clip, "scale it down")


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{}'\n", "concat:{}"]
)
def test_a_playlist_opens_no_other_file(tmp_path: Path, clip: Path, text: str) -> None:
    path = tmp_path / "list.mp4"
    path.write_text(text.format(clip))
    refused(path, "not a video")


def test_file_names_are_never_protocols_or_patterns(tmp_path: Path, clip: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4", "http:b.mp4", "-i.mp4", "frame%03d.mp4", "ünï cödé 'x'.mp4"):
        Path(name).write_bytes(clip.read_bytes())
        assert probe(name).frame_count == 40


def test_nothing_between_two_times(clip: Path) -> None:
    with pytest.raises(MediaError, match="no frame from 90 s"), VideoReader(clip, start=90) as reader:
        list(reader)
    with pytest.raises(MediaError, match="end must come after"):
        VideoReader(clip, start=1, end=0.5)


def test_damaged_picture(tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    with pytest.raises(MediaError):
        read_image(tmp_path / "half.png")


def test_a_file_that_is_still_growing(tmp_path: Path) -> None:
    """A live recording without an end: what is there when it is read is a clip, and more of it later is no harm."""
    whole, growing = tmp_path / "whole.ts", tmp_path / "growing.ts"
    make(whole, Clip(pts=tuple(range(0, 60 * 3000, 3000)), options={"preset": "ultrafast", "g": "10"}))
    data = whole.read_bytes()
    half = len(data) // 2 // 188 * 188
    growing.write_bytes(data[:half])
    info = probe(growing)
    with VideoReader(info) as reader:
        before = [frame.pts for frame in reader]
    with VideoReader(info) as reader, VideoWriter(tmp_path / "out.mkv", info) as writer:
        for i, frame in enumerate(reader):
            if i == 3:
                growing.write_bytes(data)
            writer.write(frame)
    with VideoReader(tmp_path / "out.mkv") as reader:
        assert len(before) <= len(list(reader)) <= 60
    assert 20 <= len(before) < 60
