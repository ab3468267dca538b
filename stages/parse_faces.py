"""parse: says what is where in every crop, and lets edits of faces that are hidden or blurred fade out and in again.

What was parsed is smoothed over time per track, in the crop's own coordinates, which move with the face. What hides a
face is taken from the frame itself where it is stronger there: a hand that comes in is in front at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from videdit.datatypes import Array, Crop, Frame
from videdit.faces.edit_fitness import FADE, fade
from videdit.faces.parser import CropParser
from videdit.faces.visibility import visibility
from videdit.imaging.arrays import half, join, larger, single
from videdit.imaging.crop import low_picture
from videdit.models.face_parts import GLASSES
from videdit.pipeline.windows import Window, gaussian, groups, weighted_mean
from videdit.tracks.account import Account

SIGMA = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class _Parsed:
    parts: Array  # [9, 128, 128]
    fitness: float  # 0..1, how much of an edit the face would get without fading


class ParseFaces:
    """Hands on frames whose crops have ``parts``, and no more confidence than what can be seen of the face allows.

    Crops of faces that are not seen well enough are left out; ``unfit`` counts these, by reason, and `account` hears
    when which face fades.
    """

    name = "parse"
    reach = FADE

    def __init__(self, parser: CropParser, account: Account | None = None) -> None:
        """parser: says what is where in a crop. account: None: nobody hears of it."""
        self.parser, self.account = parser, account
        self.unfit: Counter[str] = Counter()

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames whose crops have ``parts`` and a confidence above 0; held back for FADE seconds."""
        window: Window[tuple[Frame, dict[int, _Parsed]]] = Window(
            lambda item: item[0].time, FADE, remember=lambda item: (item[0].without_pixels(), item[1])
        )
        for (frame, _), neighbours in window(self._parsed(frames)):
            near = [(other.time, parsed) for other, parsed in neighbours if other.scene == frame.scene]
            crops = (self._settled(crop, frame.time, near) for crop in frame.crops)
            yield replace(frame, crops=tuple(crop for crop in crops if crop.confidence > 0))

    def _parsed(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, dict[int, _Parsed]]]:
        """Frames with what was found in their crops, by track."""
        for group in groups(((frame, frame.crops) for frame in frames), self.parser.batch):
            crops = [crop for _, own in group for crop in own]
            times = [frame.time for frame, own in group for _ in own]
            found = self.parser.parts([low_picture(crop) for crop in crops]) if crops else ()
            seen = self.parser.pixels.fetch(found) if crops else ()
            fits = [self._fitness(*each) for each in zip(crops, seen, times, strict=True)] if crops else []
            parsed = iter(map(_Parsed, found, fits))
            for frame, own in group:
                yield frame, {crop.track: next(parsed) for crop in own}

    def _fitness(self, crop: Crop, parts: np.ndarray, time: float) -> float:
        pixels = self.parser.pixels
        fit = visibility(crop, parts, pixels.fetch(pixels.grey(crop)))
        if not fit:
            return 1.0
        reason = min(fit, key=lambda name: fit[name])
        if fit[reason] == 0:
            self.unfit[reason] += 1
        if self.account and fit[reason] < 0.5:
            self.account.faded(crop.track, time, reason)
        return fit[reason]

    def _settled(self, crop: Crop, now: float, near: list[tuple[float, dict[int, _Parsed]]]) -> Crop:
        times = np.array([time for time, parsed in near if crop.track in parsed])
        own = [parsed[crop.track] for _, parsed in near if crop.track in parsed]
        mean = weighted_mean([single(parsed.parts) for parsed in own], gaussian(times - now, SIGMA))
        here = own[int(np.argmin(np.abs(times - now)))].parts
        parts = half(join((mean[:GLASSES], larger(mean[GLASSES:], here[GLASSES:]))))
        faded = fade(times, np.array([parsed.fitness for parsed in own]), now, FADE)
        return replace(crop, parts=parts, confidence=crop.confidence * faded)
