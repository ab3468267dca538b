"""--transcode: sound and text that the container cannot hold are encoded anew, in their places and at their times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_clips import Clip, Sound, copied_packets, make

from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe

PTS = tuple(range(0, 45 * 3000, 3000))


def copy(source: Path, target: Path, **span) -> list[str]:
    how = EncodeSettings(transcode=True)
    with VideoReader(source, **span) as reader, VideoWriter(target, reader.info, how, **span) as writer:
        for frame in reader:
            writer.write(frame)
    return writer.warnings


def sound_of(path: Path, number: int = 0, rate: int = 48000) -> tuple[float, np.ndarray]:
    """(when it begins, in seconds; the left channel, float)."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[number]
        resampler = av.AudioResampler("fltp", stream.layout, rate)
        frames = [made for frame in container.decode(stream) for made in resampler.resample(frame)]
    return float(frames[0].pts * frames[0].time_base), np.concatenate([frame.to_ndarray()[0] for frame in frames])


def text_of(path: Path) -> list[tuple[str, Fraction, Fraction]]:
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            data = bytes(packet)
            if data.strip(b"\0"):
                words = data[2:] if stream.codec_context.name == "mov_text" else data
                found.append((words.decode(), packet.pts * packet.time_base, packet.duration * packet.time_base))
    return found


@pytest.mark.parametrize(("suffix", "codec"), [(".mov", "alac"), (".webm", "opus")])
def test_sound_of_another_codec(tmp_path: Path, suffix: str, codec: str) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    make(source, Clip(pts=PTS, sounds=[Sound(1.5, codec="flac", language="fra", start=0.25)]))
    said = copy(source, target)
    assert any("audio stream 1 (flac) becomes" in words for words in said)
    (stream,) = probe(target).streams
    assert (stream.kind, stream.codec, stream.language) == ("audio", codec, "fra")
    (begin, before), (start, after) = sound_of(source), sound_of(target)
    assert start == pytest.approx(begin, abs=0.002)
    assert len(after) == pytest.approx(len(before), abs=1200)
    if codec == "alac":
        np.testing.assert_array_equal(before, after[: len(before)])
    assert np.corrcoef(before[2000:70000], after[2000:70000])[0, 1] > 0.99


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_text_of_another_kind(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    make(source, Clip(pts=PTS, subtitles=True))
    assert any("subtitle stream 1 (subrip) becomes" in said for said in copy(source, target))
    (stream,) = probe(target).streams
    assert (stream.codec, stream.language) == ({".mp4": "mov_text", ".webm": "webvtt"}[suffix], "deu")
    assert text_of(target) == text_of(source) != []
    back = tmp_path / "back.mkv"
    copy(target, back)
    assert [words for words, *_ in text_of(back)] == ["hello", "there"]


def test_trimmed(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mov"
    make(source, Clip(pts=PTS, sounds=[Sound(1.5, codec="flac")]))
    copy(source, target, start=0.5, end=1.0)
    (_, before), (start, after) = sound_of(source), sound_of(target)
    assert abs(len(after) / 48000 - 0.5) < 0.1
    offset = 0.5 + start  # of the first sample, on the source's clock
    grid = np.arange(0.1, 0.4, 1 / 8000)
    one = np.interp(0.5 + grid, np.arange(len(before)) / 48000, before)
    other = np.interp(0.5 + grid, offset + np.arange(len(after)) / 48000, after)
    assert np.corrcoef(one, other)[0, 1] > 0.99


def test_what_fits_is_still_copied(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, Clip(pts=PTS, sounds=[Sound()], subtitles=True))
    assert copy(source, target) == []
    assert copied_packets(source) == copied_packets(target)
