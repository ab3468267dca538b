"""Which faces of a clip are hidden or blurred, and when: as far as an edit will fade for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np

from videdit.datatypes import Frame
from videdit.errors import Cancelled
from videdit.faces.parser import CropParser
from videdit.faces.visibility import visibility
from videdit.imaging.crop import low_picture
from videdit.media.info import MediaInfo
from videdit.pipeline.graph import Compose
from videdit.pipeline.windows import groups
from videdit.stages.assign_faces import AssignFaces
from videdit.stages.crop_faces import CropFaces
from videdit.stages.decode import Decode
from videdit.tracks.analysis_store import Analysis

EVERY = 0.1  # seconds between two frames that are looked at
FADED = 0.8  # of an edit: who gets less is told of

Sight = tuple[int, float, str]  # track, seconds, "hidden" or "blurred"


def poorly_seen(
    info: MediaInfo,
    analysis: Analysis,
    parser: CropParser,
    told: Callable[[float], None] = lambda time: None,
    cancel: threading.Event | None = None,
) -> list[Sight]:
    """Moments in which something is in front of a face, or it is blurred: by what a render measures too.

    Args:
        info: the clip.
        analysis: of all of it.
        parser: says what is where in a crop.
        told: called with the time that is reached, in seconds.
        cancel: set it from another thread to stop.

    Raises:
        MediaError: the clip cannot be decoded.
        Cancelled: `cancel` was set.
    """
    everybody = np.ones(len(analysis.table.track), bool)
    stages = Compose(AssignFaces(analysis, everybody), CropFaces(parser.pixels, 256))
    found: list[Sight] = []
    frames = ((frame, frame.crops) for frame in stages(_thinned(Decode(info)(iter(())))))
    for group in groups(frames, parser.batch):
        if cancel is not None and cancel.is_set():
            raise Cancelled("the review was cancelled")
        crops = [(frame.time, crop) for frame, own in group for crop in own]
        parts = parser.pixels.fetch(parser.parts([low_picture(crop) for _, crop in crops])) if crops else ()
        for (time, crop), own in zip(crops, parts, strict=True):
            fit = visibility(crop, own, parser.pixels.fetch(parser.pixels.grey(crop)))
            found += [(crop.track, time, reason) for reason, much in fit.items() if much < FADED]
        told(group[-1][0].time)
    return found


def _thinned(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Frames that are :data:`EVERY` apart at least."""
    due = -np.inf
    for frame in frames:
        if frame.time >= due - 1e-6:
            due = frame.time + EVERY
            yield frame
