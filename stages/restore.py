"""restore: crops -> crops in which our small restorer has repaired what lost resolution, blur and compression took.

The networks of the edit look at the restored crop. How much of the restoration itself reaches the frame is another
matter (``strength``): paste adds result - crop, and the result of a restored crop begins with

    crop + strength * (restored - crop)

so with an edit of strength 0 the restoration is all that changes, and nothing does where a face is not restored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.errors import UsageError
from videdit.packets import Array, Crop, Frame
from videdit.pixels import Pixels
from videdit.restoration import CropRestorer, Need
from videdit.temporal import groups

KINDS = ("none", "small", "auto")

log = logging.getLogger("videdit." + __name__)  # where the command listens


class Restore:
    """Hands on frames whose crops have a ``restored`` picture, where they are to have one.

    "none" leaves all crops alone, "small" restores all, "auto" those of tracks that are small and soft.
    """

    name = "restore"

    def __init__(
        self,
        kind: str = "none",
        strength: float = 1.0,
        restorer: CropRestorer | None = None,
        pixels: Pixels | None = None,
    ) -> None:
        """restorer, pixels: needed unless kind is "none". Raises UsageError for words that make no sense."""
        if kind not in KINDS:
            raise UsageError(f"unknown restoration {kind!r}; there is: {', '.join(KINDS)}")
        if not 0 <= strength <= 1:
            raise UsageError(f"the strength of restoration goes from 0 to 1, not {strength:g}")
        self.kind, self.strength, self.restorer, self.pixels = kind, strength, restorer, pixels
        self.restored: set[int] = set()  # tracks

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        if self.kind == "none" or self.restorer is None or self.pixels is None:
            yield from frames
            return
        put = self.pixels.put  # the restorer lives on the host
        need = Need()
        judged = ((frame, [self._judged(need, frame.time, crop) for crop in frame.crops]) for frame in frames)
        for group in groups(judged, self.restorer.batch(256)):
            done = iter(self.restorer([image for _, pictures in group for image, level in pictures if level]))
            for frame, pictures in group:
                crops = [
                    self._restored(crop, put(mix(image, next(done), level))) if level else crop
                    for crop, (image, level) in zip(frame.crops, pictures, strict=True)
                ]
                yield replace(frame, crops=tuple(crops))

    def _judged(self, need: Need, time: float, crop: Crop) -> tuple[np.ndarray, float]:
        """A crop's picture in the host's memory, and how much of the restoration it gets."""
        assert self.pixels is not None
        image = self.pixels.fetch(crop.image)
        if self.kind == "small":
            return image, 1.0
        side = float(np.linalg.norm(crop.to_frame[:, 0])) * crop.size
        return image, need(crop.track, time, side, image)

    def _restored(self, crop: Crop, restored: Array) -> Crop:
        if crop.track not in self.restored:
            log.info("face %d is restored (%s)", crop.track, self.kind)
        self.restored.add(crop.track)
        return replace(crop, restored=restored, restoration=self.strength)

    def words(self) -> list[str]:
        """What was chosen, for the user to hear after the last frame; nothing where nothing was restored."""
        if self.kind != "auto" or not self.restored:
            return []
        tracks = ", ".join(map(str, sorted(self.restored)))
        return [f"restored face {tracks}, small and soft in this clip (--restore none leaves it as it is)"]


def mix(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """a + share * (b - a), pictures of uint8."""
    if share == 1.0:
        return b
    return (a + share * (b.astype(np.float32) - a)).round().astype(np.uint8)
