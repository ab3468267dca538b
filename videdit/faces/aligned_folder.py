"""Folders of pictures -> aligned faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from videdit.errors import UsageError

if TYPE_CHECKING:
    from videdit.faces.detector import FaceDetector

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def pictures(folder: Path) -> list[Path]:
    """The pictures of a folder and of those in it, in order.

    Raises:
        UsageError: there is none.
    """
    if not folder.is_dir():
        raise UsageError(f"the folder {folder} does not exist")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not found:
        raise UsageError(f"no picture in {folder}; wanted are {', '.join(PICTURES)}")
    return found


def aligned_faces(paths: list[Path], detector: FaceDetector, warn: Callable[[str], None]) -> Iterator[np.ndarray]:
    """The largest face of each picture as an aligned crop [256, 256, 3] uint8 RGB; `warn` hears of those without."""
    import cv2

    from videdit.geometry.ffhq_align import face_matrix
    from videdit.geometry.warp import crop

    for path in paths:
        data = np.fromfile(path, np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if bgr is None:
            warn(f"{path}: not a picture that can be read; left out")
            continue
        rgb = np.ascontiguousarray(bgr[..., ::-1])
        faces = detector.detect(rgb)
        if not faces:
            warn(f"{path}: no face found; left out")
            continue
        yield crop(rgb, face_matrix(faces[0].points, 256), 256)
