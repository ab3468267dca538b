"""Hair changes as a whole: one map of colours, found where an edit sees the hair, for all of the hair in the frame.

A crop ends somewhere in most people's hair, and what an edit does to hair is a matter of colour: grey, lighter, darker.
So of what an edit changes in a crop only the colours are kept: the linear map that takes mean and covariance of the
hair's colours before the edit to those after it (Pitie and Kokaram, "The linear Monge-Kantorovitch colour mapping for
example-based colour transfer", CVMP 2007),

    change = (A - I) s + b,    A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2

with s a colour in -1..1, S and T the covariances. Unlike least squares it keeps the contrast that the edit's hair has;
grey hair is no veil. The map then holds for a square twice as wide around the head, where the parser sees hair that
hangs together with the head's, and only for colours that hair has there: so there is no edge where the crop ends,
every strand keeps its own detail, walls and skin keep their colours, and hair of others stays. The mask follows the
picture's own edges (guided filter, He et al., ECCV 2010).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

import cv2
import numpy as np

from videdit.datatypes import Array, Color, Crop, Edited, Flow, HairChange, Picture
from videdit.edits.edit_info import HAIR
from videdit.faces.parser import CropParser
from videdit.imaging.arrays import half
from videdit.imaging.paint_mask import color_shares, ramp
from videdit.imaging.pixels import Pixels
from videdit.media.tone_proxy import needs_proxy
from videdit.models.face_parts import PARTS

WIDE = 2  # sides of the square around the head, in sides of the crop
LOWER = 1 / 8  # of a crop's side that the square's centre lies below the crop's: hair hangs down
GRID = 256  # px of the square at which hair is looked for: there the crop has as many as its own parts
_PART = list(PARTS).index("hair")
SURE = (0.5, 0.9)  # chances of hair at which a place begins to count for the fit, and at which it fully does
LEAST = 0.02  # share of a crop that has to be hair: below it there is none
FLOOR = 1e-3  # variance of RGB in -1..1 below which two colours are one
STEEPEST, FLATTEST = 1.6, 0.7  # how much more or less contrast hair may get
DEEPEST = 1.5  # and how much more brightness, so that its shadows stay dark
LIFT = 0.06  # by which black may become lighter: dark hair that turns white would be a veil without depth
SPREAD = 0.015  # variance of RGB that is granted to hair beside its own
ALIKE = (1.8, 0.7)  # deviations from the hair's mean colour up to which a colour is hair's, and within which it fades
THERE = (0.3, 0.65)  # chances at which hair begins to be painted, and at which it fully is
NEAR, EDGES = 4, 0.003  # of the guided filter: radius in px of the grid, and variance of luma that is an edge
RIM = 2  # px of the grid: half the width of the rim in which a pixel may be hair in part
AROUND = 5.0  # px of the grid: sigma of the mean colours of hair and of what is beside it
EASES = 0.12  # of the square's side, at its border, over which the change fades out


def fit(source: np.ndarray, change: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(map of colours [3, 4], mean [3] and covariance [3, 3] of the hair's own) of a change of hair.

    source, change: [N, N, 3] in -1..1 and what is added to it. weights: how far each place counts, [N, N], not all 0.
    """
    w = (weights / weights.sum())[..., None]
    mean, shift = (w * source).sum((0, 1)), (w * change).sum((0, 1))
    before, after = source - mean, source + change - mean - shift
    own, made = (np.einsum("yxi,yxj->ij", w * part, part) + FLOOR * np.eye(3) for part in (before, after))
    root = power(own, 0.5)
    slope = power(own, -0.5) @ power(root @ made @ root, 0.5) @ power(own, -0.5)
    values, vectors = np.linalg.eigh(slope)
    slope = (vectors * np.clip(values, FLATTEST, STEEPEST)) @ vectors.T
    # Grey hair is lighter, not more colourful: what of black hair is blue would become a veil of it.
    hue = np.eye(3) - np.full((3, 3), 1 / 3)
    values, vectors = np.linalg.eigh(hue @ slope @ hue)
    slope -= (vectors * np.maximum(values - 1, 0)) @ vectors.T
    # Light hair in shadow is dark: what makes hair lighter multiplies its brightness, as far as noise allows.
    grey = np.full(3, 3**-0.5)
    brighter = float(np.clip((1 + (mean + shift).mean()) / max(1 + mean.mean(), 1e-3), 1, DEEPEST))
    slope += max(0.0, brighter - float(grey @ slope @ grey)) * np.outer(grey, grey) - np.eye(3)
    offset = shift - slope @ mean
    lift = float((offset - slope.sum(1)).mean())  # of black, (-1, -1, -1)
    return np.column_stack((slope, offset - max(0.0, lift - LIFT))), mean, own


