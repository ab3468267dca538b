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
        mask = edit_mask(crop.mesh, crop.size, self.regions)
        if crop.restored is None:
            change = return_detail(crop.image, rendering)
        else:
            change, mask = _on_restored(crop, rendering, mask)
        return Edited(crop.track, change.astype(np.float16), mask, crop.to_frame)


def _on_restored(crop: Crop, rendering: Rendering, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(change, mask) of a restored crop: the edit where its mask is, the restoration on all of the face.

    Paste multiplies one change by one mask, so the two are put into one, each in its own share.
    """
    before = crop.image.astype(np.float32)
    start = np.clip(before + crop.restoration * (crop.seen - before), 0, 255).round()  # what the edit begins with
    face = edit_mask(crop.mesh, crop.size, ("face",))
    both = np.maximum(mask, face)
    shares = (part[..., None] / np.maximum(both, 1)[..., None].astype(np.float32) for part in (mask, face))
    edit_share, face_share = shares
    edit = return_detail(start.astype(np.uint8), rendering)
    return edit_share * edit + face_share * (start - before) / 127.5, both
