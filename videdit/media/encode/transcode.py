"""Sound and text that a container cannot hold, encoded anew for it: only when asked for (``--transcode``)."""

from __future__ import annotations

import re
from collections.abc import Callable

import av
from av.audio.stream import AudioStream

# What each container holds for sure: for sound that has lost something already, and for sound that has not.
_SOUND = {"mp4": ("aac", "alac"), "mov": ("aac", "alac"), "webm": ("libopus", "libopus"), "matroska": ("aac", "flac")}
_TEXT = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
_LOSSLESS = ("flac", "alac", "truehd", "mlp", "tta", "wavpack", "pcm")
_READABLE = ("subrip", "mov_text", "webvtt", "ass", "ssa", "text")
_BITS_A_CHANNEL = 128000  # a second
_TAGS = re.compile(r"<[^>]*>|\{\\[^}]*\}")


class Sound:
    """One audio stream of the source: packets -> packets of the output."""

    def __init__(self, source: AudioStream, output: av.container.OutputContainer, container: str) -> None:
        """Declares the output's stream. Raises ValueError or FFmpegError: there is no encoder for it."""
        codec = source.codec_context.codec.canonical_name
        self.codec = _SOUND[container][codec.startswith(_LOSSLESS)]
        allowed = av.codec.Codec(self.codec, "w").audio_rates or [source.rate]
        rate = source.rate if source.rate in allowed else 48000
        target = output.add_stream(self.codec, rate=rate, layout=source.layout.name)
        assert isinstance(target, AudioStream)
        if self.codec not in _LOSSLESS:
            target.bit_rate = _BITS_A_CHANNEL * source.layout.nb_channels
        self.target, self._source = target, source

    def __call__(self, packet: av.Packet | None) -> list[av.Packet]:
        """None: what is still in the encoder. A damaged packet gives nothing."""
        made: list[av.Packet] = []
        try:
            frames = self._source.codec_context.decode(packet)
        except av.EOFError:
            frames = []
        except av.InvalidDataError:
            return made
        for frame in frames:
            made += self.target.encode(frame)
        return made if packet is not None else made + self.target.encode(None)


class Text:
    """One subtitle stream of text; its styles are lost."""

    def __init__(self, source: av.stream.Stream, output: av.container.OutputContainer, container: str) -> None:
        """Declares the output's stream. Raises ValueError: it is none of text."""
        codec = source.codec_context.codec.canonical_name
        if codec not in _READABLE:
            raise ValueError(f"{codec} is no text")
        self.codec = _TEXT[container]
        self.target = output.add_mux_stream(self.codec)
        self.target.time_base = source.time_base
        self._read = _READERS.get(codec, _plain)

    def __call__(self, packet: av.Packet | None) -> list[av.Packet]:
        """A packet of plain words for one of the source; none for an empty one. None, the end, gives none."""
        if packet is None or not (words := _TAGS.sub("", self._read(bytes(packet))).strip()):
            return []
        data = words.encode()
        made = av.Packet(len(data).to_bytes(2, "big") + data if self.codec == "mov_text" else data)
        made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
        made.time_base, made.stream = packet.time_base, self.target
        return [made]


def coder(source: av.stream.Stream, output: av.container.OutputContainer, container: str) -> Sound | Text | None:
    """What encodes a stream anew for a container; None where nothing can."""
    try:
        if isinstance(source, AudioStream) and source.codec_context is not None:
            return Sound(source, output, container)
        if source.type == "subtitle" and source.codec_context is not None:
            return Text(source, output, container)
    except (av.FFmpegError, ValueError):
        return None
    return None


def _plain(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _counted(data: bytes) -> str:
    return _plain(data[2 : 2 + int.from_bytes(data[:2], "big")])


def _event(data: bytes) -> str:
    """The ninth field of an ASS event."""
    return _plain(data).split(",", 8)[-1].replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")


_READERS: dict[str, Callable[[bytes], str]] = {"mov_text": _counted, "ass": _event, "ssa": _event}
