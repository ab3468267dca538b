"""Which frames the networks see, and what the others get from them, against clips whose motion is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from test_detail import moved, smooth_image
from test_masks import facing

from videdit.datatypes import LOW, Array, Color, Crop, Flow, Frame, Picture, Rendering
from videdit.edits import Timeline, parse_edits
from videdit.imaging.carried_change import Side
from videdit.imaging.device import DevicePixels
from videdit.imaging.host import HostPixels
from videdit.imaging.pixels import Pixels
from videdit.models.face_parts import MOUTH, PARTS
from videdit.rendering.near_frames import passes_around
from videdit.stages.choose_passes import PACES, ChoosePasses
from videdit.stages.transfer_detail import TransferDetail

FPS = 30
INNER = slice(50, -50)
MESH = facing(12)
LIPS = (slice(164, 181), slice(106, 151))  # of that mesh
CODED = Picture((np.zeros((8, 8), np.uint8),), Color(matrix="gray"), "gray")


@pytest.fixture(scope="module", params=[HostPixels, DevicePixels])
def pixels(request) -> Pixels:
    return request.param("cpu", "fp32")


def host(array: Array) -> np.ndarray:
    return array.numpy() if isinstance(array, torch.Tensor) else array


def frame(pixels: Pixels, index: int, image: np.ndarray, track: int = 0, scene: int = 0) -> Frame:
    """A frame with one crop; image: [256, 256, 3] in [-1, 1]."""
    crop = pixels.put(np.rint(image * 127.5 + 127.5).clip(0, 255).astype(np.uint8))
    crops = (Crop(track, crop, np.eye(2, 3), 1.0, MESH, low=crop),)
    return Frame(index, index, Fraction(1, FPS), index / FPS, CODED, scene, crops=crops)


def chosen(pixels: Pixels, frames: Iterable[Frame], quality: str = "standard", words: str = "smile") -> list[int]:
    """The indices of frames that the networks are to see."""
    stage = ChoosePasses(pixels, Timeline(parse_edits(words)), quality)
    return [f.index for f in stage(iter(frames)) if f.crops[0].rendered]


def still(pixels: Pixels, count: int) -> list[Frame]:
    image = 0.8 * smooth_image(LOW, 1, cells=24)
    return [frame(pixels, i, image) for i in range(count)]


def test_a_calm_face_is_seen_eight_times_a_second(pixels: Pixels) -> None:
    texture = 0.8 * smooth_image(LOW, 1, cells=24)
    frames = [frame(pixels, i, moved(texture, 0.7 * i, -0.4 * i)) for i in range(13)]
    assert chosen(pixels, frames) == [0, 4, 8, 11], "the first of each twelve hundredths of a second"
    assert chosen(pixels, frames, "draft") == [0, 8]
    assert chosen(pixels, frames, "best") == list(range(13))


@pytest.mark.parametrize("part", ["lips", "an eye"])
def test_what_the_frame_before_cannot_tell_is_seen_at_once(pixels: Pixels, part: str) -> None:
    where = LIPS if part == "lips" else (slice(112, 125), slice(84, 113))
    frames = still(pixels, 4)
    changed = 0.8 * smooth_image(LOW, 1, cells=24)
    changed[where] = -0.9
    frames[2] = frame(pixels, 2, changed)
    assert chosen(pixels, frames) == [0, 2, 3]


def test_what_changes_beside_the_face_is_not_looked_at(pixels: Pixels) -> None:
    frames = still(pixels, 4)
    changed = 0.8 * smooth_image(LOW, 1, cells=24)
    changed[:40] = -0.9
    frames[2] = frame(pixels, 2, changed)
    assert chosen(pixels, frames) == [0]


def test_a_strength_that_changes_and_what_is_no_known_face_are_seen_always(pixels: Pixels) -> None:
    frames = still(pixels, 6)
    assert chosen(pixels, frames, words="age=0@0s,12@0.2s") == list(range(6))
    assert chosen(pixels, frames, words="age=0@0s,12@2s") == [0, 4], "what changes slowly is told by what is around"
    restored = [replace(f, crops=(replace(f.crops[0], restored=f.crops[0].image),)) for f in frames]
    assert chosen(pixels, restored) == list(range(6))
    boxes = [replace(f, crops=(replace(f.crops[0], mesh=np.zeros((4, 2))),)) for f in frames]
    assert chosen(pixels, boxes) == list(range(6))


def test_each_shot_and_each_face_begins_with_a_pass(pixels: Pixels) -> None:
    frames = still(pixels, 8)
    frames[2:] = [replace(f, scene=1) for f in frames[2:]]
    frames[6:] = [replace(f, crops=(replace(f.crops[0], track=1),)) for f in frames[6:]]
    assert chosen(pixels, frames) == [0, 2, 4, 6]


@pytest.mark.parametrize("quality", sorted(PACES))
def test_where_a_run_begins_does_not_matter_beyond_the_reach(quality: str) -> None:
    """A segment, or a preview, chooses as the whole clip does."""
    pixels, rng = HostPixels("cpu", "fp32"), np.random.default_rng(0)
    frames = still(pixels, 40)
    for i in rng.choice(40, 12, replace=False):
        changed = 0.8 * smooth_image(LOW, 1, cells=24)
        changed[LIPS] = rng.uniform(-1, 1)
        frames[i] = frame(pixels, int(i), changed)
    whole = chosen(pixels, frames, quality)
    assert 4 < len(whole) < 40
    for begins in (1, 7, 13):
        sure = frames[begins].time + ChoosePasses.reach_of(quality)
        part = chosen(pixels, frames[begins:], quality)
        assert [i for i in part if i / FPS > sure] == [i for i in whole if i / FPS > sure]


def test_motion_that_is_known_is_not_estimated_again() -> None:
    class Asked(HostPixels):
        pairs = 0

        def drifts(self, pairs: Sequence[tuple[Array, Array]]) -> list[tuple[Flow, Flow]]:
            self.pairs += len(pairs)
            return super().drifts(pairs)

    pixels = Asked("cpu", "fp32")
    texture = 0.8 * smooth_image(LOW, 1, cells=24)
    frames = [frame(pixels, i, moved(texture, 0.7 * i, -0.4 * i)) for i in range(6)]
    first = list(ChoosePasses(pixels, None, "standard")(iter(frames)))
    assert pixels.pairs == 5
    known = [
        replace(f, crops=(replace(f.crops[0], drift=g.crops[0].drift),)) for f, g in zip(frames, first, strict=True)
    ]
    again = list(ChoosePasses(pixels, None, "standard")(iter(known)))
    assert pixels.pairs == 5
    for one, other in zip(first, again, strict=True):
        assert one.crops[0].drift is other.crops[0].drift
        assert one.crops[0].rendered == other.crops[0].rendered


def test_what_a_stretch_depends_on_lies_between_two_passes_of_every_face() -> None:
    def at(index: int, *seen: bool) -> Frame:
        crops = tuple(Crop(i, np.zeros((8, 8, 3), np.uint8), np.eye(2, 3), 1.0, rendered=s) for i, s in enumerate(seen))
        return Frame(index, index, Fraction(1, FPS), index / FPS, CODED, crops=crops)

    yes, no = True, False
    seen = [(yes, yes), (yes, no), (no, no), (no, no), (no, no), (no, yes), (yes, no), (no,), (no,)]
    frames = [at(i, *each) for i, each in enumerate(seen)]
    wanted = [(3, 3, 0, 6), (2, 5, 0, 6), (6, 6, 5, 7), (0, 0, 0, 0), (7, 7, 6, 8), (1, 1, 0, 5)]
    for first, last, begins, ends in wanted:
        found = passes_around(frames, first / FPS, last / FPS)
        assert found == pytest.approx((begins / FPS, ends / FPS)), (first, last)


def rendered(pixels: Pixels, frames: Sequence[Frame], changes: Sequence[np.ndarray]) -> list[Frame]:
    """The frames as the networks leave them: the edit adds a change [256, 256, 3] where they saw the crop."""
    done = []
    for f in ChoosePasses(pixels, None, "standard")(iter(frames)):
        renderings = []
        for crop in f.crops:
            source = host(crop.image).astype(np.float32) / 127.5 - 1
            none = Flow(np.zeros((LOW, LOW, 2), np.float32), np.ones((LOW, LOW), np.float32))
            flow = Flow(pixels.put(none.displacement), pixels.put(none.confidence))
            before, after = (
                pixels.put(source),
                pixels.put(source + cv2.resize(changes[f.index].astype(np.float32), source.shape[:2])),
            )
            renderings.append(Rendering(before, after, flow, before, after) if crop.rendered else None)
        done.append(replace(f, renderings=tuple(renderings)))
    return done


def test_a_change_moves_with_the_face_where_it_is_carried(pixels: Pixels) -> None:
    """It grows evenly from one pass to the next: so it does between, where the face is then."""
    texture, paint = 0.5 * smooth_image(LOW, 1, cells=24), 0.3 * smooth_image(LOW, 2)
    steps = [(1.5 * i, -1.0 * i) for i in range(5)]
    frames = [frame(pixels, i, moved(texture, *step)) for i, step in enumerate(steps)]
    truth = [moved(paint * (1 + 0.03 * i), *step) for i, step in enumerate(steps)]
    seen = rendered(pixels, frames, truth)
    assert [f.index for f in seen if f.renderings[0] is None] == [1, 2, 3]
    done = list(TransferDetail(pixels)(iter(seen)))
    assert [f.index for f in done] == list(range(5))
    for f, wanted in zip(done, truth, strict=True):
        change = host(f.edits[0].change).astype(np.float32)
        assert np.abs(change - wanted)[INNER, INNER].mean() < 0.06 * np.abs(wanted)[INNER, INNER].mean()
        assert f.edits[0].mask.max() == 255


def test_between_new_lips_the_result_is_carried_and_elsewhere_the_change(pixels: Pixels) -> None:
    rng = np.random.default_rng(4)
    before, now = (rng.integers(0, 256, (LOW, LOW, 3)).astype(np.uint8) for _ in range(2))
    change = rng.normal(0, 0.3, (LOW, LOW, 3)).astype(np.float16)
    crisp = np.zeros((128, 128), np.float16)
    crisp[40:80, 40:80] = 1
    still = Side(
        Flow(pixels.put(np.zeros((LOW, LOW, 2), np.float32)), pixels.put(np.ones((LOW, LOW), np.float32))), 1.0
    )

    def of(image: np.ndarray) -> Crop:
        return Crop(0, pixels.put(image), np.eye(2, 3), 1.0)

    for mouths, inside in (((crisp,), True), ((None,), False), ((crisp, crisp), True), ((None, crisp), None)):
        portable = [
            pixels.portable(pixels.put(change), of(before), None if m is None else pixels.put(m)) for m in mouths
        ]
        sides = [replace(still, near=1 / len(mouths))] * len(mouths)
        np.testing.assert_allclose(host(pixels.carried(portable, sides, of(before))), change, atol=4e-3)
        moved = host(pixels.carried(portable, sides, of(now))).astype(np.float32)
        result, wanted = moved + now / 127.5 - 1, change + before / 127.5 - 1
        around = np.abs(moved - change)
        assert around[:70].max() < 4e-3
        assert around[170:].max() < 4e-3
        if inside:
            np.testing.assert_allclose(result[90:150, 90:150], wanted[90:150, 90:150], atol=8e-3)
        elif inside is False:
            assert around.max() < 4e-3


def test_frames_wait_for_the_next_pass_and_not_for_longer(pixels: Pixels) -> None:
    """A track that ends, a cut, the end of the clip: what was seen last holds."""
    frames = still(pixels, 12)
    frames[6:] = [replace(f, scene=1) for f in frames[6:]]  # passes: 0, 4, 6, 8
    changes = [np.full((LOW, LOW, 3), 0.3 + 0.02 * (i // 4), np.float32) for i in range(12)]
    entered: list[int] = []

    def entering() -> Iterable[Frame]:
        for f in rendered(pixels, frames, changes):
            entered.append(f.index)
            yield f

    values = []
    for f in TransferDetail(pixels)(iter(entering())):
        assert f.index + 4 >= entered[-1], "the next pass is there by then"
        values.append(float(host(f.edits[0].change)[100:150, 100:150].astype(np.float32).mean()))
    wanted = [0.3, 0.305, 0.31, 0.315, 0.32, 0.32, 0.32, 0.33, 0.34, 0.34, 0.34, 0.34]
    np.testing.assert_allclose(values, wanted, atol=2e-3)


def test_a_crop_that_changes_its_size_is_carried_to_its_own(pixels: Pixels) -> None:
    frames = still(pixels, 4)
    large = pixels.put(cv2.resize(host(frames[1].crops[0].image), (512, 512)))
    crop = frames[1].crops[0]
    frames[1] = replace(frames[1], crops=(replace(crop, image=large, mesh=2 * MESH),))
    seen = rendered(pixels, frames, [np.full((LOW, LOW, 3), 0.2, np.float32)] * 4)
    edits = [f.edits[0] for f in TransferDetail(pixels)(iter(seen))]
    assert [len(edit.change) for edit in edits] == [256, 512, 256, 256]
    assert abs(float(host(edits[1].change)[200:300, 200:300].astype(np.float32).mean()) - 0.2) < 2e-3


def test_two_sides_that_contradict_each_other_are_not_mixed(pixels: Pixels) -> None:
    """Teeth in two places would be two rows of teeth: the nearer pass holds alone."""
    frames, changes = still(pixels, 5), []
    for i in range(5):
        change = np.full((LOW, LOW, 3), 0.1, np.float32)
        change[120:136, 100:156] = 0.8 if i < 4 else -0.6
        changes.append(change)
    done = list(TransferDetail(pixels)(iter(rendered(pixels, frames, changes))))
    found = [float(host(f.edits[0].change)[124:132, 110:146].astype(np.float32).mean()) for f in done]
    np.testing.assert_allclose([found[0], found[1], found[3], found[4]], [0.8, 0.8, -0.6, -0.6], atol=0.02)
    assert min(abs(found[2] - 0.8), abs(found[2] + 0.6)) < 0.02


def test_what_is_crisp_is_carried_from_one_side(pixels: Pixels) -> None:
    """Between passes whose teeth are half a tooth apart: those of one, not two of half the contrast."""
    frames = still(pixels, 5)
    stripes = np.where(np.arange(LOW) // 4 % 2, 0.1, -0.1)
    changes = [np.broadcast_to(np.roll(stripes, i)[None, :, None], (LOW, LOW, 3)) for i in range(5)]
    inside = np.zeros((len(PARTS), 128, 128), np.float32)
    inside[MOUTH, 50:80, 30:100] = 1
    seen = rendered(pixels, frames, changes)
    parsed = [
        replace(f, renderings=tuple(r and replace(r, parts=pixels.put(inside)) for r in f.renderings)) for f in seen
    ]
    contrast = []
    for some in (seen, parsed):
        (middle,) = [f.edits[0] for f in TransferDetail(pixels)(iter(some)) if f.index == 2]
        contrast.append(float(host(middle.change)[110:150, 70:190].astype(np.float32).std()))
    assert contrast[1] > 0.075
    assert contrast[0] < 0.5 * contrast[1], "or there was nothing to keep"
    assert host(middle.crisp)[60:70, 40:90].min() == 1
    assert host(middle.crisp)[:40].max() == 0
