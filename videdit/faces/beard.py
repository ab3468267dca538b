"""Whether a face has a beard: hair below the nose and around the mouth is darker, bluer and rougher than the cheeks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np

from videdit.datatypes import Face

_SIDE = 256  # px that crops are measured at
# Points of the mesh: above the lips, the chin, the jaw's sides; and the cheeks, where a beard seldom grows.
_PLACES = (
    (164, 165, 391, 167, 393, 92, 322),
    (199, 175, 200, 208, 428, 18, 83, 313),
    (140, 369, 32, 262, 211, 431, 212, 432, 214, 434),
)
_CHEEKS = (50, 101, 36, 205, 280, 330, 266, 425)
# Fitted by logistic regression on 213 faces of CelebAMask-HQ at 128 px, 24 of them bearded by eye. Each left out in
# turn, its log odds rank 98 % of the pairs of a beard and none rightly (93 % of those of two men); 94 % of the faces
# without one stay below NONE, 83 % of the beards reach it, and what it misses is stubble.
_WEIGHTS, _BIAS = (-11.5, -0.465, 3.43), -5.68
NONE, FULL = 0.5, 1.5  # log odds: up to here there is none, from here on there is


def beard(portraits: Iterable[np.ndarray], mesh_of: Callable[[np.ndarray], Face | None]) -> float:
    """How surely a person has a beard, 0 (not) .. 1, from aligned pictures, uint8 [S, S, 3] RGB.

    mesh_of: finds the mesh in one, as :meth:`videdit.faces.detector.FaceDetector.aligned` does. 1 where it finds none.
    """
    odds = []
    for portrait in portraits:
        face = mesh_of(portrait)
        if face is not None and face.mesh is not None:
            odds.append(float(features(portrait, face.mesh) @ _WEIGHTS) + _BIAS)
    return min(max((float(np.median(odds)) - NONE) / (FULL - NONE), 0.0), 1.0) if odds else 1.0


def features(crop: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Of an aligned crop, uint8 [S, S, 3] RGB, and its mesh [468, 2] in its pixels, the lower face beside the cheeks:

    [3] lightness (a fraction of the cheeks'), b* of Lab (a difference), roughness of one pixel of 256 (a logarithm).
    """
    scaled = cv2.resize(crop, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if len(crop) > _SIDE else cv2.INTER_LINEAR)
    lab = cv2.cvtColor(scaled.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    smooth = cv2.blur(cv2.blur(lab, (5, 5)), (5, 5))
    light = np.ascontiguousarray(lab[:, :, 0])
    rough = cv2.blur(np.abs(light - cv2.blur(cv2.blur(light, (3, 3)), (3, 3))), (7, 7))
    maps = np.dstack([smooth[:, :, 0], smooth[:, :, 2], np.log(rough + 0.1)])
    at = np.clip(np.floor(mesh * (_SIDE / len(crop))).astype(int), 0, _SIDE - 1)
    middle = [np.median(maps[at[list(part), 1], at[list(part), 0]], axis=0) for part in (*_PLACES, _CHEEKS)]
    cheeks = middle.pop()
    apart = np.mean(middle, axis=0) - cheeks
    apart[0] /= cheeks[0] + 10
    return apart
