"""hair: the hair of a whole head changes as it does in the crop, beyond the crop too (:mod:`videdit.hfgi.hair`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from videdit.datatypes import Frame
from videdit.hfgi.hair import HairMap, HairPainter, mean_map
from videdit.pipeline.windows import Window, gaussian, groups

Maps = dict[int, HairMap]  # by track
REGION = "hair"
REACH = 0.4  # seconds over which maps of colours are averaged
SIGMA = 0.16  # of their weights


class Hair:
    """Hands on frames whose edits have a layer for the hair; crops have done their work and are dropped."""

    name = "hair"
    reach = REACH

    def __init__(
        self, painter: HairPainter, regions: Iterable[str], own: Mapping[int, Iterable[str]] | None = None
    ) -> None:
        """regions: where edits may show; hair changes where "hair" is one of them. own: by track, in their place."""
        self.painter = painter
        self.everyone = REGION in set(regions)
        self.own = {track: REGION in set(theirs) for track, theirs in (own or {}).items()}

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        window: Window[tuple[Frame, Maps]] = Window(lambda item: item[0].time, REACH)
        steadied = ((frame, steady(frame, near)) for (frame, _), near in window(self._fitted(frames)))
        for group in groups(steadied, self.painter.parser.batch):
            yield from self._painted(group)

    def _fitted(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, Maps]]:
        """Frames with what their edits do to the hair, by track."""
        for frame in frames:
            wanted = [pair for pair in zip(frame.crops, frame.edits, strict=True) if self._wants(pair[0].track)]
            found = ((crop.track, self.painter.fit(crop, edit.change)) for crop, edit in wanted)
            yield frame, {track: one for track, one in found if one is not None}

    def _wants(self, track: int) -> bool:
        return self.own.get(track, self.everyone)

    def _painted(self, group: list[tuple[Frame, Maps]]) -> Iterator[Frame]:
        """The frames of a group with the layers of their hair; all squares around heads are parsed together."""
        heads = [(frame, crop, maps[crop.track]) for frame, maps in group for crop in frame.crops if crop.track in maps]
        painted = iter(self.painter.layers([(frame.picture, crop, found) for frame, crop, found in heads]))
        for frame, maps in group:
            layers = {crop.track: next(painted) for crop in frame.crops if crop.track in maps}
            edits = (replace(edit, hair=layers.get(edit.track)) for edit in frame.edits)
            yield replace(frame, crops=(), edits=tuple(edits))


def steady(frame: Frame, near: Sequence[tuple[Frame, Maps]]) -> Maps:
    """The maps of a frame, each averaged with those of its track around it, never across a cut."""
    own = next(maps for other, maps in near if other is frame)
    shot = [(other.time - frame.time, maps) for other, maps in near if other.scene == frame.scene]
    result = {}
    for track in own:
        known = [(away, maps[track]) for away, maps in shot if track in maps]
        weights = gaussian(np.array([away for away, _ in known]), SIGMA)
        result[track] = mean_map([found for _, found in known], weights.tolist())
    return result
