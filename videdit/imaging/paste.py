"""Paste-back: add a change of crops to the planes of a frame, in the frame's own depth.

Never the crop itself is pasted, only the change: plane + unwarp(mask) * unwarp(change). Where the mask is 0, or the
change is less than half a code value (NOTHING of a plane in floating point), the plane keeps its bits; floating point
planes may go beyond 0..1. Luma and chroma are warped to their own sample positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from videdit.datatypes import Edited, Picture
from videdit.geometry.affine import invert, transform
from videdit.geometry.warp import warp
from videdit.imaging.primitives.host import single
from videdit.media.color import rgb_change_to_yuv

# Of a floating point plane, whose white is 1: a little more than what an edit's matte (:mod:`videdit.stages.matte`)
# rounds to black, so that where the matte says so nothing is touched. It is .0083 of 8 bits' 255.
NOTHING = 1 / 255 / 120


def add_changes(picture: Picture, edits: Sequence[Edited]) -> Picture:
    """A picture with the changes of all edits added; planes that nothing changes are the same arrays."""
    planes = list(picture.planes)
    fresh = [False] * len(planes)
    for edit in edits:
        changes = rgb_change_to_yuv(single(edit.change), picture.color)
        placed: dict[tuple[int, int], tuple[Placement, np.ndarray] | None] = {}
        for i, change in enumerate(changes):
            kind = (planes[i].shape[0], planes[i].shape[1])
            if kind not in placed:
                place = Placement.of(edit, to_plane(picture, i), kind)
                placed[kind] = None if place is None else (place, place.unwarp_mask(edit.mask))
            if (spot := placed[kind]) is None:
                continue
            if not fresh[i]:
                planes[i], fresh[i] = planes[i].copy(), True
            place, mask = spot
            part = planes[i][place.rows, place.columns]
            added = mask * place.unwarp(change)
            if picture.color.depth == 32:
                np.add(part, added, out=part, where=abs(added) > NOTHING)  # a NaN or a negative zero keeps its bits
            else:
                part[...] = np.clip(np.rint(part + added), 0, picture.color.top)
    return replace(picture, planes=tuple(planes))


def to_plane(picture: Picture, index: int) -> np.ndarray:
    """The 3x3 matrix from frame pixels to pixels of a plane, under the pixel centres at +0.5 convention."""
    color = picture.color
    if index not in (1, 2) or color.matrix == "rgb":
        return np.eye(3)
    sx, sy = 1 / (1 << color.chroma_log2[0]), 1 / (1 << color.chroma_log2[1])
    # A chroma sample at (chroma_site) of the frame is the plane's pixel at (0.5, 0.5).
    return np.array(
        [
            [sx, 0.0, 0.5 - color.chroma_site[0] * sx],
            [0.0, sy, 0.5 - color.chroma_site[1] * sy],
            [0.0, 0.0, 1.0],
        ]
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an edit meets a plane."""

    rows: slice  # of the plane that the crop covers
    columns: slice
    from_plane: np.ndarray  # 2x3: pixels of that part of the plane -> crop pixels
    step: float  # crop pixels a plane pixel

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the part."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    @property
    def sigma(self) -> float:
        """Crop pixels to blur a change by. A plane coarser than the crop sees averages, not samples."""
        return 0.4 * math.sqrt(self.step**2 - 1) if self.step > 1.1 else 0.0

    @classmethod
    def of(cls, edit: Edited, frame_to_plane: np.ndarray, shape: tuple[int, int]) -> Placement | None:
        """None where the crop lies outside a plane of this shape (height, width)."""
        to_plane = (frame_to_plane @ np.vstack((edit.to_frame, (0, 0, 1))))[:2]
        size = edit.mask.shape[0]
        corners = transform(to_plane, np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float64))
        x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int), (shape[1], shape[0]))
        if x0 >= x1 or y0 >= y1:
            return None
        step = float(1 / np.sqrt(abs(np.linalg.det(to_plane[:, :2]))))
        to_plane[:, 2] -= (x0, y0)
        return cls(slice(int(y0), int(y1)), slice(int(x0), int(x1)), invert(to_plane), step)

    def unwarp_mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask [S, S] uint8 of the crop -> that of the part of the plane, float32 in [0, 1]."""
        return warp(mask, self.from_plane, self.shape, border=cv2.BORDER_CONSTANT).astype(np.float32) / 255

    def unwarp(self, change: np.ndarray) -> np.ndarray:
        """A change [S, S] float32 of the crop -> the change of the part of the plane."""
        if self.sigma:
            change = cv2.GaussianBlur(change, (0, 0), self.sigma)
        return warp(change, self.from_plane, self.shape, border=cv2.BORDER_REPLICATE)
