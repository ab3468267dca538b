"""Hair changes as a whole: one map of colours, found where an edit sees the hair, for all of the hair in the frame.

A crop ends somewhere in most people's hair, and what an edit does to hair is a matter of colour: grey, lighter, darker.
So of what an edit changes in a crop only the colours are kept,

    change = (A - I) s + b,

with s the hair's own RGB in -1..1 and A, b fitted by least squares over the crop's hair (A is drawn towards I, which
keeps the hair's own contrast). The map then holds for a square twice as wide around the head, where the parser sees
hair that hangs together with the head's; so there is no edge where the crop ends, every strand keeps its own detail,
and hair of others stays. The mask follows the picture's own edges (guided filter, He et al., ECCV 2010).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from videdit.datatypes import Array, Color, Crop, Edited, HairChange, Picture
from videdit.faces.parser import CropParser
from videdit.imaging.arrays import half
from videdit.imaging.change_mask import ramp
from videdit.imaging.pixels import Pixels
from videdit.media.tone_proxy import needs_proxy
from videdit.models.face_parts import PARTS

WIDE = 2  # sides of the square around the head, in sides of the crop
LOWER = 1 / 8  # of a crop's side that the square's centre lies below the crop's: hair hangs down
GRID = 256  # px of the square at which hair is looked for: there the crop has as many as its own parts
HAIR = "hair"  # of the parts of a face, and of the regions that edits may change
_HAIR = list(PARTS).index(HAIR)
SURE = (0.5, 0.9)  # chances of hair at which a place begins to count for the fit, and at which it fully does
LEAST = 0.004  # share of a crop that has to be hair: below it there is none
KEPT = 0.01  # how strongly A is drawn towards I, in variance of RGB in -1..1
THERE = (0.25, 0.6)  # chances at which hair begins to be painted, and at which it fully is
NEAR, EDGES = 4, 0.003  # of the guided filter: radius in px of the grid, and variance of luma that is an edge
EASES = 0.12  # of the square's side, at its border, over which the change fades out


def fit(source: np.ndarray, change: np.ndarray, hair: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The map of colours [3, 4] of a change of hair, and the share of the crop it was found on; None of hardly any.

    source, change: [N, N, 3] in -1..1 and what is added to it. hair: how likely it is, [N, N] in 0..1.
    """
    weights = ramp(hair, *SURE)
    total = float(weights.sum())
    if total < LEAST * weights.size:
        return None
    w = weights[..., None] / total
    mean, shift = (w * source).sum((0, 1)), (w * change).sum((0, 1))
    centred, rest = source - mean, change - shift
    square = np.einsum("yxi,yxj->ij", w * centred, centred) + KEPT * np.eye(3)
    slope = np.linalg.solve(square, np.einsum("yxi,yxj->ij", w * centred, rest)).T  # [3, 3]: A - I
    return np.column_stack((slope, shift - slope @ mean)), total / weights.size


def hair_change(pixels: Pixels, crop: Crop, change: Array) -> HairChange | None:
    """What a change [S, S, 3] does to the hair of a crop; None where no hair is seen."""
    if crop.parts is None:
        return None
    hair = pixels.fetch(crop.parts[_HAIR])
    source, made = (
        cv2.resize(pixels.fetch(picture).astype(np.float32), hair.shape[:2], interpolation=cv2.INTER_AREA)
        for picture in (crop.image, change)
    )
    found = fit(source / 127.5 - 1, made, hair.astype(np.float32))
    return None if found is None else HairChange(*found, hair.astype(np.float16))


def mean_change(own: HairChange, others: Sequence[HairChange], weights: Sequence[float]) -> HairChange:
    """A moment's change of hair with the mean of its map and its neighbours' (itself among them)."""
    shares = np.array([found.weight * weight for found, weight in zip(others, weights, strict=True)])
    return replace(own, matrix=np.tensordot(shares / shares.sum(), np.stack([found.matrix for found in others]), 1))


