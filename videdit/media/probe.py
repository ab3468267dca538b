"""What is in a file: one frozen :class:`MediaInfo`, or one clear line about why it cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from videdit.errors import RefusedInput
from videdit.media import color as colors
from videdit.media.hdr import metadata_lost_on_encode, read_hdr
from videdit.media.headers import chroma_location, container_of, duration_of, frame_rate, is_still, other_stream
from videdit.media.image_sequence import files, is_sequence
from videdit.media.info import MediaInfo
from videdit.media.integrity import check_whole
from videdit.media.open import (
    MAX_PIXELS,
    MAX_SIDE,
    MAX_VIDEO_PIXELS,
    _format_of,
    check_file,
    decoder_of,
    is_exr,
    main_video,
    normal_tags,
    open_input,
    reason,
)
from videdit.media.orientation import orientation
from videdit.media.pixel_formats import geometry, planar_name, unpack
from videdit.media.stills.image_tags import read_tags
from videdit.media.untimed import timed
from videdit.media.viewing import Viewing, look

# Matrices (H.273) that do not lie between RGB and luma, chroma.
_NO_LUMA_CHROMA = {11: "YDzDx", 14: "ICtCp", 15: "IPT-C2"}
# A broken file may hold thousands of packets that decode to nothing.
_PACKETS_TO_FIRST_FRAME = 600
_FRAMES_LOOKED_AT = 2000  # of a GIF, for places that shine through


def probe(
    path: str | os.PathLike[str],
    rate: Fraction | None = None,
    *,
    track: str | None = None,
) -> MediaInfo:
    """Look at a file: header, streams and first frame.

    A path like "shot_%04d.png" stands for a sequence of pictures, `rate` for its frames a second (default 25).

    track: which of several videos, by its number from 1 or its language; the first by default.

    Raises:
        MediaError: no such file, a folder, empty, cut off, not a video or picture, no picture in it, absurd dimensions.
        UsageError: it has no such track.
    """
    path = Path(path)
    if is_exr(path):
        from videdit.media.exr.read import probe_exr

        return probe_exr(path, rate)
    size = check_file(path)
    check_whole(next(iter(files(path).values())) if is_sequence(path) else path)
    with open_input(path, rate) as container:
        stream = main_video(container, path, track)
        _check_dimensions(path, stream.codec_context.width, stream.codec_context.height)
        frames = _frames(container, stream, path)
        if stream.time_base:
            frames = timed(frames, lambda frame: frame, frame_rate(stream), stream.time_base)
        frame = next(frames)
        _check_dimensions(path, frame.width, frame.height)
        opaque = _seems_transparent(stream, frame) and _is_opaque(path, rate)
        info = describe(path, size, container, stream, frame, opaque)
    return info


def _check_dimensions(path: Path, width: int, height: int) -> None:
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise RefusedInput(f"{path} claims to be {width}x{height}: more than {MAX_SIDE} pixels a side are refused")


def _frames(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, path: Path
) -> Iterator[av.VideoFrame]:
    """The first frames, one at least: raises RefusedInput where none comes of as many packets as are looked at."""
    context = decoder_of(stream)
    context.options = {"max_pixels": str(MAX_PIXELS)}
    context.thread_count = 1  # with more the first frame comes late
    why, found = "it may be cut off or damaged", False
    try:
        for number, packet in enumerate(container.demux(stream)):
            try:
                for frame in context.decode(packet):
                    found = True
                    yield frame
            except av.FFmpegError as error:
                why = reason(error)
            if number > _PACKETS_TO_FIRST_FRAME:
                break
    except av.FFmpegError as error:
        why = reason(error)
    if not found:
        raise RefusedInput(f"{path} holds no picture that can be decoded ({why})")


def _seems_transparent(stream: av.video.stream.VideoStream, frame: av.VideoFrame) -> bool:
    """Whether the layout has an alpha channel only because GIF and palettes always decode to one."""
    palette = frame.format.name == "pal8" or stream.codec_context.codec.canonical_name == "gif"
    return palette and planar_name(frame.format.name) == "gbrap"


def _is_opaque(path: Path, rate: Fraction | None) -> bool:
    """Whether nothing shines through in any frame, as far as is looked."""
    with open_input(path, rate) as container:
        stream = main_video(container, path)
        try:
            frames = islice(container.decode(stream), _FRAMES_LOOKED_AT)
            return all(bool(np.all(unpack(frame)[3] == 255)) for frame in frames)
        except av.FFmpegError:
            return True  # of what can be decoded


def describe(
    path: Path,
    size: int,
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    frame: av.VideoFrame,
    opaque: bool,
) -> MediaInfo:
    """What a clip is by its container, the video that is edited, and a frame of it."""
    context = stream.codec_context
    container_name = container_of(container, path)
    still = is_still(container_name, path)
    if not still and frame.width * frame.height > MAX_VIDEO_PIXELS:
        pixels = f"{frame.width}x{frame.height}"
        raise RefusedInput(f"{path} is {pixels}: video of more than 8192x8192 pixels is refused; scale it down first")
    planar = planar_name(frame.format.name)
    if opaque:
        planar = planar.replace("gbrap", "gbrp")
    depth, chroma_log2, is_rgb, _ = geometry(planar)
    tags = (int(frame.color_range), int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace))
    site = chroma_location(stream)
    full = is_rgb or frame.format.name.startswith("yuvj") or (still and planar.startswith(("gray", "ya")))
    centred = context.codec.canonical_name in ("mjpeg", "webp", "mpeg1video")
    fps = Fraction(0) if still else frame_rate(stream)
    time_base = Fraction(stream.time_base or Fraction(1, 1000))
    start_pts = frame.pts if frame.pts is not None else stream.start_time or 0
    duration = 0.0 if still else duration_of(container, stream, float(start_pts * time_base))
    if tags[3] in _NO_LUMA_CHROMA:
        name = _NO_LUMA_CHROMA[tags[3]]
        raise RefusedInput(f"{path} is coded as {name}, in which faces cannot be edited; convert it to BT.2020 first")
    dynamic_metadata = () if still else metadata_lost_on_encode(frame, context.codec.canonical_name, context.codec_tag)
    if "Dolby Vision" in dynamic_metadata and tags[2] == 2:  # what other profiles are without it, they say
        raise RefusedInput(f"{path} is Dolby Vision with no other picture in it (profile 5); convert it to HDR10 first")
    matrix, rotation = orientation(frame, context.codec.canonical_name)
    return MediaInfo(
        path=path,
        kind="image" if still else "video",
        container=container_name,
        width=frame.width,
        height=frame.height,
        rotation=rotation,
        sar=Fraction(stream.sample_aspect_ratio or 1),
        fps=fps,
        frame_count=1 if still else stream.frames or max(1, round(duration * fps)),
        duration=duration,
        time_base=time_base,
        start_pts=start_pts,
        pix_fmt=frame.format.name,
        planar=planar,
        color=colors.describe(
            planar,
            depth,
            chroma_log2,
            tags,
            site or ("center" if centred else None),
            (frame.width, frame.height),
            full,
            is_rgb,
        ),
        color_tags=tags,
        hdr=None if still else read_hdr(frame),
        dynamic_metadata=dynamic_metadata,
        chroma_location=site,
        display_matrix=matrix,
        interlaced=frame.interlaced_frame,
        field_order=int(context.field_order),
        codec=context.codec.canonical_name,
        bit_rate=context.bit_rate or container.bit_rate or 0,
        size=size,
        video_index=stream.index,
        streams=tuple(other_stream(other) for other in container.streams if other.index != stream.index),
        chapters=len(container.chapters()),
        tags=read_tags(path).notes if still else normal_tags(container.metadata),
        viewing=Viewing() if still or is_sequence(path) else _viewing(path, container_name, container, stream, frame),
    )


def _viewing(
    path: Path,
    name: str,
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    frame: av.VideoFrame,
) -> Viewing:
    which = sum(other.index < stream.index for other in container.streams.video)
    entries: Iterable[Any] = frame.side_data  # PyAV's stubs take it for a mapping only
    return look(path, name, which, (frame.width, frame.height), entries)


def file_tags(path: Path) -> dict[str, str]:
    """The tags of a file (title, comment, ...), or the notes of a still picture; read from its header alone.

    Raises:
        MediaError: it cannot be opened.
    """
    check_file(path)
    if is_sequence(path):
        return {}
    if is_exr(path):
        from videdit.media.exr.read import notes

        return notes(path)
    if _format_of(path):
        return read_tags(path).notes
    with open_input(path) as container:
        return normal_tags(container.metadata)
