"""What a file's header says of its container and its streams, where FFmpeg does not tell it plainly."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from pathlib import Path

import av

from videdit.media.info import StreamInfo
from videdit.media.kinds import kind_of
from videdit.media.open import is_cover

_SITE_NAMES = {(1, 2): "left", (2, 2): "center", (1, 1): "topleft", (2, 1): "top"}


def container_of(container: av.container.InputContainer, path: Path) -> str:
    """FFmpeg's demuxer, narrowed where one serves several, see :attr:`MediaInfo.container`."""
    name = container.format.name
    if name.startswith("mov,"):
        return "mov" if container.metadata.get("major_brand", "").strip() in ("qt", "") else "mp4"
    if name.startswith("matroska"):
        kind = kind_of(path)
        return "webm" if kind is not None and kind.suffix == ".webm" else "matroska"
    return name


def is_still(container_name: str, path: Path) -> bool:
    """Whether a file of that container is a still picture."""
    if container_name in ("apng", "gif"):
        kind = kind_of(path)
        return kind is not None and kind.form == "image"
    return container_name.endswith("_pipe")


def frame_rate(stream: av.video.stream.VideoStream) -> Fraction:
    """Frames a second, on average where the file tells; 25 where it tells nothing."""
    average, guessed, base = stream.average_rate, stream.guessed_rate, stream.base_rate
    # A frame a tick is what FFmpeg makes of a Matroska file that says nothing and whose first frames have no times.
    unsure = average and guessed and stream.time_base and average * stream.time_base == 1
    for rate in (guessed if unsure else average, guessed, base):
        if rate and 0 < rate <= 1000:
            return Fraction(rate)
    return Fraction(25)


def duration_of(container: av.container.InputContainer, stream: av.stream.Stream, start: float) -> float:
    """Seconds from a stream's start, `start`, to its end; 0 where the file does not say."""
    # Matroska says in a tag where a stream ends; what FFmpeg calls its duration is that of the longest stream.
    if match := re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", stream.metadata.get("DURATION", "")):
        return max(0.0, int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) - start)
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def chroma_location(stream: av.video.stream.VideoStream) -> str | None:
    """Where the stream says that chroma sits. PyAV does not tell, but Matroska's header does: write one to memory."""
    memory = io.BytesIO()
    try:
        header = av.open(memory, "w", format="matroska")
        header.add_stream_from_template(stream, opaque=True)
        header.start_encoding()
        data = memory.getvalue()
        header.close()
    except (av.FFmpegError, ValueError):
        return None
    found = [data[at + 3] for at in (data.find(b"\x55\xb7\x81"), data.find(b"\x55\xb8\x81")) if at >= 0]
    return _SITE_NAMES.get((found[0], found[1])) if len(found) == 2 else None


def other_stream(stream: av.stream.Stream) -> StreamInfo:
    """What is known of a stream beside the one that is edited."""
    context = stream.codec_context
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=(context.codec.canonical_name if context else getattr(stream, "name", None)) or "unknown",
        language=stream.language,
        title=stream.metadata.get("title"),
        duration=float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0,
        cover=stream.type == "video" and is_cover(stream),
        time_base=stream.time_base,
    )
