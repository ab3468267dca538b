"""The packets that flow through the pipeline: frozen dataclasses of arrays.

One :class:`Frame` travels from decode to encode. Stages never change a frame in place: they hand on
``dataclasses.replace(frame, faces=..., crops=..., ...)``.

Conventions, everywhere in the project:

* Points are (x, y) in square pixels of the picture that is coded (not rotated), pixel centres at +0.5: the top left
  corner of the picture is (0, 0), the centre of its first pixel (0.5, 0.5). Where the pixels that are coded are not
  square, the narrower way is stretched (``Picture.stretch``): faces have the proportions that a viewer sees.
* Network images are NCHW float32 RGB in [-1, 1]; crops in flight are HWC uint8 or float16 RGB to save memory.
* What is made of a crop is an ``Array``: numpy on the host, a torch tensor where the pixels live on a device
  (:mod:`videdit.imaging.pixels`). Shapes, ranges and layouts are the same.
* ``to_frame`` matrices are 2x3 float64 and map crop pixels to coded pixels of the frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # np.ndarray or torch.Tensor: this module does without torch
_NONE = np.zeros((0, 0, 3), np.uint8)  # pixels that nobody looks at any more
LOW = 256  # pixels at which codes, distortion maps and flow are worked out


@dataclass(frozen=True, slots=True)
class Color:
    """How the numbers in the planes mean colours, as the stream says (guessed by size where it does not)."""

    matrix: str = "bt709"  # "bt709", "bt601", "bt2020", "fcc", "smpte240m", or "rgb" (planes are R, G, B) or "gray"
    full_range: bool = False
    depth: int = 8  # bits a sample: 8 -> uint8 planes, 9..16 -> uint16 planes, 32 -> float32 planes, RGB or grey
    chroma_log2: tuple[int, int] = (1, 1)  # log2 of the horizontal and vertical chroma subsampling
    # Where the first chroma sample sits, in luma pixels (pixel centres at +0.5). MPEG-2 "left" is (0.5, 1.0),
    # "center" (JPEG) is (1.0, 1.0), "topleft" (0.5, 0.5).
    chroma_site: tuple[float, float] = (0.5, 1.0)
    transfer: str = "bt709"  # "bt709", "srgb", "pq", "hlg", "linear", ... : only videdit.media.tone_proxy looks at it
    # CIE 1931 (x, y) of red, green, blue and white, here BT.709's: only videdit.media.tone_proxy looks at them.
    primaries: tuple[float, ...] = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)

    @property
    def top(self) -> float:
        """The largest code value; of floating point samples what stands for white, though they may go beyond."""
        return 1.0 if self.depth == 32 else float((1 << self.depth) - 1)

    @property
    def dtype(self) -> type[np.generic]:
        """Of the planes."""
        return np.float32 if self.depth == 32 else np.uint8 if self.depth == 8 else np.uint16


@dataclass(frozen=True, slots=True)
class Picture:
    """Decoded planes, exactly as the decoder gave them.

    planes: Y, U, V each [H_p, W_p] (or R, G, B; or only Y), uint8 or uint16, contiguous. An alpha plane, if any, is
    last. They are never written to in place.
    """

    planes: tuple[np.ndarray, ...]
    color: Color
    pix_fmt: str  # the planar ffmpeg name the planes are in, e.g. "yuv420p10le", "gbrp" (planes held as R, G, B)
    aspect: float = 1.0  # width of a pixel / its height, as it is displayed

    @property
    def stretch(self) -> tuple[float, float]:
        """How many square pixels wide and high a coded one is, at least 1 each."""
        return max(self.aspect, 1.0), max(1 / self.aspect, 1.0)

    @property
    def square_size(self) -> tuple[float, float]:
        """(width, height) in square pixels."""
        return self.width * self.stretch[0], self.height * self.stretch[1]

    @property
    def height(self) -> int:
        """Pixels as coded, not rotated: rows of the first plane."""
        return self.planes[0].shape[0]

    @property
    def width(self) -> int:
        """Pixels as coded, not rotated and not stretched to be square."""
        return self.planes[0].shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of all planes."""
        return sum(plane.nbytes for plane in self.planes)


def bare_picture(picture: Picture) -> Picture:
    """A picture of the same size and kind without pixels of its own."""
    planes = tuple(np.broadcast_to(np.zeros((1, 1), plane.dtype), plane.shape) for plane in picture.planes)
    return replace(picture, planes=planes)


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame."""

    points: np.ndarray  # [5, 2] eye at image left, eye at image right, nose, mouth corner left, right (face upright)
    score: float  # detector confidence, 0..1
    track: int = -1  # track id, stable over time, -1 before the track stage
    mesh: np.ndarray | None = None  # [468, 2] dense landmarks, where the points are
    yaw: float = 0.0  # degrees, positive: turned to image right
    confidence: float = 1.0  # 0..1, how much of the edit this frame gets (fades instead of popping)
    crop: int = 0  # px, the size of the crop it is edited at, 0 before that is chosen


@dataclass(frozen=True, slots=True)
class Motion:
    """Where pixels were: those of an edited face before the edit, or those of a frame in another one."""

    flow: Array  # [256, 256, 2] float32, (x, y) in pixels at 256, e.g. from the edited render to the inversion's
    validity: Array  # [256, 256] float32 in [0, 1]: how far the flow can be trusted

    @property
    def nbytes(self) -> int:
        """Bytes of both, on the host or on a device."""
        return self.flow.nbytes + self.validity.nbytes


@dataclass(frozen=True, slots=True)
class Drift:
    """The source's own motion between two frames of a track, the other one before this."""

    went: Motion  # from the other frame: where in this one its pixels are
    came: Motion  # from this frame: where in the other one its pixels were

    @property
    def nbytes(self) -> int:
        """Bytes of both, on the host or on a device."""
        return self.went.nbytes + self.came.nbytes


