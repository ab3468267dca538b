"""detail: renderings -> changes. Detail return carries the source's own pixels along
(:mod:`videdit.imaging.detail_transfer`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from videdit.datatypes import Color, Crop, Edited, Frame, Rendering
from videdit.imaging.pixels import Pixels
from videdit.media.tone_proxy import needs_proxy


class Detail:
    """Hands on frames with ``edits``, one a crop; what has done its work is dropped."""

    name = "detail"

    def __init__(
        self,
        pixels: Pixels,
        regions: Iterable[str] = ("face",),
        own: Mapping[int, Iterable[str]] | None = None,
        keep_crops: bool = False,
    ):
        """Where what is painted.

        Args:
            pixels: where the crops are.
            regions: where the edits may show, see :func:`videdit.imaging.change_mask.change_mask`.
            own: the same by track, in their place.
            keep_crops: another stage needs them.
        """
        self.pixels, self.regions, self.keep_crops = pixels, frozenset(regions), keep_crops
        self.own = {track: frozenset(theirs) for track, theirs in (own or {}).items()}

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            color = frame.picture.color
            edits = tuple(self._edited(*pair, color) for pair in zip(frame.crops, frame.renderings, strict=True))
            yield replace(frame, crops=frame.crops if self.keep_crops else (), renderings=(), edits=edits)

    def _edited(self, crop: Crop, rendering: Rendering, color: Color) -> Edited:
        grey, regions = self.pixels.grey(crop), self.own.get(crop.track, self.regions)
        if crop.restored is None:
            change = self.pixels.change(crop, rendering)
            mask = self.pixels.mask(crop, rendering.motion, regions)
        else:
            change, mask = self.pixels.restored_change(crop, rendering, regions)
        if needs_proxy(color):
            change = self.pixels.change_of_code(change, crop, color)
        return Edited(crop.track, change, mask, crop.to_frame, crop.image, grey, crop.confidence)
