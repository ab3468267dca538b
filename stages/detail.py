"""detail: renderings -> changes. Detail return carries the source's own pixels along (:mod:`videdit.detail`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from videdit.detail import return_detail
from videdit.geometry.mask import edit_mask
from videdit.packets import Crop, Edited, Frame, Rendering


class Detail:
    """Hands on frames with ``edits``, one a crop; crops and renderings have done their work and are dropped."""

    name = "detail"

    def __init__(self, regions: Iterable[str] = ("face",)):
        """regions: where the edits may show, see :func:`videdit.geometry.mask.edit_mask`."""
        self.regions = frozenset(regions)

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            edits = tuple(map(self._edited, frame.crops, frame.renderings))
            yield replace(frame, crops=(), renderings=(), edits=edits)

    def _edited(self, crop: Crop, rendering: Rendering) -> Edited:
        change = return_detail(crop.image, rendering).astype(np.float16)
        return Edited(crop.track, change, edit_mask(crop.mesh, crop.size, self.regions), crop.to_frame)
