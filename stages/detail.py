"""detail: renderings -> changes. Detail return carries the source's own pixels along (DESIGN step 8).

Flow and validity are smoothed over time per track, so that what is carried does not flicker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from videdit.detail import Motion, MotionEstimator, blend_motions, return_detail
from videdit.geometry.mask import face_mask
from videdit.packets import Crop, Edited, Frame
from videdit.temporal import Window

MOTION_SIGMA = 0.05  # seconds: one and a half frames at 30 fps

MaskMaker = Callable[[Crop], np.ndarray]


def whole_face(crop: Crop) -> np.ndarray:
    """The soft mask of the whole face, uint8 [S, S]; all of the crop but its border where there is no mesh."""
    if crop.mesh is not None:
        return face_mask(crop.mesh, crop.size)
    ramp = np.arange(crop.size) + 0.5
    ramp = np.clip((np.minimum(ramp, crop.size - ramp) / crop.size - 0.05) / 0.1, 0, 1)
    return np.rint(255 * np.minimum.outer(ramp, ramp)).astype(np.uint8)


class Detail:
    """Hands on frames with ``edits``, one a crop; crops and renderings have done their work and are dropped."""

    name = "detail"

    def __init__(self, mask: MaskMaker = whole_face, motion_sigma: float = MOTION_SIGMA):
        self.mask, self.motion_sigma = mask, motion_sigma

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
                edits.append(Edited(crop.track, change, self.mask(crop), crop.to_frame))
            yield replace(frame, crops=(), renderings=(), edits=tuple(edits))

    def _estimated(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, list[Motion]]]:
        estimate = MotionEstimator()
        for frame in frames:
            yield frame, [estimate(rendering) for rendering in frame.renderings]
