"""read: a stretch of a clip, so that stages that follow faces leave it as if they had seen their shot from its start.

What steadies faces, bridges losses and chooses a crop's size looks back to the beginning of the shot, but at faces
only, never at a picture. So the frames before the stretch come without one, from what was found in the clip before:
whoever renders the last segment of a long shot need not decode the shot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.datatypes import Frame, Picture
from videdit.stages.decode import Decode
from videdit.tracks.track_table import TrackTable


class ReadSpan:
    """Hands on frames without a picture from the beginning of a shot, then those that are decoded."""

    name = "decode"

    def __init__(self, decode: Decode, sightings: TrackTable, shot_pts: int, last: int) -> None:
        """decode: reads from the first frame whose picture counts. shot_pts: where its shot begins, of `sightings`.

        last: the pts of the last frame that is read.
        """
        self.decode, self.sightings, self.shot_pts, self.last = decode, sightings, shot_pts, last

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        before = True
        for frame in self.decode(frames):
            assert frame.pts is not None
            if before:
                yield from blank_frames(self.sightings, self.shot_pts, frame.pts, frame)
                before = False
            if frame.pts > self.last:
                return
            yield frame


class DropBefore:
    """Leaves out the frames before a time, which had no picture."""

    name = "read"

    def __init__(self, first: int) -> None:
        """first: pts."""
        self.first = first

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if frame.pts is not None and frame.pts >= self.first:
                yield frame


def blank_frames(sightings: TrackTable, first: int, stop: int | None, like: Frame) -> Iterator[Frame]:
    """Frames at the times of an analysis, first <= pts < stop, each with a black picture of the size that `like` has.

    All share one picture.
    """
    picture = blank(like.picture)
    for index, (pts, time) in enumerate(zip(sightings.pts.tolist(), sightings.time.tolist(), strict=True)):
        if pts >= first and (stop is None or pts < stop):
            yield replace(like, index=index, pts=pts, time=time, picture=picture)


def blank(picture: Picture) -> Picture:
    """A black picture of the same layout."""
    return replace(picture, planes=tuple(np.zeros_like(plane) for plane in picture.planes))
