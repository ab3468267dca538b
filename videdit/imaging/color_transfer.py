"""The footage's palette: renders graded to it, so that what an edit paints has the colours of the skin that it is on.

A generator knows the colours of its photographs. On footage that is greyer, or graded, the inversion is pulled to the
source's colours by the consultation encoder, but what an edit moves or makes anew is not: cheeks turn orange, lips red.
So both renders are graded before they are compared. A colour is taken as luma Y and a complex chroma c = (R - Y) + i
(B - Y) over luma, s = c / Y, which shade does not change. Where skin is, with a the source's s and b the render's,

    g = sum(w a b*) / sum(w |b|^2)

over a neighbourhood is the factor that turns the render's chroma into the source's: its size is a change of saturation,
its angle one of hue. The skin of the edited render is compared with the source's skin along the edit's motion. Where
there is none (teeth, lips, hair, what is around), g is that of the whole face; a rim of the skin is left out, for lips
that an edit reddens shine into it. Saturation is lowered only: skin under a beard
that goes may not pale to the beard's grey, nor a beard that comes be tinted.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from videdit.datatypes import LOW, Rendering
from videdit.imaging.change_mask import ramp
from videdit.imaging.optical_flow import resized, warp

SMALL = 64  # pixels at which factors are found
NEAR = 3.0  # pixels at 64: sigma of a neighbourhood
PURE = (0.7, 1.0)  # how surely a place is skin: from where on it begins to count, and where it fully does
EVERYWHERE = 0.02  # weight of the whole face in a neighbourhood's sums
NOTHING = np.array((1e-5, 0, 1e-5), np.float32)  # sums where there is no colour and no skin at all: g = 1
DARK = 0.1  # of the range of luma, added to it: the chroma of black is noise

LUMA = (0.299, 0.587, 0.114)
# RGB -> Y, R - Y, B - Y, and back.
APART = np.array([LUMA, *np.subtract(np.eye(3)[[0, 2]], LUMA)], np.float32)
TOGETHER = np.linalg.inv(APART).astype(np.float32)


def match_chroma(source: np.ndarray, rendering: Rendering, skin: np.ndarray) -> Rendering:
    """A rendering with its two renders graded to the colours of the source.

    source: [S, S, 3] float32 in [-1, 1]. skin: how surely the source's pixels are skin, [N, N] float in [0, 1].
    """
    seen = small(source)
    skin = erode_confidence(resized(skin.astype(np.float32), SMALL))
    flow = resized(rendering.motion.flow, SMALL) * (SMALL / LOW)
    before = chroma_gain(seen, small(rendering.inversion), skin)
    after = chroma_gain(warp(seen, flow), small(rendering.edit), warp(skin, flow))
    return replace(
        rendering, inversion=rotate_chroma(rendering.inversion, before), edit=rotate_chroma(rendering.edit, after)
    )


def erode_confidence(skin: np.ndarray) -> np.ndarray:
    """What of the skin [64, 64] in [0, 1] has nothing else in it or right beside it, in [0, 1]."""
    return cv2.erode(ramp(skin, *PURE), np.ones((3, 3), np.uint8))


def chroma_gain(source: np.ndarray, render: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """g, real and imaginary part, [64, 64, 2]; source, render: [64, 64, 3] in [-1, 1]; skin: [64, 64] in [0, 1]."""
    (ax, ay), (bx, by) = (saturation(image) for image in (source, render))
    sums = skin[..., None] * np.dstack((ax * bx + ay * by, ay * bx - ax * by, bx * bx + by * by))
    mean = sums.sum((0, 1)) / (skin.sum() + 1e-3)
    near = cv2.GaussianBlur(sums, (0, 0), NEAR) + (EVERYWHERE * mean + NOTHING)
    found = near[..., :2] / near[..., 2:]
    return found / np.maximum(1, np.hypot(*cv2.split(found)))[..., None]


def saturation(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """s of an RGB image [H, W, 3] in [-1, 1], real and imaginary part, [H, W] each."""
    luma, red, blue = cv2.split(cv2.transform(image / 2 + 0.5, APART))
    luma = np.maximum(luma, 0) + DARK
    return red / luma, blue / luma


def rotate_chroma(render: np.ndarray, by: np.ndarray) -> np.ndarray:
    """A render [S, S, 3] with its chroma multiplied by factors [64, 64, 2]."""
    x, y = cv2.split(resized(by, len(render)))
    luma, red, blue = cv2.split(cv2.transform(np.asarray(render, np.float32), APART))
    return cv2.transform(cv2.merge((luma, x * red - y * blue, x * blue + y * red)), TOGETHER)


def small(image: np.ndarray) -> np.ndarray:
    """An image [S, S, 3] averaged to 64 px."""
    return resized(np.asarray(image, np.float32), SMALL)
