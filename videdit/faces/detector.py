"""Pictures -> faces: a finder (MTCNN, or insightface's SCRFD) finds them, the 468-point mesh places their points.

Points are in pixels of the picture that was searched, pixel centres at +0.5.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from videdit.datatypes import Face
from videdit.engine.compile import Engine, compile_module
from videdit.engine.recipe import NetworkRecipe
from videdit.faces.mtcnn import Cascade
from videdit.geometry.affine import rot90, transform
from videdit.geometry.ffhq_align import crop_matrix, ffhq_square, quad
from videdit.geometry.warp import crop
from videdit.models.sizes import MESH_INPUT as SIZE
from videdit.threads import settle
from videdit.weights import load_state, manifest, verified

if TYPE_CHECKING:
    from videdit.models.facemesh import FaceMesh

PRESENT = 0.5  # mesh presence below this: no face
_ROOM = 1.5  # the mesh net was trained on crops this many times as long as the face
# A first crop for the mesh net, from five coarse points: in units of their FFHQ square (found on 950 aligned faces).
_START_DOWN, _START_SIDE = 0.18, 0.96
# From the mesh's points to those that CelebA-HQ is aligned by, along the line from eyes to mouth, as fractions of its
# length: fitted on faces 0000-0949 of CelebAMask-HQ so that the FFHQ square is on average the whole aligned picture.
# On 0950-0999 its centre moves from (-0.1, +0.7) % of the side to (-0.1, +0.1) %; what remains for each face (0.4 % in
# x, 0.3 % in y, 3.7 % in size, 0.9 degrees, one standard deviation) is mostly the scatter of CelebA's own points.
_EYES_DOWN, _MOUTH_DOWN = -0.029, -0.002
_LEFT_EYE, _RIGHT_EYE, _NOSE, _LEFT_MOUTH, _RIGHT_MOUTH = (33, 133), (362, 263), (1,), (61,), (291,)


# Cuts the mesh net's crop, uint8 [192, 192, 3] RGB, out of a picture, given the matrix [2, 3] from crop to picture.
CropReader = Callable[[np.ndarray], np.ndarray]


class Finder(Protocol):
    """Finds faces in pictures, and where about their points are."""

    @property
    def batch(self) -> int:
        """How many pictures of one shape are searched together, once there are so many."""

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Pictures [H, W, 3] uint8 RGB of one shape -> for each points [N, 5, 2] in its pixels, surest first.

        Points: eye at image left, eye at image right, nose, mouth corner left, right; of an upright face.
        """


class FaceDetector:
    """Finds faces in RGB pictures, uint8 [H, W, 3], and follows them from frame to frame.

    Where a picture is large, search a small copy of it and let ``read_crop`` cut the mesh net's crops from the large.
    """

    def __init__(
        self, device: str = "cpu", precision: str = "fp32", smallest: int = 20, finder: Finder | None = None
    ) -> None:
        """finder: by default MTCNN. smallest: side in pixels of the smallest face that it looks for; half of it costs
        four times the search.
        """
        settle()
        self.device = device
        verified("facemesh")
        self.finder: Finder = finder or Cascade(device, precision, smallest)
        self._precision = precision

    @functools.cached_property
    def _mesh(self) -> Engine:
        """Compiled at its first use: who finds an analysis of a clip needs none."""
        mesh = NetworkRecipe("FaceMesh", (manifest()["facemesh"].sha256,), face_mesh)
        return compile_module(mesh, [(1, 3, SIZE, SIZE)], self.device, self._precision, threads=1)

    def detect(self, rgb: np.ndarray) -> list[Face]:
        """All faces of a picture [H, W, 3] uint8, largest first; score: of presence, 0..1."""
        read_crop = crop_reader(rgb)
        faces = [face for points in self.search(rgb) if (face := self.find(points, read_crop))]
        return distinct(sorted(faces, key=face_size, reverse=True))

    def search(self, rgb: np.ndarray) -> np.ndarray:
        """Coarse points [N, 5, 2] of all faces of a picture, surest first."""
        return self.finder([rgb])[0]

    def find(self, points: np.ndarray, read_crop: CropReader) -> Face | None:
        """The face at coarse points [5, 2]; None when the mesh net sees none there."""
        first = self._read(start_matrix(points), read_crop)
        # The second look, from the first mesh, is the one that following repeats on the next frames.
        return first and self.follow(first, read_crop)

    def aligned(self, rgb: np.ndarray) -> Face | None:
        """The face of an FFHQ crop [S, S, 3], of which it is known where it is; None when the mesh net sees none."""
        middle = rgb.shape[0] / 2
        read_crop = crop_reader(rgb)
        first = self._read(_first_look(np.full(2, middle), np.array([middle, 0.0])), read_crop)
        return first and self.follow(first, read_crop)

    def follow(self, face: Face, read_crop: CropReader) -> Face | None:
        """The same face in the next picture, near where it was; None when it is gone."""
        return self._read(next_matrix(face), read_crop)

    def _read(self, to_frame: np.ndarray, read_crop: CropReader) -> Face | None:
        x = read_crop(to_frame).transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
        points, presence = self._mesh(np.ascontiguousarray(x))  # [1, 468, 3], [1]
        if presence[0] < PRESENT:
            return None
        mesh = transform(to_frame, points[0, :, :2])
        return Face(five_points(mesh), float(presence[0]), mesh=mesh, yaw=_yaw(points[0]))


