"""steady: changes and masks -> those that keep still on the source while it moves
(:mod:`videdit.imaging.temporal_average`)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from videdit.datatypes import Accumulator, Drift, Edited, Flow, Frame
from videdit.edits import Timeline
from videdit.imaging.pixels import Pixels
from videdit.imaging.temporal_average import band, fading
from videdit.pipeline.windows import ROUND, Window, block_of, within

LOOK_AHEAD = 0.45  # seconds; what was is remembered for good
# What comes is a chain of warps from one frame to the next, and looking so far ahead of each frame would walk along it
# anew for each. So chains end at every BLOCK seconds only, and are shared by the frames from which one of these ends is
# nearly as far away: a frame's future is that up to the last end in its reach and that up to the next one, each in its
# share. At 25 to 60 frames a second these are five warps a frame in place of 11 to 27, for what is the same to about a
# code value.
BLOCK = 0.12  # seconds

_States = dict[int, "_FrameState"]  # by track
_Sums = dict[int, dict[int, Accumulator]]  # by the index of a frame, and by track


@dataclass(frozen=True, slots=True)
class _FrameState:
    """One edit in one frame, and the sums that it takes part in."""

    own: Accumulator  # its change alone
    past: Accumulator  # its change and all before it
    size: int  # B of the sums
    # Where the pixels of the frame before go, for sums of its size; None: it had no such track.
    flow_to_next: Flow | None
    weight: float  # of that frame here, and of this one there
    scale: float  # of the whole edit then: fading in or out, or a strength that changes
    given: np.ndarray | None  # what each edit gets, see Edited


class AverageChanges:
    """Averages changes over time along the source's motion, per track, never across a cut."""

    name = "steady"
    reach = LOOK_AHEAD + BLOCK  # what was before is remembered for longer, but hardly weighs more

    def __init__(
        self,
        pixels: Pixels,
        timeline: Timeline | None = None,
        restored: bool = False,
        span: tuple[float, float] | None = None,
    ) -> None:
        """timeline: strengths that may change. restored: changes hold restorations too, which do not follow them.

        span: seconds; frames before and after it are looked at as far as those in it depend on them, and left out.
        """
        self.pixels, self.timeline, self.restored = pixels, timeline, restored
        self.span = span or (-math.inf, math.inf)

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames whose edits have averaged changes and masks; each is held back until ``reach`` seconds after it are
        known."""
        window: Window[tuple[Frame, _States]] = Window(lambda item: item[0].time, self.reach, behind=False)
        chains: dict[int, _Sums] = {}  # by the number of the block that they end LOOK_AHEAD after the start of
        for (frame, states), ahead in window(self._remembered(frames)):
            if not within(self.span, frame.time):
                continue
            block, share = _place(frame.time)
            chains = {n: chains[n] if n in chains else self._chained_back(ahead, n) for n in (block, block + 1)}
            near, far = (chains[n].pop(frame.index, {}) for n in (block, block + 1))
            edits = []
            for edit in frame.edits:
                total = states[edit.track].past
                if edit.track in near:
                    total = total + near[edit.track] * (1 - share)
                if edit.track in far:
                    total = total + far[edit.track] * share
                change, mask = self.pixels.resolve(edit, total, states[edit.track].scale)
                edits.append(replace(edit, change=change, mask=mask))
            yield replace(frame, edits=tuple(edits))

    def _chained_back(self, ahead: Sequence[tuple[Frame, _States]], block: int) -> _Sums:
        """What the frames up to LOOK_AHEAD after a block's start add to the sums of each that looks about so far.

        ahead: frames in a row, from any frame of the block before this one on, or from where the clip begins.
        """
        seen = [item for item in ahead if item[0].time <= block * BLOCK + LOOK_AHEAD]
        found: _Sums = {}
        later: dict[int, Accumulator] = {}
        for (frame, states), (_, after) in reversed(list(pairwise(seen))):
            sums = {}
            for track in states.keys() & after.keys():
                state = after[track]
                if state.flow_to_next is not None:
                    total = state.own + later[track] if track in later else state.own
                    square = states[track].own.square
                    sums[track] = self.pixels.warp_accumulator(total, state.flow_to_next, state.weight, square)
            later = sums
            if _place(frame.time)[0] <= block:
                found[frame.index] = sums
        return found

    def _remembered(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, _States]]:
        """Frames with their states by track."""
        last: tuple[Frame, _States] | None = None
        for frame in frames:
            states = {edit.track: self._state(edit, frame.time) for edit in frame.edits}
            for edit in frame.edits:
                if last is not None and edit.drift is not None and edit.track in last[1]:
                    before, known = last
                    earlier = known[edit.track]
                    weight = fading(frame.time - before.time) * self._similarity(edit.track, earlier.given, edit.given)
                    state = self._chained(states[edit.track], earlier, edit.drift, weight)
                    if frame.time <= self.span[1] + ROUND:  # what was before later ones counts for none
                        state = self._with_past(state, earlier, edit.drift)
                    states[edit.track] = state
            last = frame, states
            yield last

    def _state(self, edit: Edited, time: float) -> _FrameState:
        """One that nothing leads up to, yet."""
        scale = edit.confidence
        if self.timeline and not self.restored:
            scale *= self.timeline.gain(edit.track, time)
        own = self.pixels.init_accumulator(edit.change, edit.mask, scale, self.pixels.square_of(edit.mask))
        return _FrameState(own, own, band(edit.change.shape[0]), None, 0.0, scale, edit.given)

    def _chained(self, state: _FrameState, before: _FrameState, drift: Drift, weight: float) -> _FrameState:
        """The same after another."""
        flow_to_next = self.pixels.upsample_flow(drift.flow_to_next, before.size, before.own.square)
        return replace(state, flow_to_next=flow_to_next, weight=weight)

    def _with_past(self, state: _FrameState, before: _FrameState, drift: Drift) -> _FrameState:
        """The same with what came before it."""
        square = state.own.square
        flow_to_previous = self.pixels.upsample_flow(drift.flow_to_previous, state.size, square)
        return replace(
            state, past=state.own + self.pixels.warp_accumulator(before.past, flow_to_previous, state.weight, square)
        )

    def _similarity(self, track: int, one: np.ndarray | None, other: np.ndarray | None) -> float:
        return self.timeline.similarity(track, one, other) if self.timeline else 1.0


def _place(time: float) -> tuple[int, float]:
    """The block that a frame lies in, and where in it, 0..1. Blocks are the clip's, wherever a segment of it begins."""
    block = block_of(time, BLOCK)
    return block, max(0.0, time / BLOCK - block)
