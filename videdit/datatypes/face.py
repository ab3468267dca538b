"""What is known and made of one face in one frame, from its points to its change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

Array: TypeAlias = Any  # np.ndarray or torch.Tensor: this module does without torch
LOW = 256  # pixels at which codes, distortion maps and flow are worked out


@dataclass(frozen=True, slots=True)
class Expression:
    """What a face does that reduces edits: see :mod:`videdit.edits.expression_easing`."""

    gap: float = 0.0  # between the lips, over the distance of the eyes' outer corners
    lids: float = 1.0  # how far they are open, 0 (closed) to 1
    spread: float = 1.0  # how far the lips are from being pursed, 0 (a kiss) to 1
    smiling: float = 0.0  # how far it smiles already, 0 to 1


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
    expression: Expression | None = None  # what it does, steadied over time; None: read it off the mesh


@dataclass(frozen=True, slots=True)
class Flow:
    """Where pixels were: those of an edited face before the edit, or those of a frame in another one.

    A picture warped by it shows at p what it had at p + displacement(p).
    """

    displacement: Array  # [256, 256, 2] float32, (x, y) in pixels at 256: from the edited render to the inversion, e.g.
    confidence: Array  # [256, 256] float32 in [0, 1]: how far the displacement can be trusted

    @property
    def nbytes(self) -> int:
        """Bytes of both, on the host or on a device."""
        return self.displacement.nbytes + self.confidence.nbytes


@dataclass(frozen=True, slots=True)
class Drift:
    """The source's own motion between two frames of a track, the other one before this."""

    flow_to_next: Flow  # from the other frame to this, its next: where its pixels go
    flow_to_previous: Flow  # from this frame to the other: where its pixels were

    @property
    def nbytes(self) -> int:
        """Bytes of both, on the host or on a device."""
        return self.flow_to_next.nbytes + self.flow_to_previous.nbytes


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
    given: np.ndarray | None = None  # [N] what each edit gets here: videdit.edits.Timeline.given; None: nobody asked
    rendered: bool = True  # False: the networks do not see it, its change is carried from frames around it
    expression: Expression | None = None  # as of Face

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
class Square:
    """A square part of a crop, in GRID-ths of its side, so that it is one of whole pixels at every size."""

    left: int
    top: int
    side: int

    GRID: ClassVar[int] = 32

    def of(self, image: Array) -> Array:
        """That part of an image [S, S, ...] of the crop; a view of it. S is a multiple of GRID, or it is all of it."""
        if self == WHOLE:
            return image
        unit = image.shape[0] // self.GRID
        return image[self.top * unit : (self.top + self.side) * unit, self.left * unit : (self.left + self.side) * unit]

    def pixels(self, size: int) -> int:
        """Its side in pixels of a crop of `size`."""
        return size if self == WHOLE else self.side * (size // self.GRID)


WHOLE = Square(0, 0, Square.GRID)


@dataclass(frozen=True, slots=True)
class Accumulator:
    """Sums over moments of an edit, each weighted by w, of a square N pixels wide of a crop at B pixels.

    See :mod:`videdit.imaging.temporal_average`.
    """

    changes: Array  # [N, N, 4] float32: w C, then w f
    masks: Array  # [N, N, 1] float32: w f m, of masks m in 0..1
    square: Square = WHOLE

    def __add__(self, other: Accumulator) -> Accumulator:
        """Both sums together; of the same track at the same moment, and of the same square."""
        assert self.square == other.square, (self.square, other.square)
        return Accumulator(self.changes + other.changes, self.masks + other.masks, self.square)

    def __mul__(self, weight: float) -> Accumulator:
        """Every sum times `weight`: their share in an average changes, their quotient does not."""
        return Accumulator(self.changes * weight, self.masks * weight, self.square)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the generator made of one crop; images HWC float32 RGB, about [-1, 1]."""

    inversion_low: Array  # Xo [256, 256, 3]
    edit_low: Array  # Xe [256, 256, 3]
    flow: Flow  # between the two
    inversion: Array  # Y0 [S, S, 3]; Xo where nothing was consulted
    edit: Array  # Y1 [S, S, 3]
    parts: Array | None = None  # how surely each pixel of Xe is of which of PARTS, [9, N, N] in [0, 1], if it is known
    eyes: Array | None = None  # what of the eyes stays as it is, [256, 256] uint8, where an edit may move lids
    strength: float = 1.0  # of the strongest edit, in recommended ones, 0..1: as much or more

    @property
    def low_inversion(self) -> bool:
        """Whether the inversion is known at low fidelity only, beside an edit that is larger."""
        return self.inversion.shape[0] < self.edit.shape[0]

    @property
    def nbytes(self) -> int:
        """Bytes of its pictures and flow, on the host or on a device."""
        images = (self.inversion_low, self.edit_low, self.inversion, self.edit)
        return sum(part.nbytes for part in (*images, self.flow))


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
    given: np.ndarray | None = None  # what each edit gets here, see Crop
    # [N, N] float16 in 0..1: where what is fine in the change is a thing and no trembling (teeth); None: nowhere
    crisp: Array | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its pictures, hair, layer and drift, on the host or on a device."""
        own = self.change.nbytes + self.mask.nbytes + self.source.nbytes
        held = (self.hair, self.layer, self.drift, self.crisp)
        return own + sum(part.nbytes for part in held if part is not None)


def layers_of(edits: tuple[Edited, ...]) -> tuple[Edited, ...]:
    """Edits, and the hair of those that change it."""
    return tuple(layer for edit in edits for layer in (edit, edit.layer) if layer is not None)
