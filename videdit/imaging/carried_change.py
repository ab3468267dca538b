"""Changes of frames that the networks do not see: those of the frames around them, carried along the source's motion.

A face hardly changes from one frame to the next, and what an edit does to it moves with it. So the networks need not
see every frame. With C_a and C_b the changes of the frames before and after frame t that they saw, u_a and u_b the
source's motion from t to each, and V_a and V_b how far that can be trusted,

    C_t(p) = sum_i w_i C_i(p + u_i(p)) / sum_i w_i,    w_i = (1 - |t - t_i| / (t_b - t_a)) (V_i(p) + TRACE)

Where the two do not speak of the same (two rows of teeth in two places), the one of more weight holds alone, and so it
does where what is fine is to stay so.

Between lips that an edit has opened nothing is the source's. There the result is carried, not the change: a change that
takes a line of the source away leaves a glittering line across the teeth wherever motion is a fraction of a pixel off.

Which frames they see is decided by what of a frame cannot be told from the one that they saw last: how far that one,
moved along, is from this one, where people look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from videdit.datatypes import LOW, Array, Flow
from videdit.geometry.face_regions import REGIONS
from videdit.imaging import primitives
from videdit.imaging.optical_flow import SMOOTH
from videdit.imaging.temporal_average import similarity_of_changes

TIE, SHARP = 0.49, 1e3  # share from which one side holds alone, never half, and how sharply that parts them
TRACE = 0.02  # of the weight of what cannot be trusted: where neither side can be, the nearer one counts
BLOCKS = 16  # a side, for what differs anywhere
AROUND = 0.15  # of the height and width of eyes and mouth that is looked at around them
# Grey levels of 255 by which what moved along may differ, in the mean over a mouth, an eye and the inner face. Sensors
# and codecs alone make it up to .5; a word or a blink soon makes it 5.
MOUTH, EYE, FACE = 1.0, 4.0, 2.5
_LOOKED_AT = {"lips": MOUTH, "eye_left": EYE, "eye_right": EYE, "oval": FACE}


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the frames around says."""

    there: Flow  # from this frame to that one
    near: float  # 0 (far away) to 1 (the same moment)


def chained(step: Flow, further: Flow | None) -> Flow:
    """The flow along one and then along another, both at 256 px: from where `step` begins to where `further` ends."""
    if further is None:
        return step
    xp = primitives.of(step.displacement)
    confidence = step.confidence * xp.warp(further.confidence[..., None], step.displacement)[..., 0]
    return Flow(step.displacement + xp.warp(further.displacement, step.displacement), confidence)


def novelty(before: Array, now: Array, flow: Flow, mesh: np.ndarray) -> Array:
    """How much of a frame is new, in what is tolerated: above 1 it cannot be told from the one before.

    before, now: greys of the two crops, [256, 256] uint8. flow: from this one to the one before. mesh: [468, 2] of this
    one, in pixels at 256. Returns one number, in the memory of the pixels.
    """
    xp = primitives.of(now)
    one, other = (xp.single(grey)[..., None] for grey in (before, now))
    apart = abs(xp.blur(xp.warp(one, flow.displacement) - other, SMOOTH))
    found = []
    for name, tolerated in _LOOKED_AT.items():
        left, top, right, bottom = _box(mesh, name)
        found.append(apart[top:bottom, left:right].mean() / tolerated)
    return reduce(xp.maximum, found)


def difference(before: Array, now: Array) -> Array:
    """The most by which two greys, [256, 256] uint8, differ in a block of 16 x 16 pixels, in levels of 255.

    One number, in the memory of the pixels. Nothing is moved along: it says whether two crops look alike as they are.
    """
    xp = primitives.of(now)
    one, other = (xp.single(grey)[..., None] for grey in (before, now))
    return xp.resize(abs(xp.blur(one - other, SMOOTH)), BLOCKS).max()


