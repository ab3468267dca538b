"""Where else a face may be: the other videos of a file in which none was found."""

from __future__ import annotations

import contextlib
import logging
from itertools import islice

from videdit.errors import VideditError
from videdit.faces.detector import FaceDetector
from videdit.media.info import MediaInfo
from videdit.media.probe import probe
from videdit.stages.decode import Decode
from videdit.stages.detect import Detect

log = logging.getLogger(__name__)

PLACES = (0.0, 0.3, 0.7)  # of a track, at which a frame is looked at


def elsewhere(info: MediaInfo, detector: FaceDetector) -> str:
    """Which other video tracks hold faces, as words behind "no face found"; empty where there is no other.

    A few frames of each are looked at; one that cannot be read holds none.
    """
    others = info.other_tracks
    if not others:
        return ""
    holding = [track for track in others if _holds_faces(info, track, detector)]
    if holding:
        return "".join(f"; its video track {track} holds faces: --video-track {track}" for track in holding)
    said = ", ".join(map(str, others))
    return f"; nor in {len(PLACES)} frames of its video track {said} (--video-track N looks at all of one)"


def _holds_faces(info: MediaInfo, track: int, detector: FaceDetector) -> bool:
    try:
        other = probe(info.path, info.fps or None, track=str(track))
    except VideditError as error:
        log.info("video track %d: %s", track, error)
        return False
    for place in PLACES:
        with contextlib.suppress(VideditError):  # its frames may end before its time does
            frames = islice(Decode(other, place * other.duration or None)(iter(())), 1)
            if any(frame.faces for frame in Detect(detector)(frames)):
                return True
    return False
