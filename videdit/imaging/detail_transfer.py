"""Detail return, the step after HFGI's seven: what the generator cannot say is carried over from the source.

The residual R = source crop - Y0 holds everything that the inversion lost at full size. The edit moves parts of the
face; a dense flow F between two clean renders of it, Xe -> Xo, says where each edited pixel was before. So

    result = Y1 + V * warp(R, F)  =  (1 - V) * Y1 + V * (warp(source, F) + Y1 - warp(Y0, F))

with V in [0, 1] high where Xo, warped, looks like Xe (the same skin, only moved) and flow and back flow agree. New
content (teeth, wrinkles, opened eyes) comes from the generator, everything else is the source's own pixels. At strength
0 the two renders are one: F = 0, V = 1, and the result is the source.

The second form shows where grain comes from: the generator's frozen noise stays in place in Y1 and moves along in
warp(Y0), so their difference keeps both. That difference is cored: fine structure weaker than the grain is dropped,
wrinkles and shadows stay. New content has the generator's grain as well, where the footage has its own or none: there
the change is core(Y1) - core(source), which leaves the source's grain where it is.

Where nothing was consulted, Xo stands for Y0 and has no more than 256 px. Then the difference is that of the low
renders, and what is finer in Y1 comes to it as far as the edit changes the place: hairs of a beard, not a second set of
pores.
"""

from __future__ import annotations

from collections.abc import Collection

from videdit.datatypes import LOW, Array, Crop, Rendering
from videdit.edits import edit_info
from videdit.edits.edit_info import SHAVING
from videdit.imaging import primitives
from videdit.imaging.color_transfer import LUMA, match_colors, match_mouth
from videdit.imaging.paint_mask import ramp
from videdit.models.face_parts import LIPS, MOUTH, SKIN

# In units of [-1, 1]:
GRAIN = 0.06  # amplitude of the generator's frozen noise on skin
BROAD = 0.18  # a residual over several pixels of this size says that the inversion saw something else there
CHANGED = 0.1  # a change of this size says that the edit was at work there
STIRRED = 0.03  # the same of the inside of a mouth

SEVERAL = 3.0  # pixels at 256: sigma of a mean over several pixels
SOFT = 2.0  # pixels at 256: sigma of where trust ends
# What an edit opens of a mouth over what is lips then: from where on it opens it, and where it wholly does. Smiles of
# closed mouths come to .23 and more, age to .05 on most.
OPENED = (0.1, 0.25)
# Recommended strengths from where on a mouth may be the generator's, and wholly may: of hardly any edit it would be
# the inversion's.
WEAK = (0.1, 0.4)
# Pixels at 256: sigmas below which hair is strands, beyond which it is light, and of a mean over several strands.
FINE_STRANDS, BROAD_STRANDS, SEVERAL_STRANDS = 1.5, 3.0, 4.0
ROUGHER = (1.0, 2.0)  # by how much the source's fine structure is more than the edit's: a little, and a beard
FAINT = 2e-5  # the square of what is no structure
MOVED = (0.9, 1.3)  # pixels at 256 by which lips move against each other: speaking and smiling of 1.3 and more
RIM, RIM_SOFT = 3, 1.5  # pixels at 256: what is about a mouth is its own, and the sigma of where that ends
LID = 1  # pixels at 256 that are left out beside lids, and the sigma of where that ends
BLURRED_SMALL = 2.0  # pixels: sigma from which on pictures are blurred at half their size,
HALVED = 0.92  # and its square's share that halving (1/4) and reading in between (2/3) blur by
FINE = 1 / 400  # of a crop's side: structure below this is as fine as the grain


def return_detail(
    crop: Array, rendering: Rendering, parts: Array | None = None, regions: Collection[str] = ()
) -> Array:
    """The change that the edit makes to a crop.

    crop: [S, S, 3] uint8 RGB. parts: how surely each pixel is of which of PARTS, [9, N, N] in [0, 1], if it is known:
    then renders are graded to the colours of its skin first (:mod:`videdit.imaging.color_transfer`), and a mouth that
    changes is the generator's (:func:`generated_mouth`). Eyes that the rendering knows stay the source's. regions:
    where the edits show, if it is known: they may be about the colour of lips, and a beard may be safe from them
    (:func:`strands`).

    Returns result - crop, [S, S, 3] float32 in units where RGB spans [-1, 1].
    """
    xp, size = primitives.of(crop), crop.shape[0]
    source = xp.single(crop) / 127.5 - 1
    stirred, mouth, made = changed(rendering), None, None
    if parts is not None:
        rendering = match_colors(source, rendering, parts[SKIN])
        opened = opening(rendering, parts)
        mouth, left = generated_mouth(rendering, parts, opened, stirred), left_by_lips(rendering, parts, opened)
        weight = weight_of_mouth(rendering)
        mouth, made = weight * mouth, weight * xp.maximum(mouth * beyond(stirred, STIRRED), left)
        if opened is not None:
            rendering = match_mouth(source, rendering, parts, (opened, weight), edit_info.LIPS in regions)
    confidence = rendering.flow.confidence[..., None] * trust(source, rendering, stirred, made)
    displacement, confidence = xp.resize(rendering.flow.displacement, size) * (size / LOW), xp.resize(confidence, size)
    moved = xp.warp(source, displacement, mode="bicubic", border="reflect")
    before = xp.warp(xp.resize(rendering.inversion, size), displacement, border="reflect")
    carried = moved + core(_beside_inversion(rendering, stirred) - before, size * FINE)
    new = core(rendering.edit, size * FINE) - core(source, size * FINE)
    if regions and not SHAVING & frozenset(regions):
        light = xp.resize(xp.blur(xp.resize(xp.mix(new, (LUMA,)), LOW), BROAD_STRANDS), size)
        new = new + xp.spread(xp.resize(strands(source, rendering.edit), size), 3) * (xp.spread(light, 3) - new)
    if mouth is not None:  # what is fine between the lips are the edges of teeth, not grain
        new = new + xp.spread(xp.resize(mouth, size), 3) * (rendering.edit - source - new)
    change = new + xp.spread(confidence, 3) * (carried - source - new)
    if rendering.eyes is None:
        return change
    eyes = xp.blur(xp.erode(xp.single(rendering.eyes)[..., None] / 255, LID), LID)
    return change * xp.spread(1 - xp.resize(eyes, size), 3)


