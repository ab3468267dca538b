"""Detect: finds the faces of each frame and the cuts between shots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from videdit.faces import FaceDetector, Look, distinct
from videdit.geometry.align import transform, upright_matrix
from videdit.geometry.warp import crop_picture
from videdit.media.color import picture_to_rgb
from videdit.models.facemesh import SIZE
from videdit.packets import Face, Frame, Picture
from videdit.scenes import CutDetector


class Detect:
    """Searches a small copy of every ``every``-th frame, and follows the faces' meshes on all others.

    Also searched are the frames after a cut, those where a face was lost, and all while no face is known. Sets faces
    (points and meshes in coded pixels, also where the clip is rotated for display) and scene.
    """

    name = "detect"

    def __init__(self, detector: FaceDetector, every: int = 5, proxy: int = 640) -> None:
        """proxy: the longer side, in pixels, of the copy that is searched; a face takes 20 of them at least."""
        self.detector = detector
        self.every = every
        self.proxy = proxy

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        cuts = CutDetector()
        faces: list[Face] = []
        scene, searched = 0, 0
        for position, frame in enumerate(frames):
            if cuts(frame.picture):
                scene, faces = scene + 1, []
            look = _look_at(frame.picture)
            followed = self._followed(faces, look)
            if not followed or len(followed) < len(faces) or position - searched >= self.every:
                followed += self._search(frame, look)
                searched = position
            faces = distinct(followed)
            yield replace(frame, faces=tuple(faces), scene=scene)

    def _followed(self, faces: list[Face], look: Look) -> list[Face]:
        """Those of the faces that are still there, the steadiest first: behind another head a mesh jumps to that."""
        pairs = [(found, face) for face in faces if (found := self.detector.follow(face, look))]
        pairs.sort(key=lambda pair: float(np.linalg.norm(np.subtract(*(face.points.mean(0) for face in pair)))))
        return [found for found, _ in pairs]

    def _search(self, frame: Frame, look: Look) -> list[Face]:
        picture, rotation = frame.picture, frame.extra.get("rotation", 0)
        small = picture_to_rgb(picture, self.proxy)
        height, width = small.shape[:2]
        upright = np.ascontiguousarray(np.rot90(small, -rotation // 90))
        scale = (picture.width / width, picture.height / height)
        points = transform(upright_matrix(rotation, width, height), self.detector.search(upright)) * scale
        return [face for coarse in points if (face := self.detector.find(coarse, look))]


def _look_at(picture: Picture) -> Look:
    return lambda to_frame: crop_picture(picture, to_frame, SIZE, cv2.INTER_LINEAR)