def face_mesh() -> FaceMesh:
    """The mesh net with the weights that ship. Raises WeightsError where they are missing or damaged."""
    from videdit.models.facemesh import FaceMesh

    net = FaceMesh()
    net.load_state_dict(load_state("facemesh"))
    return net


def detector_of(words: str, device: str) -> FaceDetector:
    """The detector for what follows ``--detector``: "mtcnn", "insightface" or "insightface:PACK".

    Raises:
        WeightsError: its pack or package is not here.
    """
    kind, _, pack = words.partition(":")
    if kind == "mtcnn":
        return FaceDetector(device)
    from videdit.faces.scrfd import DEFAULT_PACK, InsightFinder

    return FaceDetector(device, finder=InsightFinder(pack or DEFAULT_PACK, device))


def crop_reader(rgb: np.ndarray) -> CropReader:
    """Crops for the mesh net out of an RGB picture, uint8 [H, W, 3]."""
    return lambda to_rgb: crop(rgb, to_rgb, SIZE, cv2.INTER_LINEAR)


def distinct(faces: list[Face], most: float = 0.4) -> list[Face]:
    """The faces that overlap no earlier one of the list by more than `most`."""
    kept: list[Face] = []
    for face in faces:
        if all(overlap(face, other) <= most for other in kept):
            kept.append(face)
    return kept


def start_matrix(points: np.ndarray) -> np.ndarray:
    """Where the mesh net looks first, as a matrix [2, 3] from its crop to the frame; points [5, 2] may be coarse."""
    return _first_look(*ffhq_square(points))


def _first_look(centre: np.ndarray, half: np.ndarray) -> np.ndarray:
    """The same from an FFHQ square."""
    return crop_matrix(quad(centre + _START_DOWN * rot90(half), half * _START_SIDE), SIZE)


def next_matrix(face: Face) -> np.ndarray:
    """Where the mesh net looks for a face it saw in the last frame, as a matrix [2, 3] from its crop to the frame."""
    assert face.mesh is not None
    across = face.points[1] - face.points[0]
    across = across / max(float(np.linalg.norm(across)), 1e-9)
    upright = np.stack([across, rot90(across)], axis=1)  # columns: right and down of the face
    low, high = (face.mesh @ upright).min(0), (face.mesh @ upright).max(0)
    half = float((high - low).max()) / 2 * _ROOM
    return crop_matrix(quad(upright @ (low + high) / 2, half * across), SIZE)


def five_points(mesh: np.ndarray) -> np.ndarray:
    """[468, 2] mesh -> [5, 2] eye at image left, eye at image right, nose, mouth corner left, right.

    Eye centres come from the eyes' corners, which a blink leaves where they are.
    """
    parts = (_LEFT_EYE, _RIGHT_EYE, _NOSE, _LEFT_MOUTH, _RIGHT_MOUTH)
    points = np.stack([mesh[list(part)].mean(0) for part in parts]).astype(np.float64)
    down = points[3:].mean(0) - points[:2].mean(0)
    points[:2] += _EYES_DOWN * down
    points[3:] += _MOUTH_DOWN * down
    return points


def face_size(face: Face) -> float:
    """Side in pixels of a face: the longer side of the box around its mesh."""
    assert face.mesh is not None
    return float(np.ptp(face.mesh, axis=0).max())


def overlap(a: Face, b: Face) -> float:
    """Intersection over union, 0..1, of the boxes around two meshes."""
    assert a.mesh is not None
    assert b.mesh is not None
    (a0, a1), (b0, b1) = ((m.min(0), m.max(0)) for m in (a.mesh, b.mesh))
    shared = float(np.prod(np.maximum(np.minimum(a1, b1) - np.maximum(a0, b0), 0)))
    return shared / max(float(np.prod(a1 - a0) + np.prod(b1 - b0)) - shared, 1e-9)


def _yaw(mesh: np.ndarray) -> float:
    """Degrees that the head is turned to image right, from the mesh [468, 3]: the cheek on that side goes away."""
    right = mesh[454] - mesh[234]
    return math.degrees(math.atan2(right[2], math.hypot(right[0], right[1])))
