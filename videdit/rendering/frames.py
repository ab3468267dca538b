"""Single frames of a clip: the one that is shown at a time, and what people see of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import cv2
import numpy as np

from videdit.datatypes import Color, Frame, Picture
from videdit.errors import MediaError, PicturesChange, SettingsError
from videdit.media.color import picture_to_rgb
from videdit.media.frame_times import frame_times
from videdit.media.info import MediaInfo
from videdit.stages.decode import Decode

LEAST = 0.001  # seconds, so that the frame itself is in a cut of no length


def as_rgb(picture: Picture) -> Picture:
    """The picture in square pixels, in planes of R, G and B, 8 bits: two would share chroma samples."""
    planes = cv2.split(_rgb(picture, None))
    return Picture(tuple(planes), Color("rgb", full_range=True, chroma_log2=(0, 0), chroma_site=(0.5, 0.5)), "gbrp")


def _rgb(picture: Picture, side: int | None) -> np.ndarray:
    """[H, W, 3] uint8 RGB in square pixels, the longer side at most `side` pixels."""
    wide, high = picture.square_size
    scale = min(1.0, (side or np.inf) / max(wide, high))
    rgb = picture_to_rgb(picture, round(scale * max(picture.width, picture.height)) if scale < 1 else None)
    if picture.aspect != 1:
        size = max(1, round(wide * scale)), max(1, round(high * scale))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC)
    return rgb


def displayed(frame: Frame, side: int | None = None) -> np.ndarray:
    """A frame as a viewer sees it: [H, W, 3] uint8 RGB, upright, in square pixels.

    side: px; a larger frame is made smaller, so that its longer side is that long: planes first, which is quick, and
    chroma may sit up to a quarter of a source pixel off.
    """
    rgb = _rgb(frame.picture, side)
    return np.ascontiguousarray(np.rot90(rgb, -frame.coded.rotation // 90))


def frame_at(info: MediaInfo, time: float) -> Frame:
    """The frame that a player shows at a time: the last one that begins by then.

    Raises:
        SettingsError: the clip is over by then, or its pictures change their size right before.
    """
    if info.kind == "image":
        return next(iter(Decode(info)(iter(()))))
    step = float(info.frame_step * info.time_base)
    end = info.duration + step
    if time >= end and (times := frame_times(info)):  # containers may be wrong about how long they are
        end = times[-1] + 2 * step
    if time < end:
        stop = time + float(info.time_base)
        for back in (1.0, time):  # frames may be far apart
            try:
                return deque(Decode(info, max(0.0, time - back), stop)(iter(())), maxlen=1).pop()
            except PicturesChange as change:
                told = str(change).partition(";")[0]
                raise SettingsError(f"{told}; a render makes a file of each part, which can be previewed") from None
            except MediaError:
                continue
    raise SettingsError(f"{info.path} has no frame at {time:g} s; it is {info.duration:.2f} s long")


def shown_frames(info: MediaInfo) -> Iterator[tuple[float, np.ndarray]]:
    """All frames of a clip in order: (seconds, as :func:`displayed`). Raises MediaError: it cannot be decoded."""
    for frame in Decode(info)(iter(())):
        yield frame.time, displayed(frame)
