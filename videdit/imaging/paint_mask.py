"""What an edit may repaint of a crop: what belongs to the edit's regions, and nothing that is in front of the face.

A region (:data:`videdit.geometry.face_regions.EDIT_REGIONS`) has a shape, drawn from the mesh, and parts that it
paints, found by the parser. With S the shape, P how surely a pixel is of these parts, H how surely it hides the face
(both sharpened by ramps), and F the edit's flow, from where a pixel is after the edit to where it was,

    mask = S * max(P, warp(P, F)) * (1 - max(H, warp(H, F)))

A head that the edit turns covers what is right behind it (the warped P). A face that it widens does not: a cheek that
grows over what is behind it draws a soft second outline beside the first, so for other regions P stands alone. Hair,
glasses, hands and microphones stay in front, and are not dragged along beside themselves either (the warped H). What is
no part of a face or its hair counts as hiding it only where the mesh says that there is a face, and from there on
outwards a little; beside a face it is background. Of the neck only what is near the face belongs to it, as far
as the edit leaves it a neck (the flow's confidence): further down the generator dreams of collars.

The parser sees a hand, but not to the pixel where it ends. So H is extended by colour: with h and f the mean colours of
the hand and of the face around a pixel of colour c near its edge, the share of h in c is (c - f)(h - f) / |h - f|^2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from videdit.datatypes import LOW, Array, Crop, Flow
from videdit.geometry.face_regions import edit_mask, hull_mask, near_mask
from videdit.imaging import primitives
from videdit.imaging.crop import low_picture
from videdit.imaging.primitives import Matrix
from videdit.models.face_parts import GLASSES, NECK, OTHER, PARTS

_FACE = ("face", "lips", "mouth", "neck")
PAINTED: dict[str, tuple[str, ...]] = {  # by region
    "face": _FACE,
    "lips": ("lips",),
    "eyes": ("face", "glasses"),  # behind glasses too
    "skin": ("face", "neck"),
    "jaw": ("face", "neck"),
    "skin_and_mouth": _FACE,
    "lower_face": _FACE,
    "round_eyes": ("face", "glasses"),
    "inner_face": (*_FACE, "glasses"),
    "hair": (*_FACE, "ears", "hair"),
    "head": (*_FACE, "ears", "glasses", "hair", "hat"),
    "crop": tuple(PARTS),
}
# Chances at which something begins to count as there, and at which it fully does. Low, for a rim of the face that is
# left unpainted shows, and so does an edge of a hand that is painted over.
PRESENT = (0.1, 0.4)
SUSPECTED = 0.6  # what chances of hair, hats and glasses count: a little hair is suspected along many an outline
GROWING = ("head", "crop")  # regions that may grow over what is behind them
GROW_PX = 8  # pixels at 256 by which they may
DILATE_PX = 3  # pixels at 256 by which what hides is enlarged, so that the soft edge lies beside it
OCCLUDER_RAMP = (0.6, 0.9)  # how surely something lies on the face: background shines in where an outline turns away
OUTWARDS = 5  # pixels at 128 by which what lies on a face is followed beyond it
BESIDE = 8  # pixels at 256 beside what hides within which colours are looked at
AROUND = 3.0  # pixels at 128: sigma of mean colours
APART = (0.1, 0.25)  # distance of two mean colours in [-1, 1] RGB, from none to all that can be said of them
KNOWN = (0.005, 0.03)  # weight of the rarer of the two, the same
STRANDS = 1.5  # pixels at 256: sigma that shares are smoothed with; what is finer and faint is not followed
LIKE = (0.25, 0.5)  # share of the colour of what hides
SOFT = 1.2  # pixels at 256: sigma of the edge


def change_mask(
    crop: Crop, flow: Flow, regions: Iterable[str], put: Callable[[np.ndarray], Array] = lambda array: array
) -> Array:
    """Where and how much of a change reaches the frame, [S, S] uint8 0..255; regions: names of EDIT_REGIONS.

    A crop that was not parsed gets the shapes alone. Those are drawn on the host: `put` brings them to the pixels.
    """
    names = sorted(set(regions))
    if crop.parts is None or crop.mesh is None:
        return put(edit_mask(crop.mesh, crop.size, names))
    xp, mesh = primitives.of(crop.image), crop.mesh / crop.size
    picture = xp.single(low_picture(crop)) / 127.5 - 1
    parts = xp.channels_last(xp.single(crop.parts))  # [128, 128, 9]
    size = parts.shape[0]
    drawn = put(np.stack([draw(mesh * size, size) for draw in (hull_mask, near_mask)], axis=-1))
    hull, near = xp.split(xp.single(drawn) / 255)
    neck = parts[..., NECK : NECK + 1] * (near * xp.resize(flow.confidence[..., None], size))
    parts = xp.with_channel(parts, NECK, neck)
    other = parts[..., OTHER : OTHER + 1]
    other = other * xp.dilate(ramp(hull * other, *OCCLUDER_RAMP), OUTWARDS)
    front = xp.with_channel(parts, OTHER, other)
    masks = None
    for name in names:
        painted, hiding, hand = weights(name)
        sums = xp.merge(xp.mix(parts, (painted,)), xp.mix(front, (hiding, hand)))
        paint, hide, hand = xp.split(ramp(xp.resize(sums, LOW), *PRESENT))
        hide = xp.maximum(xp.dilate(hide, DILATE_PX), xp.dilate(color_similarity(picture, hand, paint), 1))
        if name in GROWING:
            paint = xp.maximum(paint, xp.dilate(paint, GROW_PX) * xp.warp(paint, flow.displacement))
        hide = xp.maximum(hide, xp.warp(hide, flow.displacement))
        shape = xp.single(put(edit_mask(mesh * LOW, LOW, (name,))))[..., None]
        mask = shape * xp.blur(paint * (1 - hide), SOFT)
        masks = mask if masks is None else xp.maximum(masks, mask)
    return xp.resize(xp.byte(masks), crop.size)[..., 0]


def color_similarity(picture: Array, hide: Array, paint: Array) -> Array:
    """Where a pixel near a hand that hides has its colour rather than the face's, [256, 256, 1] in [0, 1].

    picture: [256, 256, 3] in [-1, 1]; hide, paint: [256, 256, 1] in [0, 1].
    """
    xp = primitives.of(picture)
    near = xp.dilate(hide, BESIDE)
    half = LOW // 2  # is enough for means
    colours = xp.resize(picture, half)
    there, beside = (xp.resize(weight, half) for weight in (hide, paint * (1 - near)))
    slope, offset, known, _ = color_shares(colours, there, beside, AROUND)
    slope, offset, known = (xp.resize(part, LOW) for part in (slope, offset, known))
    share = (xp.channel_sum(picture * slope) - offset).clip(0, 1)
    return ramp(xp.blur(near * known * share, STRANDS), *LIKE)


def color_shares(colours: Array, one: Array, other: Array, around: float) -> tuple[Array, Array, Array, Array]:
    """What tells how much of a pixel is of one thing, and how much of another beside it, by their mean colours nearby.

    The share of the one in a colour c, with h its mean colour and f the other's, is (c - f)(h - f) / |h - f|^2, linear
    in c with factors that hardly change from pixel to pixel: c * slope - offset.

    colours: [N, N, 3] in [-1, 1]. one, other: where they are, [N, N, 1] in [0, 1]. around: sigma of means, in pixels.
    Returns slope [N, N, 3], offset [N, N, 1], how far that can be told [N, N, 1] in [0, 1], and h [N, N, 3].
    """
    xp = primitives.of(colours)
    (h, weight_h), (f, weight_f) = (_mean(colours, weight, around) for weight in (one, other))
    apart = xp.channel_sum((h - f) ** 2)
    known = ramp(xp.sqrt(apart), *APART) * ramp(xp.minimum(weight_h, weight_f), *KNOWN)
    slope = (h - f) / xp.spread(apart + 1e-4, 3)
    return slope, xp.channel_sum(f * slope), known, h


def _mean(colours: Array, weight: Array, around: float) -> tuple[Array, Array]:
    """The mean colour around each pixel and the weight behind it: [N, N, 3], [N, N, 1]."""
    xp = primitives.of(colours)
    sums = xp.blur(xp.merge(colours * xp.spread(weight, 3), weight), around)
    return sums[..., :3] / (sums[..., 3:] + 1e-4), sums[..., 3:]


def weights(region: str) -> Matrix:
    """By PARTS: which a region paints, 0 or 1; how much each hides it, 0 to 1; and of that only what is no face's."""
    painted = tuple(float(part in PAINTED[region]) for part in PARTS)
    share = tuple(0.0 if i < GLASSES else SUSPECTED if i < OTHER else 1.0 for i in range(len(PARTS)))
    hiding = tuple(much * (1 - paint) for much, paint in zip(share, painted, strict=True))
    return painted, hiding, tuple(much * (i >= OTHER) for i, much in enumerate(hiding))


def ramp(value: Array, low: float, high: float) -> Array:
    """0 up to low, 1 from high on; of any shape."""
    return ((value - low) / (high - low)).clip(0, 1)
