"""paste: add the changes to the frame's own planes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from videdit.datatypes import Frame, Pasted, Picture
from videdit.imaging.pixels import Pixels
from videdit.tracks.account import Account


class Paste:
    """Hands on frames whose picture has the changes in it; a frame without any keeps its planes as they are.

    What they were before is ``pasted``, for the stages that still need it, until :class:`Release`.
    """

    name = "paste"

    def __init__(self, pixels: Pixels) -> None:
        """pixels: what pastes; so many frames as its ``ahead`` says are begun before the first is waited for."""
        self.pixels = pixels

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with edits that have no crops any more; handed on with new planes in the host's memory."""
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
    return replace(frame, picture=picture(), edits=(), pasted=Pasted(frame.picture, frame.edits))


class Release:
    """Counts the edits that were pasted, and lets go of what frames were before."""

    name = "release"

    def __init__(self, account: Account | None = None) -> None:
        """account: hears who was edited when."""
        self.account, self.faces = account, 0

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames without ``pasted``; ``edited`` is the number of their edits."""
        for frame in frames:
            edits = frame.pasted.edits if frame.pasted else ()
            if frame.own:
                self.faces += len(edits)
                for edit in edits:
                    if self.account:
                        self.account.edited(edit.track, frame.time)
            yield replace(frame, pasted=None, edited=len(edits))
