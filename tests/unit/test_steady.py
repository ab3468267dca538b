"""Changes averaged along the source's motion, against clips whose motion is known; on the host and on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from test_detail import moved, smooth_image

from videdit.datatypes import LOW, Array, Color, Drift, Edited, Frame, Picture
from videdit.edits import Timeline, parse_edits
from videdit.imaging.device import DevicePixels
from videdit.imaging.host import HostPixels
from videdit.imaging.inverse_search import InverseSearch
from videdit.imaging.pixels import Pixels
from videdit.imaging.temporal_average import agreement, estimate_drift, fading, resolve
from videdit.stages.average_changes import AverageChanges

INNER = slice(60, -60)
FPS = 25


@pytest.fixture(scope="module", params=[HostPixels, DevicePixels])
def pixels(request) -> Pixels:
    return request.param("cpu", "fp32")


def host(array: Array) -> np.ndarray:
    return array.numpy() if isinstance(array, torch.Tensor) else array


def there(pixels: Pixels, array: np.ndarray) -> Array:
    return torch.from_numpy(array) if isinstance(pixels, DevicePixels) else array


def grey(image: np.ndarray) -> np.ndarray:
    return np.rint(image[..., 0] * 110 + 128).astype(np.uint8)


def frame(
    pixels: Pixels,
    index: int,
    source: np.ndarray,
    change: np.ndarray,
    scene: int = 0,
    track: int = 0,
    confidence: float = 1.0,
) -> Frame:
    """A frame with one edit; source [256, 256, 3], change [S, S, 3], both in [-1, 1]."""
    size = change.shape[0]
    crop = np.rint(cv2.resize(source, (size, size)) * 127.5 + 127.5).clip(0, 255).astype(np.uint8)
    edit = Edited(
        track,
        there(pixels, change.astype(np.float16)),
        there(pixels, np.full((size, size), 255, np.uint8)),
        np.eye(2, 3),
        there(pixels, crop),
        confidence,
    )
    picture = Picture((np.zeros((8, 8), np.uint8),), Color(matrix="gray"), "gray")
    return Frame(index, index, Fraction(1, FPS), index / FPS, picture, scene, edits=(edit,))


def drifting(pixels: Pixels, frames: Sequence[Frame]) -> list[Frame]:
    """The frames, their edits told how the source moved since the frame before."""
    continued, pairs = [], []
    for before, now in pairwise(frames):
        known = {edit.track: edit for edit in before.edits if before.scene == now.scene}
        for edit in now.edits:
            if edit.track in known:
                greys = [cv2.resize(host(e.source), (LOW, LOW))[..., 0] for e in (known[edit.track], edit)]
                pairs.append((there(pixels, greys[0]), there(pixels, greys[1])))
                continued.append((now.index, edit.track))
    drifts = dict(zip(continued, pixels.drifts(pairs), strict=True))  # all at once: a device takes several anyway
    done = []
    for now in frames:
        found = [drifts.get((now.index, edit.track)) for edit in now.edits]
        edits = [replace(edit, drift=Drift(*one) if one else None) for edit, one in zip(now.edits, found, strict=True)]
        done.append(replace(now, edits=tuple(edits)))
    return done


def steadied(pixels: Pixels, frames: Sequence[Frame], timeline: Timeline | None = None) -> list[np.ndarray]:
    frames = drifting(pixels, frames)
    if timeline:
        frames = [
            replace(f, edits=tuple(replace(edit, given=timeline.given(edit.track, f.time)) for edit in f.edits))
            for f in frames
        ]
    out = list(AverageChanges(pixels, timeline)(iter(frames)))
    assert [f.index for f in out] == [f.index for f in frames]
    return [host(f.edits[0].change).astype(np.float32) for f in out if f.edits]


def clip(count: int, step: tuple[float, float] = (2.0, -1.0)) -> list[np.ndarray]:
    """A texture that moves by `step` pixels a frame."""
    texture = smooth_image(LOW, 1, cells=24)
    return [moved(texture, step[0] * i, step[1] * i) for i in range(count)]


def noise(seed: int, size: int = LOW) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (size, size, 3)).astype(np.float32)


def test_a_change_that_trembles_comes_to_rest_on_the_skin(pixels: Pixels) -> None:
    """The true change moves with the source; each frame's own is off by noise of its own."""
    sources = clip(9)
    truth = [0.5 * moved(smooth_image(LOW, 2), 2.0 * i, -1.0 * i) for i in range(9)]
    frames = [frame(pixels, i, s, t + noise(i)) for i, (s, t) in enumerate(zip(sources, truth, strict=True))]
    errors = [np.abs(c - t)[INNER, INNER].mean() for c, t in zip(steadied(pixels, frames), truth, strict=True)]
    alone = np.abs(noise(0)).mean()
    assert max(errors) < 0.6 * alone
    assert errors[4] < 0.45 * alone, "the middle has neighbours on both sides"


