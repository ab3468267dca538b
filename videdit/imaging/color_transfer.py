"""The footage's palette: renders graded to it, so that what an edit paints has the colours of the skin that it is on.

A generator knows the colours of its photographs. On footage that is greyer, or graded, the inversion is pulled to the
source's colours by the consultation encoder, but what an edit moves or makes anew is not: cheeks turn orange, lips red.
So both renders are graded before they are compared. A colour is taken as luma Y and a complex chroma c = (R - Y) + i
(B - Y) over luma, s = c / Y, which shade does not change. Where skin is, with a the source's s and b the render's,

    g = sum(w a b*) / sum(w |b|^2)

over a neighbourhood is the factor that turns the render's chroma into the source's: its size is a change of saturation,
its angle one of hue. The skin of the edited render is compared with the source's skin along the edit's motion. Where
there is none (teeth, lips, hair, what is around), g is that of the whole face; a rim of the skin is left out, for lips
that an edit reddens shine into it. Saturation is raised by no more than the footage's is over the inversion's, on the
whole face: skin under a beard that goes may not pale to the beard's grey, nor a beard that comes be tinted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from videdit.datatypes import LOW, WHOLE, Array, Rendering, Square
from videdit.imaging import primitives
from videdit.imaging.paint_mask import ramp
from videdit.imaging.primitives import Matrix
from videdit.models.face_parts import LIPS, MOUTH, SKIN

SMALL = 64  # pixels at which factors are found
NEAR = 3.0  # pixels at 64: sigma of a neighbourhood
SURE = (0.5, 0.9)  # how surely a place is lips or mouth: from where on it begins to count, and where it fully does
SEEN = (0.005, 0.006)  # of a crop, in which lips or skin are seen: with fewer of them their colour cannot be told
MOST = 1.4  # no lips' saturation is raised by more
TEETH = 1.05  # of the brightest skin: what is in a mouth is no brighter, if it was not in the source
RAISED = 1.5  # nor skin's that an edit makes, nor by more than
ANEW = 1.15  # beyond what the footage's is,
PALE = (0.75, 0.85)  # where its luma over the source's says that it is skin and no beard
PURE = (0.7, 1.0)  # how surely a place is skin: from where on it begins to count, and where it fully does
LIGHT = 5.0  # pixels at 64: sigma of a neighbourhood's light: what is narrower is the shape of a face
LIGHTER = (0.6, 1.6)  # no factor of light is beyond
EVERYWHERE = 0.02  # weight of the whole face in a neighbourhood's sums
NOTHING = 1e-5  # of skin and its colours where there is none at all: g = 1
DARK = 0.1  # of the range of luma, added to it: the chroma of black is noise

LUMA = (0.299, 0.587, 0.114)
# RGB -> Y, R - Y, B - Y, and back.
APART: Matrix = (LUMA, (1 - LUMA[0], -LUMA[1], -LUMA[2]), (-LUMA[0], -LUMA[1], 1 - LUMA[2]))
TOGETHER: Matrix = tuple(map(tuple, np.linalg.inv(APART).tolist()))


def match_colors(source: Array, rendering: Rendering, skin: Array) -> Rendering:
    """A rendering with its two renders graded to the colours of the source.

    source: [S, S, 3] float32 in [-1, 1]. skin: how surely the source's pixels are skin, [N, N] float in [0, 1].
    """
    xp = primitives.of(source)
    beside = rendering.edit_low if rendering.low_inversion else rendering.edit  # what was made as the inversion was
    seen, inversion, edit = (xp.resize(xp.single(image), SMALL) for image in (source, rendering.inversion, beside))
    sure = erode_confidence(xp.resize(xp.single(skin)[..., None], SMALL))
    displacement = xp.resize(rendering.flow.displacement, SMALL) * (SMALL / LOW)
    products = chroma_products(seen, inversion) * sure
    most = footage_saturation(products)
    moved, moved_sure = (xp.warp(image, displacement) for image in (seen, sure))
    most_before = most_after = most
    if rendering.parts is not None:
        new = erode_confidence(xp.resize(xp.single(rendering.parts[SKIN])[..., None], SMALL))
        most_before, most_after = _raised(most, sure, inversion, seen), _raised(most, new, edit, moved)
    before = chroma_gain(products, sure, most_before)
    after = chroma_gain(chroma_products(moved, edit) * moved_sure, moved_sure, most_after)
    lighter = luma_gain(seen, inversion, sure)
    rendering = replace(rendering, inversion=regrade(rendering.inversion, before, lighter))
    return _edit_regraded(rendering, after, xp.warp(lighter, displacement))


def _raised(most: Array, skin: Array, render: Array, source: Array) -> Array:
    """What g's size is at most, [64, 64, 1]: a little more on skin of a render that is not darker than the source.

    Both renders are held by it alike, or a face would redden as a whole where the inversion alone is held back.

    most: [1, 1, 1]. skin: how surely it is, [64, 64, 1] in [0, 1]. render, source: [64, 64, 3] in [-1, 1].
    """
    bright = ramp((lightness(render) + DARK) / (lightness(source) + DARK), *PALE)  # and no beard
    return most + ((ANEW * most).clip(max=RAISED) - most) * skin * bright


def match_mouth(
    source: Array, rendering: Rendering, parts: Array, shares: tuple[Array, float], recoloured: bool = False
) -> Rendering:
    """A rendering whose edit's mouth fits the source's face: :func:`lip_gain` in a share of 0..1, :func:`teeth_gain`.

    source: [S, S, 3] float32 in [-1, 1]. rendering: graded; its parts are known. parts: of the source, [9, N, N] float
    in [0, 1]. shares: how far the edit opens the mouth, and how far it is strong enough to be graded at all: hardly any
    edit is as its inversion is. recoloured: whether an edit is about the colour of lips: then what it does to the
    inversion's stays, else lips that smile have the colour of lips that do not.
    """
    assert rendering.parts is not None
    xp, size = primitives.of(source), parts.shape[-1]
    seen, inversion, edit = (
        xp.resize(xp.single(image), size) for image in (source, rendering.inversion, rendering.edit)
    )
    (skin, lips, mouth), (_, new_lips, new_mouth) = (
        [ramp(xp.single(each[i])[..., None], *SURE) for i in (SKIN, LIPS, MOUTH)] for each in (parts, rendering.parts)
    )
    opened, strong = shares
    share = strong * opened * seen_enough(lips) * seen_enough(new_lips)
    gain, lighter = lip_gain((seen, lips), (inversion, lips) if recoloured else (edit, new_lips), share * new_lips)
    lighter = lighter * (1 + strong * (teeth_gain(seen, edit, skin, mouth, new_mouth) - 1))
    square = xp.square_of(xp.byte(255 * xp.maximum(new_lips, new_mouth)))  # elsewhere both are 1
    return _edit_regraded(rendering, gain, lighter, square)


def lip_gain(source: tuple[Array, Array], render: tuple[Array, Array], where: Array) -> tuple[Array, Array]:
    """Factors of chroma [N, N, 2] and of light [N, N, 1] from a render's lips' mean colour to the source's.

    source, render: a picture [N, N, 3] in [-1, 1] and where lips are in it, [N, N, 1] in [0, 1]. where: how far the
    factors count, [N, N, 1] in [0, 1].
    """
    xp = primitives.of(where)
    (ax, ay, one), (bx, by, other) = (
        xp.split((xp.merge(*saturation(image), lightness(image)) * lips).sum((0, 1), keepdims=True) / (lips.sum() + 1))
        for image, lips in (source, render)
    )
    real, imaginary, weight = conjugate_products((ax, ay), (bx, by))
    real, weight = real + NOTHING, weight + NOTHING
    longer = xp.maximum(xp.sqrt(real**2 + imaginary**2) / MOST, weight)
    gain = xp.merge(1 + where * (real / longer - 1), where * (imaginary / longer))
    return gain, 1 + where * (((one + NOTHING) / (other + NOTHING)).clip(*LIGHTER) - 1)


def teeth_gain(source: Array, edit: Array, skin: Array, mouth: Array, new_mouth: Array) -> Array:
    """A factor of light [N, N, 1] that makes teeth no brighter than teeth are in the light of the source's face.

    A generator knows teeth from portraits with a flash: on five of twelve clips they were 1.12 to 1.29 times as bright
    as the brightest skin, where teeth that people show in the same clips come to .6 to 1.1.

    source, edit: [N, N, 3] in [-1, 1]. skin, mouth: of the source, new_mouth: of the edit, [N, N, 1] in [0, 1].
    """
    xp = primitives.of(source)
    luma = lightness(source)
    most = xp.maximum(TEETH * brightest(luma, skin), brightest(luma, mouth))
    factor = (most / (brightest(lightness(edit), new_mouth) + NOTHING)).clip(LIGHTER[0], 1)
    return 1 + seen_enough(skin) * new_mouth * (factor - 1)


def seen_enough(part: Array) -> Array:
    """1 where so much of a part [N, N, 1] in 0..1 is seen that its colour can be told, else 0; one number."""
    return ramp(part.sum() / len(part) ** 2, *SEEN)


def brightest(luma: Array, weight: Array) -> Array:
    """How bright the brighter places are of those that count, [1, 1, 1], 0 of none; luma, weight: [N, N, 1] in 0..1."""
    power = luma**7 * weight
    return (power * luma).sum((0, 1), keepdims=True) / (power.sum((0, 1), keepdims=True) + NOTHING**2)


def erode_confidence(skin: Array) -> Array:
    """What of the skin [64, 64, 1] in [0, 1] has nothing else in it or right beside it, in [0, 1]."""
    return primitives.of(skin).erode(ramp(skin, *PURE), 1)


def footage_saturation(products: Array) -> Array:
    """By how much the footage is more saturated than the generator's pictures, one factor from 1 to RAISED, [1, 1, 1].

    products: of the source and the inversion, as of :func:`chroma_gain`.
    """
    xp = primitives.of(products)
    real, imaginary, weight = xp.split(products.sum((0, 1), keepdims=True) + NOTHING)
    return (xp.sqrt(real**2 + imaginary**2) / weight).clip(1, RAISED)


def chroma_gain(products: Array, skin: Array, most: Array) -> Array:
    """g, real and imaginary part, [64, 64, 2].

    products: :func:`chroma_products` of the source and a render, times how surely it is skin, [64, 64, 3]. skin: that,
    [64, 64, 1] in [0, 1]. most: what g's size is at most, [1, 1, 1] or [64, 64, 1].
    """
    xp = primitives.of(products)
    mean = products.sum((0, 1)) / (skin.sum() + 1e-3)
    real, imaginary, weight = xp.split(xp.blur(products, NEAR) + EVERYWHERE * mean)
    real, imaginary, weight = real + NOTHING, imaginary, weight + NOTHING
    # Over what of its own size is too much.
    longer = xp.sqrt(real**2 + imaginary**2)
    return xp.merge(real, imaginary) / xp.maximum(longer / most, weight)


def chroma_products(source: Array, render: Array) -> Array:
    """a b*, real and imaginary part, and |b|^2, [N, N, 3]; source, render: [N, N, 3] in [-1, 1]."""
    return primitives.of(source).merge(*conjugate_products(saturation(source), saturation(render)))


def conjugate_products(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    """a b*, real and imaginary part, and |b|^2, of numbers given by theirs: arrays of one shape."""
    (ax, ay), (bx, by) = a, b
    return ax * bx + ay * by, ay * bx - ax * by, bx * bx + by * by


def luma_gain(source: Array, render: Array, skin: Array) -> Array:
    """By how much the source's skin is lighter, [64, 64, 1] in LIGHTER.

    source, render: [64, 64, 3] in [-1, 1]. skin: how surely the source's pixels are, [64, 64, 1] in [0, 1].
    """
    xp = primitives.of(source)
    sums = xp.merge(*(lightness(image) for image in (source, render))) * skin
    mean = sums.sum((0, 1)) / (skin.sum() + 1e-3)
    one, other = xp.split(xp.blur(sums, LIGHT) + EVERYWHERE * mean)
    return ((one + NOTHING) / (other + NOTHING)).clip(*LIGHTER)


def lightness(image: Array) -> Array:
    """Luma of an RGB image [H, W, 3] in [-1, 1]: [H, W, 1], 0 where it is black."""
    return primitives.of(image).split(primitives.of(image).mix(image / 2 + 0.5, APART))[0].clip(min=0)


def saturation(image: Array) -> tuple[Array, Array]:
    """s of an RGB image [H, W, 3] in [-1, 1], real and imaginary part, [H, W, 1] each."""
    xp = primitives.of(image)
    luma, red, blue = xp.split(xp.mix(image / 2 + 0.5, APART))
    luma = luma.clip(min=0) + DARK
    return red / luma, blue / luma


def _edit_regraded(rendering: Rendering, by: Array, lighter: Array, square: Square = WHOLE) -> Rendering:
    """The edit, at both sizes where both are of use, as of :func:`regrade`; square: where the factors are not 1."""
    xp, where = primitives.of(by), (square.of(by), square.of(lighter))

    def graded(image: Array) -> Array:
        return xp.with_square(image, square, regrade(square.of(image), *where))

    low = rendering.edit_low
    return replace(rendering, edit=graded(rendering.edit), edit_low=graded(low) if rendering.low_inversion else low)


def regrade(render: Array, by: Array, lighter: Array) -> Array:
    """A render [S, S, 3] with its chroma multiplied by factors [N, N, 2], and all of it by `lighter` [N, N, 1].

    What is lighter than half of the range is made lighter by less, as film does it: teeth that skin is lit for would
    burn out. With Y the luma in 0..1 and k = l / (2 - l), a factor l is at most k / (1 + (k - 1) Y): l at a half.
    """
    xp, size = primitives.of(render), render.shape[0]
    x, y = xp.split(xp.resize(by, size))
    luma, red, blue = xp.split(xp.mix(xp.single(render), APART))
    shoulder = lighter.clip(min=1)
    shoulder = xp.resize(shoulder / (2 - shoulder), size)
    lighter = xp.minimum(xp.resize(lighter, size), shoulder / (1 + (shoulder - 1) * (luma / 2 + 0.5).clip(0, 1)))
    x, y = x * lighter, y * lighter
    return xp.mix(xp.merge((luma + 1) * lighter - 1, x * red - y * blue, x * blue + y * red), TOGETHER)
