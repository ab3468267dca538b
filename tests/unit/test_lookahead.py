"""Changes of the frames ahead, along chains that frames share, against a chain of its own for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_detail import moved, smooth_image
from test_steady import drifting, frame, host, there

from videdit.datatypes import LOW, WHOLE, Accumulator, Flow, Frame, Square
from videdit.imaging.device import DevicePixels
from videdit.imaging.host import HostPixels
from videdit.imaging.pixels import Pixels
from videdit.imaging.primitives import host as primitives
from videdit.stages.average_changes import BLOCK, LOOK_AHEAD, AverageChanges, _place, _States


class Counting(HostPixels):
    """Counts the sums that are brought from one frame to another."""

    moves = 0

    def warp_accumulator(self, total: Accumulator, flow: Flow, weight: float, square: Square = WHOLE) -> Accumulator:
        self.moves += 1
        return super().warp_accumulator(total, flow, weight, square)


class Whole(HostPixels):
    """Holds sums of whole crops."""

    def square_of(self, mask: np.ndarray) -> Square:
        return WHOLE


def clip(pixels: Pixels, count: int, fps: float, sizes: tuple[int, ...] = (LOW,)) -> list[Frame]:
    """A texture that moves; changes that move with it and tremble, and masks; crops of sizes that take turns."""
    texture, change, shade = (smooth_image(LOW, seed, cells=20) for seed in (1, 2, 3))
    frames = []
    for i in range(count):
        x, y = 40 * i / fps, 15 * np.sin(8 * i / fps)
        size = sizes[i * len(sizes) // count]
        trembling = np.random.default_rng(i).normal(0, 0.02, (size, size, 3))
        own = np.repeat(np.repeat(0.2 * moved(change, x, y), size // LOW, 0), size // LOW, 1) + trembling
        one = frame(pixels, i, 0.8 * moved(texture, x, y), own, confidence=1 - 0.5 * i / count)
        mask = np.clip(moved(shade, x, y)[..., 0] * 400 + 128, 0, 255).astype(np.uint8)
        mask = there(pixels, np.repeat(np.repeat(mask, size // LOW, 0), size // LOW, 1))
        frames.append(replace(one, time=i / fps, edits=(replace(one.edits[0], mask=mask),)))
    return frames


def by_definition(pixels: Pixels, frames: list[Frame]) -> list[Frame]:
    """The frames averaged along chains of their own, each through all that lies up to its end."""
    known = list(AverageChanges(pixels)._remembered(iter(frames)))
    done = []
    for i, (now, states) in enumerate(known):
        edits = []
        for edit in now.edits:
            (block, share), total = _place(now.time), states[edit.track].past
            for end, weight in ((block, 1 - share), (block + 1, share)):
                if (future := chain(pixels, known[i + 1 :], edit.track, end * BLOCK + LOOK_AHEAD)) is not None:
                    total = total + future * weight
            change, mask = pixels.resolve(edit, total, states[edit.track].scale)
            edits.append(replace(edit, change=change, mask=mask))
        done.append(replace(now, edits=tuple(edits)))
    return done


def chain(pixels: Pixels, later: list[tuple[Frame, _States]], track: int, end: float) -> Accumulator | None:
    """What frames add to the one before them."""
    states = []
    for frame_, theirs in later:
        state = theirs.get(track)
        if frame_.time > end or state is None or state.flow_to_next is None:
            break
        states.append(state)
    future: Accumulator | None = None
    for state in reversed(states):
        assert state.flow_to_next is not None
        future = pixels.warp_accumulator(
            state.own if future is None else state.own + future, state.flow_to_next, state.weight
        )
    return future


def same(ours: list[Frame], theirs: list[Frame]) -> bool:
    """Whether two clips are edited alike, to the bit."""
    edits = [[edit for one in frames for edit in one.edits] for frames in (ours, theirs)]
    return [one.index for one in ours] == [one.index for one in theirs] and all(
        np.array_equal(host(getattr(a, name)), host(getattr(b, name)))
        for a, b in zip(*edits, strict=True)
        for name in ("change", "mask")
    )


@pytest.mark.parametrize("kind", [HostPixels, DevicePixels])
def test_the_sum_is_the_chain_s(kind: type[Pixels]) -> None:
    pixels = kind("cpu", "fp32")
    frames = drifting(pixels, clip(pixels, 12, 15))
    assert same(list(AverageChanges(pixels)(iter(frames))), by_definition(pixels, frames))
    assert not same(list(AverageChanges(pixels)(iter(frames))), frames)


@pytest.mark.parametrize("what", ["a cut", "a gap", "uneven times", "two tracks", "crops that grow"])
def test_so_it_is_in_clips_that_are_not_even(what: str) -> None:
    pixels = HostPixels("cpu", "fp32")
    frames = clip(pixels, 14, 15, (256, 512, 256) if what == "crops that grow" else (LOW,))
    if what == "a cut":
        frames = [replace(one, scene=int(one.index >= 7)) for one in frames]
    elif what == "a gap":
        frames[8] = replace(frames[8], edits=())
    elif what == "uneven times":
        frames = [replace(one, time=one.time + 0.6 * (one.index > 4) + 0.02 * (one.index % 3)) for one in frames]
    elif what == "two tracks":
        second = [replace(one.edits[0], track=5, change=-one.edits[0].change) for one in frames]
        frames = [
            replace(one, edits=(*one.edits, other) if 4 <= one.index < 13 else one.edits)
            for one, other in zip(frames, second, strict=True)
        ]
    frames = drifting(pixels, frames)
    averaged = list(AverageChanges(pixels)(iter(frames)))
    assert same(averaged, by_definition(pixels, frames))
    assert not same(averaged, frames)


@pytest.mark.parametrize("fps", [25, 60])
def test_warps_a_frame_do_not_grow_with_what_is_ahead(fps: int) -> None:
    pixels = Counting("cpu", "fp32")
    count = int(0.8 * fps)
    list(AverageChanges(pixels)(iter(drifting(pixels, clip(pixels, count, fps)))))
    assert 2 * count < pixels.moves <= (2 + LOOK_AHEAD / BLOCK) * count


def test_an_average_is_near_that_of_all_that_lies_within_the_look_ahead() -> None:
    """The ends of chains are not seen: a change that comes to stay is taken in evenly."""
    pixels = HostPixels("cpu", "fp32")
    still = smooth_image(LOW, 3)
    values = [0.0] * 12 + [0.1] * 12
    frames = drifting(pixels, [frame(pixels, i, still, np.full((LOW, LOW, 3), v)) for i, v in enumerate(values)])
    known = list(AverageChanges(pixels)._remembered(iter(frames)))
    means = [float(one.edits[0].change.mean()) for one in AverageChanges(pixels)(iter(frames))]
    for i, (now, states) in enumerate(known):
        future = chain(pixels, known[i + 1 :], 0, now.time + LOOK_AHEAD)
        total = states[0].past if future is None else states[0].past + future
        assert 127.5 * abs(means[i] - float(pixels.resolve(now.edits[0], total, 1.0)[0].mean())) < 0.25


def test_what_is_ahead_of_a_frame_does_not_depend_on_where_a_segment_begins() -> None:
    pixels = HostPixels("cpu", "fp32")
    frames, block, at = drifting(pixels, clip(pixels, 30, 50)), 3, 20  # at 0.4 s, in the block from 0.36 s
    sums = []
    for begin in (18, at):
        known = list(AverageChanges(pixels)._remembered(iter(frames[begin:])))
        sums.append([AverageChanges(pixels)._chained_back(known, number)[at][0] for number in (block, block + 1)])
    for one, other in zip(*sums, strict=True):
        np.testing.assert_array_equal(one.changes, other.changes)
        np.testing.assert_array_equal(one.masks, other.masks)


@pytest.mark.parametrize("kind", [HostPixels, DevicePixels])
@pytest.mark.parametrize("size", [256, 512])
def test_flows_are_displacements_in_pixels_of_their_size(kind: type[Pixels], size: int) -> None:
    """One meaning and one layout, wherever the pixels are."""
    pixels = kind("cpu", "fp32")
    displacement = np.full((LOW, LOW, 2), (3, -2), np.float32)
    flow = Flow(there(pixels, displacement), there(pixels, np.full((LOW, LOW), 0.5, np.float32)))
    larger = pixels.upsample_flow(flow, size)
    np.testing.assert_allclose(
        host(larger.displacement), np.broadcast_to((3 * size / LOW, -2 * size / LOW), (size, size, 2))
    )
    assert host(larger.confidence).shape == (size, size)
    change, mask = np.zeros((size, size, 3), np.float16), np.full((size, size), 51, np.uint8)
    own = pixels.init_accumulator(there(pixels, change), there(pixels, mask), 0.5)
    sums = pixels.warp_accumulator(own, larger, 0.8)
    assert host(sums.changes).shape == (size, size, 4)
    assert host(sums.masks).shape == (size, size, 1)
    np.testing.assert_allclose(host(sums.masks), 0.5 * 0.8 * 0.5 * 0.2, rtol=1e-4)


@pytest.mark.parametrize("index", [0, 5, 11])
def test_frames_that_are_wanted_alone_are_averaged_as_among_all(index: int) -> None:
    pixels = Counting("cpu", "fp32")
    frames = drifting(pixels, clip(pixels, 12, 15))
    whole = list(AverageChanges(pixels)(iter(frames)))
    moves, pixels.moves = pixels.moves, 0
    span = (frames[index].time, frames[index].time)
    assert same(list(AverageChanges(pixels, span=span)(iter(frames))), whole[index : index + 1])
    assert pixels.moves < moves


@pytest.mark.parametrize("size", [LOW, 512, 1024])
def test_of_a_mask_that_shows_a_part_of_a_crop_the_sums_of_that_part_are_enough(size: int) -> None:
    """It moves through the crop, and what it shows is what sums of the whole crop make of it."""
    frames = clip(HostPixels("cpu", "fp32"), 8, 15, (size,))
    for i, one in enumerate(frames):
        mask, (edit,) = np.zeros((size, size), np.uint8), one.edits
        corner = (120 + 15 * np.sin(8 * i / 15), 80 + 40 * i / 15)  # as the texture moves
        rows, columns = (slice(round(start * size / LOW), round((start + 60) * size / LOW)) for start in corner)
        mask[rows, columns] = 200
        frames[i] = replace(one, edits=(replace(edit, mask=mask),))
    ours, theirs = (
        list(AverageChanges(pixels)(iter(drifting(pixels, frames))))
        for pixels in (HostPixels("cpu", "fp32"), Whole("cpu", "fp32"))
    )
    for one, other, source in zip(ours, theirs, frames, strict=True):
        (part,), (whole,), (own,) = one.edits, other.edits, source.edits
        np.testing.assert_allclose(part.mask.astype(int), whole.mask, atol=1)
        shown = whole.mask > 0
        apart = np.abs(part.change.astype(np.float32) - whole.change)[shown]
        # A code value is 1 / 127.5. Only what moved in from beyond the square may differ.
        assert apart.mean() < 0.02 / 127.5
        assert np.quantile(apart, 0.999) < 1 / 127.5
        far = np.zeros(shown.shape, bool)
        far[: size // 4] = True
        np.testing.assert_array_equal(part.change[far], own.change[far])


def test_squares_hold_what_masks_show() -> None:
    mask = np.zeros((512, 512), np.uint8)
    assert primitives.square_of(mask).side == 1
    mask[100:300, 64:90] = 1
    square = primitives.square_of(mask)
    assert (square.left, square.top, square.side) == (3, 5, 15)  # of 16 pixels each: 48 to 288, 80 to 320
    mask[511, 0] = 1
    assert primitives.square_of(mask) == Square(0, 5, 27)
    mask[0, 511] = 1
    assert primitives.square_of(mask) == WHOLE
    assert primitives.square_of(np.ones((100, 100), np.uint8)) == WHOLE, "that 32 do not divide"
