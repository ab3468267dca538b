"""Align: cuts an FFHQ crop of every face that is to be edited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.datatypes import Array, Crop, Face, Frame
from videdit.errors import UsageError
from videdit.geometry.affine import invert, transform
from videdit.geometry.ffhq_align import SIZES, choose_size, coded, crop_side, face_matrix
from videdit.imaging.pixels import Pixels


class ChooseSize:
    """Says at which size each face is cut out: one that suits its track, and changes only if the face clearly does."""

    name = "size"

    def __init__(self, size: str | int = "auto") -> None:
        """size: "auto", or one of 256, 512, 1024 px for all crops."""
        self.size = size

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames whose faces have ``crop``, in pixels; what a track had last is remembered from frame to frame."""
        sizes: dict[int, int] = {}  # by track
        for frame in frames:
            for face in frame.faces:
                sizes[face.track] = size_of(face, self.size, sizes.get(face.track))
            yield replace(frame, faces=tuple(replace(face, crop=sizes[face.track]) for face in frame.faces))


class CropFaces:
    """Adds a crop for each face, of the size that was chosen for it (:class:`ChooseSize`), or that suits it alone."""

    name = "align"

    def __init__(self, pixels: Pixels, size: str | int = "auto") -> None:
        """size: "auto", or one of 256, 512, 1024 px for all crops. Raises UsageError for anything else."""
        if size != "auto" and size not in SIZES:
            raise UsageError(f"the crop size must be auto, 256, 512 or 1024, not {size!r}")
        self.pixels, self.size = pixels, size

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with ``crops``, one a face in their order; ``to_frame`` allows for pixels that are not square."""
        for frame in frames:
            places = []
            for face in frame.faces:
                size = face.crop or size_of(face, self.size)
                places.append((coded(face_matrix(face.points, size), frame.picture.stretch), size))
            images = self.pixels.crop(frame.picture, places)
            stretch = frame.picture.stretch
            lows = [self.pixels.low(image) for image in images]
            crops = (_crop(*known, stretch) for known in zip(frame.faces, images, lows, places, strict=True))
            yield replace(frame, crops=tuple(crops))


def size_of(face: Face, size: str | int, current: int | None = None) -> int:
    """The pixels at which a face is cut out: `size`, or for "auto" what suits it after it was `current`."""
    return choose_size(crop_side(face.points), current) if isinstance(size, str) else size


def _crop(face: Face, image: Array, low: Array, place: tuple[np.ndarray, int], stretch: tuple[float, float]) -> Crop:
    to_frame, _ = place
    mesh = None if face.mesh is None else transform(invert(to_frame), face.mesh / stretch)
    return Crop(face.track, image, to_frame, face.confidence, mesh, low=low, expression=face.expression)
