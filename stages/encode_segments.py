"""commit: the last stage of a clip that is split: encodes segment by segment, and joins them when all are there."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from videdit.datatypes import Frame
from videdit.errors import MediaError
from videdit.jobs.segment_store import Segments, SegmentStart, record_of
from videdit.media.encode.segments import SegmentWriter
from videdit.media.encode.write import VideoWriter
from videdit.media.exr.write import ExrSegment, ExrWriter
from videdit.stages.encode import Encode
from videdit.stages.split_segments import place
from videdit.storage.outputs import ExistsError

log = logging.getLogger(__name__)


class EncodeSegments:
    """Writes frames into segments of `work`, then the file, or the pictures, that :class:`Encode` would have written.

    Frames that are only context are dropped, all others handed on.
    """

    name = "encode"

    def __init__(self, encode: Encode, work: Segments) -> None:
        """encode: what the whole would be written by. work: the finished segments, to which new ones are added."""
        self.encode, self.work = encode, work

    @property
    def warnings(self) -> list[str]:
        """What could not be kept, after the last frame."""
        return self.encode.warnings

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames of new segments but for context. Raises MediaError: other segments are by another encoder."""
        trial = self._trial()
        yield from self._segments(frames, trial)
        self.encode.approve()
        self._join()

    def _trial(self) -> VideoWriter | ExrWriter:
        """The whole file, begun and given up: what stands in its way is better known now than at the end."""
        trial = self._writer()
        try:
            headers = trial.headers()
        finally:
            trial.abort()
        if any(segment.headers != headers for segment in self.work.segments):
            raise MediaError(f"what is in {self.work.folder} was made by another encoder; remove it and run again")
        return trial

    def _writer(self) -> VideoWriter | ExrWriter:
        return self.encode.writer(self.work.unjoined(self.encode.path.suffix))

    def _segments(
        self, frames: Iterator[Frame], whole: VideoWriter | ExrWriter, following: SegmentStart | None = None
    ) -> Iterator[Frame]:
        """following: the segment after the last one that comes; None: the clip ends with that."""
        writer: SegmentWriter | ExrSegment | None = None
        now: SegmentStart | None = None
        faces = 0
        try:
            for frame in frames:
                if now != place(frame):
                    if writer is not None and now is not None:
                        self._commit(writer, now, place(frame), faces)
                    now, faces = place(frame), 0
                    writer = whole.segment(self.work.path(now.index))
                if frame.own and writer is not None:
                    writer.write(frame)
                    faces += frame.edited
                    yield frame
            if writer is not None and now is not None:
                self._commit(writer, now, following, faces)
        finally:
            if writer is not None:
                writer.abort()

    def _commit(
        self, writer: SegmentWriter | ExrSegment, start: SegmentStart, following: SegmentStart | None, faces: int
    ) -> None:
        self.work.add(writer.commit(record_of(start, following, faces)))
        log.debug("segment %d is safe: %d frames so far", start.index, self.work.frames)

    def _join(self) -> None:
        segments = self.work.segments
        with self._writer() as writer:
            writer.join([segment.path for segment in segments], segments[-1].end_pts)
            self.work.begin_commit()
            try:
                writer.commit()
            except ExistsError:
                self.work.take_back()
                raise
        self.encode.warnings = writer.warnings


class EncodeOneSegment(EncodeSegments):
    """Writes the one segment that comes, and joins nothing: that is done where all of them are."""

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames of the one segment but for its context; ``work.span`` says which one follows it."""
        assert self.work.span is not None
        yield from self._segments(frames, self._trial(), self.work.span.following)
