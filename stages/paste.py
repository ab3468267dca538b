"""paste: add the changes to the frame's own planes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from videdit.packets import Frame
from videdit.pixels import Pixels


class Paste:
    """Hands on frames whose picture has the changes in it; a frame without any keeps its planes as they are."""

    name = "paste"

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            picture = self.pixels.paste(frame.picture, frame.edits) if frame.edits else frame.picture
            yield replace(frame, picture=picture, edits=())
