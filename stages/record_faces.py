"""observe: writes down the faces of every frame, and who they are: the end of the first look at a clip."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from videdit.datatypes import Face, Frame
from videdit.faces.detector import face_size
from videdit.geometry.affine import invert, transform, upright_matrix
from videdit.geometry.ffhq_align import coded, face_matrix
from videdit.imaging.crop import crop_picture
from videdit.tracks.analysis_store import PORTRAIT, Analysis, Portrait, Recorder
from videdit.tracks.appearance import look_of
from videdit.tracks.tracker import Tracker


class RecordFaces:
    """Hands everything on; ``analysis`` is there after the last frame."""

    name = "observe"

    def __init__(self, recorder: Recorder) -> None:
        """recorder: what the analysis is written with; the caller enters it, and this gives it its name."""
        self.recorder = recorder
        self.analysis: Analysis | None = None

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames of :class:`videdit.stages.detect.Detect`, with their pictures; handed on unchanged."""
        tracker = Tracker()
        for frame in frames:
            looks = [look_of(frame.picture, face) for face in frame.faces]
            stretches = tracker(frame.faces, looks, frame.time, frame.scene)
            xs = [_from_left(frame, face) for face in frame.faces]
            self.recorder.add(frame.pts, frame.time, frame.scene, frame.faces, stretches, xs)
            if frame.unclear:
                self.recorder.unclear.append(frame.time)
            for face, stretch in zip(frame.faces, stretches, strict=True):
                quality = face_size(face) * np.cos(np.radians(face.yaw)) ** 2 * face.score
                if self.recorder.wants(stretch, quality, frame.time):
                    self.recorder.keep(stretch, Portrait(_portrait(frame, face), quality, frame.time))
            yield frame
        self.analysis = self.recorder.commit(tracker.stretches)


def _from_left(frame: Frame, face: Face) -> float:
    """The place of a face in the displayed picture, 0 the left border .. 1 the right."""
    picture, rotation = frame.picture, frame.coded.rotation
    wide, high = picture.square_size
    upright = invert(upright_matrix(rotation, wide, high))
    width = high if rotation % 180 else wide
    return float(transform(upright, face.points)[:, 0].mean()) / width


def _portrait(frame: Frame, face: Face) -> np.ndarray:
    to_frame = coded(face_matrix(face.points, PORTRAIT), frame.picture.stretch)
    return crop_picture(frame.picture, to_frame, PORTRAIT, cv2.INTER_LINEAR)
