"""parse: says what is where in every crop, and lets edits of faces that are hidden or blurred fade out and in again.

What was parsed is smoothed over time per track, in the crop's own coordinates, which move with the face. What hides a
face is taken from the frame itself where it is stronger there: a hand that comes in is in front at once.

A crop that looks like the one that was parsed last is not parsed again: of twelve clips of people who speak a little
more than half are. That differs by .2 to 1 % of the pixels from what is known where all are. At the start of every so
many seconds of the clip each face is parsed, wherever a segment of it begins.
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
from videdit.pipeline.windows import Window, block_of, gaussian, groups, weighted_mean
from videdit.tracks.account import Account

SIGMA = 0.05  # seconds
PACE = 0.12  # seconds within which every face is parsed
DIFFERENT = 16.0  # grey levels of 255, in the mean over a 16th of the crop's side squared: from here on it looks new


@dataclass(frozen=True, slots=True)
class _Moment:
    """A face as it looks, in its crop."""

    time: float
    scene: int
    crop: Crop
    grey: Array  # [256, 256] uint8


@dataclass(frozen=True, slots=True)
class _Looked:
    """The faces of a frame by track, and those among them that are to be parsed: as many as its length says."""

    now: dict[int, _Moment]
    new: dict[int, _Moment]

    def __len__(self) -> int:
        return len(self.new)


@dataclass(frozen=True, slots=True)
class _Parsed:
    parts: Array  # [9, 128, 128]
    fitness: float  # 0..1, how much of an edit the face would get without fading
    own: bool  # of this very crop


class ParseFaces:
    """Hands on frames whose crops have ``parts``, and no more confidence than what can be seen of the face allows.

    Crops of faces that are not seen well enough are left out; ``unfit`` counts these, by reason, and `account` hears
    when which face fades.
    """

    name = "parse"
    reach = FADE + PACE  # what of it lies behind is the choice of what is parsed

    def __init__(self, parser: CropParser, account: Account | None = None, every: bool = True) -> None:
        """parser: says what is where in a crop. account: None: nobody hears of it. every: parse every crop."""
        self.parser, self.account, self.every = parser, account, every
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
        pixels, known = self.parser.pixels, dict[int, tuple[Array, np.ndarray]]()  # the latter in the host's memory
        for group in groups(self._looked_at(frames), self.parser.batch):
            new = [moment.crop for _, looked in group for moment in looked.new.values()]
            found = self.parser.parts([low_picture(crop) for crop in new]) if new else ()
            made = iter(zip(found, pixels.fetch(found), strict=True)) if new else iter(())
            for frame, looked in group:
                known = {track: next(made) if track in looked.new else known[track] for track in looked.now}
                parsed = {}
                for track, moment in looked.now.items():
                    parts, seen = known[track]
                    parsed[track] = _Parsed(parts, self._fitness(moment, seen), track in looked.new)
                yield frame, parsed

    def _looked_at(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, _Looked]]:
        """Frames, and how their faces look."""
        last: dict[int, _Moment] = {}
        for frame in frames:
            now = {
                crop.track: _Moment(frame.time, frame.scene, crop, self.parser.pixels.grey(crop))
                for crop in frame.crops
            }
            new = {track: moment for track, moment in now.items() if self._looks_new(last.get(track), moment)}
            last = {track: new.get(track) or last[track] for track in now}
            yield frame, _Looked(now, new)

    def _looks_new(self, last: _Moment | None, now: _Moment) -> bool:
        if (
            self.every
            or last is None
            or last.scene != now.scene
            or block_of(last.time, PACE) != block_of(now.time, PACE)
        ):
            return True
        return self.parser.pixels.difference(last.grey, now.grey) > DIFFERENT

    def _fitness(self, moment: _Moment, parts: np.ndarray) -> float:
        crop = moment.crop
        fit = visibility(crop, parts, self.parser.pixels.fetch(moment.grey))
        if not fit:
            return 1.0
        reason = min(fit, key=lambda name: fit[name])
        if fit[reason] == 0:
            self.unfit[reason] += 1
        if self.account and fit[reason] < 0.5:
            self.account.faded(crop.track, moment.time, reason)
        return fit[reason]

    def _settled(self, crop: Crop, now: float, near: list[tuple[float, dict[int, _Parsed]]]) -> Crop:
        times = np.array([time for time, parsed in near if crop.track in parsed])
        found = [parsed[crop.track] for _, parsed in near if crop.track in parsed]
        here = found[int(np.argmin(np.abs(times - now)))].parts
        own = [(time, parsed.parts) for time, parsed in zip(times, found, strict=True) if parsed.own] or [(now, here)]
        away = np.array([time for time, _ in own]) - now
        mean = weighted_mean([single(parts) for _, parts in own], gaussian(away, SIGMA))
        parts = half(join((mean[:GLASSES], larger(mean[GLASSES:], here[GLASSES:]))))
        faded = fade(times, np.array([parsed.fitness for parsed in found]), now, FADE)
        return replace(crop, parts=parts, confidence=crop.confidence * faded)
