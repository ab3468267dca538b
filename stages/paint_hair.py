"""hair: the hair of a whole head changes as it does in the crop, beyond the crop too (:mod:`videdit.hfgi.hair_map`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from videdit.datatypes import Edited, Frame
from videdit.hfgi.hair_map import HairPainter, mean_change
from videdit.pipeline.windows import Window, gaussian, groups

REACH = 0.4  # seconds over which maps of colours are averaged
SIGMA = 0.16  # of their weights


class MeanHair:
    """Averages over time what edits do to hair."""

    name = "hair_mean"
    reach = REACH

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames whose edits have their hair averaged within a shot; held back for ``reach`` seconds."""
        window: Window[Frame] = Window(lambda frame: frame.time, REACH, remember=Frame.without_pixels)
        for frame, near in window(frames):
            yield self.of(frame, near)

    def of(self, frame: Frame, near: Sequence[Frame]) -> Frame:
        """One frame by its neighbours `near`, itself among them; these need no pictures."""
        return replace(frame, edits=tuple(steady(frame, near)))


class PaintHair:
    """Gives the edits of frames that change hair a layer for it."""

    name = "hair"

    def __init__(self, painter: HairPainter) -> None:
        """painter: what finds hair around heads and paints it, for as many edits at once as its parser takes."""
        self.painter = painter

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames whose edits have ``layer`` where they have ``hair``; pictures are needed, whole."""
        for group in groups(((frame, frame.edits) for frame in frames), self.painter.parser.batch):
            yield from self._painted(group)

    def _painted(self, group: Sequence[tuple[Frame, Sequence[Edited]]]) -> Iterator[Frame]:
        """Frames with the layers of the hair of edits; all squares around heads are parsed together."""
        heads = [(frame.picture, edit) for frame, edits in group for edit in edits if edit.hair is not None]
        painted = iter(self.painter.layers(heads))
        for frame, edits in group:
            layers = {edit.track: next(painted) for edit in edits if edit.hair is not None}
            yield replace(frame, edits=tuple(replace(edit, layer=layers.get(edit.track)) for edit in frame.edits))


def steady(frame: Frame, near: Sequence[Frame]) -> list[Edited]:
    """The edits of a frame, each change of hair averaged with those of its track around it, never across a cut."""
    shot = [other for other in near if other.scene == frame.scene]
    result = []
    for edit in frame.edits:
        known = [
            (other.time - frame.time, same.hair)
            for other in shot
            for same in other.edits
            if same.track == edit.track and same.hair is not None
        ]
        if edit.hair is not None:
            weights = gaussian(np.array([away for away, _ in known]), SIGMA).tolist()
            edit = replace(edit, hair=mean_change(edit.hair, [hair for _, hair in known], weights))
        result.append(edit)
    return result
