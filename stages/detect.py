"""Detect: finds the faces of each frame and the cuts between shots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np

from videdit.datatypes import Face, Frame, Picture
from videdit.faces.detector import CropReader, FaceDetector, distinct, face_size, overlap
from videdit.faces.edit_fitness import SMALLEST
from videdit.faces.roll import POSSIBLE, SHOWN, SURE, Uprightness
from videdit.geometry.affine import transform, upright_matrix
from videdit.geometry.ffhq_align import coded
from videdit.imaging.crop import crop_picture
from videdit.media.color import picture_to_rgb
from videdit.models.sizes import MESH_INPUT as SIZE
from videdit.tracks.shots import CutDetector

TURNED = 25  # frames
_LARGE = SMALLEST + 8  # px


class Detect:
    """Searches a small copy of every ``every``-th frame, and follows the faces' meshes on all others.

    Also searched are the frames after a cut, those where a face was lost, and all while no face is known. Where the
    detector searches several pictures together, it does so ahead, for frames at regular places. Heads that lie or hang
    are looked for in copies that are turned, less often: after a cut, every ``TURNED``-th frame, while no face is known
    every ``every``-th, and where a face that was found may not be the right way up. Sets faces (points and
    meshes of the coded picture, also where the clip is rotated for display) and scene; says how many are left out, for
    which way up they are cannot be told.
    """

    name = "detect"

    def __init__(self, detector: FaceDetector, every: int = 5, proxy: int = 640, quick: bool = False) -> None:
        """proxy: the longer side, in pixels, of the copy that is searched; a face takes 20 of them at least.

        quick: heads that lie or hang are looked for at the beginning only where no other is found.
        """
        self.detector = detector
        self.every = every
        self.proxy = proxy
        self.quick = quick
        self.upright = Uprightness(detector.device)

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with ``faces``, ``scene`` and ``unclear``; as many are held back as the detector searches together."""
        cuts = CutDetector()
        faces: list[Face] = []
        scene, searched, turned = 0, 0, 0 if self.quick else -TURNED
        for position, (frame, points) in enumerate(self._searched_ahead(frames)):
            if cuts(frame.picture):
                scene, faces, turned = scene + 1, [], -TURNED
            read_crop = _crop_reader(frame.picture)
            followed, unclear = self._followed(faces, read_crop), 0
            due = points is not None or position - searched >= self.every
            if due or not followed or len(followed) < len(faces):
                coarse = self._search([frame])[0] if points is None else points
                turn = position - turned >= (TURNED if followed else self.every)
                found, unclear, also_turned = self._new(frame, coarse, followed, read_crop, turn)
                followed += found
                searched, turned = position, position if also_turned else turned
            faces = distinct(followed)
            yield replace(frame, faces=tuple(faces), scene=scene, unclear=unclear)

    def _new(
        self, frame: Frame, coarse: np.ndarray, known: list[Face], read_crop: CropReader, turn: bool
    ) -> tuple[list[Face], int, bool]:
        """Faces at coarse points that are not known yet, how many are left out, for which way up they are cannot be
        told, and whether turned copies were searched for more of them.

        turn: whether to do so in any case.
        """
        upright = self._unknown(coarse, known, read_crop)
        sure, shown = self.upright(upright, read_crop)
        small = np.array([face_size(face) < _LARGE for face in upright], bool)
        sure[small] = SURE  # no edit comes to these, and little can be told of them
        if not turn and bool(np.all(sure >= SURE)) and (upright or known or not self.quick):
            return upright, 0, False
        turned = [face for turns in (90, 180, 270) for face in self._turned(frame, turns, known, read_crop)]
        sure_turned, shown_turned = self.upright(turned, read_crop)
        judged = list(zip([*sure, *sure_turned], [*upright, *turned], strict=True))
        found: list[Face] = []
        # Of those that are sure the finder's own order counts, as it does where nothing is judged.
        for i, (value, face) in sorted(enumerate(judged), key=lambda item: (-min(item[1][0], SURE), item[0])):
            if value < (POSSIBLE if i < len(upright) else SURE):
                continue
            # A mesh that lies wrong is often beside the face, not on it.
            if all(overlap(face, other) <= (0.4 if value >= SURE else 0.1) for other in found):
                found.append(face)
        faces = zip(judged, [*shown, *shown_turned], strict=True)
        seen = [face for (_, face), part in faces if part >= SHOWN and face_size(face) >= _LARGE]
        return found, len(distinct([*known, *found, *seen], 0.1)) - len(distinct([*known, *found], 0.1)), True

    def _turned(self, frame: Frame, turns: int, known: list[Face], read_crop: CropReader) -> list[Face]:
        """The unknown faces of a picture that is turned clockwise by so many degrees."""
        return self._unknown(self._search([frame], turns)[0], known, read_crop)

    def _unknown(self, coarse: np.ndarray, known: list[Face], read_crop: CropReader) -> list[Face]:
        found = [face for place in coarse if (face := self.detector.find(place, read_crop))]
        return [face for face in distinct([*known, *found]) if not any(face is other for other in known)]

    def _followed(self, faces: list[Face], read_crop: CropReader) -> list[Face]:
        """Those of the faces that are still there, the steadiest first: behind another head a mesh jumps to that."""
        pairs = [(found, face) for face in faces if (found := self.detector.follow(face, read_crop))]
        pairs.sort(key=lambda pair: float(np.linalg.norm(np.subtract(*(face.points.mean(0) for face in pair)))))
        return [found for found, _ in pairs]

    def _searched_ahead(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, np.ndarray | None]]:
        """Frames, with the coarse points that are known of them already: None where they were not searched."""
        together = self.detector.finder.batch
        if together == 1:
            yield from ((frame, None) for frame in frames)
            return
        while some := list(islice(frames, together * self.every)):
            found = iter(self._search(some[:: self.every]))
            yield from ((frame, next(found) if i % self.every == 0 else None) for i, frame in enumerate(some))

    def _search(self, frames: list[Frame], turns: int = 0) -> list[np.ndarray]:
        """Coarse points [N, 5, 2] of all faces of each frame, which is turned clockwise by some degrees more."""
        pictures, to_frame = zip(*(self._upright(frame, turns) for frame in frames), strict=True)
        return list(map(transform, to_frame, self.detector.finder(pictures)))

    def _upright(self, frame: Frame, turns: int) -> tuple[np.ndarray, np.ndarray]:
        """The small copy [h, w, 3] of a frame, as it is displayed, and the matrix [2, 3] from it to its points."""
        picture, rotation = frame.picture, (frame.coded.rotation + turns) % 360
        small = picture_to_rgb(picture, self.proxy)
        if picture.aspect != 1:
            small = _square(small, picture, self.proxy)
        height, width = small.shape[:2]
        wide, high = picture.square_size
        scale = np.array([[wide / width], [high / height]])
        return np.ascontiguousarray(np.rot90(small, -rotation // 90)), scale * upright_matrix(rotation, width, height)


def _crop_reader(picture: Picture) -> CropReader:
    return lambda matrix: crop_picture(picture, coded(matrix, picture.stretch), SIZE, cv2.INTER_LINEAR)


def _square(rgb: np.ndarray, picture: Picture, most: int) -> np.ndarray:
    """A copy [h, w, 3] of a picture in square pixels, its longer side at most so many."""
    wide, high = picture.square_size
    scale = min(1.0, most / max(wide, high))
    size = (max(1, round(wide * scale)), max(1, round(high * scale)))
    smaller = size[0] < rgb.shape[1] or size[1] < rgb.shape[0]
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
