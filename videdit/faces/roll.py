"""Which way up a face is. Finder and mesh net take a face that is upside down for an upright one, and are sure of it.

The parser is not misled: in an aligned crop eyes and lips are where they belong, or they are not. On 25 faces of
CelebAMask-HQ turned by six angles, 50 to 150 px large, 95 % of the meshes that lay right reach 1.69 and all that did
not stay below 1.51; in ten frames each of twelve clips the least is 1.46.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from videdit.datatypes import Face
from videdit.faces.detector import CropReader
from videdit.faces.parser import CropParser
from videdit.geometry.ffhq_align import face_matrix
from videdit.models.face_parts import CLASSES
from videdit.models.sizes import MESH_INPUT as SIZE

SURE = 1.55  # from here on a face is upright in its crop
POSSIBLE = 0.9  # below this it is not; between them something may hide half of it
# The parts, and where they are in an upright crop: rows and columns as fractions of its side.
_EYES = ("left_eye", "right_eye", "left_brow", "right_brow", "eyeglasses"), (0.33, 0.55), (0.22, 0.78)
_LIPS = ("upper_lip", "lower_lip", "mouth"), (0.57, 0.84), (0.31, 0.69)
_FACE = ("skin", "nose", "mouth", "left_ear", "right_ear", *_EYES[0], *_LIPS[0])
SHOWN = 0.22  # of a crop that is a face's parts, whichever way up it is; it is .24 to .37 where real faces are
_FEW = 0.00076  # of the crop: parts as small as this say little


class Uprightness:
    """Says of faces how surely their points are the right way up, 0 .. 2, and how much of their crops is face."""

    def __init__(self, device: str = "cpu") -> None:
        """device: where the parser runs, once a face is asked about: "cpu", "cuda", "cuda:1"."""
        self._device = device
        self._parser: CropParser | None = None  # most callers follow faces that are known

    def __call__(self, faces: Sequence[Face], read_crop: CropReader) -> tuple[np.ndarray, np.ndarray]:
        """[N] in 0..2 and [N] in 0..1, of faces of one picture."""
        if not faces:
            return np.zeros(0), np.zeros(0)
        if self._parser is None:
            self._parser = CropParser.load(self._device)
        logits = self._parser.logits([read_crop(face_matrix(face.points, SIZE)) for face in faces])
        likely = np.exp(logits - logits.max(1, keepdims=True))
        likely /= likely.sum(1, keepdims=True)
        shown = likely[:, [list(CLASSES).index(name) for name in dict.fromkeys(_FACE)]].sum(1).mean((1, 2))
        return _in_place(likely, *_EYES) + _in_place(likely, *_LIPS), shown


def _in_place(
    likely: np.ndarray, names: tuple[str, ...], rows: tuple[float, float], columns: tuple[float, float]
) -> np.ndarray:
    """How much of some parts is where it belongs, [N] in 0..1; likely: [N, 19, S, S]."""
    parts = likely[:, [list(CLASSES).index(name) for name in names]].sum(1)  # [N, S, S]
    side = parts.shape[-1]
    inside = parts[:, slice(*(round(side * at) for at in rows)), slice(*(round(side * at) for at in columns))]
    return np.asarray(inside.sum((1, 2)) / (parts.sum((1, 2)) + _FEW * side * side))
