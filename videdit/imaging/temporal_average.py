"""Steadiness: what an edit changes keeps still on the source as the source moves.

A change that is worked out for each frame by itself trembles: codes, flow and confidence all err a little, each in
another way, and what the generator adds (teeth, a shadow) sits where the generator puts it, not on the skin. So
changes are averaged over time along the source's own motion. With C_k the change of frame k and u the source's motion
from frame t to frame k,

    S_t(p) = f_t * sum_k w_k C_k(p + u(p)) / sum_k w_k f_k
    w_k    = exp(-|t_k - t| / CONSTANT) * product of A and V along the way

where f is what a frame's edit was scaled by (confidence, and the level of a strength that changes over time), so that
fading in and out is not smeared; A is how alike the strengths of two neighbours are, for a stronger edit also changes
other places (:mod:`videdit.edits.timeline`); and V is how well the motion from a frame to the next and back agree, and
how alike the two frames are along it: where a mouth opens or a hand comes up there is nothing to average with, and the
frame's own change counts alone. Both sums are chained from neighbour to neighbour, which takes one warp a frame for
what was, and a few for what comes (:mod:`videdit.stages.average_changes`). Motion is estimated at 256 px, changes
are averaged at up to BAND; what is finer in a change stays as it is.

A mean is never quite in place: where lips part quickly, a mean that should take their line away leaves a ghost of it
across the teeth. So the result, source and mean change, is kept within what source and own change have in the
neighbourhood of the pixel, and MARGIN beyond; the rule that temporal antialiasing of renderers lives by. Trembling that
is weaker than MARGIN, which most is, is not touched by it.

Nor is it as sharp as what it is of: teeth that are a fraction of a pixel elsewhere in each frame become one pale band.
So between lips that an edit opened, a mean takes what is finer than TOOTH from the moment's own change.

The masks of changes are averaged alike, for a mask that is found anew in each frame trembles too.

Sums are held at B = min(S, BAND) pixels for a crop of S, on the host only of a square in which the mask of the moment
shows anything: see :class:`videdit.datatypes.Accumulator`.
"""

from __future__ import annotations

import math

import numpy as np

from videdit.datatypes import LOW, WHOLE, Accumulator, Array, Edited, Flow, Square
from videdit.imaging import primitives
from videdit.imaging.optical_flow import SMOOTH, FlowStrategy

# Seconds in which a neighbour's weight falls to 1/e: longer, shadows of a smile smear where a mouth moves, and within
# the bounds below nothing trembles less. Speech and blinks come through, since the source's own lips and lids carry the
# change with them.
CONSTANT = 0.35
BAND = 512  # pixels
DRIFT_TOLERANCE = 1.0  # pixels at 256 by which flow and flow back may differ, where V is 1/e
MARGIN = 0.03  # in units of [-1, 1] RGB
SEVERAL = 2.0  # pixels at 256: sigma of a mean over several pixels
APART = 0.1  # in units of [-1, 1] RGB: by how much a mean and a moment's own may differ there, where the mean is 1/e
TOOTH = 1.5  # pixels at 256: sigma of a mean in which gaps between teeth are no more to be seen
REACH = 1  # pixels at 256 to each side that are a pixel's neighbourhood
LIKENESS = 20.0  # grey levels of 255 by which what moved, smoothed, may differ, where V is 1/e


def fading(seconds: float) -> float:
    """The weight of a neighbour so far away in time."""
    return math.exp(-abs(seconds) / CONSTANT)


def grey(low: Array) -> Array:
    """A crop at 256 px, [256, 256, 3] uint8 RGB -> what its motion is estimated on, uint8 [256, 256]."""
    return primitives.of(low).grey(low)[..., 0]


def estimate_drift(one: Array, other: Array, strategy: FlowStrategy) -> tuple[Flow, Flow]:
    """The source's motion between two crops, grey uint8 [..., 256, 256]: from the one to the other, and back.

    Returns (where in `other` each pixel of `one` went, where in `one` each pixel of `other` came from).
    """
    xp = primitives.of(one)
    one, other = one[..., None], other[..., None]
    there, back = strategy.both_ways(one, other)
    one, other = xp.single(one), xp.single(other)
    return (
        Flow(there, (agreement(there, back) * similarity(one, other, there))[..., 0]),
        Flow(back, (agreement(back, there) * similarity(other, one, back))[..., 0]),
    )


def agreement(there: Array, back: Array) -> Array:
    """How well two flows [..., 256, 256, 2] undo each other, [..., 256, 256, 1] float32 in [0, 1]."""
    xp = primitives.of(there)
    return xp.exp(-xp.channel_sum((there + xp.warp(back, there)) ** 2) / DRIFT_TOLERANCE**2)


def similarity(one: Array, other: Array, there: Array) -> Array:
    """How alike two greys are along the flow from the one to the other, [..., 256, 256, 1] float32 in [0, 1].

    one, other: [..., 256, 256, 1] float32 in 0..255.
    """
    xp = primitives.of(one)
    return xp.exp(-((xp.blur(xp.warp(other, there) - one, SMOOTH) / LIKENESS) ** 2))


