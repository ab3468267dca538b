"""What the numbers in the planes mean: exact YUV <-> RGB for every matrix, range and depth.

RGB here is gamma-coded, as the screen gets it: the networks were trained on such pictures. Changes are linear in these
values, so a change of RGB is carried back to the planes without a round trip of the picture itself. Of HDR and linear
pictures whole numbers 0..255 are an SDR proxy's (:mod:`videdit.media.tone_proxy`), floats are as coded.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from videdit.datatypes import Color, Picture
from videdit.geometry.warp import warp
from videdit.media import tone_proxy

# Weights of red and blue in luma (ITU-T H.273).
_KR_KB = {
    "bt709": (0.2126, 0.0722),
    "bt601": (0.299, 0.114),
    "bt2020": (0.2627, 0.0593),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
}
_MATRIX = {0: "rgb", 1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601"}
_MATRIX |= {7: "smpte240m", 8: "ycgco", 9: "bt2020", 10: "bt2020"}
_TRANSFER = {4: "gamma22", 5: "gamma28", 8: "linear", 13: "srgb", 16: "pq", 18: "hlg"}
_PRIMARIES = {  # CIE 1931 (x, y) of red, green, blue, white by H.273 number, where they are not BT.709's
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}
_SITES = {  # luma pixels from the corner to the first chroma sample, for chroma halved both ways
    "left": (0.5, 1.0),
    "center": (1.0, 1.0),
    "topleft": (0.5, 0.5),
    "top": (1.0, 0.5),
    "bottomleft": (0.5, 1.5),
    "bottom": (1.0, 1.5),
}


def describe(
    planar: str,
    depth: int,
    chroma_log2: tuple[int, int],
    tags: tuple[int, int, int, int],
    site: str | None,
    size: tuple[int, int],
    full_range: bool,
    is_rgb: bool,
) -> Color:
    """The :class:`Color` of a stream.

    tags: (range, primaries, transfer, matrix) as H.273 numbers; site: a name of ``_SITES`` or None; size: (width,
    height); full_range: what the pixel format says where the range tag is silent. Where the matrix is silent too we
    choose as players do: bt2020 if the primaries are, else bt709 from 1280 pixels of width or more than 576 lines on,
    else bt601. Chroma without a named site sits "left", as H.264 and H.265 say.
    """
    width, height = size
    if is_rgb:
        matrix = "rgb"
    elif planar.startswith(("gray", "ya")):
        matrix = "gray"
    elif tags[3] in _MATRIX and tags[3] != 0:
        matrix = _MATRIX[tags[3]]
    elif tags[1] == 9:
        matrix = "bt2020"
    else:
        matrix = "bt709" if width >= 1280 or height > 576 else "bt601"
    x, y = _SITES[site or "left"]
    return Color(
        matrix=matrix,
        full_range={1: False, 2: True}.get(tags[0], full_range),
        depth=depth,
        chroma_log2=chroma_log2,
        chroma_site=(x if chroma_log2[0] else 0.5, y if chroma_log2[1] else 0.5),
        transfer=_TRANSFER.get(tags[2], "srgb" if is_rgb else "bt709"),
        primaries=_PRIMARIES.get(tags[1], Color().primaries),
    )


@lru_cache(maxsize=64)
def _forward(matrix: str, full_range: bool, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """(A [3, 3], b [3]), float64: code values = A @ RGB + b, RGB in [0, 1]."""
    top = Color(depth=depth).top
    unit = (top + 1) / 256
    if matrix == "rgb":
        return (np.eye(3) * top, np.zeros(3)) if full_range else (np.eye(3) * 219 * unit, np.full(3, 16 * unit))
    if matrix == "ycgco":
        rows = np.array([[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0.0, -0.5]])
    else:
        kr, kb = _KR_KB["bt601" if matrix == "gray" else matrix]  # grey pictures are JPEG's luma
        luma = np.array([kr, 1 - kr - kb, kb])
        blue = (np.array([0.0, 0.0, 1.0]) - luma) / (2 * (1 - kb))
        red = (np.array([1.0, 0.0, 0.0]) - luma) / (2 * (1 - kr))
        rows = np.stack([luma, blue, red])
    if full_range:
        scale, offset = np.array([top, top, top]), np.array([0.0, 128 * unit, 128 * unit])
    else:
        scale, offset = np.array([219.0, 224.0, 224.0]) * unit, np.array([16.0, 128.0, 128.0]) * unit
    return rows * scale[:, None], offset


@lru_cache(maxsize=64)
def _backward(matrix: str, full_range: bool, depth: int) -> np.ndarray:
    """M [3, 4], float64: RGB in [0, 1] = M @ (code values, 1). For "gray" only the first column and the last count."""
    a, b = _forward(matrix, full_range, depth)
    if matrix == "gray":
        top = Color(depth=depth).top
        scale = top if full_range else 219 * (top + 1) / 256
        return np.array([[1 / scale, 0.0, 0.0, -b[0] / scale]] * 3)
    inverse = np.linalg.inv(a)
    return np.hstack([inverse, -(inverse @ b)[:, None]])


def yuv_to_rgb(planes: tuple[np.ndarray, ...], color: Color) -> np.ndarray:
    """RGB [H, W, 3] float32, nominally in [0, 1] and not clipped, of planes [H, W] that all have one size.

    planes: Y, U, V (or R, G, B, or only Y) in code values of ``color.depth``, any real type; more planes (alpha) are
    ignored.
    """
    m = _backward(color.matrix, color.full_range, color.depth)
    if color.matrix == "gray":
        grey = planes[0].astype(np.float32) * np.float32(m[0, 0]) + np.float32(m[0, 3])
        return np.repeat(grey[..., None], 3, axis=2)
    return cv2.transform(cv2.merge([p.astype(np.float32) for p in planes[:3]]), m).astype(np.float32, copy=False)


def rgb_to_yuv(rgb: np.ndarray, color: Color) -> tuple[np.ndarray, ...]:
    """Code values, float32 planes [H, W] (three; one for "gray"), not rounded, of RGB [H, W, 3] float in [0, 1]."""
    a, b = _forward(color.matrix, color.full_range, color.depth)
    planes = cv2.split(cv2.transform(np.asarray(rgb, np.float32), np.hstack([a, b[:, None]])))
    return tuple(planes[:1] if color.matrix == "gray" else planes)


def rgb_change_to_yuv(change: np.ndarray, color: Color) -> tuple[np.ndarray, ...]:
    """What a change of RGB adds to each plane, float32 [H, W] in code values: the linear part only, no offset.

    change: [H, W, 3] float, in units where the RGB range is [-1, 1] (so 2.0 is black to white). Three planes come
    back, for "gray" one; chroma is at full resolution: the caller brings it to the plane's own sample positions.
    """
    return cv2.split(cv2.transform(np.asarray(change, np.float32), change_matrix(color)))


def picture_to_rgb(picture: Picture, max_side: int | None = None) -> np.ndarray:
    """RGB [h, w, 3] uint8 of a whole picture (coded, not rotated).

    max_side: shrink so that the longer side has at most so many pixels. The planes are shrunk first, each as it is, so
    chroma may sit up to a quarter of a source pixel off: fine for detection. Without it the picture keeps its size and
    chroma its place (as ``region_to_rgb``).
    """
    height, width = picture.height, picture.width
    scale = 1.0 if max_side is None else max_side / max(height, width)
    if scale >= 1:
        return region_to_rgb(picture, 0, 0, width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    planes = [
        plane if plane.shape == (size[1], size[0]) else cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
        for plane in seen_planes(picture)
    ]
    return _to_rgb8(planes, picture.color)


def region_to_rgb(
    picture: Picture, x0: int, y0: int, x1: int, y1: int, dtype: type[np.uint8] | type[np.float32] = np.uint8
) -> np.ndarray:
    """RGB [y1 - y0, x1 - x0, 3] of the luma pixels x0 <= x < x1, y0 <= y < y1; uint8, or float32 in [0, 1].

    Chroma is interpolated bilinearly from where its samples sit (``color.chroma_site``), repeated at the border.
    """
    if not (0 <= x0 < x1 <= picture.width and 0 <= y0 < y1 <= picture.height):
        raise ValueError(f"region ({x0}, {y0}, {x1}, {y1}) is outside of a {picture.width}x{picture.height} picture")
    exact = dtype == np.float32
    planes = []
    for i, plane in enumerate(seen_planes(picture)):
        if i and picture.color.matrix not in ("rgb", "gray") and picture.color.chroma_log2 != (0, 0):
            planes.append(_chroma(plane, picture.color, x0, y0, x1, y1, exact))
        else:
            planes.append(plane[y0:y1, x0:x1])
    if exact:
        return np.clip(yuv_to_rgb(tuple(planes), picture.color), 0, 1)
    return _to_rgb8(planes, picture.color)


def seen_planes(picture: Picture) -> tuple[np.ndarray, ...]:
    """The planes that make up the colour, each [H_p, W_p]: alpha is left out."""
    return picture.planes[: 1 if picture.color.matrix == "gray" else 3]


def _chroma(plane: np.ndarray, color: Color, x0: int, y0: int, x1: int, y1: int, exact: bool) -> np.ndarray:
    """A chroma plane at the luma pixels of a region, [y1 - y0, x1 - x0], uint8, uint16 or (exact) float32."""
    rows, columns, to_part = chroma_part(color, x0, y0, x1, y1)
    part = plane[rows, columns]
    part = part.astype(np.float32) if exact else part
    return warp(part, to_part, (y1 - y0, x1 - x0), border=cv2.BORDER_REPLICATE)


def chroma_part(color: Color, x0: int, y0: int, x1: int, y1: int) -> tuple[slice, slice, np.ndarray]:
    """What the luma pixels x0 <= x < x1, y0 <= y < y1 need of a chroma plane.

    Returns its rows and columns, and the matrix [2, 3] from pixels of the region to pixels of that part.
    """
    step_x, step_y = 1 << color.chroma_log2[0], 1 << color.chroma_log2[1]
    # In steps of chroma samples from the first one: where the region's first pixel has its centre.
    first_x, first_y = (x0 + 0.5 - color.chroma_site[0]) / step_x, (y0 + 0.5 - color.chroma_site[1]) / step_y
    left, top = max(0, int(first_x) - 1), max(0, int(first_y) - 1)
    right, bottom = int(first_x + (x1 - x0) / step_x) + 3, int(first_y + (y1 - y0) / step_y) + 3
    corner_x, corner_y = x0 - color.chroma_site[0], y0 - color.chroma_site[1]
    to_part = np.array(
        [[1 / step_x, 0, corner_x / step_x + 0.5 - left], [0, 1 / step_y, corner_y / step_y + 0.5 - top]]
    )
    return slice(top, bottom), slice(left, right), to_part


def rgb8_matrix(color: Color) -> np.ndarray:
    """M [3, 4], float64: RGB in [0, 255] = M @ (code values, 1). For "gray" only the first column and last count."""
    return _backward(color.matrix, color.full_range, color.depth) * 255


def change_matrix(color: Color) -> np.ndarray:
    """A [P, 3], float64: what a change of RGB in units of [-1, 1] adds to the P planes, 3 or for "gray" 1."""
    a, _ = _forward(color.matrix, color.full_range, color.depth)
    return a[: 1 if color.matrix == "gray" else 3] / 2


def _to_rgb8(planes: list[np.ndarray], color: Color) -> np.ndarray:
    if tone_proxy.needs_proxy(color):
        if color.depth == 32:
            planes = [
                np.nan_to_num(plane, nan=0.0, posinf=tone_proxy.MOST, neginf=-tone_proxy.MOST) for plane in planes
            ]
        seen = tone_proxy.to_sdr(cv2.split(yuv_to_rgb(tuple(planes), color)), color, np)
        return np.clip(np.rint(cv2.merge(seen) * np.float32(255)), 0, 255).astype(np.uint8)
    m = rgb8_matrix(color)
    if color.matrix == "gray":
        grey = planes[0].astype(np.float32) * np.float32(m[0, 0]) + np.float32(m[0, 3])
        return cv2.merge([np.clip(np.rint(grey), 0, 255).astype(np.uint8)] * 3)
    merged = cv2.merge(planes)
    if merged.dtype == np.uint8:
        return cv2.transform(merged, m)  # rounds and saturates
    rgb = cv2.transform(merged.astype(np.float32), m)
    return np.clip(np.rint(rgb, out=rgb), 0, 255, out=rgb).astype(np.uint8)
