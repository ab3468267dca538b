"""matte: where and how much the edit may show, as a grey clip or picture beside the edited one (--alpha-out)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from videdit.media.codecs import EncodeSettings
from videdit.media.probe import MediaInfo
from videdit.media.still import write_image
from videdit.media.write import VideoWriter
from videdit.packets import Color, Frame, Picture
from videdit.pixels import Pixels

_GRAY = Color("gray", full_range=True, chroma_log2=(0, 0), chroma_site=(0.5, 0.5))
_TAGS = (2, 2, 2, 2)  # full range; colours mean nothing here


class Matte:
    """Hands frames on as they are, and draws their edits' masks: 0 untouched .. 255 all of the change.

    The file takes its name with :meth:`keep`, when the edited clip has; :meth:`drop` forgets it.
    """

    name = "matte"

    def __init__(self, path: Path, info: MediaInfo, pixels: Pixels, start: float | None, end: float | None) -> None:
        """path: .mkv (lossless), .mp4 or .mov for a clip, a picture's for a picture. start, end: as of Decode."""
        self.path, self.info, self.pixels = path, info, pixels
        self.start, self.end = start, end
        self._writer: VideoWriter | None = None
        self._still: Frame | None = None

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        if self.info.kind == "image":
            for frame in frames:
                self._still = self._drawn(frame)
                yield frame
            return
        gray = replace(self.info, codec="ffv1", pix_fmt="gray", planar="gray", color=_GRAY, color_tags=_TAGS, hdr=None)
        how = EncodeSettings(codec="ffv1" if self.path.suffix.lower() == ".mkv" else "h264")
        self._writer = VideoWriter(self.path, gray, how, start=self.start, end=self.end, alone=True)
        for frame in frames:
            self._writer.write(self._drawn(frame))
            yield frame

    def keep(self) -> None:
        """Finish the file. Raises MediaError: it cannot be written."""
        if self._writer is not None:
            self._writer.commit()
        elif self._still is not None:
            write_image(self.path, self._still, self.info)

    def drop(self) -> None:
        """Leave nothing behind."""
        if self._writer is not None:
            self._writer.abort()

    def _drawn(self, frame: Frame) -> Frame:
        black = Picture((np.zeros((frame.picture.height, frame.picture.width), np.uint8),), _GRAY, "gray")
        # A change from black to white everywhere is what the mask lets through of it.
        white = [replace(edit, change=edit.change * 0 + 2) for edit in frame.edits]
        return replace(frame, picture=self.pixels.paste(black, white)() if white else black)
