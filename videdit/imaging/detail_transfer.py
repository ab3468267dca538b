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
"""

from __future__ import annotations

import cv2
import numpy as np

from videdit.datatypes import LOW, Crop, Rendering
from videdit.imaging.color_transfer import match_chroma
from videdit.imaging.optical_flow import strongest, warp

# In units of [-1, 1]:
GRAIN = 0.06  # amplitude of the generator's frozen noise on skin
BROAD = 0.18  # a residual over several pixels of this size says that the inversion saw something else there
CHANGED = 0.1  # a change of this size says that the edit was at work there

SEVERAL = 3.0  # pixels at 256: sigma of a mean over several pixels
SOFT = 2.0  # pixels at 256: sigma of where trust ends
FINE = 1 / 400  # of a crop's side: structure below this is as fine as the grain


def return_detail(crop: np.ndarray, rendering: Rendering, skin: np.ndarray | None = None) -> np.ndarray:
    """The change that the edit makes to a crop.

    crop: [S, S, 3] uint8 RGB. skin: how surely each pixel is that, [N, N] in [0, 1], if it is known: then renders are
    graded to its colours first (:mod:`videdit.imaging.color_transfer`).

    Returns result - crop, [S, S, 3] float32 in units where RGB spans [-1, 1].
    """
    size = crop.shape[0]
    source = crop.astype(np.float32) / 127.5 - 1
    if skin is not None:
        rendering = match_chroma(source, rendering, skin)
    flow, validity = rendering.motion.flow, rendering.motion.validity * trust(source, rendering)
    if size != LOW:
        flow = cv2.resize(flow, (size, size), interpolation=cv2.INTER_LINEAR) * (size / LOW)
        validity = cv2.resize(validity, (size, size), interpolation=cv2.INTER_LINEAR)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    x, y = x + flow[..., 0], y + flow[..., 1]
    moved = cv2.remap(source, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    before = cv2.remap(rendering.inversion, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    carried = moved + core(rendering.edit - before, size * FINE)
    new = core(rendering.edit, size * FINE) - core(source, size * FINE)
    return new + validity[..., None] * (carried - source - new)


def change_restored(
    crop: Crop, rendering: Rendering, mask: np.ndarray, face: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The change of a crop that was restored: the edit where `mask` is, the restoration on all of the face.

    mask, face: uint8 [S, S]. Returns (change [S, S, 3], mask [S, S]): paste multiplies one change by one mask, so the
    two changes are put into one, each in its own share.
    """
    assert crop.restored is not None
    before = crop.image.astype(np.float32)
    start = np.clip(before + crop.restoration * (crop.restored - before), 0, 255).round()  # what the edit begins with
    edit = return_detail(start.astype(np.uint8), rendering, crop.skin)
    both = np.maximum(mask, face)
    whole = np.maximum(both, 1)[..., None].astype(np.float32)
    edit_share, face_share = (part[..., None] / whole for part in (mask, face))
    return edit_share * edit + face_share * (start - before) / 127.5, both


def trust(source: np.ndarray, rendering: Rendering) -> np.ndarray:
    """How far the residual belongs into the edit, [256, 256] float32 in [0, 1], at the edited places.

    Where the inversion took a lip for teeth, the residual puts the lip back; carried into a changed mouth it would lie
    across the new teeth. So where the edit changes much, a broad residual is not trusted: the generator's picture is
    better there. Where the edit changes nothing, trust is 1 whatever the residual.
    """
    residual = cv2.resize(source - rendering.inversion, (LOW, LOW), interpolation=cv2.INTER_AREA)
    moved = warp(residual, rendering.motion.flow)
    broad = strongest(cv2.GaussianBlur(moved, (0, 0), SEVERAL))
    changed = strongest(cv2.GaussianBlur(rendering.edit_low - rendering.inversion_low, (0, 0), SEVERAL))
    doubt = (1 - np.exp(-np.square(broad / BROAD))) * (1 - np.exp(-np.square(changed / CHANGED)))
    return cv2.GaussianBlur(1 - doubt, (0, 0), SOFT)


def core(difference: np.ndarray, sigma: float) -> np.ndarray:
    """Drop what is both fine (under sigma pixels) and weak (under GRAIN) from a difference of renders [S, S, 3]."""
    coarse = cv2.GaussianBlur(difference, (0, 0), sigma)
    return difference - np.clip(difference - coarse, -GRAIN, GRAIN)
