"""Place: cuts one crop out of every frame, around a box or the whole picture, where the subject is no face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.datatypes import Crop, Frame, Picture
from videdit.errors import UsageError
from videdit.geometry.affine import compose, invert, transform, upright_matrix
from videdit.geometry.box_window import Box, box_outline, window_matrix, window_side
from videdit.geometry.ffhq_align import choose_size, coded
from videdit.imaging.pixels import Pixels
from videdit.tracks.shots import CutDetector

SMALLEST = 32.0  # pixels of the picture that a box's sides have inside it, at least


class CropBox:
    """Does what detect, track and align do for faces: hands on frames with a scene and a crop, always in one place."""

    name = "place"

    def __init__(
        self, pixels: Pixels, sizes: tuple[int, ...], box: Box | None = None, size: str | int = "auto"
    ) -> None:
        """sizes: at which crops can be rendered. box: (x, y, width, height) in pixels of the picture as it is
        displayed; by default all of it. size: "auto", or one of sizes for all crops."""
        self.pixels, self.sizes, self.box, self.size = pixels, sizes, box, size

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with ``scene`` and a crop of track 0 and confidence 1, whose mesh is the outline [4, 2] of its box."""
        cuts, scene = CutDetector(), 0
        for frame in frames:
            scene += cuts(frame.picture)
            to_frame, size, outline = self._placed(frame.picture, frame.coded.rotation)
            (image,) = self.pixels.crop(frame.picture, [(to_frame, size)])
            crop = Crop(0, image, to_frame, 1.0, outline, low=self.pixels.low(image))
            yield replace(frame, scene=scene, crops=(crop,))

    def _placed(self, picture: Picture, rotation: int) -> tuple[np.ndarray, int, np.ndarray]:
        """(to_frame, the crop's size, the box's outline in it); a turned clip's box is turned with it."""
        width, height = picture.square_size
        shown = (height, width) if rotation % 180 else (width, height)
        box = self.box or (0.0, 0.0, float(shown[0]), float(shown[1]))
        inside = [min(at + long, whole) - max(at, 0.0) for at, long, whole in zip(box[:2], box[2:], shown, strict=True)]
        if min(inside) < SMALLEST:
            words = ",".join(f"{number:g}" for number in box)
            whole = f"{shown[0]:.0f}x{shown[1]:.0f}"
            raise UsageError(f"the box {words} has less than {SMALLEST:g} pixels a side in the picture of {whole}")
        best = choose_size(window_side(box)) if self.size == "auto" else int(self.size)
        size = min(best, max(self.sizes))
        matrix = window_matrix(box, size)
        outline = transform(invert(matrix), box_outline(box, shown))
        to_frame = coded(compose(upright_matrix(rotation, width, height), matrix), picture.stretch)
        return to_frame, size, outline
