"""The twin in torch of :mod:`videdit.imaging.detail_transfer`: read the two side by side, the formulas are one.

Images here are [1, C, S, S] float32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from videdit.datatypes import LOW, Crop, Rendering
from videdit.imaging.detail_transfer import BROAD, CHANGED, FINE, GRAIN, SEVERAL, SOFT
from videdit.imaging.primitives.torch import blur, channels_first, moved, resize
from videdit.imaging.twins.color_transfer import match_chroma
from videdit.imaging.twins.optical_flow import warp


def return_detail(crop: Tensor, rendering: Rendering, skin: Tensor | None = None) -> Tensor:
    """The change that the edit makes to a crop [S, S, 3] uint8 RGB: [1, 3, S, S] in units where RGB spans [-1, 1].

    skin: how surely each pixel is that, [N, N] in [0, 1], if it is known.
    """
    size = crop.shape[0]
    source = channels_first(crop) / 127.5 - 1
    inversion, edit = channels_first(rendering.inversion), channels_first(rendering.edit)
    flow, validity = channels_first(rendering.motion.flow), rendering.motion.validity[None, None]
    if skin is not None:
        inversion, edit = match_chroma(source, inversion, edit, flow, skin[None, None].float())
    validity = validity * trust(source, inversion, rendering)
    if size != LOW:
        flow = resize(flow, size) * (size / LOW)
        validity = resize(validity, size)
    there = moved(source, flow, "bicubic")
    before = moved(inversion, flow)
    carried = there + core(edit - before, size * FINE)
    new = core(edit, size * FINE) - core(source, size * FINE)
    return new + validity * (carried - source - new)


def change_restored(crop: Crop, rendering: Rendering, mask: Tensor, face: Tensor) -> tuple[Tensor, Tensor]:
    """The change [1, 3, S, S] of a crop that was restored, and its mask uint8 [S, S]; mask, face: uint8 [S, S]."""
    assert crop.restored is not None
    before = channels_first(crop.image)
    start = (before + crop.restoration * (channels_first(crop.restored) - before)).clamp(0, 255).round()
    edit = return_detail(start[0].permute(1, 2, 0), rendering, crop.skin)
    both = torch.maximum(mask, face)
    edit_share, face_share = (part / both.clamp(min=1).float() for part in (mask, face))
    return edit_share * edit + face_share * (start - before) / 127.5, both


def trust(source: Tensor, inversion: Tensor, rendering: Rendering) -> Tensor:
    """How far the residual belongs into the edit, [1, 1, 256, 256] in [0, 1]; source, inversion: [1, 3, S, S]."""
    residual = resize(source - inversion, LOW)
    there = warp(residual, channels_first(rendering.motion.flow))
    broad = blur(there, SEVERAL).abs().amax(dim=1, keepdim=True)
    low_change = channels_first(rendering.edit_low) - channels_first(rendering.inversion_low)
    changed = blur(low_change, SEVERAL).abs().amax(dim=1, keepdim=True)
    doubt = (1 - torch.exp(-(broad / BROAD).square())) * (1 - torch.exp(-(changed / CHANGED).square()))
    return 1 - blur(doubt, SOFT)


def core(difference: Tensor, sigma: float) -> Tensor:
    """Drop what is both fine (under sigma pixels) and weak (under GRAIN) from a difference of renders [1, 3, S, S]."""
    coarse = blur(difference, sigma)
    return coarse + F.softshrink(difference - coarse, GRAIN)
