"""Crops out of the planes of a picture, and what is made of every crop.

Crops are cut here on the host; :mod:`videdit.imaging.device_planes` cuts them on a device.
"""

from __future__ import annotations

import cv2
import numpy as np

from videdit.datatypes import LOW, Array, Crop, Picture
from videdit.geometry.warp import crop, region, shift
from videdit.imaging import primitives
from videdit.media.color import region_to_rgb


def crop_picture(picture: Picture, to_frame: np.ndarray, size: int, interpolation: int = cv2.INTER_CUBIC) -> np.ndarray:
    """A size x size RGB crop, uint8 [size, size, 3], of a picture: only the region it needs is converted to RGB.

    to_frame: [2, 3], maps crop pixels to pixels of the picture. interpolation: OpenCV's, where nothing is shrunk.
    """
    x0, y0, x1, y1 = region(to_frame, size, picture.width, picture.height)
    rgb = region_to_rgb(picture, x0, y0, x1, y1)
    return crop(rgb, shift(to_frame, -x0, -y0), size, interpolation)


def low_picture(crop: Crop) -> Array:
    """A crop's picture at 256 px, [256, 256, 3] uint8: the one that it carries, made here where it carries none."""
    return primitives.of(crop.image).resize(crop.image, LOW) if crop.low is None else crop.low


def network_input(crop: Array) -> Array:
    """Crop [S, S, 3] uint8 RGB -> [3, 256, 256] float32 in [-1, 1], antialiased."""
    xp = primitives.of(crop)
    return xp.channels_first(xp.single(xp.resize(crop, LOW, mode="bicubic")) / 127.5 - 1)
