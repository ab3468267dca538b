"""matte: where and how much the edit may show, as a grey clip or picture beside the edited one (--alpha-out).

Of a clip that is split its segments are kept beside the clip's own, each finished before that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.split import own, place
from videdit.media.codecs import EncodeSettings, choose_encoder
from videdit.media.probe import MediaInfo
from videdit.media.segments import SegmentWriter
from videdit.media.still import write_image
from videdit.media.write import VideoWriter, container_for
from videdit.packets import Color, Frame, Picture
from videdit.pixels import Pixels
from videdit.resume import Work

_GRAY = Color("gray", full_range=True, chroma_log2=(0, 0), chroma_site=(0.5, 0.5))
_TAGS = (2, 2, 2, 2)  # full range; colours mean nothing here


class Matte:
    """Hands frames on as they are, and draws their edits' masks: 0 untouched .. 255 all of the change.

    When all frames are there, :meth:`join` makes the file of its segments, if there are any. It takes its name with
    :meth:`keep`, when the edited clip has; :meth:`drop` forgets it.
    """

    name = "matte"

    def __init__(
        self,
        path: Path,
        info: MediaInfo,
        pixels: Pixels,
        start: float | None = None,
        end: float | None = None,
        work: Work | None = None,
    ) -> None:
        """path: .mkv (lossless), .mp4 or .mov for a clip, a picture's for a picture. start, end: as of Decode.

        work: where the segments of a clip that is split are kept.
        """
        self.path, self.info, self.pixels, self.work = path, info, pixels, work
        self.start, self.end = start, end
        gray = replace(info, codec="ffv1", pix_fmt="gray", planar="gray", color=_GRAY, color_tags=_TAGS)
        self._gray = replace(gray, hdr=None, riders=())
        self._how = EncodeSettings(codec="ffv1" if path.suffix.lower() == ".mkv" else "h264")
        self._writer: VideoWriter | None = None
        self._still: Frame | None = None

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        if self.info.kind == "image":
            for frame in frames:
                self._still = self._drawn(frame)
                yield frame
            return
        if self.work is not None:
            yield from self._segment(frames, self.work)
            return
        self._writer = self._whole()
        for frame in frames:
            self._writer.write(self._drawn(frame))
            yield frame

    def _whole(self, temporary: Path | None = None) -> VideoWriter:
        return VideoWriter(
            self.path, self._gray, self._how, start=self.start, end=self.end, temporary=temporary, alone=True
        )

    def _segment(self, frames: Iterator[Frame], work: Work) -> Iterator[Frame]:
        encoder = choose_encoder(self._gray, container_for(self.path), self._how)
        writer: SegmentWriter | None = None
        try:
            for frame in frames:
                if own(frame):
                    if writer is None:
                        path = work.matte_path(place(frame).index)
                        writer = SegmentWriter(path, self._gray, encoder, self._how.threads)
                    writer.write(self._drawn(frame))
                yield frame
            if writer is not None:
                writer.commit({})
        finally:
            if writer is not None:
                writer.abort()

    def join(self) -> None:
        """Put the segments together. Raises MediaError: the disk is full, ..."""
        if self.work is None or self.info.kind == "image":
            return
        segments = self.work.segments
        self._writer = self._whole(self.work.unjoined(f"-matte{self.path.suffix}"))
        self._writer.join([self.work.matte_path(segment.start.index) for segment in segments], segments[-1].end_pts)

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
