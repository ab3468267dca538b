"""detail: renderings -> changes. Detail return carries the source's own pixels along (DESIGN step 8).

Flow and validity are smoothed over time per track, so that what is carried does not flicker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from videdit.detail import Motion, MotionEstimator, blend_motions, return_detail
from videdit.geometry.mask import edit_mask
from videdit.packets import Edited, Frame
from videdit.temporal import Window

MOTION_SIGMA = 0.05  # seconds: one and a half frames at 30 fps

class Detail:
    """Hands on frames with ``edits``, one a crop; crops and renderings have done their work and are dropped."""

    name = "detail"

    def __init__(self, regions: Iterable[str] = ("face",), motion_sigma: float = MOTION_SIGMA):
        """regions: where the edits may show, see :func:`videdit.geometry.mask.edit_mask`."""
        self.regions, self.motion_sigma = frozenset(regions), motion_sigma

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        window: Window[tuple[Frame, list[Motion]]] = Window(lambda item: item[0].time, 2.5 * self.motion_sigma)
        for (frame, motions), neighbours in window(self._estimated(frames)):
            edits = []
            for i, (crop, rendering) in enumerate(zip(frame.crops, frame.renderings, strict=True)):
                near = [(frame.time, motions[i])] + [
                    (other.time, motion)
                    for other, other_motions in neighbours
                    if other.scene == frame.scene and other.index != frame.index
                    for other_crop, motion in zip(other.crops, other_motions, strict=True)
                    if other_crop.track == crop.track
                ]
                away = np.array([time for time, _ in near]) - frame.time
                weights = np.exp(-0.5 * np.square(away / self.motion_sigma))
                motion = blend_motions([motion for _, motion in near], weights)
                change = return_detail(crop.image, rendering, motion).astype(np.float16)
                mask = edit_mask(crop.mesh, crop.size, self.regions)
                edits.append(Edited(crop.track, change, mask, crop.to_frame))
            yield replace(frame, crops=(), renderings=(), edits=tuple(edits))

    def _estimated(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, list[Motion]]]:
        estimate = MotionEstimator()
        for frame in frames:
            yield frame, [estimate(rendering) for rendering in frame.renderings]