@dataclass(frozen=True, slots=True)
class Crop:
    """An aligned FFHQ crop of one face."""

    track: int
    image: Array  # [S, S, 3] uint8 or float16 RGB; uint8: 0..255, float16: -1..1
    to_frame: np.ndarray  # [2, 3] float64: crop pixels -> coded pixels of the frame
    confidence: float
    mesh: np.ndarray | None = None  # [468, 2] in CROP pixels; where it is no face, the outline [4, 2] of its box
    # [9, 128, 128] float16 in 0..1: how likely each of videdit.models.face_parts.PARTS is there
    parts: Array | None = None
    restored: Array | None = None  # [S, S, 3] uint8 RGB, the image after face restoration
    restoration: float = 1.0  # 0..1, how much of restored - image reaches the frame
    low: Array | None = None  # [256, 256, 3] uint8 RGB, the image shrunk: once, for all that look at no more
    drift: Drift | None = None  # since the frame before; None: it has no such track, or nobody asked
    rendered: bool = True  # False: the networks do not see it, its change is carried from frames around it

    @property
    def size(self) -> int:
        """S, pixels a side."""
        return self.image.shape[0]

    @property
    def seen(self) -> Array:
        """What the networks look at, [S, S, 3]."""
        return self.image if self.restored is None else self.restored

    @property
    def seen_low(self) -> Array:
        """What networks look at that look at 256 px, [S, S, 3]: shrunk already, if it is."""
        return self.seen if self.restored is not None or self.low is None else self.low

    @property
    def nbytes(self) -> int:
        """Bytes of its pictures, parts and drift, on the host or on a device."""
        held = (self.image, self.parts, self.restored, self.low, self.drift)
        return sum(part.nbytes for part in held if part is not None)


@dataclass(frozen=True, slots=True)
class Accumulator:
    """Sums over moments of an edit, each weighted by w, at B pixels: see :mod:`videdit.imaging.temporal_average`."""

    changes: Array  # [B, B, 4] float32: w C, then w f
    masks: Array  # [B, B, 1] float32: w f m, of masks m in 0..1

    def __add__(self, other: Accumulator) -> Accumulator:
        """Both sums together; of the same track at the same moment, B pixels each."""
        return Accumulator(self.changes + other.changes, self.masks + other.masks)

    def __mul__(self, weight: float) -> Accumulator:
        """Every sum times `weight`: their share in an average changes, their quotient does not."""
        return Accumulator(self.changes * weight, self.masks * weight)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the generator made of one crop; images HWC float32 RGB, about [-1, 1]."""

    inversion_low: Array  # Xo [256, 256, 3]
    edit_low: Array  # Xe [256, 256, 3]
    motion: Motion  # between the two
    inversion: Array  # Y0 [S, S, 3]
    edit: Array  # Y1 [S, S, 3]

    @property
    def nbytes(self) -> int:
        """Bytes of its pictures and motion, on the host or on a device."""
        images = (self.inversion_low, self.edit_low, self.inversion, self.edit)
        return sum(part.nbytes for part in (*images, self.motion))


@dataclass(frozen=True, slots=True)
class HairChange:
    """What an edit does to the colours of hair: change = matrix @ (r, g, b, 1), RGB in -1..1."""

    matrix: np.ndarray  # [3, 4] float64
    mean: np.ndarray  # [3] the hair's own colours
    covariance: np.ndarray  # [3, 3]
    weight: float  # share of the crop that it was found on, 0..1
    seen: np.ndarray  # [128, 128] float16: how likely each place of the crop is hair, 0..1

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays, which are on the host."""
        return self.matrix.nbytes + self.mean.nbytes + self.covariance.nbytes + self.seen.nbytes


@dataclass(frozen=True, slots=True)
class Edited:
    """The change of one crop: what paste adds to the frame."""

    track: int
    change: Array  # [S, S, 3] float16, result - crop, in units where the RGB range is [-1, 1]
    mask: Array  # [S, S] uint8, 0..255, how much of the change reaches the frame
    to_frame: np.ndarray  # [2, 3] float64: crop pixels -> coded pixels of the frame
    source: Array  # [S, S, 3] uint8 RGB: the crop that the change is of
    confidence: float = 1.0  # 0..1, how much of the edit this frame gets
    hair: HairChange | None = None  # of edits that change hair
    layer: Edited | None = None  # the same in pixels, for a larger square
    drift: Drift | None = None  # since the frame before, see Crop

    @property
    def nbytes(self) -> int:
        """Bytes of its pictures, hair, layer and drift, on the host or on a device."""
        own = self.change.nbytes + self.mask.nbytes + self.source.nbytes
        return own + sum(part.nbytes for part in (self.hair, self.layer, self.drift) if part is not None)


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


def layers_of(edits: tuple[Edited, ...]) -> tuple[Edited, ...]:
    """Edits, and the hair of those that change it."""
    return tuple(layer for edit in edits for layer in (edit, edit.layer) if layer is not None)
