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


@pytest.mark.skipif(FFMPEG is None, reason="there is no ffmpeg program")
@pytest.mark.parametrize("encoder", encoders())
def test_what_a_container_does_not_hold_is_said(picture: Path, tmp_path: Path, encoder: str) -> None:
    """It is copied, or left out with a word; a clip is never lost over its sound. Avi and mkv name no channels."""
    tried = 0
    for channels in ("2", "1", "6"):
        for kind, rate in (("avi", "48000"), ("mkv", "48000"), ("mov", "48000"), ("avi", "8000"), ("flv", "44100")):
            source = tmp_path / f"{channels}.{kind}"
            tone = ["-f", "lavfi", "-i", f"sine=440:sample_rate={rate}:duration=0.2", "-ac", channels]
            coded = ["-c:v", "copy", "-c:a", encoder, "-strict", "-2"]
            if not run("-i", str(picture), *tone, "-map", "0:v", "-map", "1:a", *coded, str(source)):
                continue
            for suffix in (".mp4", ".mov"):
                target = tmp_path / f"{channels}_out{suffix}"
                said = copied(source, target)
                with av.open(str(target)) as container:
                    assert container.streams.audio or [words for words in said if "left out" in words]
                    tried += 1
            break
    if not tried:
        pytest.skip(f"no clip with {encoder} is made")


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24be", "pcm_f32le"])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_samples_of_channels_without_a_name(picture: Path, tmp_path: Path, codec: str, channels: int) -> None:
    """In mp4 one and two are mono and stereo; of more nobody knows where they are heard."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    with av.open(str(picture)) as video, av.open(str(source), "w") as out:
        stream = out.add_stream_from_template(video.streams.video[0], opaque=True)
        sound = out.add_stream(codec, rate=8000, layout={1: "mono", 2: "stereo", 4: "4.0"}[channels])
        for packet in video.demux(video.streams.video[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
        frame = av.AudioFrame(format=sound.format.name, layout=sound.layout.name, samples=800)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate, frame.pts = 8000, 0
        out.mux(sound.encode(frame))
    said = copied(source, target)
    if channels > 2:
        assert "cannot hold it" in " ".join(said)
        return
    assert not [words for words in said if "left out" in words]
    assert sound_of(target) == sound_of(source)


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
