"""Between FFmpeg's frame layouts and ours: planar, contiguous, native-endian numpy, without swscale.

Every layout that decoders hand out in practice is re-laid losslessly: semi-planar (nv12, p010), packed (rgb24, bgra,
yuyv422), palettes and big-endian samples all become planes. ``planar_name`` says what a layout is called afterwards.
"""

from __future__ import annotations

import re
from functools import lru_cache

import av
import numpy as np
from av.video.format import VideoFormat

from videdit.errors import RefusedInput

# Packed layouts: (planar name afterwards, sample type, letters in memory order; "_" is padding).
_PACKED = {
    "rgb24": ("gbrp", "u1", "RGB"),
    "bgr24": ("gbrp", "u1", "BGR"),
    "rgb0": ("gbrp", "u1", "RGB_"),
    "bgr0": ("gbrp", "u1", "BGR_"),
    "0rgb": ("gbrp", "u1", "_RGB"),
    "0bgr": ("gbrp", "u1", "_BGR"),
    "rgba": ("gbrap", "u1", "RGBA"),
    "bgra": ("gbrap", "u1", "BGRA"),
    "argb": ("gbrap", "u1", "ARGB"),
    "abgr": ("gbrap", "u1", "ABGR"),
    "rgb48le": ("gbrp16le", "<u2", "RGB"),
    "rgb48be": ("gbrp16le", ">u2", "RGB"),
    "bgr48le": ("gbrp16le", "<u2", "BGR"),
    "bgr48be": ("gbrp16le", ">u2", "BGR"),
    "rgba64le": ("gbrap16le", "<u2", "RGBA"),
    "rgba64be": ("gbrap16le", ">u2", "RGBA"),
    "bgra64le": ("gbrap16le", "<u2", "BGRA"),
    "bgra64be": ("gbrap16le", ">u2", "BGRA"),
    "ya8": ("ya8", "u1", "YA"),
    "ya16le": ("ya16le", "<u2", "YA"),
    "ya16be": ("ya16le", ">u2", "YA"),
}
# Semi-planar layouts: (planar name, sample type, unused low bits, letters of the second plane).
_SEMI = {
    "nv12": ("yuv420p", "u1", 0, "UV"),
    "nv21": ("yuv420p", "u1", 0, "VU"),
    "nv16": ("yuv422p", "u1", 0, "UV"),
    "nv24": ("yuv444p", "u1", 0, "UV"),
    "nv42": ("yuv444p", "u1", 0, "VU"),
    "nv20le": ("yuv422p10le", "<u2", 0, "UV"),
    "p010le": ("yuv420p10le", "<u2", 6, "UV"),
    "p012le": ("yuv420p12le", "<u2", 4, "UV"),
    "p016le": ("yuv420p16le", "<u2", 0, "UV"),
    "p210le": ("yuv422p10le", "<u2", 6, "UV"),
    "p212le": ("yuv422p12le", "<u2", 4, "UV"),
    "p216le": ("yuv422p16le", "<u2", 0, "UV"),
    "p410le": ("yuv444p10le", "<u2", 6, "UV"),
    "p412le": ("yuv444p12le", "<u2", 4, "UV"),
    "p416le": ("yuv444p16le", "<u2", 0, "UV"),
}
_YUYV = {"yuyv422": "YUYV", "uyvy422": "UYVY", "yvyu422": "YVYU"}
_MONO = {"monob": 0, "monow": 255}  # one bit a pixel; the value XORed in
_PLANAR = re.compile(r"(yuv[aj]?4\d\dp|gbra?p|gray)(8|9|10|12|14|16)?(le|be)?$")

# Encoders that want a planar picture packed or semi-planar, best first.
_PACKINGS = {
    "gbrp": ("rgb24", "bgr24", "bgr0", "rgb0"),
    "gbrap": ("rgba", "bgra", "argb"),
    "gbrp16le": ("rgb48le", "rgb48be"),
    "gbrap16le": ("rgba64le", "rgba64be"),
    "gray16le": ("gray16be",),
    "ya16le": ("ya16be",),
    "yuv420p": ("nv12",),
    "yuv420p10le": ("p010le",),
}


def planar_name(pix_fmt: str) -> str:
    """The name of the planar layout that :func:`unpack` turns ``pix_fmt`` into, e.g. nv12 -> yuv420p.

    Palettes become "gbrap", bitmaps "gray"; layouts that nothing above knows become 16-bit planes of their family.

    Raises:
        MediaError: for floating point samples, which the editor cannot keep yet.
    """
    for table in (_PACKED, _SEMI):
        if pix_fmt in table:
            return str(table[pix_fmt][0])
    if pix_fmt in _YUYV:
        return "yuv422p"
    if pix_fmt in _MONO or pix_fmt == "gray8":
        return "gray"
    if pix_fmt == "pal8":
        return "gbrap"
    if match := _PLANAR.match(pix_fmt):
        family, bits, _ = match.groups()
        return family.replace("yuvj", "yuv") + (f"{bits}le" if bits else "")
    if re.search(r"f(16|32)(le|be)$", pix_fmt):
        advice = "convert it to 16-bit integers"
        raise RefusedInput(f"the pixel format {pix_fmt} (floating point) is not supported; {advice}")
    return "gbrap16le" if VideoFormat(pix_fmt).is_rgb else "yuv444p16le"


