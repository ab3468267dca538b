"""Synthetic clips with known truth, written by PyAV directly: what the tests compare against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.pixel_formats import geometry, pack

LOSSLESS = EncodeSettings(lossless=True)


@dataclass
class Sound:
    """A track of a rising tone."""

    seconds: float = 1.0
    rate: int = 48000
    codec: str = "aac"
    language: str = "eng"
    start: float = 0.0


@dataclass
class Clip:
    """What to make; ``make`` returns the planes of each frame."""

    pts: Sequence[int] = tuple(range(0, 10 * 3000, 3000))
    time_base: Fraction = Fraction(1, 90000)
    last_duration: int = 3000
    width: int = 64
    height: int = 48
    pix_fmt: str = "yuv420p"
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {"preset": "ultrafast", "qp": "0", "bf": "2"})
    rotation: int = 0  # clockwise
    tags: tuple[int, int, int, int] = (0, 2, 2, 2)  # range, primaries, transfer, matrix
    sar: Fraction = Fraction(1)
    sounds: Sequence[Sound] = ()
    subtitles: bool = False
    chapters: Sequence[tuple[int, int, str]] = ()  # milliseconds
    metadata: dict[str, str] = field(default_factory=dict)
    store: str | None = None  # layout to hand to the encoder, where it is not pix_fmt itself
    attachments: Sequence[tuple[str, str, bytes]] = ()  # name, type, content
    interlaced: bool = False
    noise: float = 0.02  # of the full scale


def picture(index: int, width: int, height: int, pix_fmt: str, noise: float = 0.02) -> tuple[np.ndarray, ...]:
    """Planes of a moving pattern with some noise, [H_p, W_p] in the layout's own depth, all legal code values."""
    rng = np.random.default_rng(index)
    depth, (log_x, log_y), is_rgb, alpha = geometry(pix_fmt)
    count = 3 if is_rgb or "yuv" in pix_fmt else 1
    planes = []
    for i in range(count + alpha):
        chroma = i in (1, 2) and not is_rgb
        w, h = (-(-width >> log_x), -(-height >> log_y)) if chroma else (width, height)
        y, x = np.mgrid[:h, :w]
        wave = 0.5 + 0.3 * np.sin((x + 3 * index) / 7 + i) * np.cos(y / 5) + rng.uniform(-noise, noise, (h, w))
        planes.append((wave * ((1 << depth) - 1)).astype(np.uint8 if depth == 8 else np.uint16))
    return tuple(planes)


def make(path: Path, clip: Clip) -> list[tuple[np.ndarray, ...]]:
    """Write the clip; its encoder is lossless by default, so the planes returned are what must be decoded."""
    options = {}
    if path.suffix in (".mp4", ".mov"):
        den = str(clip.time_base.denominator)
        options = {"video_track_timescale": den, "movie_timescale": den}
    frames = []
    with av.open(str(path), "w", container_options=options) as out:
        out.metadata.update(clip.metadata)
        video = out.add_stream(clip.codec, rate=30, options=dict(clip.options))
        context: Any = video.codec_context
        context.width, context.height, context.pix_fmt = clip.width, clip.height, clip.store or clip.pix_fmt
        context.time_base, context.sample_aspect_ratio = clip.time_base, clip.sar
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = clip.tags
        video.time_base = clip.time_base
        if clip.interlaced:
            context.flags |= 0x40000 | 0x20000000
            context.field_order = 2
        if clip.rotation:
            video.set_display_rotation(-clip.rotation)
        sounds = [(out.add_stream(s.codec, rate=s.rate), s) for s in clip.sounds]
        for stream, sound in sounds:
            stream.metadata["language"] = sound.language
        text = out.add_mux_stream("subrip" if path.suffix == ".mkv" else "mov_text") if clip.subtitles else None
        if text is not None:
            text.metadata["language"] = "deu"
            text.time_base = Fraction(1, 1000)
        for attachment in clip.attachments:
            out.add_attachment(*attachment)
        out.set_chapters(
            [
                {"id": n, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                for n, (a, b, title) in enumerate(clip.chapters)
            ]
        )
        durations = dict(zip(clip.pts, [*np.diff(clip.pts).tolist(), clip.last_duration], strict=True))
        out.start_encoding()
        for i, pts in enumerate(clip.pts):
            planes = picture(i, clip.width, clip.height, clip.pix_fmt, clip.noise)
            frames.append(planes)
            frame = pack(planes, clip.pix_fmt, clip.store or clip.pix_fmt)
            frame.pts, frame.time_base = pts, clip.time_base
            frame.color_range, frame.color_primaries, frame.color_trc, frame.colorspace = clip.tags
            _mux(out, video.encode(frame), durations)
        _mux(out, video.encode(None), durations)
        for stream, sound in sounds:
            _tone(out, stream, sound)
        if text is not None:
            _subtitle(out, text, path.suffix)
    return frames


def _mux(out: Any, packets: list[av.Packet], durations: dict[int, int]) -> None:
    for packet in packets:
        packet.duration = durations[packet.pts]
        out.mux(packet)


def _tone(out: Any, stream: Any, sound: Sound) -> None:
    total, step = int(sound.seconds * sound.rate), 1024
    for at in range(0, total, step):
        n = min(step, total - at)
        t = (np.arange(n) + at) / sound.rate
        wave = (0.3 * np.sin(2 * np.pi * (300 + 200 * t) * t)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
        frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
        frame.pts = at + int(sound.start * sound.rate)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _subtitle(out: Any, stream: Any, suffix: str) -> None:
    for start, words in ((100, b"hello"), (200, b"there")):
        body = words if suffix == ".mkv" else len(words).to_bytes(2, "big") + words
        packet = av.Packet(body)
        packet.pts = packet.dts = start
        packet.duration, packet.time_base, packet.stream = 80, Fraction(1, 1000), stream
        out.mux(packet)


def copied_packets(path: Path) -> dict[int, list[tuple[bytes, Fraction, Fraction]]]:
    """Every packet that is not of the first video: its bytes, time and duration in seconds, by stream number."""
    found: dict[int, list[tuple[bytes, Fraction, Fraction]]] = {}
    with av.open(str(path)) as container:
        # The text track that MP4 keeps for chapters is made by the muxer: it is not copied.
        others = [s for s in container.streams if s.index != container.streams.video[0].index and s.type != "data"]
        for packet in container.demux(others) if others else ():
            if packet.size and packet.pts is not None:
                times = packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base
                found.setdefault(packet.stream.index, []).append((bytes(packet), *times))
    return found


def copy(source: Path, target: Path, how: EncodeSettings = LOSSLESS, **more: Any) -> VideoWriter:
    """Every frame through reader and writer; more: of the writer, and the span of both."""
    span = {key: more[key] for key in ("start", "end") if key in more}
    with VideoReader(source, **span) as reader, VideoWriter(target, reader.info, how, **more) as writer:
        for frame in reader:
            writer.write(frame)
    return writer


def planes_of(path: Path) -> list[tuple[np.ndarray, ...]]:
    """Of every frame, as they are decoded."""
    with VideoReader(path) as reader:
        return [frame.picture.planes for frame in reader]
