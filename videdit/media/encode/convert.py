"""Pictures in another layout than the source's: where --pix-fmt asks for it, and where players would not show them.

RGB in H.264, HEVC or VP9 plays hardly anywhere: what is written to be watched becomes YUV 4:2:0, said aloud.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from videdit.datatypes import Color, Picture
from videdit.errors import RefusedInput
from videdit.media import color as colors
from videdit.media import tone_proxy
from videdit.media.info import MediaInfo
from videdit.media.pixel_formats import geometry

if TYPE_CHECKING:
    from videdit.media.encode.codecs import EncodeSettings

_PLAYED = {"mp4": "h264", "mov": "h264", "webm": "vp9"}
_UNSAID = (0, 2)  # of primaries and transfer


def delivered(info: MediaInfo, container: str, settings: EncodeSettings, family: str) -> tuple[str, str | None] | None:
    """The layout that a clip is written in, where it is not the source's, and what is to be said of it.

    family: of the codec that it would get.
    """
    if settings.pix_fmt is not None:
        return None if settings.pix_fmt == info.planar else (settings.pix_fmt, None)
    see_through = geometry(info.planar)[3]
    if info.color.matrix != "rgb" or info.color.depth == 32 or settings.lossless or settings.codec == "libx264rgb":
        return None
    if family == "ffv1" and (settings.codec or container == "matroska"):
        return None
    if container == "matroska" and see_through and settings.codec is None:
        return None  # ffv1 keeps it
    deep = "10le" if tone_proxy.needs_proxy(info.color) else ""
    if family == "prores":
        layout, kept = ("yuva444p10le" if see_through else "yuv444p10le"), True
    else:
        kept = container == "webm" and see_through and not deep
        layout = "yuva420p" if kept else f"yuv420p{deep}"
    said = f"the picture is RGB, which few players show: it becomes {layout} (--pix-fmt {info.planar} keeps it)"
    if see_through and not kept:
        said += "; its transparency is dropped: .mkv and .webm keep it, and --codec prores in .mov"
    return layout, said


def codec_for(container: str, codec: str | None) -> str | None:
    """What a clip is coded with that is written to be played, where the user has named nothing."""
    return codec or _PLAYED.get(container)


def converted(info: MediaInfo, layout: str) -> MediaInfo:
    """A source as it is in another layout.

    Raises:
        MediaError: it holds floating point samples.
    """
    if info.color.depth == 32:
        raise RefusedInput(f"{info.path} holds floating point samples, which --pix-fmt does not convert")
    depth, chroma_log2, is_rgb, _ = geometry(layout)
    _, primaries, transfer, matrix = info.color_tags
    site: str | None = info.chroma_location
    if is_rgb:
        tags = (2, primaries, transfer, 0)
    elif info.color.matrix == "rgb":
        primaries, transfer = (1 if tag in _UNSAID else tag for tag in (primaries, transfer))
        tags, site = (1, primaries, transfer, 9 if primaries == 9 else 1), None
    else:
        tags = (2 if info.color.full_range else 1, primaries, transfer, matrix)
    color = colors.describe(
        layout, depth, chroma_log2, tags, site, (info.width, info.height), info.color.full_range, is_rgb
    )
    if not is_rgb and info.color.matrix not in ("rgb", "gray") and color.matrix != "gray":
        color = replace(color, matrix=info.color.matrix)  # where it is only guessed, the guess stays
    return replace(info, pix_fmt=layout, planar=layout, color=color, color_tags=tags, chroma_location=site)


def convert(picture: Picture, info: MediaInfo) -> Picture:
    """A picture in the layout of `info`, which :func:`converted` gave."""
    color = info.color
    rgb = colors.region_to_rgb(picture, 0, 0, picture.width, picture.height, dtype=np.float32)
    planes = list(colors.rgb_to_yuv(rgb, color))
    if color.matrix not in ("rgb", "gray"):
        planes[1:] = [_coarser(plane, color) for plane in planes[1:]]
    if geometry(info.planar)[3]:
        top = picture.color.top
        there = geometry(picture.pix_fmt)[3]
        whole = picture.planes[-1] if there else np.full(picture.planes[0].shape, top, np.float32)
        planes.append(whole.astype(np.float32) * (color.top / top))
    kept = tuple(np.clip(np.rint(plane), 0, color.top).astype(color.dtype) for plane in planes)
    return replace(picture, planes=kept, color=color, pix_fmt=info.planar)


def _coarser(plane: np.ndarray, color: Color) -> np.ndarray:
    """Chroma at every pixel -> at the places of its samples."""
    for axis in (1, 0):
        if not color.chroma_log2[1 - axis]:
            continue
        on_a_pixel = color.chroma_site[1 - axis] % 1 == 0.5
        kernel = np.array([0.25, 0.5, 0.25] if on_a_pixel else [0.5, 0.5], np.float32)
        if plane.shape[axis] % 2:  # the last sample stands for one pixel
            plane = np.concatenate((plane, plane.take([-1], axis)), axis)
        one = np.ones(1, np.float32)
        anchor = 1 if on_a_pixel else 0
        across, down = (kernel, one) if axis == 1 else (one, kernel)
        at = (anchor, 0) if axis == 1 else (0, anchor)
        plane = cv2.sepFilter2D(plane, cv2.CV_32F, across, down, anchor=at, borderType=cv2.BORDER_REPLICATE)
        plane = plane[:, ::2] if axis == 1 else plane[::2]
    return np.ascontiguousarray(plane)
