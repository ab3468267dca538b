"""restore: crops -> crops in which a restorer has repaired what lost resolution, blur and compression took.

The networks of the edit look at the restored crop. How much of the restoration itself reaches the frame is another
matter (``strength``): paste adds result - crop, and the result of a restored crop begins with

    crop + strength * (restored - crop)

so with an edit of strength 0 the restoration is all that changes, and nothing does where a face is not restored. Where
only faces in need are restored, and strengths change, the restoration comes and goes with the edit.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.datatypes import Array, Crop, Frame
from videdit.edits import Timeline
from videdit.errors import UsageError
from videdit.geometry.ffhq_align import side_of
from videdit.imaging.pixels import Pixels
from videdit.restoration.policy import RestorationGate, RestorerChoice
from videdit.restoration.restorer import CropRestorer

log = logging.getLogger(__name__)


class Restore:
    """Hands on frames whose crops have a ``restored`` picture, where they are to have one.

    All crops are restored, or those of tracks in need where the choice says so. What the restorer raises stops the run:
    no crop is handed on unrestored that should have been.
    """

    name = "restore"

    def __init__(
        self,
        choice: RestorerChoice | None = None,
        strength: float = 1.0,
        restorer: CropRestorer | None = None,
        pixels: Pixels | None = None,
        timeline: Timeline | None = None,
    ) -> None:
        """restorer, pixels: needed unless none was chosen. timeline: strengths that may change.

        Raises UsageError for a strength that makes no sense.
        """
        if not 0 <= strength <= 1:
            raise UsageError(f"the strength of restoration goes from 0 to 1, not {strength:g}")
        self.choice, self.strength = choice or RestorerChoice("none"), strength
        self.restorer, self.pixels, self.timeline = restorer, pixels, timeline
        self.restored: set[int] = set()  # tracks

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames whose crops have ``restored`` and ``restoration``; held back until the restorer's group is full."""
        if self.choice.kind == "none":
            yield from frames
            return
        assert self.restorer is not None
        assert self.pixels is not None
        need = RestorationGate(either=self.choice.kind == "gfpgan")
        group: list[tuple[Frame, list[float]]] = []
        for frame in frames:
            levels = [self._level(need, frame.time, crop) for crop in frame.crops]
            if not group and not any(levels):
                yield frame  # nothing to wait for
                continue
            group.append((frame, levels))
            wanted = sum(level > 0 for _, levels in group for level in levels)
            if wanted >= self.restorer.group or len(group) >= 2 * self.restorer.group:
                yield from self._together(group)
                group = []
        yield from self._together(group)

    def _level(self, need: RestorationGate, time: float, crop: Crop) -> float:
        """How much of the restoration a crop gets."""
        if not self.choice.if_needed:
            return 1.0
        side = side_of(crop.to_frame, crop.size)
        return need(crop.track, time, side, lambda: self._picture(crop))

    def _picture(self, crop: Crop) -> np.ndarray:
        """A crop in the host's memory, where the restorer lives."""
        assert self.pixels is not None
        return self.pixels.fetch(crop.image)

    def _together(self, group: list[tuple[Frame, list[float]]]) -> Iterator[Frame]:
        """The frames of a group, restored in as few passes as can be."""
        assert self.restorer is not None
        assert self.pixels is not None
        wanted = [
            (crop, level) for frame, levels in group for crop, level in zip(frame.crops, levels, strict=True) if level
        ]
        pictures = [self._picture(crop) for crop, _ in wanted]
        mixed = (mix(a, b, level) for a, b, (_, level) in zip(pictures, self.restorer(pictures), wanted, strict=True))
        for frame, levels in group:
            pairs = zip(frame.crops, levels, strict=True)
            crops = [
                self._restored(frame.time, crop, self.pixels.put(next(mixed))) if level else crop
                for crop, level in pairs
            ]
            yield replace(frame, crops=tuple(crops))

    def _restored(self, time: float, crop: Crop, restored: Array) -> Crop:
        if crop.track not in self.restored:
            log.info("face %d is restored by %s", crop.track, self.choice.kind)
        self.restored.add(crop.track)
        share = 1.0 if self.choice.at_rest or self.timeline is None else self.timeline.activity(crop.track, time)
        return replace(crop, restored=restored, restoration=self.strength * share)

    def words(self) -> str:
        """What was chosen and done, for the user to hear after the last frame; "" where none was asked for."""
        if not self.choice.if_needed:
            return "" if self.choice.kind == "none" else f"{self.choice.kind}, every face"
        if self.choice.kind == "none":
            return "none, no restorer is here"
        if not self.restored:
            return f"none, no face is {self.choice.need}"
        tracks = ", ".join(map(str, sorted(self.restored)))
        return f"{self.choice.kind}, of face {tracks}, {self.choice.need} (--restore none leaves it as it is)"


def mix(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """a + share * (b - a), pictures [S, S, 3] of uint8."""
    if share == 1.0:
        return b
    return (a + share * (b.astype(np.float32) - a)).round().astype(np.uint8)
