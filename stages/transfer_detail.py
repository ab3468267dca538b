"""detail: renderings -> changes. Detail return carries the source's own pixels along
(:mod:`videdit.imaging.detail_transfer`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from videdit.datatypes import Color, Crop, Edited, Frame, Rendering
from videdit.hfgi.hair import HAIR, hair_change, without_hair
from videdit.imaging.pixels import Pixels
from videdit.media.tone_proxy import needs_proxy


class Detail:
    """Hands on frames with ``edits``, one a crop; crops and renderings have done their work and are dropped."""

    name = "detail"

    def __init__(
        self,
        pixels: Pixels,
        regions: Iterable[str] = ("face",),
        own: Mapping[int, Iterable[str]] | None = None,
    ):
        """Where what is painted.

        Args:
            pixels: where the crops are.
            regions: where the edits may show, see :func:`videdit.imaging.change_mask.change_mask`; hair is left to
                :mod:`videdit.stages.hair`, which is told what happens to it.
            own: the same by track, in their place.
        """
        self.pixels, self.regions = pixels, frozenset(regions)
        self.own = {track: frozenset(theirs) for track, theirs in (own or {}).items()}

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with one rendering a crop; handed on with one edit a crop, in the same order."""
        for frame in frames:
            color = frame.picture.color
            edits = tuple(self._edited(*pair, color) for pair in zip(frame.crops, frame.renderings, strict=True))
            yield replace(frame, crops=(), renderings=(), edits=edits)

    def _edited(self, crop: Crop, rendering: Rendering, color: Color) -> Edited:
        grey, regions = self.pixels.grey(crop), self.own.get(crop.track, self.regions)
        painted = without_hair(regions)
        if crop.restored is None:
            change = self.pixels.change(crop, rendering)
            mask = self.pixels.mask(crop, rendering.motion, painted)
        else:
            change, mask = self.pixels.restored_change(crop, rendering, painted)
        hair = hair_change(self.pixels, crop, change) if HAIR in regions else None
        if needs_proxy(color):
            change = self.pixels.change_of_code(change, crop, color)
        return Edited(crop.track, change, mask, crop.to_frame, crop.image, grey, crop.confidence, hair)
