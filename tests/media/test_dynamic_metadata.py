"""Metadata of single frames that does not survive encoding is named before the work begins."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from synthetic_clips import Clip, make

from videdit.errors import MediaError
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe

PQ, SDR = (1, 9, 16, 9), (1, 1, 1, 1)
X265 = {"x265-params": "log-level=none:pools=1", "preset": "ultrafast"}


def bits(*fields: tuple[int, int]) -> bytes:
    """Numbers of so many bits each, the last byte filled up with zeros."""
    digits = "".join(format(value, f"0{width}b") for value, width in fields)
    digits += "0" * (-len(digits) % 8)
    return int(digits, 2).to_bytes(len(digits) // 8, "big")


def hdr10_plus() -> bytes:
    """SMPTE ST 2094-40 as ITU-T T.35 carries it: one window, no curve."""
    window = [(50000, 17)] * 3 + [(1000, 17), (0, 4), (5, 10)]
    return bytes((0xB5, 0, 0x3C, 0, 1, 4, 1)) + bits((1, 2), (1000, 27), (0, 1), *window, (0, 1), (0, 1), (0, 1))


def captions() -> bytes:
    """CEA-608 as ATSC A/53 carries it: one pair of letters."""
    return bytes((0xB5, 0, 0x31)) + b"GA94" + bytes((3, 0xC1, 0xFF, 0xFC, 0xC8, 0xE9, 0xFF))


def with_message(source: Path, target: Path, content: bytes, tag: str | None = None) -> Path:
    """A copy of a clip with a message (T.35, SEI type 4) in front of every picture; `tag`: its four letters."""
    with av.open(str(source)) as a, av.open(str(target), "w") as b:
        stream = a.streams.video[0]
        hevc = stream.codec_context.name == "hevc"
        body = (b"\x4e\x01" if hevc else b"\x06") + bytes((4, len(content))) + content + b"\x80"
        unit, zeros = bytearray(), 0
        for byte in body:  # three bytes that look like a start code are kept apart
            if zeros >= 2 and byte <= 3:
                unit.append(3)
                zeros = 0
            unit.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        copied = b.add_stream_from_template(stream, opaque=True)
        if tag:
            copied.codec_context.codec_tag = tag
        for packet in a.demux(stream):
            if packet.size:
                message = len(unit).to_bytes(4, "big") + bytes(unit) if content else b""
                changed = av.Packet(message + bytes(packet))
                changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
                changed.duration, changed.is_keyframe, changed.stream = packet.duration, packet.is_keyframe, copied
                b.mux(changed)
    return target


def said_of(source: Path, target: Path) -> list[str]:
    with VideoReader(source) as reader, VideoWriter(target, reader.info, EncodeSettings(preset="ultrafast")) as writer:
        for frame in reader:
            writer.write(frame)
    return writer.warnings


def test_hdr10_plus_is_named(tmp_path: Path) -> None:
    make(tmp_path / "a.mp4", Clip(pix_fmt="yuv420p10le", codec="libx265", options=X265, tags=PQ))
    assert probe(tmp_path / "a.mp4").dynamic_metadata == ()
    source = with_message(tmp_path / "a.mp4", tmp_path / "in.mp4", hdr10_plus())
    assert probe(source).dynamic_metadata == ("HDR10+",)
    said = said_of(source, tmp_path / "out.mp4")
    assert said == ["HDR10+ inside the video is not kept; the picture without it is"]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_closed_captions_are_named(tmp_path: Path, codec: str) -> None:
    options = X265 if codec == "libx265" else {"preset": "ultrafast"}
    make(tmp_path / "a.mp4", Clip(codec=codec, options=options))
    source = with_message(tmp_path / "a.mp4", tmp_path / "in.mp4", captions())
    assert probe(source).dynamic_metadata == ("closed captions",)
    said = said_of(source, tmp_path / "out.mp4")
    assert said == ["closed captions inside the video are not kept; extract them to a subtitle file first"]


def test_dolby_vision_is_named_or_refused(tmp_path: Path) -> None:
    """Without a picture that other screens understand, what would be left is purple and green."""
    for name, tags in (("base", PQ), ("five", (2, 2, 2, 2))):
        make(tmp_path / f"{name}.mp4", Clip(pix_fmt="yuv420p10le", codec="libx265", options=X265, tags=tags))
        with_message(tmp_path / f"{name}.mp4", tmp_path / f"{name}_dv.mp4", b"", tag="dvh1")
    assert probe(tmp_path / "base_dv.mp4").dynamic_metadata == ("Dolby Vision",)
    assert "Dolby Vision inside the video is not kept" in said_of(tmp_path / "base_dv.mp4", tmp_path / "out.mp4")[0]
    with pytest.raises(MediaError, match="profile 5.*convert it to HDR10"):
        probe(tmp_path / "five_dv.mp4")
