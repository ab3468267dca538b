"""paste: add the changes to the frame's own planes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from videdit.datatypes import Frame, Picture
from videdit.imaging.pixels import Pixels


class Paste:
    """Hands on frames whose picture has the changes in it; a frame without any keeps its planes as they are."""

    name = "paste"

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        begun: deque[tuple[Frame, Callable[[], Picture]]] = deque()
        for frame in frames:
            begun.append((frame, self._begun(frame)))
            if len(begun) > self.pixels.ahead:
                yield _finished(*begun.popleft())
        for frame, picture in begun:
            yield _finished(frame, picture)

    def _begun(self, frame: Frame) -> Callable[[], Picture]:
        return self.pixels.paste(frame.picture, frame.layers) if frame.edits else lambda: frame.picture


def _finished(frame: Frame, picture: Callable[[], Picture]) -> Frame:
    return replace(frame, picture=picture(), edits=())
