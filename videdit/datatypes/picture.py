"""Decoded pictures: planes as the decoder gave them, and what their numbers mean as colours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


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
