"""split: frames -> segments that are rendered and encoded each for itself, so that finished ones survive a crash.

Whatever runs between this stage and the encoder begins anew with each segment (:class:`RestartPerSegment`), whether the
run is the first or goes on where another stopped: so both give the same frames. What is smoothed over time needs
neighbours, so a segment brings some frames of its neighbours along as context; they are rendered and dropped. Nothing
is smoothed across a cut: segments end at one where they can, and then need none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from videdit.datatypes import Frame, SegmentStart, SegmentTag
from videdit.pipeline.executor import Stage
from videdit.pipeline.windows import MOST
from videdit.stages.store_pictures import PictureStore

CROPS = 900  # a segment ends after so many faces to edit: a few minutes of a small CPU's work
FRAMES = 3000  # or after so many frames, where few have a face
_CONTEXT_BYTES = 2 << 30  # of decoded pictures that wait on one side of a border, at most; 4 frames at least


class SplitSegments:
    """Says of each frame to which segment it belongs and whether it is only its context (``Frame.segment``).

    start: where to begin; frames before that are looked at as context. None: with the first frame.
    """

    name = "split"

    def __init__(
        self,
        start: SegmentStart | None = None,
        *,
        reach: float = 0.0,
        crops: int | None = None,
        frames: int | None = None,
        store: PictureStore | None = None,
    ) -> None:
        """reach: seconds of context on either side, what the stages of a segment declare together
        (:func:`videdit.pipeline.windows.reach_of`). crops, frames: how long a segment is at most, by default CROPS and
        FRAMES; at a cut half of it is enough. store: where the pictures of frames are, for some go on twice.
        """
        self.start, self.reach = start, reach
        self.crops, self.frames = crops or CROPS, frames or FRAMES
        self.store = PictureStore() if store is None else store

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with ``segment``; one that is context too comes once for each segment that it is rendered for."""
        now = self.start
        before: deque[Frame] = deque()  # the last frames, which a segment that begins now takes as context
        after: list[Frame] = []  # the first frames of the next segment, which this one takes as context
        first: Frame | None = None  # of the segment
        scene, scene_pts, size, crops = -1, 0, 0, 0  # the shot; frames and crops of the segment so far
        first_scene = self.start.scene if self.start else 0
        for frame in frames:
            pts = frame.pts
            assert pts is not None
            if cut := frame.scene != scene:
                scene, scene_pts = frame.scene, pts
            if now is None:
                now = SegmentStart(0, pts, scene_pts, first_scene + scene)
            if after and (cut or not self._near(after[0], frame, len(after))):
                now, first = _after(now, after[0]), after[0]
                size, crops = len(after), sum(map(work_of, after))
                yield from self._opened(now, before, after)
                after = []
            shot = scene_pts, first_scene + scene
            frame = replace(frame, segment=SegmentTag(now, False, *shot))
            if pts < now.pts:
                self._remember(before, frame)
                continue
            full = crops >= self.crops or size >= self.frames
            if after or (full and not cut and first and not self._near(first, frame, size)):
                after.append(frame)
                yield self._marked(frame, now, own=False)
                continue
            if cut and (2 * crops >= self.crops or 2 * size >= self.frames):
                now, first, size, crops = _after(now, frame), None, 0, 0
            if first is None:
                first = frame
                yield from self._context(now, before, frame)
            size, crops = size + 1, crops + work_of(frame)
            self._remember(before, frame)
            yield self._marked(frame, now, own=True)
        if after and now is not None:
            yield from self._opened(_after(now, after[0]), before, after)
        for frame in before:
            self.store.release(frame)

    def _opened(self, place: SegmentStart, before: deque[Frame], own: list[Frame]) -> Iterator[Frame]:
        """A segment's beginning: its context and the frames that its predecessor has looked at already."""
        yield from self._context(place, before, own[0])
        for frame in own:
            self._remember(before, frame)
            yield self._marked(frame, place, own=True)

    def _near(self, first: Frame, frame: Frame, taken: int) -> bool:
        """Whether a frame is among those at a segment's beginning that its predecessor takes as context."""
        return taken < _most(first) and frame.time - first.time < self.reach

    def _context(self, place: SegmentStart, before: Iterable[Frame], first: Frame) -> Iterator[Frame]:
        """Those of the frames before a segment that are smoothed together with its first ones."""
        for frame in before:
            if frame.scene == first.scene and first.time - frame.time <= self.reach:
                yield self._marked(frame, place, own=False)

    def _marked(self, frame: Frame, place: SegmentStart, own: bool) -> Frame:
        """A frame on its way, once more than it is remembered here."""
        assert frame.segment is not None
        self.store.hold(frame)
        return replace(frame, segment=replace(frame.segment, start=place, own=own))

    def _remember(self, before: deque[Frame], frame: Frame) -> None:
        """A segment begins with a later frame than this one: what is too far from this is too far from that."""
        before.append(frame)
        while len(before) > _most(frame) or frame.time - before[0].time > self.reach:
            self.store.release(before.popleft())


class OnlyFirst:
    """Hands on the frames of the first segment that comes, and ends with them: the others are rendered elsewhere."""

    name = "split"

    def __init__(self, split: SplitSegments) -> None:
        """split: what lays the segments out."""
        self.split = split

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames of the first segment of ``split``, its context with it."""
        first: int | None = None
        for frame in self.split(frames):
            first = place(frame).index if first is None else first
            if place(frame).index != first:
                return
            yield frame


class RestartPerSegment:
    """A stage that begins anew with every segment: it must keep nothing in itself that the pictures depend on."""

    def __init__(self, stage: Stage) -> None:
        """stage: is called once a segment, with the frames of that segment alone."""
        self.stage, self.name = stage, stage.name

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """What the stage makes of frames that have ``segment``."""
        for _, segment in groupby(frames, key=lambda frame: place(frame).index):
            yield from self.stage(segment)


def work_of(frame: Frame) -> int:
    """How many crops a frame is to be edited in, as is known before any is looked at: parsing may leave some out.

    Segments are laid out by this number, so that the layout follows from the analysis of a clip alone.
    """
    return len(frame.faces) or len(frame.crops)


def place(frame: Frame) -> SegmentStart:
    """The segment that a frame of a clip that is split is rendered for."""
    assert frame.segment is not None
    return frame.segment.start


def _most(frame: Frame) -> int:
    return min(MOST, max(4, _CONTEXT_BYTES // max(1, frame.picture.nbytes)))


def _after(place: SegmentStart, first: Frame) -> SegmentStart:
    """The place of the next segment, which begins with `first`."""
    assert first.pts is not None
    assert first.segment is not None
    return SegmentStart(place.index + 1, first.pts, first.segment.scene_pts, first.segment.scene)
