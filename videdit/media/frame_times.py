"""When each frame of a clip is shown, without decoding any."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import av

from videdit.media.info import MediaInfo
from videdit.media.open import edited_video, open_input
from videdit.media.untimed import times_before


def frame_times(info: MediaInfo) -> list[float]:
    """Seconds from the clip's first frame at which its frames are shown, in order, as :class:`Frame` has them.

    Read from the packets: of a container that does not say (raw streams), or that is damaged, what is known; maybe
    nothing.

    Raises:
        MediaError: the file cannot be opened.
    """
    shown: list[int] = []
    untimed = 0
    with open_input(info.path, info.fps or None) as container:
        stream = edited_video(container, info.video_index)
        try:
            for packet in container.demux(stream):
                if not packet.size or packet.is_discard:
                    continue
                if packet.pts is None:
                    untimed += not shown
                elif packet.pts >= info.start_pts:
                    shown.append(packet.pts)
        except av.FFmpegError:
            pass  # what follows is as regular as can be guessed
    if shown and info.start_pts < min(shown):
        shown += times_before(min(shown), untimed, info.fps, info.time_base)
    return [float((pts - info.start_pts) * info.time_base) for pts in sorted(set(shown))]


def key_frames(info: MediaInfo) -> list[int]:
    """The pts of the frames at which decoding can begin, in order; of a container that does not say maybe none.

    Raises:
        MediaError: the file cannot be opened.
    """
    found: set[int] = set()
    with open_input(info.path, info.fps or None) as container:
        stream = edited_video(container, info.video_index)
        with contextlib.suppress(av.FFmpegError):  # damaged from there on
            for packet in container.demux(stream):
                if packet.is_keyframe and packet.size and packet.pts is not None:
                    found.add(packet.pts)
    return sorted(found)


def clock(info: MediaInfo) -> Callable[[int], float]:
    """The number of a frame, from 0 -> its time in seconds; beyond the last one the clip is taken to go on evenly."""
    times: list[float] | None = None

    def time_of(number: int) -> float:
        nonlocal times
        if times is None:
            times = frame_times(info) or [0.0]
        if number < len(times):
            return times[number]
        return times[-1] + (number - len(times) + 1) * float(info.frame_step * info.time_base)

    return time_of
