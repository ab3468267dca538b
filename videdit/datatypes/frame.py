"""The packet that flows through the pipeline: a frame, and what the stages have learnt about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from videdit.datatypes.face import Crop, Edited, Face, Rendering, layers_of
from videdit.datatypes.picture import Picture, bare_picture

_NONE = np.zeros((0, 0, 3), np.uint8)  # pixels that nobody looks at any more


@dataclass(frozen=True, slots=True)
class Coded:
    """What is known of a frame's place in its file."""

    duration: int | None = None  # in units of the frame's time_base; None: the file does not say
    key_frame: bool = False
    corrupt: bool = False  # damaged, or missing and replaced by the one before it
    rotation: int = 0  # degrees clockwise that a viewer turns the picture: 0, 90, 180 or 270


@dataclass(frozen=True, slots=True)
class SegmentStart:
    """Where a segment begins. Times are pts of the source."""

    index: int  # 0, 1, 2, ...
    pts: int  # its first frame
    scene_pts: int  # the first frame of that frame's shot: whoever begins there finds and tracks the same faces
    scene: int  # the number of that shot, from 0


@dataclass(frozen=True, slots=True)
class SegmentTag:
    """To which segment of a clip that is split a frame belongs."""

    start: SegmentStart  # of the segment that it is rendered for
    own: bool  # False: it is only context of that segment, rendered and dropped
    scene_pts: int  # the first frame of its own shot
    scene: int  # the number of that shot, from 0


@dataclass(frozen=True, slots=True)
class Pasted:
    """What a frame was before its edits were pasted."""

    source: Picture
    edits: tuple[Edited, ...]

    @property
    def layers(self) -> tuple[Edited, ...]:
        """All that was pasted."""
        return layers_of(self.edits)

    @property
    def nbytes(self) -> int:
        """Bytes of the picture and of all edits."""
        return self.source.nbytes + sum(edit.nbytes for edit in self.edits)


@dataclass(frozen=True, slots=True)
class Frame:
    """One video frame (or still image) and what the stages have learnt about it so far."""

    index: int  # 0, 1, 2, ... in presentation order
    pts: int | None  # in units of time_base; None for stills
    time_base: Fraction
    time: float  # seconds from the start of the clip, for humans and for smoothing
    picture: Picture
    scene: int = 0  # grows by one at each cut
    faces: tuple[Face, ...] = ()
    crops: tuple[Crop, ...] = ()
    renderings: tuple[Rendering | None, ...] = ()  # one a crop; None: of one that was not rendered
    edits: tuple[Edited, ...] = ()
    coded: Coded = Coded()
    unclear: int = 0  # faces that are left out, for which way up they are cannot be told
    found: tuple[Face, ...] = ()  # all that were found, where somebody draws those that are left out too
    segment: SegmentTag | None = None  # of a clip that is split
    stored: bool = False  # its picture lies in a store, and has no pixels here
    pasted: Pasted | None = None  # while the stages behind paste need it
    edited: int = 0  # how many edits were pasted

    @property
    def layers(self) -> tuple[Edited, ...]:
        """All that is pasted: the edits, and the hair of those that change it."""
        return layers_of(self.edits)

    def without_pixels(self) -> Frame:
        """The frame as it is remembered by those who compare it with later ones: who is in it, and no picture."""
        crops = tuple(
            replace(crop, image=_NONE, parts=None, restored=None, low=None, drift=None) for crop in self.crops
        )
        edits = tuple(
            replace(edit, change=_NONE, mask=_NONE, source=_NONE, layer=None, drift=None) for edit in self.edits
        )
        return replace(self, picture=bare_picture(self.picture), stored=False, crops=crops, edits=edits, renderings=())

    @property
    def own(self) -> bool:
        """False for a frame that is only context of a segment; True in a clip that is not split."""
        return self.segment is None or self.segment.own

    @property
    def nbytes(self) -> int:
        """Bytes this packet holds on to, on the host and on a device: queues are bounded by it."""
        return (
            (0 if self.stored else self.picture.nbytes)
            + sum(crop.nbytes for crop in self.crops)
            + sum(rendering.nbytes for rendering in self.renderings if rendering is not None)
            + sum(edit.nbytes for edit in self.edits)
            + (self.pasted.nbytes if self.pasted else 0)
        )