class HairPainter:
    """Changes of hair in the square around a head."""

    def __init__(self, pixels: Pixels, parser: CropParser) -> None:
        self.pixels, self.parser = pixels, parser

    def layers(self, heads: Sequence[tuple[Picture, Edited]]) -> list[Edited]:
        """The changes of the hair of some heads, given by pictures and edits in them that have a change of hair."""
        squares = [self.pixels.crop(picture, [(around(edit), size_of(edit))])[0] for picture, edit in heads]
        parts = self.parser.parts(squares) if squares else ()
        return [
            self._layer(edit, square, self.pixels.fetch(seen[_HAIR]).astype(np.float32), picture.color)
            for (picture, edit), square, seen in zip(heads, squares, parts, strict=True)
        ]

    def _layer(self, edit: Edited, square: Array, hair: np.ndarray, color: Color) -> Edited:
        assert edit.hair is not None
        image = self.pixels.fetch(square).astype(np.float32) / 127.5 - 1
        mask = hair_mask(image, hair, edit.hair.seen.astype(np.float32))
        matrix = edit.hair.matrix
        change = self.pixels.put((image @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32))
        if needs_proxy(color):
            wide = Crop(edit.track, square, around(edit), edit.confidence)
            change = self.pixels.change_of_code(change, wide, color)
        alpha = self.pixels.put(np.rint(mask * 255).astype(np.uint8))
        return replace(edit, change=half(change), mask=alpha, to_frame=around(edit), source=square, hair=None)


def size_of(edit: Edited) -> int:
    """Pixels a side of an edit's crop, and of the square around it."""
    return edit.mask.shape[0]


def around(edit: Edited) -> np.ndarray:
    """From pixels of the square around a head, as many a side as the crop has, to those of the frame: [2, 3]."""
    size = size_of(edit)
    outwards = (1 - WIDE) / 2 * size
    to_crop = np.array([[WIDE, 0, outwards], [0, WIDE, outwards + LOWER * size], [0, 0, 1]])
    return (np.vstack((edit.to_frame, (0, 0, 1))) @ to_crop)[:2]


def hair_mask(image: np.ndarray, hair: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Where the head's hair is in the square around it, [S, S] float32 in 0..1.

    image: the square, [S, S, 3] in -1..1. hair, inner: how likely hair is in the square and in the crop, [128, 128].
    """
    seen = cv2.resize(hair, (GRID, GRID), interpolation=cv2.INTER_LINEAR)
    side = GRID // WIDE
    left, top = (GRID - side) // 2, round((GRID - side) / 2 - LOWER * side)
    rows, columns = slice(top, top + side), slice(left, left + side)
    # In the crop its own parts see twice as sharply; towards its border they see less of what is around.
    ease = border(side, 0.15)
    seen[rows, columns] += ease * (cv2.resize(inner, (side, side), interpolation=cv2.INTER_AREA) - seen[rows, columns])
    joined = own_hair(seen, rows, columns)
    mask = ramp(seen, *THERE) * joined
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return guided(mask, luma) * cv2.resize(border(GRID, EASES), luma.shape[::-1])


def own_hair(hair: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """1 where hair hangs together with what of it is in the crop, softly 0 elsewhere, as `hair` [N, N]."""
    _, pieces = cv2.connectedComponents((hair > THERE[0]).astype(np.uint8))
    here = np.bincount(pieces[rows, columns].ravel(), minlength=pieces.max() + 1)
    # A piece belongs to the head if a good part of it, or of all hair in the crop, is in the crop.
    whole = np.bincount(pieces.ravel())
    belongs = (here > 0.25 * whole) | (here > 0.2 * here[1:].sum())
    belongs[0] = False
    return cv2.GaussianBlur(cv2.dilate(belongs[pieces].astype(np.float32), np.ones((5, 5), np.uint8)), (0, 0), 1.0)


def guided(mask: np.ndarray, luma: np.ndarray) -> np.ndarray:
    """A mask [256, 256] at the size of a picture's luma [S, S], its edges laid on the picture's: in 0..1."""
    low = cv2.resize(luma, mask.shape[::-1], interpolation=cv2.INTER_AREA)
    box = (2 * NEAR + 1, 2 * NEAR + 1)
    mean, mean_mask = cv2.blur(low, box), cv2.blur(mask, box)
    slope = (cv2.blur(low * mask, box) - mean * mean_mask) / (cv2.blur(low * low, box) - mean * mean + EDGES)
    offset = mean_mask - slope * mean
    slope, offset = (cv2.resize(cv2.blur(part, box), luma.shape[::-1]) for part in (slope, offset))
    return np.clip(slope * luma + offset, 0, 1)


def border(size: int, share: float) -> np.ndarray:
    """0 at the border of a square, 1 from `share` of its side inwards, [size, size] float32."""
    along = (np.arange(size, dtype=np.float32) + 0.5) / size
    one = ramp(np.minimum(along, 1 - along), 0.0, share)
    return np.minimum(one[:, None], one[None])


def without_hair(regions: Iterable[str]) -> frozenset[str]:
    """Regions for a change whose hair has a layer of its own: the face, in place of face and hair."""
    return frozenset("face" if name == HAIR else name for name in regions)
