"""Segments: every frame is in one, each can be rendered alone, and a run that goes on makes the same ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import groupby

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.datatypes import Color, Crop, Frame, Picture
from videdit.jobs.segment_store import SegmentStart
from videdit.stages.average_changes import AverageChanges
from videdit.stages.invert_edit import InvertEdit
from videdit.stages.split_segments import RestartPerSegment, SplitSegments, place

REACH = 0.95  # seconds of context
PICTURE = Picture((np.zeros((2, 2), np.uint8),), Color("gray"), "gray")
CROP = Crop(0, np.zeros((1, 1, 3), np.uint8), np.eye(2, 3), 1.0)


def clip(steps: Iterable[int], crops: Iterable[int], cuts: Iterable[int]) -> list[Frame]:
    """Frames at the sums of `steps` (hundredths of a second), with so many crops; a shot begins at each of `cuts`."""
    times = np.cumsum([0, *steps]).tolist()
    return [
        Frame(i, t, Fraction(1, 100), t / 100, PICTURE, scene=sum(cut <= i for cut in cuts), crops=(CROP,) * n)
        for i, (t, n) in enumerate(zip(times, crops, strict=False))
    ]


def segments(frames: list[Frame], start: SegmentStart | None = None, crops: int = 10, most: int = 30) -> list:
    """(place, [(pts, own)]) of each segment."""
    split = SplitSegments(start, reach=REACH, crops=crops, frames=most)
    return [
        (where, [(frame.pts, frame.own) for frame in group]) for where, group in groupby(split(iter(frames)), key=place)
    ]


clips = st.builds(
    clip,
    st.lists(st.integers(1, 60), max_size=120),
    st.lists(st.integers(0, 3), min_size=1, max_size=120),
    st.sets(st.integers(1, 120), max_size=6),
)


@settings(max_examples=200, deadline=None)
@given(clips, st.integers(1, 40), st.integers(1, 60))
def test_every_frame_is_in_one_segment_and_a_resumed_run_makes_the_same(frames, crops, most):
    whole = segments(frames, None, crops, most)
    assert [pts for _, content in whole for pts, mine in content if mine] == [frame.pts for frame in frames]
    scenes = {frame.pts: frame.scene for frame in frames}
    for i, (where, content) in enumerate(whole):
        mine = [pts for pts, is_own in content if is_own]
        assert where.index == i
        assert where.pts == mine[0]
        assert where.scene == scenes[mine[0]]
        others = [pts for pts, is_own in content if not is_own]
        assert all(scenes[pts] in (scenes[mine[0]], scenes[mine[-1]]) for pts in others)
        assert [pts for pts, _ in content] == sorted({pts for pts, _ in content})
        # A run that goes on here reads from the first frame of the shot, and numbers shots and frames anew.
        seen = [replace(f, scene=f.scene - scenes[where.scene_pts]) for f in frames if f.pts >= where.scene_pts]
        assert segments(seen, where, crops, most) == whole[i:]


def test_context_reaches_as_far_as_the_smoothing():
    assert (
        InvertEdit.reach_of(0.07, 0.0) + AverageChanges.reach
        <= REACH
        < InvertEdit.reach_of(0.3, 0.0) + AverageChanges.reach
    )
    frames = clip([3] * 199, [1] * 200, [])
    (_, first), (_, second), *_ = segments(frames, crops=50, most=1000)
    assert [pts for pts, mine in first if not mine] == [150 + 3 * i for i in range(32)]
    assert [pts for pts, mine in second if not mine][:31] == [57 + 3 * i for i in range(31)]


def test_a_cut_ends_a_segment_that_is_half_full_and_needs_no_context():
    frames = clip([4] * 79, [1] * 80, [20, 30, 58])
    found = segments(frames, crops=40, most=1000)
    assert [(where.pts, len(content)) for where, content in found] == [(0, 20), (80, 38), (232, 22)]
    assert all(mine for _, content in found for _, mine in content)


def test_clips_without_faces_are_cut_too():
    found = segments(clip([4] * 99, [0] * 100, []), crops=10, most=40)
    assert [where.pts for where, _ in found] == [0, 160, 320]


def test_stages_begin_anew_with_each_segment():
    class Count:
        name = "count"

        def __call__(self, frames):
            for i, frame in enumerate(frames):
                yield replace(frame, index=i)

    stage = RestartPerSegment(Count())
    frames = list(stage(SplitSegments(reach=REACH, crops=10)(iter(clip([100] * 29, [1] * 30, [])))))
    assert stage.name == "count"
    assert [frame.index for frame in frames if frame.pts == place(frame).pts and frame.own] == [0, 0, 0]
