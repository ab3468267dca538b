"""Pictures wait in a store, each once, and come back to the frames that they are of."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.datatypes import Color, Crop, Edited, Face, Frame, Picture
from videdit.pipeline.graph import Compose
from videdit.pipeline.windows import Window
from videdit.stages.split_segments import SplitSegments
from videdit.stages.store_pictures import FetchPictures, PictureStore, StorePictures

FACE = Face(np.zeros((5, 2)), 1.0)


def clip(count: int, cuts: set[int] = frozenset()) -> list[Frame]:
    """Frames at 25 a second, each with a face and a picture of its own."""
    frames = []
    for i in range(count):
        picture = Picture((np.full((8, 16), i, np.uint8),) * 3, Color(chroma_log2=(0, 0)), "yuv444p")
        scene = sum(cut <= i for cut in cuts)
        frames.append(Frame(i, i, Fraction(1, 25), i / 25, picture, scene=scene, faces=(FACE,)))
    return frames


def test_a_frame_comes_back_with_its_picture_and_counts_no_bytes_meanwhile() -> None:
    store, (frame,) = PictureStore(), clip(1)
    (without,) = StorePictures(store)(iter([frame]))
    assert (store.nbytes, len(store), without.nbytes) == (frame.picture.nbytes, 1, 0)
    assert (without.picture.width, without.picture.height) == (16, 8)
    assert not without.picture.planes[0].any()
    (back,) = FetchPictures(store)(iter([without]))
    assert back.picture is frame.picture
    assert (store.nbytes, len(store), back.nbytes) == (0, 0, frame.picture.nbytes)
    assert list(FetchPictures(store)(iter([frame]))) == [frame]  # which was in no store


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 60),
    st.sets(st.integers(1, 59), max_size=4),
    st.floats(0, 0.6),
    st.integers(1, 25),
    st.one_of(st.none(), st.integers(1, 25)),
)
def test_frames_that_go_on_twice_have_their_pictures_twice(count, cuts, reach, crops, frames) -> None:
    store = PictureStore()
    whole = Compose(StorePictures(store), SplitSegments(reach=reach, crops=crops, frames=frames, store=store))
    expected = list(SplitSegments(reach=reach, crops=crops, frames=frames)(iter(clip(count, cuts))))
    fetched = list(FetchPictures(store)(whole(iter(clip(count, cuts)))))
    assert [(f.index, f.own, f.segment) for f in fetched] == [(f.index, f.own, f.segment) for f in expected]
    for frame in fetched:
        assert (frame.picture.planes[0] == frame.index).all()
    assert sorted(frame.index for frame in fetched if frame.own) == list(range(count))
    assert (len(store), store.nbytes) == (0, 0)


@pytest.mark.parametrize("reach", [0.0, 0.2, 1.0])
def test_no_more_pictures_wait_for_the_next_segment_than_it_may_look_at(reach) -> None:
    store = PictureStore()
    waiting = []
    stages = Compose(StorePictures(store), SplitSegments(reach=reach, crops=40, store=store), FetchPictures(store))
    for _ in stages(iter(clip(200))):
        waiting.append(len(store))
    assert max(waiting) <= 2 * (25 * reach + 1) + 1  # on either side of a border, and the frame that comes


def test_what_a_window_remembers_has_no_pixels() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    crop = Crop(3, image, np.eye(2, 3), 1.0, parts=np.zeros((9, 128, 128)), restored=image, low=image)
    edit = Edited(3, image, image[..., 0], np.eye(2, 3), image)
    full = [replace(frame, crops=(crop,), edits=(edit,)) for frame in clip(20)]
    window: Window[Frame] = Window(lambda frame: frame.time, 0.21, remember=Frame.without_pixels)
    for frame, near in window(iter(full)):
        place = [other.index for other in near].index(frame.index)
        assert frame is full[frame.index]
        assert [other.index for other in near] == list(range(max(0, frame.index - 5), min(20, frame.index + 6)))
        for other in near[:place]:
            assert (other.crops[0].track, other.edits[0].track, other.scene) == (3, 3, frame.scene)
            assert sum(c.nbytes for c in other.crops) + sum(e.nbytes for e in other.edits) == 0
            assert not any(plane.strides[0] for plane in other.picture.planes)