def strands(source: Array, edit: Array) -> Array:
    """Where the source has more of what is fine than the edit: [256, 256, 1] float32 in [0, 1]; both [S, S, 3].

    Codes know beards poorly, and older faces have fewer: a beard would be painted over with skin. What grows there
    keeps its own strands and colours, and gets only the light of what the edit makes.
    """
    xp, size = primitives.of(source), min(source.shape[0], 2 * LOW)

    def energy(image: Array) -> Array:
        luma = xp.resize(xp.mix(image, (LUMA,)), size)
        fine = luma - xp.blur(luma, FINE_STRANDS * size / LOW)
        return xp.blur(xp.resize(fine * fine, LOW), SEVERAL_STRANDS)

    return ramp(energy(source) / (energy(edit) + FAINT), *ROUGHER)


def _beside_inversion(rendering: Rendering, stirred: Array) -> Array:
    """The edit [S, S, 3] with what is as fine as in its inversion, and the rest of it where it changes the picture.

    stirred: by :func:`changed`.
    """
    if not rendering.low_inversion:
        return rendering.edit
    xp, size = primitives.of(rendering.edit), rendering.edit.shape[0]
    low = xp.resize(rendering.edit_low, size)
    return low + xp.spread(xp.resize(beyond(stirred, CHANGED), size), 3) * (rendering.edit - low)


def change_restored(
    crop: Crop, rendering: Rendering, mask: Array, face: Array, regions: Collection[str] = ()
) -> tuple[Array, Array]:
    """The change of a crop that was restored: the edit where `mask` is, the restoration on all of the face.

    mask, face: uint8 [S, S]. regions: as of :func:`return_detail`. Returns (change [S, S, 3], mask [S, S]): paste
    multiplies one change by one mask, so the two changes are put into one, each in its own share.
    """
    assert crop.restored is not None
    xp = primitives.of(crop.image)
    before = xp.single(crop.image)
    # What the edit begins with:
    start = xp.byte((before + crop.restoration * (xp.single(crop.restored) - before)).clip(0, 255))
    edit = return_detail(start, rendering, crop.parts, regions)
    both = xp.maximum(mask, face)
    whole = xp.single(both).clip(1, 255)
    edit_share, face_share = (xp.spread((xp.single(part) / whole)[..., None], 3) for part in (mask, face))
    return edit_share * edit + face_share * (xp.single(start) - before) / 127.5, both


def trust(source: Array, rendering: Rendering, stirred: Array, made: Array | None = None) -> Array:
    """How far the residual belongs into the edit, [256, 256, 1] float32 in [0, 1], at the edited places.

    Where the inversion took a lip for teeth, the residual puts the lip back; carried into a changed mouth it would lie
    across the new teeth. So where the edit changes much, a broad residual is not trusted: the generator's picture is
    better there. Nor is any in a mouth that is the generator's (made: how far, [256, 256, 1] in [0, 1]). Where the
    edit changes nothing, trust is 1 whatever the residual. stirred: by :func:`changed`.
    """
    xp = primitives.of(source)
    residual = xp.resize(source, LOW) - xp.resize(rendering.inversion, LOW)
    moved = xp.warp(residual, rendering.flow.displacement)
    broad = xp.channel_max(abs(xp.blur(moved, SEVERAL)))
    doubt = beyond(broad, BROAD) * beyond(stirred, CHANGED)
    if made is not None:
        doubt = xp.maximum(doubt, made)
    return 1 - xp.blur(doubt, SOFT)


