"""change: crops -> changes by HFGI's student, batched over any frames and faces (:mod:`videdit.hfgi.student`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from videdit.datatypes import Array, Color, Crop, Edited, Flow, Frame
from videdit.edits import Timeline
from videdit.edits.edit_info import HAIR
from videdit.edits.expression_easing import openness
from videdit.hfgi.hair_map import hair_change, without_hair
from videdit.hfgi.student import StudentEditor, student_strengths, with_restoration
from videdit.imaging.arrays import half
from videdit.media.tone_proxy import needs_proxy
from videdit.pipeline.windows import groups


class StudentChange:
    """Hands on frames with ``edits``, one a crop; crops that have done their work are dropped."""

    name = "change"

    def __init__(
        self,
        editor: StudentEditor,
        timeline: Timeline,
        regions: Iterable[str] = ("face",),
        own: Mapping[int, Iterable[str]] | None = None,
    ) -> None:
        """What edits what, and where.

        Args:
            editor: the student.
            timeline: the edits.
            regions: where they may show, see :func:`videdit.imaging.paint_mask.change_mask`; hair is left to
                :mod:`videdit.stages.paint_hair`, which is told what happens to it.
            own: the same by track, in their place.
        """
        self.editor, self.timeline, self.pixels = editor, timeline, editor.pixels
        self.regions = frozenset(regions)
        self.own = {track: frozenset(theirs) for track, theirs in (own or {}).items()}

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with one edit a crop, in the order of their crops; held back until a pass of the student is full."""
        for group in groups(((frame, frame.crops) for frame in frames), self.editor.batch(256)):
            found = self._edited([(crop, frame) for frame, crops in group for crop in crops])
            for frame, crops in group:
                yield replace(frame, crops=(), edits=tuple(found.pop(0) for _ in crops))

    def _edited(self, crops: list[tuple[Crop, Frame]]) -> list[Edited]:
        """The edits of crops, in their order; those of one size share batches."""
        edits: dict[int, Edited] = {}
        for size in sorted({crop.size for crop, _ in crops}):
            chosen = [i for i, (crop, _) in enumerate(crops) if crop.size == size]
            strengths = np.stack([self._strengths(crops[i][0], crops[i][1].time) for i in chosen])
            changes = self.editor([crops[i][0] for i in chosen], strengths)
            for i, (change, flow) in zip(chosen, changes, strict=True):
                crop, frame = crops[i]
                edits[i] = self._placed(crop, change, flow, frame.picture.color)
        return [edits[i] for i in range(len(crops))]

    def _strengths(self, crop: Crop, time: float) -> np.ndarray:
        """What a crop gets, as far as the edit is sure of it: [E] in recommended strengths."""
        edits = self.timeline.edits_of(crop.track)
        strengths = self.timeline.strengths(crop.track, time)
        return crop.confidence * student_strengths(edits, strengths, openness(crop.mesh))

    def _placed(self, crop: Crop, change: Array, flow: Flow, color: Color) -> Edited:
        regions = self.own.get(crop.track, self.regions)
        hair = hair_change(self.pixels, crop, change) if HAIR in regions else None
        mask = self.pixels.mask(crop, flow, without_hair(regions))
        if crop.restored is not None:
            change, mask = with_restoration(crop, change, mask, self.pixels.mask(crop, flow, ("face",)))
        if needs_proxy(color):
            change = self.pixels.change_of_code(change, crop, color)
        return Edited(crop.track, half(change), mask, crop.to_frame, crop.image, crop.confidence, hair)
