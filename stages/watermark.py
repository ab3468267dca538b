"""mark: words in a corner of every frame that tell people what the tags tell machines (--mark)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from videdit.datatypes import Color, Frame, Picture
from videdit.media import tone_proxy
from videdit.media.color import rgb_to_yuv

_HEIGHT = 1 / 36  # of a capital letter, as part of the shorter side of the picture
_MARGIN = 1 / 24
_WHITE, _BLACK, _STRENGTH = 0.85, 0.1, 0.8  # of the letters, of their outline; how far they cover the picture
_FONT = cv2.FONT_HERSHEY_DUPLEX


@dataclass(frozen=True, slots=True)
class _Part:
    """What is drawn on a plane: within a box, where `drawn`, each sample becomes sample * keep + add."""

    box: tuple[slice, slice]
    drawn: np.ndarray  # bool, as large as the box
    keep: np.ndarray  # float32
    add: np.ndarray  # float32


class Watermark:
    """Draws words at the lower right, upright as the clip is displayed; planes are copied where they are drawn on."""

    name = "mark"

    def __init__(self, words: str, rotation: int = 0, mirrored: bool = False) -> None:
        """words: plain ASCII. rotation: degrees that a viewer turns the picture clockwise, before it is mirrored."""
        self.words, self.rotation, self.mirrored = words, rotation, mirrored
        self._known: tuple | None = None  # the kind of pictures that the parts are for
        self._parts: list[_Part] = []

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with the words in their pictures; whatever else they hold stays."""
        for frame in frames:
            yield replace(frame, picture=self._marked(frame.picture))

    def _marked(self, picture: Picture) -> Picture:
        known = picture.planes[0].shape, picture.aspect, picture.color
        if self._known != known:
            self._known, self._parts = known, self._drawn(picture)
        planes = list(picture.planes)
        for i, part in enumerate(self._parts):
            plane = planes[i] = planes[i].copy()
            corner = plane[part.box]
            mixed = corner * part.keep + part.add
            drawn = mixed if picture.color.depth == 32 else np.rint(mixed)
            corner[part.drawn] = drawn[part.drawn].astype(plane.dtype)
        return replace(picture, planes=tuple(planes))

    def _drawn(self, picture: Picture) -> list[_Part]:
        """What is drawn on each plane of pictures like this one."""
        wide, high = (round(side) for side in picture.square_size)
        drawn = draw(self.words, wide, high, self.rotation, self.mirrored)
        size = (picture.width, picture.height)  # letters are coded as the picture is: squeezed, where that is
        cover, letters = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in drawn)
        parts = []
        for i in range(1 if picture.color.matrix == "gray" else 3):
            shape = picture.planes[i].shape
            over, value = (cv2.resize(part, shape[::-1], interpolation=cv2.INTER_AREA) for part in (cover, letters))
            white, black = (code_value(level, picture.color, i) for level in (_WHITE, _BLACK))
            over *= _STRENGTH
            x, y, width, height = cv2.boundingRect((over > 0).astype(np.uint8))
            box = slice(y, y + height), slice(x, x + width)
            over, value = over[box], value[box]
            parts.append(_Part(box, over > 0, 1 - over, (black + (white - black) * value) * over))
        return parts


def draw(words: str, width: int, height: int, rotation: int, mirrored: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(where letters and outline are, how white they are), float32 [height, width] in [0, 1], in coded pixels."""
    turned = rotation in (90, 270)
    shape = (width, height) if turned else (height, width)
    short = min(shape)
    scale = max(8.0, short * _HEIGHT) / cv2.getTextSize("M", _FONT, 1, 1)[0][1]
    room = shape[1] - 2 * short * _MARGIN
    while True:  # long words in a narrow picture become small ones
        thick = max(1, round(scale * 1.5))
        (long, _), below = cv2.getTextSize(words, _FONT, scale, thick)
        if long + 2 * thick <= room or scale < 0.1:
            break
        scale *= 0.95
    at = (round(shape[1] - short * _MARGIN - long), round(shape[0] - short * _MARGIN - below))
    letters = np.zeros(shape, np.uint8)
    cv2.putText(letters, words, at, _FONT, scale, 255, thick, cv2.LINE_AA)
    # Thicker letters would stand further apart: the outline is these, grown.
    cover = cv2.dilate(letters, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * thick + 1, 2 * thick + 1)))
    back = rotation // 90  # a viewer turns clockwise, so what is drawn upright is turned the other way
    seen = [part[:, ::-1] if mirrored else part for part in (cover, letters)]
    both = (np.ascontiguousarray(np.rot90(part, back)).astype(np.float32) / 255 for part in seen)
    first, second = both
    return first, second


def code_value(level: float, color: Color, plane: int) -> float:
    """What a plane holds for a grey that looks like this level (0 black .. 1 white) in SDR."""
    grey = np.full((1, 1), level)
    coded = tone_proxy.from_sdr([grey] * 3, color, np) if tone_proxy.needs_proxy(color) else [grey] * 3
    return float(rgb_to_yuv(np.stack(coded, -1), replace(color, chroma_log2=(0, 0)))[plane][0, 0])
