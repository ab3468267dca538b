"""What a clip is from a time on: recordings that were put together may change their size midway."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from videdit.media.decode.read import VideoReader
from videdit.media.info import MediaInfo
from videdit.media.open import edited_video, open_input
from videdit.media.probe import describe, probe


def probe_from(
    path: Path, rate: Fraction | None = None, start: float | None = None, track: str | None = None
) -> MediaInfo:
    """:func:`videdit.media.probe.probe` of a clip that is read from `start` seconds on; raises what that raises."""
    info = probe(path, rate, track=track)
    if not start or info.kind != "video":
        return info
    with VideoReader(info, start=start) as reader:
        frame, shape = reader.peek(), reader.shape.now
    with VideoReader(info) as reader:
        reader.peek()
        if shape is not None and reader.shape.now not in (None, shape):
            info = replace(info, sar=shape)
    if frame is None or (frame.width, frame.height, frame.format.name) == (info.width, info.height, info.pix_fmt):
        return info
    with open_input(info.path, info.fps) as container:
        stream = edited_video(container, info.video_index)
        there = describe(info.path, info.size, container, stream, frame, opaque=False)
    there = replace(there, start_pts=info.start_pts, duration=info.duration, frame_count=info.frame_count)
    return replace(there, sar=info.sar)