def test_a_change_that_comes_evenly_is_not_late(pixels: Pixels) -> None:
    """Zero phase: a ramp in the middle of which the frame stands keeps its value there."""
    sources = [smooth_image(LOW, 3)] * 21
    frames = [frame(pixels, i, s, np.full((LOW, LOW, 3), 0.02 * i, np.float32)) for i, s in enumerate(sources)]
    middle = steadied(pixels, frames)[10]
    np.testing.assert_allclose(middle, 0.2, atol=0.04)


def test_an_edit_that_fades_is_not_smeared(pixels: Pixels) -> None:
    """A face turns away: its change goes down to nothing with its confidence, and does not pop."""
    source, fades = smooth_image(LOW, 3), np.linspace(1, 0.05, 8)
    frames = [
        frame(pixels, i, source, np.full((LOW, LOW, 3), 0.4 * f, np.float32), confidence=f) for i, f in enumerate(fades)
    ]
    means = [float(change.mean()) for change in steadied(pixels, frames)]
    np.testing.assert_allclose(means, 0.4 * fades, atol=2e-3)


def test_a_face_may_grow_and_shrink(pixels: Pixels) -> None:
    """A track whose crops change their size keeps what it knows."""
    source = smooth_image(LOW, 3)
    changes = [np.full((size, size, 3), v) for size, v in ((256, 0.2), (512, 0.3), (1024, 0.2), (256, 0.3))]
    for i, change in enumerate(steadied(pixels, [frame(pixels, i, source, c) for i, c in enumerate(changes)])):
        assert change.shape == changes[i].shape
        assert change.min() > 0.22
        assert change.max() < 0.28


def test_no_change_stays_none_to_the_bit(pixels: Pixels) -> None:
    frames = [frame(pixels, i, s, np.zeros((512, 512, 3), np.float32)) for i, s in enumerate(clip(4))]
    assert all(not change.any() for change in steadied(pixels, frames))


@pytest.mark.parametrize("size", [256, 512])
def test_a_frame_alone_keeps_its_change(pixels: Pixels, size: int) -> None:
    change = noise(0, size).astype(np.float16)
    (kept,) = steadied(pixels, [frame(pixels, 0, smooth_image(LOW, 4), change)])
    np.testing.assert_allclose(kept, change.astype(np.float32), atol=1e-3)


def test_what_is_finer_than_the_band_stays(pixels: Pixels) -> None:
    source = smooth_image(LOW, 5)
    fine = np.where(np.indices((1024, 1024)).sum(0) % 2, 0.1, -0.1).astype(np.float32)[..., None].repeat(3, -1)
    frames = [frame(pixels, i, source, fine + (0.04 if i == 1 else 0.0)) for i in range(3)]
    middle = steadied(pixels, frames)[1]
    np.testing.assert_allclose(middle - middle.mean(), fine, atol=2e-3)
    assert 0.01 < middle.mean() < 0.02, "the low band is shared with its neighbours"


@pytest.mark.parametrize("apart", ["a cut", "another face", "a frame without the face"])
def test_nothing_is_shared_across(pixels: Pixels, apart: str) -> None:
    source = smooth_image(LOW, 6)
    one, other = (np.full((LOW, LOW, 3), value, np.float32) for value in (0.25, -0.5))
    frames = [frame(pixels, i, source, one) for i in range(3)]
    frames += [
        frame(pixels, i, source, other, scene=apart == "a cut", track=int(apart == "another face")) for i in range(4, 7)
    ]
    if apart == "a frame without the face":
        gap = frame(pixels, 3, source, one)
        frames.insert(3, Frame(3, 3, gap.time_base, gap.time, gap.picture))
    changes = steadied(pixels, frames)
    assert np.abs(np.stack(changes[:3]) - 0.25).max() < 1e-3
    assert np.abs(np.stack(changes[3:]) + 0.5).max() < 1e-3


