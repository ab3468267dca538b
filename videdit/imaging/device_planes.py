"""Between the planes of a picture and the device: crops out of them, changes into them.

What :mod:`videdit.imaging.crop` and :mod:`videdit.imaging.paste` do on the host, and a work of its own: only the part
of a plane that a crop covers travels, in the plane's own depth, and results come back while the device goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from videdit.datatypes import Color, Edited, Picture
from videdit.engine.transfer import Transfer
from videdit.geometry.warp import region, shift, shrinking
from videdit.imaging.paste import NOTHING, Placement, to_plane
from videdit.imaging.primitives.torch import blur, mapped, resize, sample
from videdit.media import tone_proxy
from videdit.media.color import change_matrix, chroma_part, rgb8_matrix, seen_planes

_KINDS = {np.uint8: torch.uint8, np.uint16: torch.uint16, np.float32: torch.float32}


def crop_picture(picture: Picture, to_frame: np.ndarray, size: int, transfer: Transfer) -> Tensor:
    """A size x size RGB crop, uint8 [size, size, 3], of a picture: only the region it needs travels."""
    x0, y0, x1, y1 = region(to_frame, size, picture.width, picture.height)
    rgb = region_to_rgb(picture, x0, y0, x1, y1, transfer)
    return _rounded(crop(rgb, shift(to_frame, -x0, -y0), size)).to(torch.uint8).contiguous()


def crop(image: Tensor, to_image: np.ndarray, size: int) -> Tensor:
    """A size x size crop of an image [H, W, C], antialiased as :func:`videdit.geometry.warp.crop` does."""
    finer = shrinking(to_image)
    if finer == 1:
        return sample(image, mapped(to_image, size, size, image.device), "bicubic")
    fine = sample(image, mapped(to_image * (1 / finer, 1 / finer, 1), size * finer, size * finer, image.device))
    return resize(_rounded(fine), size)


def region_to_rgb(picture: Picture, x0: int, y0: int, x1: int, y1: int, transfer: Transfer) -> Tensor:
    """RGB [y1 - y0, x1 - x0, 3], float32 whole numbers 0..255, as :func:`videdit.media.color.region_to_rgb`."""
    color = picture.color
    planes = []
    for i, plane in enumerate(seen_planes(picture)):
        if i and color.matrix != "rgb" and color.chroma_log2 != (0, 0):
            rows, columns, to_part = chroma_part(color, x0, y0, x1, y1)
            part = transfer.upload(plane[rows, columns])[..., None].float()
            places = mapped(to_part, y1 - y0, x1 - x0, part.device)
            planes.append(sample(part, places, border="replicate").round()[..., 0])
        else:
            planes.append(transfer.upload(plane[y0:y1, x0:x1]).float())
    flat = torch.stack(planes).flatten(1)  # [P, h * w]
    if color.depth == 32:
        flat = torch.nan_to_num(flat, 0.0, tone_proxy.MOST, -tone_proxy.MOST)
    matrix = _on(rgb8_matrix, color, flat.device)
    rgb = matrix[:, : len(planes)] @ flat + matrix[:, 3:]
    if tone_proxy.needs_proxy(color):
        rgb = torch.stack(tone_proxy.to_sdr(list(rgb / 255), color, torch)) * 255
    return _rounded(rgb).reshape(3, y1 - y0, x1 - x0).permute(1, 2, 0)


def add_changes(picture: Picture, edits: Sequence[Edited], transfer: Transfer) -> Callable[[], Picture]:
    """See :func:`videdit.imaging.paste.add_changes`; the work goes on until the result is called for."""
    color = picture.color
    matrix = _on(change_matrix, color, edits[0].change.device)
    changes = [edit.change.float() @ matrix.mT for edit in edits]  # [S, S, P] each
    masks = [edit.mask[..., None].float() / 255 for edit in edits]
    spots: list[tuple[list[int], slice, slice]] = []  # planes of one shape, and what of them changes
    results: list[Tensor] = []
    for indices in _alike(picture, len(matrix)):
        shape = (picture.planes[indices[0]].shape[0], picture.planes[indices[0]].shape[1])
        places = [Placement.of(edit, to_plane(picture, indices[0]), shape) for edit in edits]
        met = [(place, i) for i, place in enumerate(places) if place is not None]
        if not met:
            continue
        rows, columns = _around([place.rows for place, _ in met]), _around([place.columns for place, _ in met])
        parts = torch.stack([transfer.upload(picture.planes[i][rows, columns]).float() for i in indices])  # [P, h, w]
        for place, i in met:
            own = parts[:, _within(place.rows, rows), _within(place.columns, columns)]
            added = _unwarped(changes[i][..., indices], masks[i], place).permute(2, 0, 1)
            total = own + added
            own.copy_(
                torch.where(added.abs() > NOTHING, total, own)
                if color.depth == 32
                else total.round().clamp(0, color.top)
            )
        spots.append((indices, rows, columns))
        results.append(parts.to(_KINDS[color.dtype]))
    arrived = transfer.download(results)

    def changed() -> Picture:
        planes = list(picture.planes)
        for (indices, rows, columns), parts in zip(spots, arrived(), strict=True):
            for i, part in zip(indices, parts, strict=True):
                planes[i] = planes[i].copy()
                planes[i][rows, columns] = part
        return replace(picture, planes=tuple(planes))

    return changed


def _unwarped(change: Tensor, mask: Tensor, place: Placement) -> Tensor:
    """What a change [S, S, P] under a mask [S, S, 1] adds to the part of the planes, [h, w, P]."""
    if place.sigma:
        change = blur(change, math.ceil(32 * place.sigma) / 32)
    places = mapped(place.from_plane, *place.shape, change.device)
    return sample(mask, places, border="zeros") * sample(change, places, border="replicate")


def _alike(picture: Picture, count: int) -> list[list[int]]:
    """The first `count` planes by their shape: luma and chroma, or all."""
    kinds: dict[tuple[int, ...], list[int]] = {}
    for i, plane in enumerate(picture.planes[:count]):
        kinds.setdefault(plane.shape, []).append(i)
    return list(kinds.values())


def _around(parts: list[slice]) -> slice:
    return slice(min(part.start for part in parts), max(part.stop for part in parts))


def _within(part: slice, whole: slice) -> slice:
    return slice(part.start - whole.start, part.stop - whole.start)


def _rounded(image: Tensor) -> Tensor:
    return image.round().clamp(0, 255)


@lru_cache(maxsize=32)
def _on(make: Callable[[Color], np.ndarray], color: Color, device: torch.device) -> Tensor:
    return torch.tensor(make(color), dtype=torch.float32, device=device)
