"""steady: changes and masks -> those that keep still on the source while it moves
(:mod:`videdit.imaging.temporal_average`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from videdit.datatypes import Accumulator, Edited, Frame, Motion
from videdit.edits import Timeline
from videdit.imaging.pixels import Pixels
from videdit.imaging.temporal_average import BAND, fading
from videdit.pipeline.windows import Window, groups

LOOK_AHEAD = 0.45  # seconds; what was is remembered for good


@dataclass(frozen=True, slots=True)
class _FrameState:
    """One edit in one frame, and the sums that it takes part in."""

    own: Accumulator  # its change alone
    past: Accumulator  # its change and all before it
    size: int  # of the sums
    went: Motion | None  # where the pixels of the frame before went, for sums of its size; None: it had no such track
    weight: float  # of that frame here, and of this one there
    scale: float  # of the whole edit then: fading in or out, or a strength that changes


class Steady:
    """Averages changes over time along the source's motion, per track, never across a cut."""

    name = "steady"
    reach = LOOK_AHEAD  # what was before is remembered for longer, but hardly weighs more

    def __init__(self, pixels: Pixels, timeline: Timeline | None = None, restored: bool = False) -> None:
        """timeline: strengths that may change. restored: changes hold restorations too, which do not follow them."""
        self.pixels, self.timeline, self.restored = pixels, timeline, restored

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        window: Window[tuple[Frame, dict[int, _FrameState]]] = Window(
            lambda item: item[0].time, LOOK_AHEAD, behind=False
        )
        for (frame, moments), (_, *ahead) in window(self._remembered(frames)):
            later = [others for _, others in ahead]
            yield replace(frame, edits=tuple(self._steadied(edit, moments[edit.track], later) for edit in frame.edits))

    def _steadied(self, edit: Edited, moment: _FrameState, later: list[dict[int, _FrameState]]) -> Edited:
        """An edit averaged with its neighbours; later: the moments of the frames after it."""
        chain: list[_FrameState] = []
        for moments in later:
            other = moments.get(edit.track)
            if other is None or other.went is None:
                break
            chain.append(other)
        future: Accumulator | None = None
        for other in reversed(chain):
            assert other.went is not None
            total = other.own if future is None else other.own + future
            future = self.pixels.moved(total, other.went, other.weight)
        total = moment.past if future is None else moment.past + future
        change, mask = self.pixels.closed(edit, total, moment.scale)
        return replace(edit, change=change, mask=mask)

    def _remembered(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, dict[int, _FrameState]]]:
        """Frames with their moments by track; the motion of a few frames is estimated at once."""
        last: tuple[Frame, dict[int, _FrameState]] | None = None
        for group in groups(((frame, frame.edits) for frame in frames), self.pixels.drifts_at_once):
            own = [frame for frame, _ in group]
            before = [last[0] if last else None, *own[:-1]]
            pairs = [
                (earlier.grey, edit.grey)
                for one, frame in zip(before, own, strict=True)
                for earlier, edit in _continued(one, frame)
            ]
            drifts = iter(self.pixels.drifts(pairs))
            for one, frame in zip(before, own, strict=True):
                found = {edit.track: next(drifts) for _, edit in _continued(one, frame)}
                known = last[1] if last else {}
                moments = {edit.track: self._moment(edit, frame.time) for edit in frame.edits}
                for track, drift in found.items():
                    assert one is not None
                    weight = fading(frame.time - one.time) * self._likeness(track, one.time, frame.time)
                    moments[track] = self._chained(moments[track], known[track], drift, weight)
                last = frame, moments
                yield frame, moments

    def _moment(self, edit: Edited, time: float) -> _FrameState:
        """One that nothing leads up to, yet."""
        scale = edit.confidence
        if self.timeline and not self.restored:
            scale *= self.timeline.level(edit.track, time)
        own = self.pixels.opened(edit.change, edit.mask, scale)
        return _FrameState(own, own, min(edit.change.shape[0], BAND), None, 0.0, scale)

    def _chained(
        self, moment: _FrameState, before: _FrameState, drift: tuple[Motion, Motion], weight: float
    ) -> _FrameState:
        """The same with what came before it."""
        went, came = self.pixels.enlarged(drift[0], before.size), self.pixels.enlarged(drift[1], moment.size)
        past = moment.own + self.pixels.moved(before.past, came, weight)
        return replace(moment, past=past, went=went, weight=weight)

    def _likeness(self, track: int, one: float, other: float) -> float:
        return self.timeline.likeness(track, one, other) if self.timeline else 1.0


def _continued(before: Frame | None, frame: Frame) -> list[tuple[Edited, Edited]]:
    """Edits of a frame whose track was in the frame before, with what they were there."""
    if before is None or before.scene != frame.scene:
        return []
    known = {edit.track: edit for edit in before.edits}
    return [(known[edit.track], edit) for edit in frame.edits if edit.track in known]
