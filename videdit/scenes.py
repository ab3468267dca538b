"""Where a clip cuts from one shot to another."""

from __future__ import annotations

import cv2
import numpy as np

from videdit.media.probe import MediaInfo
from videdit.packets import Picture

_THUMB = (32, 18)
_UNLIKE = 0.35  # 1 - correlation of two thumbnails of one shot stays below this, but for flashes and whip pans
_CHANGED = 0.04  # mean change of brightness, of full scale, that a cut brings at least
_SUDDEN = 4.0  # a cut's difference stands this far above those of the frames before it


class CutDetector:
    """Tells cuts from motion, frame by frame, from the brightness of small copies."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._usual = 0.0  # running mean of the differences

    def __call__(self, picture: Picture) -> bool:
        """True when this picture begins a new shot; the first picture does not."""
        thumb, last = thumbnail(picture), self._last
        self._last = thumb
        if last is None:
            return False
        changed = float(np.abs(thumb - last).mean())
        unlike = 1 - _correlation(thumb, last)
        cut = changed > _CHANGED and unlike > max(_UNLIKE, _SUDDEN * self._usual)
        self._usual = 0.0 if cut else 0.8 * self._usual + 0.2 * unlike
        return cut


def scene_times(info: MediaInfo, start: float | None = None, end: float | None = None) -> list[float]:
    """When each shot of a clip begins, in seconds: the first with the first frame from `start` on.

    All frames are decoded, nothing else is done to them.

    Raises:
        MediaError: the clip cannot be read.
    """
    from videdit.media.read import VideoReader

    cuts = CutDetector()
    with VideoReader(info, start, end) as frames:
        return [frame.time for i, frame in enumerate(frames) if cuts(frame.picture) or i == 0]


def thumbnail(picture: Picture) -> np.ndarray:
    """Brightness of a picture in 18 rows of 32, float32 in 0..1."""
    luma = picture.planes[0]
    step = max(1, min(luma.shape) // 200)  # enough samples for a mean; reading a whole 4K plane is not for free
    thumb = cv2.resize(np.ascontiguousarray(luma[::step, ::step]), _THUMB, interpolation=cv2.INTER_AREA)
    return np.clip(thumb.astype(np.float32) / picture.color.top, 0, 1)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    # The floor makes two flat pictures alike: noise on black is no cut.
    return float((a * b).sum() + 0.01) / float(np.sqrt((a * a).sum() * (b * b).sum()) + 0.01)
