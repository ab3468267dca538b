"""Is it the person in this picture? Faces of a clip against a photograph that was taken elsewhere.

:mod:`.appearance` would be misled by other light and other clothes; the basic encoder's hidden features, from which it
tells who a face is and what it does, see past them: on 88 pairs of photographs of one person among 1,000 faces of
CelebAMask-HQ (found by an identity network) against all other pairs their cosine has an area under the curve of .96
(appearance: .70), pairs of one person .54 in the middle, 95 % of strangers below .40.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.datatypes import LOW
from videdit.errors import UsageError
from videdit.faces.detector import FaceDetector
from videdit.geometry.ffhq_align import face_matrix
from videdit.geometry.warp import crop
from videdit.media.color import picture_to_rgb
from videdit.media.decode.read import read_image
from videdit.media.probe import probe
from videdit.models.encoder import Encoder
from videdit.weights import load_state


class Person(nn.Module):
    """Aligned faces [N, 3, S, S] in [-1, 1] -> who they are, [N, 512] of length 1."""

    def __init__(self) -> None:
        """With the encoder that ships. Raises WeightsError: it is missing or damaged."""
        super().__init__()
        self.encoder = Encoder()
        self.encoder.load_state_dict(load_state("encoder"))
        self.eval().requires_grad_(False)

    def forward(self, faces: Tensor) -> Tensor:
        """Of each face, float32; the cosine of two rows says how alike two people are."""
        return F.normalize(self.encoder.features(faces)[0], dim=1)


def similarity_to(picture: Path, portraits: Mapping[int, np.ndarray]) -> dict[int, float]:
    """How like the person in a picture each track is, -1..1. portraits: of each track, [P, S, S, 3] uint8 RGB.

    Raises:
        UsageError: there is no face in the picture.
        MediaError: it cannot be read.
    """
    person = Person()
    wanted = person(_tensor(_face_in(picture)[None]))[0]
    return {track: float((person(_tensor(faces)) @ wanted).max()) for track, faces in portraits.items()}


def _face_in(picture: Path) -> np.ndarray:
    """The largest face of a picture, aligned, [256, 256, 3] uint8 RGB."""
    info = probe(picture)
    if info.kind != "image":
        raise UsageError(f"{picture} should be a picture of the person to edit")
    rgb = np.ascontiguousarray(np.rot90(picture_to_rgb(read_image(info).picture), -info.rotation // 90))
    faces = FaceDetector().detect(rgb)
    if not faces:
        raise UsageError(f"there is no face in {picture}; give a picture in which the person's face is large")
    return crop(rgb, face_matrix(faces[0].points, LOW), LOW, cv2.INTER_LINEAR)


def _tensor(images: np.ndarray) -> Tensor:
    """[N, S, S, 3] uint8 -> [N, 3, S, S] float32 in [-1, 1]"""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
