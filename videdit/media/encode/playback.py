"""A copy of a clip that browsers play: H.264 in MP4, times as the source has them, sound in AAC. For looking only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from videdit.errors import MediaError
from videdit.media.info import MediaInfo
from videdit.media.open import open_input, reason
from videdit.storage.outputs import put, temporary_name
from videdit.threads import CODEC

_CLOCK = Fraction(1, 90000)
_PLAYED = ("mp4", "mov")  # containers, by our names


def plays_as_it_is(info: MediaInfo) -> bool:
    """Whether any browser plays the file itself, as we show it: plain H.264 of 8 bits, with AAC or no sound."""
    sound = all(stream.codec == "aac" for stream in info.streams if stream.kind == "audio")
    plain = info.codec == "h264" and info.planar == "yuv420p" and not info.interlaced
    only = not any(stream.kind == "video" and not stream.cover for stream in info.streams)
    return plain and sound and only and info.container in _PLAYED and info.color.transfer in ("bt709", "srgb")


def write_playback(
    info: MediaInfo,
    path: Path,
    frames: Iterable[tuple[float, np.ndarray]],
    told: Callable[[float], None] = lambda time: None,
) -> None:
    """Write the copy, whole or not at all.

    Args:
        info: the source, for its sound.
        path: an MP4; what is there is replaced.
        frames: (seconds, picture [H, W, 3] uint8 RGB), all of one even size.
        told: called with the time of each frame that is done.

    Raises:
        MediaError: it cannot be written.
    """
    temporary = temporary_name(path)
    try:
        with av.open(os.fspath(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
            _encode(container, info, frames, told)
        put(temporary, path, replace=True)
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"cannot make a copy of {info.path} to play: {reason(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _encode(
    container: av.container.OutputContainer,
    info: MediaInfo,
    frames: Iterable[tuple[float, np.ndarray]],
    told: Callable[[float], None],
) -> None:
    stream = container.add_stream("libx264", rate=Fraction(info.fps).limit_denominator(1 << 16) or 25)
    assert isinstance(stream, av.VideoStream)
    stream.pix_fmt, stream.time_base = "yuv420p", _CLOCK
    stream.options = {"preset": "veryfast", "crf": "20", "g": "25", "threads": str(CODEC)}
    sound = next((other for other in info.streams if other.kind == "audio"), None)
    voice = container.add_stream("aac", rate=48000, layout="stereo") if sound is not None else None
    for number, (time, picture) in enumerate(frames):
        if number == 0:
            stream.height, stream.width = picture.shape[:2]
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = round(time / _CLOCK), _CLOCK
        container.mux(stream.encode(frame))
        told(time)
    container.mux(stream.encode(None))
    if sound is not None and voice is not None:
        assert isinstance(voice, av.AudioStream)
        _sound(container, voice, info, sound.index)


def _sound(container: av.container.OutputContainer, voice: av.AudioStream, info: MediaInfo, index: int) -> None:
    """The first sound, from the time of the first picture on; damaged parts are left out."""
    begin = float(info.start_pts * info.time_base)
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=48000)
    with open_input(info.path) as source, contextlib.suppress(av.FFmpegError):
        for frame in source.decode(source.streams[index]):
            assert isinstance(frame, av.AudioFrame)
            if frame.time is None or frame.time < begin:
                continue
            frame.pts, frame.time_base = round((frame.time - begin) * frame.sample_rate), Fraction(1, frame.sample_rate)
            for part in resampler.resample(frame):
                container.mux(voice.encode(part))
    container.mux(voice.encode(None))
