"""Pictures in memory, as numpy arrays or of a kind that numpy can read, and the PNGs that stand for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from videdit.errors import MediaError, UsageError
from videdit.media.failures import writing

_TO_CV2 = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}  # by the channels' number
_FROM_CV2 = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
# Modes of PIL whose arrays are not what they look like, and what they become.
_PIL_MODES = dict.fromkeys(("1", "P", "CMYK", "YCbCr", "LAB", "HSV"), "RGB")
_PIL_MODES |= dict.fromkeys(("LA", "La", "PA", "RGBa"), "RGBA")


def is_in_memory(source: object) -> bool:
    """Whether a source is pixels, not the path of a file: an array, or what says that it can become one."""
    return hasattr(source, "__array__") or hasattr(source, "__array_interface__")


def pixels_of(source: Any) -> np.ndarray:
    """The pixels of a picture in memory: uint8 or uint16, [H, W] grey, [H, W, 3] RGB or [H, W, 4] RGBA.

    source: such an array, or a PIL image of any mode.

    Raises:
        UsageError: it is anything else; what, and what is wanted, is said.
    """
    try:
        if hasattr(source, "convert") and (mode := _PIL_MODES.get(getattr(source, "mode", ""))):
            source = source.convert("RGBA" if "transparency" in source.info else mode)
        pixels = np.asarray(source)
    except Exception as error:  # a tensor on a GPU, or one that wants its gradient
        detail = " ".join(str(error).split())
        raise UsageError(f"the picture, a {type(source).__name__}, cannot be read as an array: {detail}") from None
    shape = f"{pixels.dtype} {list(pixels.shape)}"
    wanted = "a picture is uint8 or uint16, [H, W, 3] in RGB ([H, W] grey, [H, W, 4] RGBA)"
    if pixels.dtype not in (np.uint8, np.uint16):
        values = pixels.dtype.kind == "f" and pixels.size and float(np.nanmax(pixels)) <= 1
        advice = "; for values in 0..1: (255 * picture).round().astype(numpy.uint8)" if values else ""
        raise UsageError(f"{wanted}, and this is {shape}{advice}")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.shape[0] in (3, 4) and pixels.shape[2] not in (3, 4):
        raise UsageError(f"{wanted}, and this is {shape}; for channels first: picture.transpose(1, 2, 0)")
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,), (4,)) or 0 in pixels.shape:
        raise UsageError(f"{wanted}, and this is {shape}")
    return np.ascontiguousarray(pixels)


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write pixels as of :func:`pixels_of`, without loss. Raises MediaError: there is no room."""
    code = _TO_CV2[pixels.shape[2] if pixels.ndim == 3 else 2]
    good, data = cv2.imencode(".png", pixels if code is None else cv2.cvtColor(pixels, code))
    if not good:
        raise MediaError(f"a picture of {list(pixels.shape)} cannot be written as a PNG")
    with writing(path):
        path.write_bytes(data.tobytes())


def read_png(path: Path) -> np.ndarray:
    """The pixels of a PNG, as of :func:`pixels_of`. Raises MediaError: it cannot be read."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise MediaError(f"{path} cannot be read")
    return cv2.cvtColor(pixels, _FROM_CV2[pixels.shape[2]]) if pixels.ndim == 3 else pixels