def carried(
    images: Sequence[Array], sides: Sequence[Side], size: int, parted: bool = True, crisp: Array | None = None
) -> Array:
    """The mean of pictures of one or two frames around, [N, N, C], moved to where this frame is.

    parted: where they do not speak of the same, one of them holds alone. crisp: there too, [M, M] in [0, 1], of this
    frame. Returns [size, size, C] float32.
    """
    xp = primitives.of(images[0])
    moved = [
        xp.warp(xp.resize(xp.single(image), size), xp.resize(side.there.displacement, size) * (size / LOW))
        for image, side in zip(images, sides, strict=True)
    ]
    if len(moved) == 1:
        return moved[0]
    one, other = (side.near * (side.there.confidence[..., None] + TRACE) for side in sides)
    share = one / (one + other)
    if parted:
        similar = similarity_of_changes(*moved)
        if crisp is not None:
            similar = similar * (1 - xp.resize(xp.single(crisp)[..., None], LOW))
        share = share * similar + (1 - similar) * ((share - TIE) * SHARP).clip(0, 1)
    return moved[1] + xp.spread(xp.resize(share, size), moved[0].shape[-1]) * (moved[0] - moved[1])


def portable(change: Array, source: Array, crisp: Array | None) -> Array:
    """What is carried of a change [S, S, 3]: where it is crisp the result, and beside it how far that is so.

    source: the crop that it changes, [S, S, 3] uint8. crisp: [N, N] in [0, 1]; None: nowhere. Returns the change, or
    [S, S, 4] float16.
    """
    if crisp is None:
        return change
    xp, size = primitives.of(change), change.shape[0]
    share = xp.resize(xp.single(crisp)[..., None], size)
    return xp.half(xp.merge(xp.single(change) + xp.spread(share, 3) * (xp.single(source) / 127.5 - 1), share))


def with_share(carried: Array) -> Array:
    """The same as [S, S, 4]: what is the change everywhere is the result nowhere."""
    xp = primitives.of(carried)
    if carried.shape[-1] == 4:
        return xp.single(carried)
    change = xp.single(carried)
    return xp.merge(change, xp.constant(change, 0.0))


def landed(moved: Array, source: Array) -> Array:
    """The change [S, S, 3] float32 to another crop, [S, S, 3] uint8, of what was carried there, [S, S, 3 or 4]."""
    if moved.shape[-1] == 3:
        return moved
    xp = primitives.of(moved)
    *result, share = xp.split(moved)
    return xp.merge(*result) - xp.spread(share, 3) * (xp.single(source) / 127.5 - 1)


def carried_flow(flows: Sequence[Flow], sides: Sequence[Side]) -> Flow:
    """The same of the flows of edits."""
    xp = primitives.of(flows[0].displacement)
    both = carried(
        [xp.merge(flow.displacement, flow.confidence[..., None]) for flow in flows], sides, LOW, parted=False
    )
    return Flow(both[..., :2], both[..., 2])


def carried_crisp(crisp: Sequence[Array | None], sides: Sequence[Side]) -> Array | None:
    """The same of where changes are crisp, [N, N] in [0, 1] each, float16; None: nowhere."""
    found = [(share[..., None], side) for share, side in zip(crisp, sides, strict=True) if share is not None]
    if not found:
        return None
    shares, known = zip(*found, strict=True)
    xp = primitives.of(shares[0])
    return xp.half(carried(shares, known, shares[0].shape[0], parted=False)[..., 0])


def _box(mesh: np.ndarray, name: str) -> tuple[int, int, int, int]:
    """Where a region lies, and a little around it: left, top, right, bottom in pixels at 256, never empty."""
    outline = mesh[list(REGIONS[name])]
    low, high = outline.min(0), outline.max(0)
    more = AROUND * (high - low) * (-1 if name == "oval" else 1)
    (left, top), (right, bottom) = np.clip(low - more, 0, LOW - 1), np.clip(high + more, 0, LOW - 1)
    return int(left), int(top), int(right) + 1, int(bottom) + 1
