"""Align: cuts an FFHQ crop of every face that is to be edited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from videdit.errors import UsageError
from videdit.geometry.align import SIZES, choose_size, crop_side, face_matrix, invert, transform
from videdit.geometry.warp import crop_picture
from videdit.packets import Crop, Face, Frame


class Align:
    """Adds a crop for each face, of a size that suits its track and changes only when the face clearly does."""

    name = "align"

    def __init__(self, size: str | int = "auto") -> None:
        """size: "auto", or one of 256, 512, 1024 px for all crops. Raises UsageError for anything else."""
        if size != "auto" and size not in SIZES:
            raise UsageError(f"the crop size must be auto, 256, 512 or 1024, not {size!r}")
        self.size = size

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        sizes: dict[int, int] = {}  # by track
        for frame in frames:
            for face in frame.faces:
                sizes[face.track] = self._size(face, sizes.get(face.track))
            yield replace(frame, crops=tuple(_crop(frame, face, sizes[face.track]) for face in frame.faces))

    def _size(self, face: Face, current: int | None) -> int:
        return choose_size(crop_side(face.points), current) if isinstance(self.size, str) else self.size


def _crop(frame: Frame, face: Face, size: int) -> Crop:
    to_frame = face_matrix(face.points, size)
    mesh = None if face.mesh is None else transform(invert(to_frame), face.mesh)
    return Crop(face.track, crop_picture(frame.picture, to_frame, size), to_frame, face.confidence, mesh)
