"""Files that are written beside the edited clip: its matte, a comparison, a look behind the scenes.

Of a clip that is split, their segments are kept beside the clip's own, each finished before that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from videdit.datatypes import Frame
from videdit.jobs.segment_store import Segments
from videdit.media.encode.choose import choose_encoder
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.segments import SegmentWriter
from videdit.media.encode.target import container_for
from videdit.media.encode.write import VideoWriter
from videdit.media.info import MediaInfo
from videdit.media.stills.write import write_image
from videdit.stages.split_segments import place


class BesideOutput(Protocol):
    """What is written beside the edited clip: see :class:`AuxiliaryOutput`."""

    def join(self) -> None:
        """Make the file of its segments, where the clip is split."""

    def keep(self) -> None:
        """Give what was written its name: the edited clip has its own."""

    def drop(self) -> None:
        """Forget what was written."""


class AuxiliaryOutput:
    """One such file, clip or picture as the source is.

    When all frames are there, :meth:`join` makes the file of its segments, if there are any. It takes its name with
    :meth:`keep`, when the edited clip has; :meth:`drop` forgets it.
    """

    def __init__(
        self,
        part: str,
        path: Path,
        info: MediaInfo,
        settings: EncodeSettings | None = None,
        *,
        start: float | None = None,
        end: float | None = None,
        metadata: dict[str, str] | None = None,
        alone: bool = False,
        work: Segments | None = None,
        replace: bool = False,
    ) -> None:
        """part: its name among the parts of `work`, where the segments of a clip that is split are kept.

        info: the source, as its pictures are here. start, end: as of Decode. alone: without sound and all else.
        replace: a file that is there by then.
        """
        self.part, self.path, self.info, self.settings = part, path, info, settings or EncodeSettings()
        self.metadata, self.work, self.replace = metadata or {}, work, replace
        self._whole = partial(
            VideoWriter,
            path,
            info,
            self.settings,
            start=start,
            end=end,
            metadata=self.metadata,
            alone=alone,
            replace=replace,
        )
        self._writer: VideoWriter | None = None
        self._segment: SegmentWriter | None = None
        self._still: Frame | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While frames are written: all of the clip, or those of one segment.

        Raises:
            MediaError: the file cannot be written.
        """
        if self.info.kind == "video" and self.work is None:
            self._writer = self._whole()
        try:
            yield
            if self._segment is not None:
                self._segment.commit({})
        finally:
            if self._segment is not None:
                self._segment.abort()
            self._segment = None

    def write(self, frame: Frame) -> None:
        """Add a frame; of a picture the only one. One that is only context of a segment is left out."""
        if self.info.kind == "image":
            self._still = frame
        elif self._writer is not None:
            self._writer.write(frame)
        elif self.work is not None and frame.own:
            if self._segment is None:
                encoder = choose_encoder(self.info, container_for(self.path), self.settings)
                path = self.work.path(place(frame).index, self.part)
                self._segment = SegmentWriter(path, self.info, encoder, self.settings.threads)
            self._segment.write(frame)

    def join(self) -> None:
        """Put the segments together. Raises MediaError: the disk is full, ..."""
        if self.work is None:
            return
        segments = self.work.segments
        self._writer = self._whole(temporary=self.work.unjoined(self.path.suffix, self.part))
        parts = [self.work.path(segment.start.index, self.part) for segment in segments]
        self._writer.join(parts, segments[-1].end_pts)

    def keep(self) -> None:
        """Finish the file. Raises MediaError: it cannot be written."""
        if self._writer is not None:
            self._writer.commit()
        elif self._still is not None:
            write_image(self.path, self._still, self.info, self.metadata, replace=self.replace)

    def drop(self) -> None:
        """Leave nothing behind."""
        if self._writer is not None:
            self._writer.abort()
