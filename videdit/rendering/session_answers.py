"""What a session answers: pictures and people, as plain arrays and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videdit.datatypes import Edited, Frame
from videdit.errors import NoFaceError, UsageError
from videdit.geometry.affine import invert, transform, upright_matrix
from videdit.media.info import MediaInfo
from videdit.rendering.frames import displayed
from videdit.stages.track_faces import GAP
from videdit.tracks.analysis_store import Analysis
from videdit.tracks.track_table import TrackInfo, TrackTable, describe


@dataclass(frozen=True)
class EditedFace:
    """A face that is edited in a frame."""

    track: int  # its number, as of :class:`SeenFace` where all of the clip was looked at
    confidence: float  # 0..1, how much of the edit it gets
    size: int  # px, of the crop it is edited at: 256, 512 or 1024
    outline: np.ndarray  # [4, 2] corners of that crop in the displayed picture, (x, y) in pixels, clockwise


@dataclass(frozen=True)
class Preview:
    """One frame, before and after."""

    before: np.ndarray  # [H, W, 3] uint8 RGB as displayed: upright, in square pixels
    after: np.ndarray
    time: float  # seconds, when the frame begins
    tier: str  # "draft" or "exact"
    faces: tuple[EditedFace, ...]
    seconds: float  # that it took, waiting for its turn included

    def check(self) -> None:
        """Raises NoFaceError: no face is edited in the frame."""
        if not self.faces:
            raise NoFaceError(f"no face is edited at {self.time:g} s")

    def pil(self) -> Any:
        """The edited frame as a PIL picture. Raises UsageError: Pillow is not installed."""
        try:
            from PIL import Image
        except ImportError:
            raise UsageError("a PIL picture takes Pillow: pip install pillow") from None
        return Image.fromarray(self.after)


@dataclass(frozen=True)
class SeenFace:
    """A face that was followed through a shot."""

    track: int  # its number: what the job's ``faces`` takes
    shot: int  # from 1
    frames: int  # in which it was seen
    spans: tuple[tuple[float, float], ...]  # seconds: times of first and last frame of each stretch in which it is seen
    size: float  # px: the median of its longer side
    yaw: tuple[float, float, float]  # degrees: least, median, largest
    portrait: np.ndarray | None  # [128, 128, 3] uint8 RGB, the best view of it


@dataclass(frozen=True)
class ClipSummary:
    """What a clip is, and who is in it."""

    source: Path
    width: int  # as displayed, in square pixels
    height: int
    fps: float  # frames a second on average; 0 for a picture
    frames: int
    duration: float  # seconds; 0 for a picture
    shots: tuple[tuple[float, float], ...]  # seconds: times of first and last frame of each
    faces: tuple[SeenFace, ...]
    times: np.ndarray  # [frames] seconds, when each frame is shown


def preview_of(before: Frame, after: Frame, tier: str, seconds: float, side: int | None = None) -> Preview:
    """Frames as people see them. side: px that the longer side of the pictures has at most."""
    source = displayed(before, side)
    edited = source if after.picture is before.picture else displayed(after, side)
    scale = max(source.shape[:2]) / max(before.picture.square_size)
    faces = tuple(_face(edit, before, scale) for edit in (after.pasted.edits if after.pasted else ()))
    return Preview(source, edited, before.time, tier, faces, seconds)


def clip_summary(info: MediaInfo, analysis: Analysis) -> ClipSummary:
    """An analysis of all of a clip in plain values."""
    table, portraits = analysis.table, analysis.portraits()
    width, height = info.display_size
    shots = tuple((float(table.time[s.start]), float(table.time[s.stop - 1])) for s in table.scenes())
    faces = tuple(_seen(track, table, portraits.get(track.track)) for track in describe(table))
    return ClipSummary(
        info.path, width, height, float(info.fps), len(table.pts), info.duration, shots, faces, table.time
    )


def _face(edit: Edited, frame: Frame, scale: float) -> EditedFace:
    size, picture = len(edit.source), frame.picture
    corners = np.array([(0, 0), (size, 0), (size, size), (0, size)], float)
    upright = invert(upright_matrix(frame.coded.rotation, *picture.square_size))
    outline = transform(upright, transform(edit.to_frame, corners) * picture.stretch)
    return EditedFace(edit.track, edit.confidence, size, outline * scale)


def _seen(track: TrackInfo, table: TrackTable, portraits: np.ndarray | None) -> SeenFace:
    times = table.time[table.frame[table.track == track.track]]
    spans = tuple(
        (float(part[0]), float(part[-1])) for part in np.split(times, np.flatnonzero(np.diff(times) > GAP) + 1)
    )
    portrait = None if portraits is None or not len(portraits) else portraits[0]
    return SeenFace(track.track, track.scene + 1, track.frames, spans, track.size, track.yaw, portrait)