@lru_cache(maxsize=64)
def geometry(planar: str) -> tuple[int, tuple[int, int], bool, bool]:
    """(bits a sample, log2 of the chroma subsampling in x and y, is RGB, has alpha) of a planar layout."""
    fmt = VideoFormat(planar, 64, 64)
    log2 = ((64 // fmt.chroma_width(64)).bit_length() - 1, (64 // fmt.chroma_height(64)).bit_length() - 1)
    return fmt.components[0].bits, log2, fmt.is_rgb, any(c.is_alpha for c in fmt.components)


def target_formats(planar: str, shallower: bool = False) -> tuple[str, ...]:
    """Layouts that hold exactly what a planar picture holds, the planar one first.

    shallower: also one of fewer bits at the end. ProRes 4444 decodes to 12 bits, but its encoder takes only 10.
    """
    exact = (planar, *_PACKINGS.get(planar, ()))
    return (*exact, planar.replace("12le", "10le")) if shallower and planar.endswith("p12le") else exact


def _samples(plane: av.video.plane.VideoPlane, dtype: str, channels: int = 1, width: int = 0) -> np.ndarray:
    """A view [H, W] or [H, W, channels] of a plane's memory, its line padding cut off."""
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, abs(plane.line_size))
    if plane.line_size < 0:
        rows = rows[::-1]
    width = width or plane.width
    view = rows[:, : width * channels * np.dtype(dtype).itemsize].view(dtype)
    return view.reshape(plane.height, width, channels) if channels > 1 else view


def _own(view: np.ndarray, shift: int = 0) -> np.ndarray:
    """A contiguous, native-endian copy."""
    native = np.uint8 if view.dtype.itemsize == 1 else np.uint16
    return np.right_shift(view, shift, dtype=native) if shift else np.array(view, dtype=native, order="C")


def unpack(frame: av.VideoFrame) -> tuple[np.ndarray, ...]:
    """The planes of a decoded frame, copied: Y, U, V or R, G, B or Y, alpha last; [H_p, W_p] uint8 or uint16."""
    name = frame.format.name
    planes = frame.planes
    if name in _PACKED:
        _, dtype, letters = _PACKED[name]
        pixels = _samples(planes[0], dtype, len(letters))
        return tuple(_own(pixels[..., letters.index(c)]) for c in ("RGBA" if "R" in letters else "YA") if c in letters)
    if name in _SEMI:
        _, dtype, shift, letters = _SEMI[name]
        chroma = _samples(planes[1], dtype, 2)
        return (_own(_samples(planes[0], dtype), shift), *(_own(chroma[..., letters.index(c)], shift) for c in "UV"))
    if name in _YUYV:
        letters = _YUYV[name]
        half = (frame.width + 1) // 2
        quads = _samples(planes[0], "u1", 4, half)
        first = letters.index("Y")
        luma = quads[..., [first, first + 2]].reshape(frame.height, 2 * half)[:, : frame.width]
        return (_own(luma), _own(quads[..., letters.index("U")]), _own(quads[..., letters.index("V")]))
    if name in _MONO:
        mono = np.unpackbits(_samples(planes[0], "u1", 1, (frame.width + 7) // 8), axis=1)[:, : frame.width]
        return ((mono * np.uint8(255)) ^ np.uint8(_MONO[name]),)
    if name == "pal8":
        palette = np.frombuffer(memoryview(planes[1]), np.uint8).reshape(
            256, 4
        )  # stored as B, G, R, A on little-endian machines
        pixels = palette[_samples(planes[0], "u1")]
        return tuple(_own(pixels[..., i]) for i in (2, 1, 0, 3))
    if not _PLANAR.match(name) and name != "gray8":
        return unpack(frame.reformat(format=planar_name(name)))  # rare: the only place where swscale may run
    bits, _, is_rgb, _ = geometry(planar_name(name))
    dtype = "u1" if bits <= 8 else ">u2" if name.endswith("be") else "<u2"
    if is_rgb:  # held as G, B, R
        planes = (planes[2], planes[0], planes[1], *planes[3:])
    return tuple(_own(_samples(plane, dtype)) for plane in planes)


def pack(planes: tuple[np.ndarray, ...], planar: str, target: str) -> av.VideoFrame:
    """Planes [H_p, W_p] in the layout ``target`` (of ``target_formats(planar)``), which holds their values exactly.

    In a shallower layout they are rounded.
    """
    if target not in target_formats(planar) and (shift := geometry(planar)[0] - geometry(target)[0]) > 0:
        top = (1 << geometry(target)[0]) - 1
        planes = tuple(np.minimum((plane + (1 << shift >> 1)) >> shift, top).astype(plane.dtype) for plane in planes)
        planar = target
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, target)
    out = frame.planes
    if target in _PACKED:
        _, dtype, letters = _PACKED[target]
        pixels = _samples(out[0], dtype, len(letters))
        if "_" in letters:
            pixels[..., letters.index("_")] = 0
        for plane, letter in zip(planes, "RGBA" if "R" in letters else "YA", strict=False):
            pixels[..., letters.index(letter)] = plane
        return frame
    if target in _SEMI:
        _, dtype, shift, letters = _SEMI[target]
        _samples(out[0], dtype)[:] = planes[0] << shift
        chroma = _samples(out[1], dtype, 2)
        for plane, letter in zip(planes[1:], "UV", strict=True):
            chroma[..., letters.index(letter)] = plane << shift
        return frame
    if geometry(planar)[2]:
        out = (out[2], out[0], out[1], *out[3:])
    dtype = "u1" if planes[0].dtype.itemsize == 1 else ">u2" if target.endswith("be") else "<u2"
    for plane, memory in zip(planes, out, strict=True):
        _samples(memory, dtype)[:] = plane
    return frame
