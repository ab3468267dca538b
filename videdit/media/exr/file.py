"""One OpenEXR file: what of it is the picture, and all else kept as it is.

The OpenEXR library (the extra ``exr``) keeps what FFmpeg would lose: channels beside R, G and B (alpha, depth, mattes,
layers), further parts, windows, and every attribute. Planes cover the display window; where the data window is smaller
they are black, where it is larger what lies beyond is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videdit.datatypes import Color
from videdit.errors import MediaError, RefusedInput
from videdit.media.open import MAX_PIXELS, MAX_SIDE, check_file

_MAX_BYTES = 8 << 30  # of all channels of a file, unpacked
_LOSSY = ("DWAA_COMPRESSION", "DWAB_COMPRESSION", "B44_COMPRESSION", "B44A_COMPRESSION", "LJ2K_COMPRESSION")


@dataclass
class ExrImage:
    """One opened file, and which of its channels are the picture."""

    file: Any  # OpenEXR.File
    header: dict[str, Any]  # of the picture's part; what is changed in it is written
    channels: list[Any]  # R, G, B: OpenEXR.Channel
    shape: tuple[int, int]  # (height, width) of the display window
    inside: tuple[slice, slice]  # rows and columns of the display window that the data covers
    covered: tuple[slice, slice]  # the same in the data

    @property
    def color(self) -> Color:
        """Linear RGB of 32 bits; primaries as the file says, else BT.709's."""
        found = self.header.get("chromaticities")
        primaries = Color().primaries if found is None else tuple(float(value) for value in found)
        return Color("rgb", True, 32, (0, 0), (0.5, 0.5), "linear", primaries)

    @property
    def nbytes(self) -> int:
        """Bytes of all channels of all parts, those that are no picture too."""
        return sum(channel.pixels.nbytes for part in self.file.parts for channel in part.channels.values())

    def planes(self) -> tuple[np.ndarray, ...]:
        """R, G, B, float32 [H, W]."""
        planes = tuple(np.zeros(self.shape, np.float32) for _ in self.channels)
        for plane, channel in zip(planes, self.channels, strict=True):
            plane[self.inside] = channel.pixels[self.covered]
        return planes

    def put(self, planes: tuple[np.ndarray, ...]) -> str | None:
        """Take over pixels, planes [H, W], that are not as :meth:`planes` gave them; says what else is not kept."""
        for before, after, channel in zip(self.planes(), planes, self.channels, strict=True):
            old, new = before[self.inside], after[self.inside]
            changed = (old != new) & ~(np.isnan(old) & np.isnan(new))
            pixels = channel.pixels[self.covered]
            most = float(np.finfo(pixels.dtype).max)
            pixels[changed] = np.clip(new[changed], -most, most).astype(pixels.dtype)
        compression = self.header["compression"]
        if compression.name not in _LOSSY:
            return None
        self.header["compression"] = type(compression).ZIP_COMPRESSION
        return f"{compression.name.split('_')[0]} would lose detail again: ZIP compression takes its place"


def read(path: Path) -> ExrImage:
    """Raises MediaError: it cannot be opened, is damaged, too large, or holds no R, G and B."""
    shell = open_file(path, header_only=True)
    _check(path, shell)
    file = open_file(path)
    if len(file.parts) < len(shell.parts):  # the library only warns
        raise RefusedInput(f"{path} is cut off or damaged: not all of its pixels can be read")
    for part in file.parts:
        layers = sorted({name.removesuffix("R") for name in part.channels if name in ("R",) or name.endswith(".R")})
        for layer in layers:
            if all(layer + letter in part.channels for letter in "RGB"):
                return _image(path, file, part.header, [part.channels[layer + letter] for letter in "RGB"])
    raise RefusedInput(f"{path} holds no channels R, G and B; render or convert it to these first")


def _image(path: Path, file: Any, header: dict[str, Any], channels: list[Any]) -> ExrImage:
    for channel in channels:
        if channel.pixels.dtype not in (np.float16, np.float32) or channel.xSampling != 1 or channel.ySampling != 1:
            raise RefusedInput(f"{path} holds colours that are not whole floating point channels; convert it first")
    (x0, y0), (x1, y1) = (map(int, corner) for corner in header["displayWindow"])
    (left, top), (right, bottom) = (map(int, corner) for corner in header["dataWindow"])
    rows, columns = (max(y0, top), min(y1, bottom) + 1), (max(x0, left), min(x1, right) + 1)
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        raise RefusedInput(f"{path} shows nothing: its data lies outside of what it displays")
    inside = slice(rows[0] - y0, rows[1] - y0), slice(columns[0] - x0, columns[1] - x0)
    covered = slice(rows[0] - top, rows[1] - top), slice(columns[0] - left, columns[1] - left)
    return ExrImage(file, header, channels, (y1 - y0 + 1, x1 - x0 + 1), inside, covered)


def _check(path: Path, shell: Any) -> None:
    """Refuse, by its headers alone, what is no flat picture or would take absurd memory."""
    total = 0
    for part in shell.parts:
        if "deep" in getattr(part.header.get("type"), "name", ""):
            raise RefusedInput(f"{path} holds deep pixels; flatten it first")
        for window in ("displayWindow", "dataWindow"):
            (x0, y0), (x1, y1) = (map(int, corner) for corner in part.header[window])
            width, height = x1 - x0 + 1, y1 - y0 + 1
            if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
                size = f"{width}x{height}"
                raise RefusedInput(f"{path} claims to be {size}: more than {MAX_SIDE} pixels a side are refused")
        total += 4 * width * height * len(part.header["channels"])
    if total > _MAX_BYTES:
        raise RefusedInput(f"{path} would take {total >> 30} GiB of memory; take out channels that are not needed")


def open_file(path: Path, header_only: bool = False) -> Any:
    """An OpenEXR file, open; checked first, since its library trusts what it reads."""
    check_file(path)
    try:
        import OpenEXR
    except ImportError:
        raise MediaError(f'{path} needs the OpenEXR library: pip install "videdit[exr]"') from None
    try:
        return OpenEXR.File(str(path), separate_channels=True, header_only=header_only)
    except (RuntimeError, ValueError, TypeError, MemoryError):
        raise RefusedInput(f"{path} is not an EXR picture that can be read; it may be damaged") from None
