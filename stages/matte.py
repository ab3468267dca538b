"""matte: where and how much the edit has changed, as a grey clip or picture beside the edited one (--alpha-out)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from videdit.datatypes import Color, Edited, Frame, Picture
from videdit.imaging.arrays import extent
from videdit.imaging.pixels import Pixels
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.info import MediaInfo
from videdit.stages.auxiliary_output import AuxiliaryOutput

_GRAY = Color("gray", full_range=True, chroma_log2=(0, 0), chroma_site=(0.5, 0.5))
FULL = 4 * 2 / 255  # the change, of 2 from black to white, from which on the matte is full: four code values of 8 bits
_TAGS = (2, 2, 2, 2)  # full range; colours mean nothing here


class Matte:
    """Hands frames on as they are, and draws what their edits change into ``file``: 0 untouched .. 255 all of it.

    An edit may repaint more than it does: a smile leaves brows as they were. There the matte is dark, so that a
    compositor gets what is new and keeps the source elsewhere.
    """

    name = "matte"

    def __init__(self, file: AuxiliaryOutput, pixels: Pixels) -> None:
        """file: as of :func:`matte_file`."""
        self.file, self.pixels = file, pixels

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with edits that are not pasted yet; handed on unchanged."""
        with self.file.opened():
            for frame in frames:
                self.file.write(replace(frame, picture=mask_of(frame.picture, frame.layers, self.pixels)))
                yield frame


def matte_file(path: Path, info: MediaInfo, **span: Any) -> AuxiliaryOutput:
    """path: .mkv (lossless), .mp4 or .mov for a clip, a picture's for a picture. span: as of AuxiliaryOutput."""
    if info.kind == "video":
        info = replace(info, codec="ffv1", pix_fmt="gray", planar="gray", color=_GRAY, color_tags=_TAGS)
        info = replace(info, hdr=None, dynamic_metadata=())
    how = EncodeSettings(codec="ffv1" if path.suffix.lower() == ".mkv" else "h264")
    return AuxiliaryOutput("matte", path, info, how, alone=True, **span)


def mask_of(picture: Picture, layers: Sequence[Edited], pixels: Pixels) -> Picture:
    """Where and how much layers change a picture, grey."""
    black = Picture((np.zeros((picture.height, picture.width), np.uint8),), _GRAY, "gray")
    # A change from black to white, where there is any, is what the mask lets through of it.
    white = [replace(edit, change=edit.change * 0 + 2 * extent(edit.change, FULL)) for edit in layers]
    return pixels.paste(black, white)() if white else black
