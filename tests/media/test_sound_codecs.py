"""Sound of every kind: what FFmpeg copies into Matroska, we copy, packet by packet."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import av
import pytest
from synthetic_clips import Clip, make

from videdit.media.decode.read import VideoReader
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe


def program() -> str | None:
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return shutil.which("ffmpeg")


FFMPEG = program()
# Rates and layouts that one or the other encoder wants, and containers that carry what it makes.
SHAPES = [("44100", "2"), ("48000", "2"), ("8000", "1"), ("16000", "1"), ("22050", "1"), ("44100", "1")]
CARRIERS = ("avi", "asf", "mov", "nut", "flv", "rm", "mkv")


def encoders() -> list[str]:
    if FFMPEG is None:
        return []
    listed = subprocess.run([FFMPEG, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False).stdout
    return [line.split()[1] for line in listed.splitlines() if line[:2] == " A" and "=" not in line]


def run(*words: str) -> bool:
    assert FFMPEG is not None
    return subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *words], capture_output=True).returncode == 0


def sound_of(path: Path) -> tuple[str, int, int, list[bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
        return stream.codec_context.codec.canonical_name, stream.rate, stream.layout.nb_channels, packets


def copied(source: Path, target: Path) -> list[str]:
    info = probe(source)
    with VideoReader(info) as reader, VideoWriter(target, info) as writer:
        for frame in reader:
            writer.write(frame)
    return writer.warnings


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "picture.mkv"
    make(path, Clip())
    return path


@pytest.mark.skipif(FFMPEG is None, reason="there is no ffmpeg program")
@pytest.mark.parametrize("encoder", encoders())
def test_what_ffmpeg_copies_into_matroska_we_copy(picture: Path, tmp_path: Path, encoder: str) -> None:
    for rate, channels in SHAPES:
        tone = ["-f", "lavfi", "-i", f"sine=440:sample_rate={rate}:duration=0.4", "-ac", channels]
        coded = ["-c:v", "mpeg4", "-c:a", encoder, "-strict", "-2"]
        for kind in CARRIERS:
            source, reference = tmp_path / f"{encoder}.{kind}", tmp_path / "reference.mkv"
            if not run("-i", str(picture), *tone, "-map", "0:v", "-map", "1:a", *coded, str(source)):
                continue
            if not run("-i", str(source), "-map", "0", "-c", "copy", str(reference)):
                continue
            try:
                wanted = sound_of(reference)
            except (av.FFmpegError, ValueError, IndexError):  # of an FFmpeg that knows more than ours
                continue
            target = tmp_path / "out.mkv"
            said = copied(source, target)
            assert not [words for words in said if "left out" in words], said
            assert sound_of(target) == wanted
            return
    pytest.skip(f"ffmpeg does not copy {encoder} into Matroska either")


def test_its_title_and_language_stay(picture: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.mov"
    with av.open(str(picture)) as video, av.open(str(source), "w") as out:
        stream = out.add_stream_from_template(video.streams.video[0], opaque=True)
        sound = out.add_stream("pcm_mulaw", rate=8000, layout="mono")
        sound.metadata.update({"language": "eng", "handler_name": "Telephone"})
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.planes[0].update(bytes(1600))
        frame.sample_rate, frame.pts = 8000, 0
        out.mux(sound.encode(frame))
        for packet in video.demux(video.streams.video[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    assert not [words for words in copied(source, tmp_path / "out.mkv") if "left out" in words]
    with av.open(str(tmp_path / "out.mkv")) as container:
        stream = container.streams.audio[0]
        assert stream.metadata.get("title") is None
        assert stream.language == "eng"
        assert stream.codec_context.name == "pcm_mulaw"
        assert stream.rate == 8000
    # What we wrote is a source like any other.
    assert not [words for words in copied(tmp_path / "out.mkv", tmp_path / "again.mkv") if "left out" in words]
    assert sound_of(tmp_path / "again.mkv") == sound_of(tmp_path / "out.mkv")
