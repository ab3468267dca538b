"""Which streams a container takes: tried out, with a header of just that stream in memory."""

from __future__ import annotations

import contextlib
import io

import av
from av.audio.stream import AudioStream

from videdit.media.encode import acm

_LAYOUTS = ("mono", "stereo")


def obstacle(stream: av.stream.Stream, container: str, chapters: bool) -> str | None:
    """Why a stream is not copied; None if it is, "" if nothing is lost without it.

    Args:
        stream: of the source.
        container: FFmpeg's name of the one that is written.
        chapters: whether the source has any.
    """
    if stream.type == "data" and container in ("mp4", "mov"):
        if "timecode" in stream.metadata:
            return ""
        if chapters and not stream.metadata.get("title"):
            return ""
    if container == "mov" and stream.disposition & av.stream.Disposition.attached_pic:
        return "mov files hold no cover picture (write to .mp4 or .mkv to keep it)"  # its muxer drops it silently
    if _fits(stream, container):
        return None
    in_mkv = container != "matroska" and (_fits(stream, "matroska") or acm.header(stream) is not None)
    return f"{container} files cannot hold it" + (" (write to .mkv to keep it)" if in_mkv else "")


def declare(output: av.container.OutputContainer, stream: av.stream.Stream, container: str) -> av.stream.Stream:
    """A stream of the output into which the source's packets go as they are. Raises ValueError: it cannot be.

    Of linear samples mp4 says where each channel is heard, and FFmpeg fails as it closes a file that cannot. One
    channel and two of which the source does not say it are mono and stereo.
    """
    target = output.add_stream_from_template(stream, opaque=True)
    if container != "mp4" or not isinstance(target, AudioStream) or not isinstance(stream, AudioStream):
        return target
    layout = stream.layout
    if stream.codec_context.name.startswith("pcm_") and layout.name == f"{layout.nb_channels} channels":
        if layout.nb_channels > len(_LAYOUTS):
            raise ValueError("where its channels are heard is not known")
        target.codec_context.layout = _LAYOUTS[layout.nb_channels - 1]
    return target


def _fits(stream: av.stream.Stream, container: str) -> bool:
    """Whether the muxer of a container takes a stream: it is tried out in memory."""
    trial = av.open(io.BytesIO(), "w", format=container)
    try:
        declare(trial, stream, container)
        trial.start_encoding()
        return True
    except (av.FFmpegError, ValueError):
        return False
    finally:
        with contextlib.suppress(av.FFmpegError, ValueError):
            trial.close()