def init_accumulator(change: Array, mask: Array, confidence: float, square: Square = WHOLE) -> Accumulator:
    """The sums that hold one change [S, S, 3] and its mask [S, S] uint8 alone, of a square of the crop."""
    low = low_band(change, square)
    xp = primitives.of(low)
    return Accumulator(
        xp.merge(low, xp.constant(low, confidence)), low_band(mask[..., None], square) * (confidence / 255), square
    )


def low_band(change: Array, square: Square = WHOLE) -> Array:
    """A change [S, S, C] as it is averaged, of a square of the crop: [N, N, C] float32."""
    xp = primitives.of(change)
    return xp.resize(xp.single(square.of(change)), square.pixels(band(change.shape[0])))


def band(size: int) -> int:
    """B of a crop of `size` pixels."""
    return min(size, BAND)


def upsample_flow(flow: Flow, size: int, square: Square = WHOLE) -> Flow:
    """A flow at 256 px -> the same for sums of a crop at `size` B: displacement [N, N, 2] in their pixels, confidence
    [N, N]."""
    xp, side = primitives.of(flow.displacement), square.pixels(size)
    there, sure = (square.of(part) for part in (flow.displacement, flow.confidence[..., None]))
    return Flow(xp.resize(there, side) * (size / LOW), xp.resize(sure, side)[..., 0])


def warp_accumulator(total: Accumulator, flow: Flow, weight: float, square: Square = WHOLE) -> Accumulator:
    """A neighbour's sums as they count here: read along the flow (of this square), times `weight` and confidence."""
    xp, theirs = primitives.of(total.changes), total.square
    unit = flow.displacement.shape[0] // square.side if theirs != square else 0
    there = flow.displacement
    if unit:
        there = there + np.array([square.left - theirs.left, square.top - theirs.top], np.float32) * unit
    weights = weight * flow.confidence[..., None]
    side = theirs.side * unit or there.shape[0]
    changes, masks = (xp.warp(xp.resize(sums, side), there) for sums in (total.changes, total.masks))
    return Accumulator(changes * xp.spread(weights, 4), masks * weights, square)


def resolve(edit: Edited, total: Accumulator, confidence: float) -> tuple[Array, Array]:
    """The change [S, S, 3] float16 and the mask [S, S] uint8 of an edit, the means of `total` in place of low bands.

    Out of the square of the sums, where the mask shows nothing, both stay what they are.
    """
    square = total.square
    change, mask, source = (square.of(part) for part in (edit.change, edit.mask, edit.source))
    crisp = None if edit.crisp is None else square.of(edit.crisp)
    xp, size = primitives.of(change), band(edit.change.shape[0])
    *sums, weights = xp.split(total.changes)
    mean = xp.merge(*(confidence * channel / weights for channel in sums))
    mean_mask, own_mask = total.masks / weights, xp.single(mask)[..., None]
    single, side = xp.single(change), mean.shape[0]
    own = xp.resize(single, side)
    apart = (mean - own) * like(own, mean, square)
    if crisp is not None:
        apart = without_fine(apart, crisp, TOOTH * size / LOW)
    mean = own + apart
    mean = within(xp.resize(xp.single(source), side) / 127.5 - 1, own, mean, REACH * size // LOW)
    if side == change.shape[0]:
        shown = mean_mask
    else:
        larger = change.shape[0]
        mean = single + xp.resize(mean - own, larger)
        shown = own_mask / 255 + xp.resize(mean_mask - xp.resize(own_mask, side) / 255, larger)
    # A moment's own mask has the last word where it says no: what comes in front of a face is in front at once.
    shown = xp.byte(xp.minimum(255 * shown, 2.0 * own_mask).clip(0, 255))[..., 0]
    return xp.with_square(edit.change, square, xp.half(mean)), xp.with_square(edit.mask, square, shown)


def without_fine(apart: Array, crisp: Array, sigma: float) -> Array:
    """A difference [N, N, 3] of changes less what is finer than `sigma` pixels in it, as far as a place is `crisp`.

    crisp: [M, M] in [0, 1], of the same square.
    """
    xp = primitives.of(apart)
    share = xp.resize(xp.single(crisp)[..., None], apart.shape[0])
    return apart - xp.spread(share, 3) * (apart - xp.blur(apart, sigma))


def like(own: Array, mean: Array, square: Square = WHOLE) -> Array:
    """How far a mean change speaks of the same as a moment's own, [N, N, 3] each -> the same in [0, 1]."""
    xp = primitives.of(own)
    return xp.spread(xp.resize(similarity_of_changes(own, mean, square.pixels(LOW)), own.shape[0]), 3)


def similarity_of_changes(one: Array, other: Array, low: int = LOW) -> Array:
    """How far two changes [S, S, C] speak of the same: [low, low, 1] in [0, 1]; of a crop low is 256."""
    xp = primitives.of(one)
    apart = xp.channel_max(abs(xp.blur(xp.resize(one - other, low), SEVERAL)))
    return xp.exp(-((apart / APART) ** 2))


def within(source: Array, own: Array, mean: Array, reach: int) -> Array:
    """A mean change so that the result stays near what the moment's own has around; all [N, N, 3], RGB in [-1, 1].

    reach: pixels to each side that are around.
    """
    xp = primitives.of(own)
    result = source + own
    least, most = xp.erode(result, reach) - MARGIN, xp.dilate(result, reach) + MARGIN
    return xp.minimum(xp.maximum(mean, least - source), most - source)
