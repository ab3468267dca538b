"""Eyes that an edit opens or narrows stay the source's eyes: lids move, irises do not change.

A direction that opens eyes was found on faces, and those with wide open eyes have paler and bluer ones. So what is
between the source's lids is left as it is, and of an eye that the edit narrows what is between the edit's lids as well,
which are read off its own picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from videdit.datatypes import LOW, Crop, Rendering
from videdit.faces.detector import FaceDetector
from videdit.geometry.face_regions import eye_openings
from videdit.imaging.pixels import Pixels

# How large eyes are after the edit over before: from where on less of them is kept than there was, and where as much.
NARROWER = (0.8, 0.95)


def eyes_of_edit(pixels: Pixels, detector: FaceDetector, crop: Crop, rendering: Rendering) -> Rendering:
    """A crop's rendering with its ``eyes``; the same where there is no mesh of the crop or of the edit."""
    if crop.mesh is None:
        return rendering
    edited = detector.aligned(pixels.fetch(pixels.edit_picture(rendering)))
    if edited is None or edited.mesh is None:
        return rendering
    return replace(rendering, eyes=pixels.put(kept_eyes(crop.mesh * (LOW / crop.size), edited.mesh)))


def kept_eyes(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """What stays as it is of the eyes, uint8 [256, 256], by meshes [468, 2] in pixels at 256."""
    old, new = (eye_openings(mesh, LOW) for mesh in (before, after))
    larger = new.sum(dtype=np.float64) / max(old.sum(dtype=np.float64), 1.0)
    as_much = np.clip((larger - NARROWER[0]) / (NARROWER[1] - NARROWER[0]), 0, 1)
    return np.maximum(np.minimum(old, new), np.rint(as_much * old).astype(np.uint8))
