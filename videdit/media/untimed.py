"""Frames at the beginning of a clip that have no time: FFmpeg drops what a Matroska file says of those before 0, say.

They are shown one after the other, up to the first that has a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import islice
from typing import TypeVar

import av

_Decoded = TypeVar("_Decoded")
_MOST = 64  # frames among which the first with a time is looked for: as many wait in memory


def timed(
    decoded: Iterable[_Decoded],
    frame_of: Callable[[_Decoded], av.VideoFrame | None],
    rate: Fraction,
    time_base: Fraction,
    told: Callable[[int], None] = lambda count: None,
) -> Iterator[_Decoded]:
    """What is decoded from a clip's beginning, its first frames with the times that they lack.

    frame_of: of what is decoded. rate: frames in a second. told: hears how many times were missing, if any were. Where
    none of the first 64 frames has a time they are left without.
    """
    decoded = iter(decoded)
    waiting: list[_Decoded] = []
    frames: list[av.VideoFrame] = []
    for one in islice(decoded, _MOST):
        waiting.append(one)
        frame = frame_of(one)
        if frame is None:
            break
        frames.append(frame)
        if frame.pts is not None:
            break
    if len(frames) > 1 and frames[-1].pts is not None:
        for frame, pts in zip(frames, times_before(frames[-1].pts, len(frames) - 1, rate, time_base), strict=False):
            frame.pts = pts
        told(len(frames) - 1)
    yield from waiting
    yield from decoded


def times_before(pts: int, count: int, rate: Fraction, time_base: Fraction) -> list[int]:
    """The times, as pts, of so many frames that are shown before the one at `pts`, the first one first."""
    return [pts - round(i / rate / time_base) for i in range(count, 0, -1)]