def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """A power of a symmetric positive matrix [3, 3]."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T


def hair_change(pixels: Pixels, crop: Crop, change: Array) -> HairChange | None:
    """What a change [S, S, 3] does to the hair of a crop; None where no hair is seen."""
    if crop.parts is None:
        return None
    hair = pixels.fetch(crop.parts[_PART])
    source, made = (
        cv2.resize(pixels.fetch(picture).astype(np.float32), hair.shape[:2], interpolation=cv2.INTER_AREA)
        for picture in (crop.image, change)
    )
    weights = ramp(hair.astype(np.float32), *SURE)
    share = float(weights.mean())
    if share < LEAST:
        return None
    return HairChange(*fit(source / 127.5 - 1, made, weights), share, hair.astype(np.float16))


def mean_change(own: HairChange, others: Sequence[HairChange], weights: Sequence[float]) -> HairChange:
    """A moment's change of hair with the means of its map and colours and of its neighbours' (itself among them)."""
    shares = np.array([found.weight * weight for found, weight in zip(others, weights, strict=True)])
    shares /= shares.sum()
    parts = ([found.matrix for found in others], [found.mean for found in others], [x.covariance for x in others])
    matrix, mean, covariance = (np.tensordot(shares, np.stack(part), 1) for part in parts)
    return replace(own, matrix=matrix, mean=mean, covariance=covariance)


def on_still(pixels: Pixels, crop: Crop, change: Array, flow: Flow, regions: Iterable[str]) -> np.ndarray:
    """A crop with a change [S, S, 3] of these regions as a clip shows it: float32 [S, S, 3], about -1..1.

    All that is known of a still is its crop, so the hair is what the crop shows of it.
    """
    regions = frozenset(regions)
    image = pixels.fetch(crop.image).astype(np.float32) / 127.5 - 1
    painted = without_hair(regions) if HAIR in regions else regions
    mask = pixels.fetch(pixels.mask(crop, flow, painted)).astype(np.float32) / 255
    result = image + mask[..., None] * pixels.fetch(change)
    hair = hair_change(pixels, crop, change) if HAIR in regions else None
    if hair is None:
        return result
    colours, alike = hair_coloured(image, hair)
    seen = cv2.resize(hair.seen.astype(np.float32), (GRID // WIDE, GRID // WIDE), interpolation=cv2.INTER_AREA)
    mask = guided(ramp(seen, *THERE), cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) * alike
    colours, mask = matted(image, colours, mask, GRID // WIDE)
    layer = colours @ hair.matrix[:, :3].T + hair.matrix[:, 3]
    return (result + mask[..., None] * layer).astype(np.float32)


class HairPainter:
    """Changes of hair in the square around a head."""

    def __init__(self, pixels: Pixels, parser: CropParser) -> None:
        """pixels: where pictures and edits are. parser: finds hair in the squares around heads."""
        self.pixels, self.parser = pixels, parser

    def layers(self, heads: Sequence[tuple[Picture, Edited]]) -> list[Edited]:
        """The changes of the hair of some heads, given by pictures and edits in them that have a change of hair."""
        squares = [self.pixels.crop(picture, [(around(edit), size_of(edit))])[0] for picture, edit in heads]
        parts = self.parser.parts(squares) if squares else ()
        return [
            self._layer(edit, square, self.pixels.fetch(seen[_PART]).astype(np.float32), picture.color)
            for (picture, edit), square, seen in zip(heads, squares, parts, strict=True)
        ]

    def _layer(self, edit: Edited, square: Array, hair: np.ndarray, color: Color) -> Edited:
        assert edit.hair is not None
        image = self.pixels.fetch(square).astype(np.float32) / 127.5 - 1
        colours, alike = hair_coloured(image, edit.hair)
        mask = hair_mask(image, hair, edit.hair.seen.astype(np.float32)) * alike
        colours, mask = matted(image, colours, mask)
        matrix = edit.hair.matrix
        change = self.pixels.put((colours @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32))
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


def hair_coloured(image: np.ndarray, hair: HairChange) -> tuple[np.ndarray, np.ndarray]:
    """The hair's colour nearest to each of a picture [S, S, 3] in -1..1, and how far it is the hair's, [S, S], 0..1."""
    inverse = np.linalg.inv(hair.covariance + SPREAD * np.eye(3)).astype(np.float32)
    mean = hair.mean.astype(np.float32)
    away = image - mean
    distance = np.sqrt(np.maximum(((away @ inverse) * away) @ np.ones(3, np.float32), 1e-6))
    nearest = mean + np.minimum(1, ALIKE[0] / distance)[..., None] * away
    return nearest, np.exp(-0.5 * np.square(np.maximum(distance - ALIKE[0], 0) / ALIKE[1]))


def matted(image: np.ndarray, colours: np.ndarray, mask: np.ndarray, grid: int = GRID) -> tuple[np.ndarray, np.ndarray]:
    """Hair's colours [S, S, 3] and its mask [S, S] with a rim whose pixels are hair in part, in part something else.

    There a pixel x of the image lies between the mean colours h of the hair and w of what is beside it nearby; its
    share of hair is (x - w)(h - w) / |h - w|^2, and what changes of it is h. Without that a wall's light in a pixel
    would turn paler with the hair, in a halo round the head, and a forehead's skin grey along the hairline. Means are
    found on a grid of so many px.
    """
    size = mask.shape[::-1]
    low, small = (cv2.resize(part, (grid, grid), interpolation=cv2.INTER_AREA) for part in (image, mask))
    kernel = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    inside, outside = cv2.erode(small, kernel), 1 - cv2.dilate(small, kernel)
    slope, offset, known, h = color_shares(low, inside[..., None], outside[..., None], AROUND)
    rim = known[..., 0] * (1 - cv2.GaussianBlur(inside, (0, 0), 1.0))
    slope, offset, rim, h = (cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) for part in (slope, offset, rim, h))
    share = np.clip((image * slope).sum(-1) - offset, 0, 1)
    return colours + rim[..., None] * (h - colours), mask * (1 - rim * (1 - share))


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


@cache  # the same for every frame, and only read
def border(size: int, share: float) -> np.ndarray:
    """0 at the border of a square, 1 from `share` of its side inwards, [size, size] float32."""
    along = (np.arange(size, dtype=np.float32) + 0.5) / size
    one = ramp(np.minimum(along, 1 - along), 0.0, share)
    return np.minimum(one[:, None], one[None])


def without_hair(regions: Iterable[str]) -> frozenset[str]:
    """Regions for a change whose hair has a layer of its own: the others, the face where there are none."""
    return frozenset(regions) - {HAIR} or frozenset({"face"})