def test_where_the_source_shows_something_new_the_frame_s_own_change_counts(pixels: Pixels) -> None:
    """Other textures before and after: no motion leads from one to the other and back."""
    frames = [
        frame(pixels, i, smooth_image(LOW, 10 + i, 60), np.full((LOW, LOW, 3), value))
        for i, value in enumerate((0.1, 0.5, 0.1))
    ]
    middle = steadied(pixels, frames)[1]
    assert np.median(np.abs(middle - 0.5).max(axis=2)) < 0.1, "the mean of all three would be off by .24"


def test_the_drift_is_the_source_s_motion_both_ways(pixels: Pixels) -> None:
    one, other = clip(2, step=(3.0, -2.0))
    pair = (there(pixels, grey(one)), there(pixels, grey(other)))
    ((went, came),) = pixels.drifts([pair])
    assert np.abs(host(went.displacement)[INNER, INNER] - (3, -2)).mean() < 0.3
    assert np.abs(host(came.displacement)[INNER, INNER] - (-3, 2)).mean() < 0.3
    assert host(went.confidence)[INNER, INNER].mean() > 0.9
    still = pixels.drifts([(pair[0], pair[0])])[0][0]
    assert not host(still.displacement).any()
    assert (host(still.confidence) == 1).all()


def test_a_device_agrees_with_the_host(pixels: Pixels) -> None:
    change, other = noise(1, 512).astype(np.float16), noise(2, 512)
    mask, masked = ((noise(seed, 512)[..., 0] > 0).astype(np.uint8) * 255 for seed in (3, 4))
    flow = estimate_drift(*map(grey, clip(2)), InverseSearch())[0]
    put = {k: there(pixels, v) for k, v in {"displacement": flow.displacement, "confidence": flow.confidence}.items()}
    other_side, weight = HostPixels("cpu", "fp32"), fading(0.04)
    ours = pixels.init_accumulator(there(pixels, other), there(pixels, masked), 0.5)
    theirs = other_side.init_accumulator(other, masked, 0.5)
    moved = pixels.warp_accumulator(ours, pixels.upsample_flow(type(flow)(**put), 512), weight)
    expected = other_side.warp_accumulator(theirs, other_side.upsample_flow(flow, 512), weight)
    for name in ("changes", "masks"):
        seen, wanted = host(getattr(moved, name)), getattr(expected, name)
        # OpenCV reads between pixels in steps of a 32nd.
        np.testing.assert_allclose(seen[4:-4, 4:-4], wanted[4:-4, 4:-4], atol=0.02)
    source = (noise(5, 512) * 127.5 + 127.5).clip(0, 255).astype(np.uint8)
    crisp = np.linspace(0, 1, 128**2, dtype=np.float16).reshape(128, 128)
    edit = Edited(0, change, mask, np.eye(2, 3), source, crisp=crisp)
    on_device = replace(edit, **{k: there(pixels, getattr(edit, k)) for k in ("change", "mask", "source", "crisp")})
    again = [host(part) for part in pixels.resolve(on_device, ours, 0.25)]
    for part, wanted, atol in zip(again, resolve(edit, theirs, 0.25), (2e-3, 1), strict=True):
        assert part.dtype == wanted.dtype
        np.testing.assert_allclose(part.astype(float), wanted.astype(float), atol=atol)


def test_a_line_that_jumps_leaves_no_ghost_where_it_is_taken_away(pixels: Pixels) -> None:
    """Lips part within a frame or two: each frame's own change takes their line away, and so must the mean."""
    skin = 0.2 * smooth_image(LOW, 3)
    sources = [skin.copy() for _ in range(7)]
    for i, source in enumerate(sources):
        source[110 + 4 * i : 113 + 4 * i, 60:-60] -= 0.6
    changes = steadied(pixels, [frame(pixels, i, source, skin - source) for i, source in enumerate(sources)])
    for source, change in zip(sources, changes, strict=True):
        assert np.abs(source + change - skin).max() < 0.13


def test_a_change_that_is_another_one_is_not_averaged(pixels: Pixels) -> None:
    """A mouth that opens fast: what was right for it a moment ago is smeared over what is right now, else."""
    source, where = smooth_image(LOW, 3), (slice(120, 150), slice(90, 166))
    changes = []
    for i in range(10):
        change = np.full((LOW, LOW, 3), 0.1, np.float32)
        change[where] = 0.6 if i < 5 else -0.4
        changes.append(change)
    done = steadied(pixels, [frame(pixels, i, source, c) for i, c in enumerate(changes)])
    middle = (slice(126, 144), slice(96, 160))
    for now, wanted in zip(done, changes, strict=True):
        np.testing.assert_allclose(now[middle], wanted[middle], atol=0.01)