def generated_mouth(rendering: Rendering, parts: Array, opened: Array | None, stirred: Array) -> Array:
    """Where a mouth that an edit stirs is the generator's alone, [256, 256, 1] float32 in [0, 1], at the edited places.

    It is so inside of it: two rows of teeth that are not quite in the same place look like neither. Where an edit opens
    the mouth it is so of the lips as well, as far as it changes them, and of what is about them: the skin of a mouth
    that was closed, or the corner of a lopsided one, would lie across teeth and lips that are elsewhere now.

    parts: of the source, as of :func:`return_detail`; of the edit they are the rendering's. opened: by :func:`opening`;
    stirred: by :func:`changed`.
    """
    xp = primitives.of(rendering.edit_low)
    inside, lips = (_before_or_after(rendering, _part(parts, index)) for index in (MOUTH, LIPS))
    if rendering.parts is None or opened is None:
        return inside
    inside = inside * xp.maximum(opened, ramp(lips_move(rendering, parts), *MOVED))
    lips = xp.maximum(lips, _part(rendering.parts, LIPS)) * beyond(stirred, CHANGED)
    after = xp.blur(xp.dilate(xp.maximum(_part(rendering.parts, MOUTH), lips), RIM), RIM_SOFT)
    return xp.maximum(inside, opened * after)


def lips_move(rendering: Rendering, parts: Array) -> Array:
    """By how many pixels at 256 an edit moves lips against each other, in the mean; [] float32.

    Where it hardly does, between them is what was there: a generator's teeth, in the same place, would be softer.
    """
    where, flow = _part(parts, LIPS) + _part(parts, MOUTH), rendering.flow.displacement
    total = where.sum() + 1
    apart = flow - (flow * where).sum((0, 1)) / total
    return (primitives.of(flow).channel_sum(apart**2) ** 0.5 * where).sum() / total


def left_by_lips(rendering: Rendering, parts: Array, opened: Array | None) -> Array:
    """Where the source has lips and the edit, which opens the mouth, has none: [256, 256, 1] float32 in [0, 1].

    The code does not know a lopsided mouth: what it makes of one is elsewhere, and no change takes the source's away.
    """
    xp = primitives.of(rendering.edit_low)
    if rendering.parts is None or opened is None:
        return xp.constant(rendering.edit_low, 0.0)
    before, after = (_part(each, LIPS) + _part(each, MOUTH) for each in (parts, rendering.parts))
    left = (before - after).clip(0, 1)
    return opened * xp.blur(xp.dilate(left, RIM), RIM_SOFT)


def weight_of_mouth(rendering: Rendering) -> float:
    """How far a mouth may be the generator's, 0..1: by how strong the edit is."""
    low, high = WEAK
    return min(max((rendering.strength - low) / (high - low), 0.0), 1.0)


def opening(rendering: Rendering, parts: Array) -> Array | None:
    """How far an edit opens a mouth, [] float32 in 0..1; None where its own parts are not known.

    parts: [9, N, N] of the source.
    """
    if rendering.parts is None:
        return None
    inside = _before_or_after(rendering, _part(parts, MOUTH))
    new_inside, new_lips = (_part(rendering.parts, index) for index in (MOUTH, LIPS))
    return ramp((new_inside - inside).clip(min=0).sum() / (new_lips.sum() + 1), *OPENED)


def _before_or_after(rendering: Rendering, part: Array) -> Array:
    """A part of the source [256, 256, 1], where it is and where the edit's motion takes it."""
    xp = primitives.of(part)
    return xp.maximum(part, xp.warp(part, rendering.flow.displacement))


def stirs_mouth(rendering: Rendering, parts: Array) -> bool:
    """Whether an edit changes lips, or what is between them. parts: of the source, as of :func:`return_detail`."""
    mouth = primitives.of(rendering.edit_low).maximum(_part(parts, LIPS), _part(parts, MOUTH))
    return bool((changed(rendering) * mouth).max() > STIRRED)


def _part(parts: Array, index: int) -> Array:
    """One of PARTS [9, N, N] at the low size, [256, 256, 1] float32 in [0, 1]."""
    xp = primitives.of(parts)
    return xp.resize(xp.single(parts[index])[..., None], LOW)


def changed(rendering: Rendering) -> Array:
    """By how much the edit changes what is around each pixel, [256, 256, 1] float32 in units of [-1, 1]."""
    xp = primitives.of(rendering.edit_low)
    return xp.channel_max(abs(xp.blur(rendering.edit_low - rendering.inversion_low, SEVERAL)))


def beyond(size: Array, unit: float) -> Array:
    """0 where a size, of any shape, is small against `unit`, 1 where it is large."""
    return 1 - primitives.of(size).exp(-((size / unit) ** 2))


def core(difference: Array, sigma: float) -> Array:
    """Drop what is both fine (under sigma pixels) and weak (under GRAIN) from a difference of renders [S, S, 3]."""
    return difference - (difference - smoothed(difference, sigma)).clip(-GRAIN, GRAIN)


def smoothed(image: Array, sigma: float) -> Array:
    """An image [S, S, C] blurred by a Gaussian of sigma pixels; where that is much at half the size, in a third of the
    time."""
    xp, size = primitives.of(image), image.shape[0]
    if sigma < BLURRED_SMALL or size % 2:
        return xp.blur(image, sigma)
    return xp.resize(xp.blur(xp.resize(image, size // 2), (sigma**2 - HALVED) ** 0.5 / 2), size)
