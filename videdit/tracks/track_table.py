"""What was seen of whom in a clip: a row a frame, a row a face, and a line about each track.

Small enough to be held for hours of footage, so that whoever chooses among faces sees the whole clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from videdit.tracks.tracker import SPARSE

SPURIOUS = 3  # frames: who is seen in fewer (of a shot that has twice as many) was not there


@dataclass(frozen=True)
class TrackTable:
    """Columns of two tables: F frames in order of time, N faces in order of their frames."""

    pts: np.ndarray  # [F] int64, in the stream's time base; growing
    time: np.ndarray  # [F] float64, seconds
    scene: np.ndarray  # [F] int32: 0, 1, 2, ...
    frame: np.ndarray  # [N] int32: row of the frame
    track: np.ndarray  # [N] int32; -1 for what was no face after all
    size: np.ndarray  # [N] float32: side of the face in pixels
    x: np.ndarray  # [N] float32: its place from the left of the displayed picture, 0..1
    yaw: np.ndarray  # [N] float32: degrees, positive: turned to image right
    points: np.ndarray  # [N, 5, 2] float64: the five points of packets.Face, as they were seen

    @cached_property
    def _own(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Of each track, the rows of its faces and their times."""
        rows = {track: np.flatnonzero(self.track == track) for track in self.tracks}
        return {track: (own, self.time[self.frame[own]]) for track, own in rows.items()}

    def near(self, row: int, reach: float, gap: float) -> np.ndarray:
        """The rows [N] of a face's track up to `reach` seconds before and after it, none of them beyond a gap."""
        rows, times = self._own[int(self.track[row])]
        at = self.time[self.frame[row]]
        first, stop = np.searchsorted(times, (at - reach - 1e-9, at + reach + 1e-9))
        gaps = np.flatnonzero(np.diff(times[first:stop]) > gap) + first + 1
        here = int(np.searchsorted(rows, row))
        first = max([first, *gaps[gaps <= here]])
        return rows[first : min([stop, *gaps[gaps > here]])]

    @property
    def tracks(self) -> list[int]:
        """All tracks, in order."""
        return [int(track) for track in np.unique(self.track) if track >= 0]

    def row(self, pts: int | None) -> int | None:
        """The row of the frame of a time stamp; None where no such frame was seen. Stills have none: 0."""
        row = int(np.searchsorted(self.pts, pts or 0))
        return row if row < len(self.pts) and self.pts[row] == (pts or 0) else None

    def faces(self, row: int) -> slice:
        """The rows of a frame's faces."""
        first, stop = np.searchsorted(self.frame, (row, row + 1))
        return slice(int(first), int(stop))

    def scenes(self) -> list[slice]:
        """The frames of each scene."""
        bounds = [0, *(np.flatnonzero(np.diff(self.scene)) + 1), len(self.scene)]
        return [slice(int(a), int(b)) for a, b in zip(bounds, bounds[1:], strict=False) if b > a]


@dataclass(frozen=True)
class TrackInfo:
    """A line about a track."""

    track: int
    scene: int
    frames: int
    first: float  # seconds
    last: float
    size: float  # median, px
    yaw: tuple[float, float, float]  # degrees: least, median, largest


def describe(table: TrackTable) -> list[TrackInfo]:
    """All tracks, in order."""
    told = []
    for track in table.tracks:
        own = table.track == track
        frames = table.frame[own]
        yaw = table.yaw[own]
        told.append(
            TrackInfo(
                track,
                int(table.scene[frames[0]]),
                len(frames),
                float(table.time[frames[0]]),
                float(table.time[frames[-1]]),
                float(np.median(table.size[own])),
                (float(yaw.min()), float(np.median(yaw)), float(yaw.max())),
            )
        )
    return told


def within(table: TrackTable, start: float | None, end: float | None) -> TrackTable:
    """What was seen between two times, with the numbers that the whole clip gave."""
    shown = (table.time >= (start or 0.0) - 1e-9) & (table.time < (math.inf if end is None else end - 1e-9))
    own = shown[table.frame] if len(table.frame) else np.zeros(0, bool)
    rows = np.cumsum(shown) - 1
    faces = {name: getattr(table, name)[own] for name in ("track", "size", "x", "yaw", "points")}
    return replace(
        table,
        pts=table.pts[shown],
        time=table.time[shown],
        scene=table.scene[shown],
        frame=rows[table.frame[own]].astype(np.int32),
        **faces,
    )


def numbered(table: TrackTable) -> TrackTable:
    """The same with tracks 0, 1, 2, ... in the order in which they appear, those of one frame from the left.

    Who was seen too briefly to have been there gets -1.
    """
    names = {track: rank for rank, (*_, track) in enumerate(sorted(_appearances(table)))}
    track = np.array([names.get(int(t), -1) for t in table.track], np.int32)
    return replace(table, track=track)


def _fewest(times: np.ndarray) -> float:
    """In how many frames of a shot, which are at such times, somebody has to be seen to have been there."""
    if len(times) > 1 and float(np.median(np.diff(times))) > SPARSE:
        return 1  # who is seen in two frames of a timelapse was there for long
    return min(SPURIOUS, len(times) / 2)


def _appearances(table: TrackTable) -> list[tuple[int, float, int]]:
    """(first frame, place from the left, track) of all who were there."""
    shots = {int(table.scene[shot.start]): _fewest(table.time[shot]) for shot in table.scenes()}
    found = []
    for track in table.tracks:
        rows = np.flatnonzero(table.track == track)
        first = int(table.frame[rows[0]])
        if len(rows) >= shots[int(table.scene[first])]:
            found.append((first, float(table.x[rows[0]]), track))
    return found