@pytest.mark.parametrize("size", [256, 512])
def test_what_is_crisp_stays_so(pixels: Pixels, size: int) -> None:
    """Teeth that are a little elsewhere in each frame: their edges stay."""
    source, unit = smooth_image(LOW, 3), size // 128
    frames, inside = [], np.zeros((128, 128), np.float16)
    inside[50:80, 30:100] = 1
    for i in range(9):
        stripes = np.where((np.arange(size) + i % 3 * unit) // unit % 2, 0.15, -0.15)
        change = np.broadcast_to(stripes[None, :, None], (size, size, 3)).astype(np.float32)
        one = frame(pixels, i, source, change)
        (edit,) = one.edits
        frames.append(replace(one, edits=(replace(edit, crisp=there(pixels, inside)),)))
    own = host(frames[4].edits[0].change).astype(np.float32)
    done = steadied(pixels, frames)
    middle, outside = (slice(55 * unit, 75 * unit), slice(40 * unit, 90 * unit)), slice(10 * unit, 40 * unit)
    kept = [float(done[4][part].std() / own[part].std()) for part in (middle, outside)]
    assert kept[0] > 0.9
    assert kept[1] < 0.8, "or there was nothing to keep"


def test_masks_keep_still_and_follow_what_comes_in_front(pixels: Pixels) -> None:
    """A mask that trembles is steadied; where the source itself changes, as a hand comes up, the frame's own counts."""
    sources = clip(12, step=(0.0, 0.0))
    hand = np.zeros((LOW, LOW), bool)
    hand[150:200, 100:160] = True
    frames = []
    for i, source in enumerate(sources):
        mask = np.full((LOW, LOW), 255 if i % 2 else 155, np.uint8)
        if i >= 6:
            source = np.where(hand[..., None], -source - 0.5, source)
            mask[hand] = 0
        one = frame(pixels, i, source, np.ones((LOW, LOW, 3)) * 0.2)
        frames.append(replace(one, edits=(replace(one.edits[0], mask=there(pixels, mask)),)))
    masks = np.stack(
        [host(done.edits[0].mask).astype(int) for done in AverageChanges(pixels)(iter(drifting(pixels, frames)))]
    )
    calm = masks[2:-2, INNER, INNER][:, ~hand[INNER, INNER]]
    assert np.abs(np.diff(calm, axis=0)).mean() < 20 < 100
    inner = np.zeros_like(hand)
    inner[160:190, 110:150] = True
    assert not masks[6:, inner].any()
    assert masks[:6, inner].mean() > 150


def test_agreement_is_one_where_two_flows_undo_each_other() -> None:
    there_, back = np.full((LOW, LOW, 2), 2.0, np.float32), np.full((LOW, LOW, 2), -2.0, np.float32)
    np.testing.assert_allclose(agreement(there_, back), 1.0)
    assert agreement(there_, there_).max() < 1e-6


def test_a_strength_that_grows_is_not_smeared(pixels: Pixels) -> None:
    """Keyframes with corners and a jump: what changes by the strength alone follows it to the frame."""
    timeline = Timeline(parse_edits("smile=0@0s,1.5@0.4s,0.3@0.6s:hold,1.2@0.8s"))
    source, pattern = smooth_image(LOW, 3), 0.2 * smooth_image(LOW, 7)
    strengths = np.array([timeline.strengths(0, i / FPS)[0] for i in range(26)])
    frames = [frame(pixels, i, source, pattern * s) for i, s in enumerate(strengths) if s]
    gains = [float((c * pattern).sum() / (pattern**2).sum()) for c in steadied(pixels, frames, timeline)]
    np.testing.assert_allclose(gains, strengths[strengths != 0], atol=5e-3)


def test_a_strength_that_jumps_takes_nothing_from_before(pixels: Pixels) -> None:
    """One edit is switched for another: their changes have nothing to do with each other."""
    timeline = Timeline(parse_edits("smile=1.25@0s:hold,0@0.16s,age=0@0s:hold,24@0.16s"))
    source = smooth_image(LOW, 3)
    frames = [frame(pixels, i, source, np.full((LOW, LOW, 3), 0.3 if i < 4 else -0.2)) for i in range(8)]
    for i, change in enumerate(steadied(pixels, frames, timeline)):
        np.testing.assert_allclose(change, 0.3 if i < 4 else -0.2, atol=2e-3)
