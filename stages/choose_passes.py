"""passes: says of each crop how its face moved since the frame before, and whether the networks are to see it.

What they do not see is carried from the frames around it (:mod:`videdit.imaging.carried_change`). At the start of every
so many seconds of the clip they see each face, wherever a segment of it begins, and between whenever it is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from videdit.datatypes import LOW, Array, Crop, Drift, Flow, Frame
from videdit.edits import Timeline
from videdit.edits.expression_easing import expression_of
from videdit.imaging.pixels import Pixels
from videdit.models.sizes import MESH_POINTS
from videdit.pipeline.windows import block_of, groups
from videdit.tracks.account import Account

PACES = {"draft": (0.24, 2.0), "standard": (0.12, 1.0)}  # seconds between passes, and the novelty that is let pass
SEEN = {"draft": 0.35, "standard": 0.5}  # of all faces, about: those of twelve clips of people who speak
ALIKE = 0.8  # similarity of strengths, below which it is another edit


@dataclass(frozen=True, slots=True)
class _FrameGreys:
    """A frame and the greys of its crops, [256, 256] uint8 by track."""

    frame: Frame
    greys: dict[int, Array]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last pass of a track."""

    time: float
    grey: Array  # [256, 256] uint8
    given: np.ndarray | None  # see Crop
    flow_to_pass: Flow | None = None  # from the frame that was looked at last to it; None: that is the pass itself


class ChoosePasses:
    """Hands on frames whose crops have ``drift``, and ``rendered`` False where the networks are not to see them.

    Drift that a crop comes with is not worked out again: no edit changes it.
    """

    name = "passes"

    def __init__(
        self,
        pixels: Pixels,
        timeline: Timeline | None = None,
        quality: str = "best",
        account: Account | None = None,
    ) -> None:
        """timeline: strengths that may change. quality: "best" (every crop is seen) or one of PACES.

        account: hears when what a face does reduces an edit.
        """
        self.pixels, self.timeline, self.quality, self.account = pixels, timeline, quality, account
        self.faces, self.rendered = 0, 0  # so far: all, and those that the networks are to see

    @property
    def share(self) -> float | None:
        """How many of the faces the networks are to see, 0..1; None before the first."""
        return self.rendered / self.faces if self.faces else None

    @property
    def reach(self) -> float:
        """Seconds before a frame that its choice depends on, and after it to the pass that it is carried from."""
        return self.reach_of(self.quality)

    @staticmethod
    def reach_of(quality: str) -> float:
        """The same of a quality."""
        return PACES[quality][0] if quality in PACES else 0.0

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames in their order; the drift of a few is estimated at once."""
        last: _FrameGreys | None = None
        seen: dict[int, _Seen] = {}
        for group in groups(((frame, frame.crops) for frame in frames), self.pixels.drifts_at_once):
            moments = [
                _FrameGreys(frame, {crop.track: self.pixels.grey(crop) for crop in crops}) for frame, crops in group
            ]
            pairs = list(zip([last, *moments], moments, strict=False))
            found = iter(self._drifts(pairs))
            for before, now in pairs:
                crops = []
                for crop in now.frame.crops:
                    drift = next(found) if _unknown(before, now, crop) else crop.drift
                    crop = replace(crop, drift=drift, given=self._given(crop, now.frame.time))
                    seen[crop.track] = self._seen(seen.get(crop.track), crop, now)
                    crops.append(replace(crop, rendered=seen[crop.track].flow_to_pass is None))
                    self._tell(crop, now.frame.time)
                self.faces += len(crops)
                self.rendered += sum(crop.rendered for crop in crops)
                yield replace(now.frame, crops=tuple(crops))
            last = moments[-1]

    def _given(self, crop: Crop, time: float) -> np.ndarray | None:
        return self.timeline.given(crop.track, time, expression_of(crop)) if self.timeline else None

    def _tell(self, crop: Crop, time: float) -> None:
        if self.account and self.timeline:
            for reason in self.timeline.reductions(crop, time):
                self.account.faded(crop.track, time, reason)

    def _drifts(self, pairs: Sequence[tuple[_FrameGreys | None, _FrameGreys]]) -> list[Drift]:
        """The drift of each crop whose track was in the frame before, where it is not known, in their order."""
        greys = [
            (before.greys[crop.track], now.greys[crop.track])
            for before, now in pairs
            for crop in now.frame.crops
            if before is not None and _unknown(before, now, crop)
        ]
        return [Drift(*both) for both in self.pixels.drifts(greys)]

    def _seen(self, last: _Seen | None, crop: Crop, now: _FrameGreys) -> _Seen:
        """The last pass of a track when this moment is looked at: it may be this one."""
        time, grey = now.frame.time, now.greys[crop.track]
        new = _Seen(time, grey, crop.given)
        if last is None or crop.drift is None or crop.restored is not None:
            return new
        if crop.mesh is None or len(crop.mesh) < MESH_POINTS or self.quality not in PACES:
            return new
        seconds, tolerated = PACES[self.quality]
        if block_of(last.time, seconds) != block_of(time, seconds):
            return new
        if self.timeline and self.timeline.similarity(crop.track, last.given, crop.given) < ALIKE:
            return new
        flow_to_pass = self.pixels.chained(crop.drift.flow_to_previous, last.flow_to_pass)
        if self.pixels.novelty(last.grey, grey, flow_to_pass, crop.mesh * (LOW / crop.size)) > tolerated:
            return new
        return replace(last, flow_to_pass=flow_to_pass)


def _unknown(before: _FrameGreys | None, now: _FrameGreys, crop: Crop) -> bool:
    """Whether a crop's track was in the frame before, in the same shot, and nobody has said how it moved."""
    continued = before is not None and before.frame.scene == now.frame.scene and crop.track in before.greys
    return continued and crop.drift is None
