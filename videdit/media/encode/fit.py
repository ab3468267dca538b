"""Which streams a container takes: tried out, with a header of just that stream in memory."""

from __future__ import annotations

import contextlib
import io

import av

from videdit.media.encode import acm


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


def _fits(stream: av.stream.Stream, container: str) -> bool:
    """Whether the muxer of a container takes a stream: it is tried out in memory."""
    trial = av.open(io.BytesIO(), "w", format=container)
    try:
        trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
        return True
    except (av.FFmpegError, ValueError):
        return False
    finally:
        with contextlib.suppress(av.FFmpegError, ValueError):
            trial.close()
