"""Still pictures out: the planes of a Frame into JPEG, PNG, WebP, TIFF or BMP, with what the source carried."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from videdit.datatypes import Frame, Picture
from videdit.errors import MediaError
from videdit.media.color import region_to_rgb
from videdit.media.encode.target import check_target, commit_file
from videdit.media.info import MediaInfo
from videdit.media.pixel_formats import geometry, pack, target_formats
from videdit.media.stills.image_tags import ImageTags, embed, read_tags
from videdit.storage.outputs import temporary_name

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
_WITH_EXIF = (".jpg", ".jpeg", ".png")
_JPEG_QUALITY = 97
_LOSSLESS = {".png": ("png", {}), ".tif": ("tiff", {"compression_algo": "deflate"}), ".bmp": ("bmp", {})}
_LOSSLESS[".tiff"] = _LOSSLESS[".tif"]


def write_image(
    path: str | os.PathLike[str],
    frame: Frame,
    like: MediaInfo,
    metadata: dict[str, str] | None = None,
    seal: Callable[[Path], None] | None = None,
    replace: bool = False,
) -> None:
    """Write a frame as a still, in one step: either the whole file is there or nothing.

    path: the suffix decides. JPEG: quality 97, no chroma subsampling; WebP: lossless if the source's planes are RGB,
    else quality 97; PNG, TIFF and BMP hold the planes exactly, 16 bits too (BMP: 8), YUV sources as RGB.
    like: the source; EXIF (without its preview), ICC profile, XMP and notes of a JPEG or PNG are kept in JPEG and PNG.
    metadata: notes to add (provenance). seal: called with the finished file before it takes its name.
    replace: what is at `path` by then.

    Raises:
        MediaError: unknown suffix, no such folder, not writable, disk full, output is the source.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise MediaError(f"cannot write {path}: '{path.suffix}' is not supported; use {', '.join(IMAGE_SUFFIXES)}")
    check_target(path, like)
    tags = read_tags(like.path) if like.kind == "image" and like.path.is_file() else ImageTags()
    data = still_bytes(path, frame, like, tags.with_notes(metadata or {}))
    temporary = temporary_name(path)
    try:
        temporary.write_bytes(data)
        if seal is not None:
            seal(temporary)
        commit_file(temporary, path, replace)
    except OSError as error:
        raise MediaError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def still_bytes(path: Path, frame: Frame, like: MediaInfo, tags: ImageTags) -> bytes:
    """A frame as the file that its suffix asks for, with tags; like: the source."""
    suffix = path.suffix.lower()
    # EXIF tells viewers to turn the picture; where it does not come along the pixels are turned.
    turns = 0 if tags.exif and suffix in _WITH_EXIF else -like.rotation // 90
    if suffix in _LOSSLESS:
        data = _encode_lossless(frame.picture, turns, like.color_tags, *_LOSSLESS[suffix])
    else:
        data = _encode_lossy(frame.picture, turns, suffix)
    return embed(data, tags)


def _encode_lossy(picture: Picture, turns: int, suffix: str) -> bytes:
    """JPEG or WebP, 8 bits, turned counter-clockwise by quarter turns. A WebP keeps its alpha plane."""
    if picture.color.matrix == "gray" and suffix != ".webp":
        pixels = _to_depth(picture.planes[0], picture.color.depth, 8)
    else:
        pixels = cv2.cvtColor(region_to_rgb(picture, 0, 0, picture.width, picture.height), cv2.COLOR_RGB2BGR)
    if suffix == ".webp":
        if geometry(picture.pix_fmt)[3]:
            pixels = np.dstack([pixels, _to_depth(picture.planes[-1], picture.color.depth, 8)])
        quality = 101 if picture.color.matrix == "rgb" else _JPEG_QUALITY  # above 100 is lossless
        options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    else:
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        options += [cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    done, data = cv2.imencode(suffix, np.ascontiguousarray(np.rot90(pixels, turns)), options)
    if not done:
        raise MediaError(f"a {picture.width}x{picture.height} picture cannot be written as {suffix}")
    return data.tobytes()


def _encode_lossless(
    picture: Picture, turns: int, color_tags: tuple[int, int, int, int], codec: str, options: dict[str, str]
) -> bytes:
    """PNG, TIFF or BMP. color_tags: of the source; PNG says which primaries and transfer its numbers mean."""
    formats = [f.name for f in av.codec.Codec(codec, "w").video_formats or ()]
    planes, planar = _storable(picture, deep="rgb48le" in formats or "rgb48be" in formats)
    chosen = next((name for name in target_formats(planar) if name in formats), None)
    if chosen is None:  # transparency that the format does not know
        planes, planar = planes[:-1], planar.replace("gbrap", "gbrp").replace("ya8", "gray")
        chosen = next(name for name in target_formats(planar) if name in formats)
    planes = tuple(np.rot90(plane, turns) for plane in planes)
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = planes[0].shape
    context.pix_fmt = chosen
    context.options = dict(options)
    context.time_base = 1  # type: ignore[assignment]
    frame = pack(planes, planar, chosen)
    for part in (context, frame):
        _, part.color_primaries, part.color_trc, _ = color_tags
    packets = context.encode(frame) + context.encode(None)
    return b"".join(bytes(packet) for packet in packets)


def _storable(picture: Picture, deep: bool) -> tuple[tuple[np.ndarray, ...], str]:
    """R, G, B or grey, alpha last, of 8 or (deep: the format holds them) 16 bits, and that layout's name."""
    color = picture.color
    depth, bits = color.depth, 16 if color.depth > 8 and deep else 8
    ending = "16le" if bits == 16 else ""
    alpha = picture.planes[-1:] if geometry(picture.pix_fmt)[3] else ()
    if color.matrix == "gray" and color.full_range:
        name = ("ya" + (ending or "8")) if alpha else "gray" + ending
        return tuple(_to_depth(plane, depth, bits) for plane in picture.planes), name
    if color.matrix == "rgb" and color.full_range:
        colours: tuple[np.ndarray, ...] = tuple(_to_depth(plane, depth, bits) for plane in picture.planes[:3])
    else:
        whole = (0, 0, picture.width, picture.height)
        if bits == 16:
            rgb = np.rint(region_to_rgb(picture, *whole, dtype=np.float32) * 65535).astype(np.uint16)
        else:
            rgb = region_to_rgb(picture, *whole)
        colours = tuple(np.ascontiguousarray(rgb[..., i]) for i in range(3))
    return (*colours, *(_to_depth(plane, depth, bits) for plane in alpha)), ("gbrap" if alpha else "gbrp") + ending


def _to_depth(plane: np.ndarray, depth: int, bits: int) -> np.ndarray:
    """A plane of full-range samples in another depth; the same array if it has it."""
    if depth == bits:
        return plane
    scaled = plane.astype(np.float32) * (((1 << bits) - 1) / ((1 << depth) - 1))
    return np.rint(scaled).astype(np.uint8 if bits == 8 else np.uint16)
