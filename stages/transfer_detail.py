"""detail: renderings -> changes. Detail return carries the source's own pixels along
(:mod:`videdit.imaging.detail_transfer`); changes of crops that were not rendered are carried from the frames around
them (:mod:`videdit.imaging.carried_change`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from videdit.datatypes import Array, Crop, Edited, Flow, Frame, Rendering
from videdit.edits.edit_info import EYES, HAIR
from videdit.faces.detector import FaceDetector
from videdit.faces.edited_eyes import eyes_of_edit
from videdit.faces.parser import CropParser
from videdit.hfgi.hair_map import hair_change, without_hair
from videdit.imaging.arrays import half
from videdit.imaging.carried_change import Side
from videdit.imaging.detail_transfer import weight_of_mouth
from videdit.imaging.pixels import Pixels
from videdit.media.tone_proxy import needs_proxy
from videdit.models.face_parts import MOUTH


@dataclass(frozen=True)
class _Rendered:
    """What the networks made of a crop."""

    pixels: Pixels
    crop: Crop
    time: float
    change: Array  # [S, S, 3]
    flow: Flow
    crisp: Array | None  # see Edited

    @cached_property
    def portable(self) -> Array:
        """The change as it is carried: see :func:`videdit.imaging.carried_change.portable`."""
        return self.pixels.portable(self.change, self.crop, self.crisp)


@dataclass(slots=True)
class _Waiting:
    """A frame whose edits are not all known yet."""

    frame: Frame
    edits: dict[int, Edited] = field(default_factory=dict)  # by track


@dataclass(slots=True)
class _Track:
    """A face that is followed from one rendering to the next."""

    last: _Rendered | None
    carried: list[tuple[_Waiting, Crop, Flow | None]] = field(default_factory=list)  # and the way back to `last`


class TransferDetail:
    """Hands on frames with ``edits``, one a crop; crops and renderings have done their work and are dropped.

    Frames are held back until the next rendering of each face in them, or until its track ends.
    """

    name = "detail"

    def __init__(
        self,
        pixels: Pixels,
        regions: Iterable[str] = ("face",),
        own: Mapping[int, Iterable[str]] | None = None,
        parser: CropParser | None = None,
        detector: FaceDetector | None = None,
    ):
        """Where what is painted.

        Args:
            pixels: where the crops are.
            regions: where the edits may show, see :func:`videdit.imaging.paint_mask.change_mask`; hair is left to
                :mod:`videdit.stages.paint_hair`, which is told what happens to it.
            own: the same by track, in their place.
            parser: says where the mouth of an edit is; passes of one crop, so that no edit depends on others.
            detector: says where its eyes are, if it may change them.
        """
        self.pixels, self.regions, self.parser, self.detector = pixels, frozenset(regions), parser, detector
        self.own = {track: frozenset(theirs) for track, theirs in (own or {}).items()}

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with one rendering a crop, or None; handed on with one edit a crop, in the same order."""
        waiting: deque[_Waiting] = deque()
        tracks: dict[int, _Track] = {}
        for frame in frames:
            item = _Waiting(frame)
            waiting.append(item)
            going_on = {crop.track for crop in frame.crops if crop.drift is not None}
            for over in tracks.keys() - going_on:
                self._carry(tracks.pop(over), None)
            for crop, rendering in zip(frame.crops, frame.renderings, strict=True):
                self._enter(tracks, item, crop, rendering)
            yield from _finished(waiting)
        for track in tracks.values():
            self._carry(track, None)
        yield from _finished(waiting)

    def _enter(self, tracks: dict[int, _Track], item: _Waiting, crop: Crop, rendering: Rendering | None) -> None:
        """One crop of a frame: its edit, and those of the frames that waited for it; or it waits itself."""
        track = tracks.setdefault(crop.track, _Track(None))
        if rendering is None:
            flow_to_last = None
            if crop.drift is not None and track.last is not None:
                flow_to_last = self.pixels.chained(
                    crop.drift.flow_to_previous, track.carried[-1][2] if track.carried else None
                )
            track.carried.append((item, crop, flow_to_last))
            return
        regions = self._painted(crop)
        rendering = self.parser.of_edit(crop, rendering) if self.parser else rendering
        if self.detector and EYES in regions:
            rendering = eyes_of_edit(self.pixels, self.detector, crop, rendering)
        if crop.restored is None:
            change = self.pixels.change(crop, rendering, regions)
            mask = self.pixels.mask(crop, rendering.flow, regions)
        else:
            change, mask = self.pixels.restored_change(crop, rendering, regions)
        crisp = None if rendering.parts is None else half(rendering.parts[MOUTH] * weight_of_mouth(rendering))
        self._place(item, crop, change, mask, crisp)
        now = _Rendered(self.pixels, crop, item.frame.time, change, rendering.flow, crisp)
        self._carry(track, (now, crop))
        tracks[crop.track] = _Track(now)

    def _carry(self, track: _Track, until: tuple[_Rendered, Crop] | None) -> None:
        """Give the crops that waited their edits: by the last rendering and the next one, as far as there are any."""
        flow_to_next: Flow | None = None
        later = until[1] if until else None
        for item, crop, flow_to_last in reversed(track.carried):
            now, sides, found = item.frame.time, list[Side](), list[_Rendered]()
            if until and later and later.drift is not None:
                flow_to_next, later = self.pixels.chained(later.drift.flow_to_next, flow_to_next), crop
                found.append(until[0])
                sides.append(Side(flow_to_next, 1.0))
            if track.last is not None and flow_to_last is not None:
                found.append(track.last)
                sides.append(Side(flow_to_last, 1.0))
            if len(found) == 2:
                share = (now - found[1].time) / (found[0].time - found[1].time)
                sides = [Side(sides[0].there, share), Side(sides[1].there, 1 - share)]
            self._place(item, crop, *self._carried(crop, found, sides))

    def _carried(self, crop: Crop, found: list[_Rendered], sides: list[Side]) -> tuple[Array, Array, Array | None]:
        """The change and the mask of a crop by what was rendered around it, and where the change is crisp."""
        if not found:  # where a run begins or ends that is longer than what is looked at
            side = crop.size
            change, mask = np.zeros((side, side, 3), np.float16), np.zeros((side, side), np.uint8)
            return self.pixels.put(change), self.pixels.put(mask), None
        crisp = self.pixels.carried_crisp([each.crisp for each in found], sides)
        change = self.pixels.carried([each.portable for each in found], sides, crop, crisp)
        flow = self.pixels.carried_flow([each.flow for each in found], sides)
        return change, self.pixels.mask(crop, flow, self._painted(crop)), crisp

    def _regions(self, crop: Crop) -> frozenset[str]:
        return self.own.get(crop.track, self.regions)

    def _painted(self, crop: Crop) -> frozenset[str]:
        return without_hair(self._regions(crop))

    def _place(self, item: _Waiting, crop: Crop, change: Array, mask: Array, crisp: Array | None) -> None:
        """Give a frame the edit of one of its crops."""
        color = item.frame.picture.color
        hair = hair_change(self.pixels, crop, change) if HAIR in self._regions(crop) else None
        if needs_proxy(color):
            change = self.pixels.change_of_code(change, crop, color)
        place = crop.to_frame, crop.image, crop.confidence
        edit = Edited(crop.track, change, mask, *place, hair, drift=crop.drift, given=crop.given, crisp=crisp)
        item.edits[crop.track] = edit


def _finished(waiting: deque[_Waiting]) -> Iterator[Frame]:
    """The frames at the front whose edits are all known."""
    while waiting and len(waiting[0].edits) == len(waiting[0].frame.crops):
        item = waiting.popleft()
        edits = tuple(item.edits[crop.track] for crop in item.frame.crops)
        yield replace(item.frame, crops=(), renderings=(), edits=edits)
