"""Detail return against renderings whose truth is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from videdit.datatypes import LOW, Flow, Rendering
from videdit.imaging.detail_transfer import changed, return_detail, stirs_mouth, trust
from videdit.imaging.inverse_search import InverseSearch
from videdit.imaging.optical_flow import blend_flows, estimate_flow, warp_distortion_map
from videdit.models.face_parts import LIPS, MOUTH, PARTS, SKIN


def smooth_image(size: int, seed: int, cells: int = 14) -> np.ndarray:
    """A smooth random picture [S, S, 3] float32 in [-1, 1], with structure for flow to hold on to."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-0.9, 0.9, (cells, cells, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), -1, 1)


def moved(image: np.ndarray, x: float, y: float) -> np.ndarray:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)


def rendering(inversion: np.ndarray, edit: np.ndarray) -> Rendering:
    def low(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, (LOW, LOW), interpolation=cv2.INTER_AREA)

    before, after = low(inversion), low(edit)
    return Rendering(before, after, estimate_flow(before, after, InverseSearch()), inversion, edit)


@pytest.mark.parametrize("size", [256, 512])
def test_equal_renderings_give_no_change_at_all(size: int) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
    same = smooth_image(size, 1)
    r = rendering(same, same)
    flow = r.flow
    assert not flow.displacement.any()
    assert (flow.confidence == 1).all()
    assert np.abs(return_detail(crop, r)).max() < 1e-6


def test_detail_moves_with_the_face() -> None:
    """The whole face moves by (6, -4): so must the noise that only the source has."""
    inversion = smooth_image(256, 2)
    noise = np.random.default_rng(3).normal(0, 0.06, (256, 256, 3)).astype(np.float32)
    source = np.clip((inversion * 0.8 + noise) * 127.5 + 127.5, 0, 255).astype(np.uint8)
    r = rendering(inversion * 0.8, moved(inversion * 0.8, 6, -4))
    flow = r.flow
    inner = slice(40, -40)
    assert np.abs(flow.displacement[inner, inner] - (-6, 4)).mean() < 0.3
    assert flow.confidence[inner, inner].mean() > 0.9
    result = return_detail(source, r) + (source.astype(np.float32) / 127.5 - 1)
    wanted = moved(source.astype(np.float32) / 127.5 - 1, 6, -4)
    assert np.abs(result - wanted)[inner, inner].mean() < 0.3 * np.abs(noise).mean()


def test_between_lips_that_change_there_is_one_row_of_teeth() -> None:
    """The source shows teeth and so does the edit, not quite in the same place: the edit's are shown, and nothing else.

    What is finer than a tooth and weak is grain elsewhere; here it is the edge of one.
    """
    stripes = np.where(np.arange(256) // 5 % 2, 0.62, 0.5).astype(np.float32)
    inversion = np.zeros((256, 256, 3), np.float32)
    inside = (slice(140, 160), slice(90, 166))
    source, edit = inversion.copy(), inversion.copy()
    inversion[inside] = np.roll(stripes, 1)[None, inside[1], None]
    source[inside] = np.roll(stripes, 3)[None, inside[1], None]
    edit[134:166, 80:176] = stripes[None, 80:176, None]
    parts = np.zeros((len(PARTS), 128, 128), np.float32)
    parts[MOUTH, 70:80, 45:83] = 1
    crop = ((source + 1) * 127.5).round().astype(np.uint8)
    result = crop / 127.5 - 1 + return_detail(crop, rendering(inversion, edit), parts)
    middle = (slice(144, 156), slice(96, 160))
    assert np.abs(result - edit)[middle].mean() < 0.015
    nothing = return_detail(crop, rendering(inversion, inversion), parts)
    assert np.abs(nothing).max() < 1e-5  # a mouth that no edit touches stays the source's


def test_teeth_between_lips_that_do_not_move_are_the_source_s() -> None:
    """An edit of something else changes their light a little, and its own are softer."""
    inside, lips = (slice(140, 160), slice(90, 166)), (slice(132, 168), slice(80, 176))
    inversion = np.full((256, 256, 3), 0.1, np.float32)
    source, edit = inversion.copy(), inversion.copy()
    source[inside] = np.where(np.arange(76) // 5 % 2, 0.7, 0.2).astype(np.float32)[None, :, None]
    inversion[inside], edit[inside] = 0.45, 0.5
    parts = _parts(lips, inside)
    crop = ((source + 1) * 127.5).round().astype(np.uint8)
    up_and_down = np.zeros((256, 256, 2), np.float32)
    up_and_down[:150, :, 1], up_and_down[150:, :, 1] = 3, -3
    still, moving = (
        replace(rendering(inversion, edit), flow=Flow(flow, np.ones((256, 256), np.float32)), parts=parts)
        for flow in (np.zeros_like(up_and_down), up_and_down)
    )
    middle = (slice(146, 154), slice(100, 156))
    left = [
        np.abs(return_detail(crop, made, parts) + crop / 127.5 - 1 - edit)[middle].mean() for made in (still, moving)
    ]
    assert left[0] > 0.15
    assert left[1] < 0.05


def test_hardly_any_edit_leaves_between_the_lips_what_is_there() -> None:
    """The source's mouth is dark and the inversion sees teeth: a strong edit shows its own, a weak one none."""
    inside = (slice(140, 160), slice(90, 166))
    source = np.full((256, 256, 3), 0.2, np.float32)
    inversion = source.copy()
    source[inside], inversion[inside] = -0.7, 0.6
    edit = inversion.copy()
    edit[inside] += 0.04
    parts = np.zeros((len(PARTS), 128, 128), np.float32)
    parts[MOUTH, 70:80, 45:83] = 1
    crop = ((source + 1) * 127.5).round().astype(np.uint8)
    middle, made = (slice(144, 156), slice(96, 160)), rendering(inversion, edit)
    changes = [return_detail(crop, replace(made, strength=s), parts)[middle].mean() for s in (0.05, 0.2, 0.3, 0.5, 1.0)]
    assert changes == sorted(changes)
    assert changes[0] < 0.3 * changes[-1]
    assert changes[-1] == changes[-2] > 1


def test_new_content_comes_from_the_generator() -> None:
    """Where the edit paints something that was nowhere before, the source's residual must not shine through."""
    inversion = smooth_image(256, 4)
    edit = inversion.copy()
    edit[120:160, 100:160] = (0.95, 0.95, 0.9)  # teeth
    source = np.clip(inversion * 127.5 + 127.5, 0, 255).astype(np.uint8)
    source[120:160, 100:160] = 10
    r = rendering(inversion, edit)
    flow = r.flow
    assert flow.confidence[128:152, 110:150].mean() < 0.15
    result = return_detail(source, r) + (source.astype(np.float32) / 127.5 - 1)
    assert np.abs(result - edit)[130:150, 112:148].mean() < 0.15


@pytest.mark.parametrize(("grain", "noise"), [(0.025, 0.0), (0.025, 0.02), (0.0, 0.02)])
def test_new_content_has_the_source_s_grain_and_not_the_generator_s(grain: float, noise: float) -> None:
    rng = np.random.default_rng(8)
    size = 512
    inversion, new = smooth_image(size, 9, 6) * 0.7, smooth_image(size, 10, 6) * 0.7
    frozen = rng.normal(0, 1, (size, size, 3)).astype(np.float32) * grain
    clip = inversion + rng.normal(0, 1, inversion.shape) * noise
    source = np.clip(clip * 127.5 + 127.5, 0, 255).round().astype(np.uint8)
    still = Flow(np.zeros((LOW, LOW, 2), np.float32), np.zeros((LOW, LOW), np.float32))  # nothing is carried along
    low = np.zeros((LOW, LOW, 3), np.float32)
    change = return_detail(source, Rendering(low, low, still, inversion + frozen, new + frozen))
    result = source.astype(np.float32) / 127.5 - 1 + change
    left = (result - new)[40:-40, 40:-40]
    fine = left - cv2.GaussianBlur(left, (0, 0), 1.0)
    wanted = noise * 0.82  # what of white noise is finer than that
    assert fine.std() == pytest.approx(wanted, rel=0.15, abs=0.004)
    assert np.abs(cv2.GaussianBlur(left, (0, 0), 4)).max() < 0.02  # and what it shows is the new content


def _of_a_low_inversion(low: np.ndarray, edit_low: np.ndarray, edit: np.ndarray) -> Rendering:
    still = Flow(np.zeros((LOW, LOW, 2), np.float32), np.ones((LOW, LOW), np.float32))
    return Rendering(low, edit_low, still, low, edit)


def test_beside_a_low_inversion_an_edit_that_changes_nothing_is_nothing_however_fine_it_is() -> None:
    rng = np.random.default_rng(11)
    crop = rng.integers(0, 256, (512, 512, 3)).astype(np.uint8)
    low = smooth_image(LOW, 12)
    fine = cv2.resize(low, (512, 512)) + rng.normal(0, 0.3, (512, 512, 3)).astype(np.float32)
    rendering, skin = _of_a_low_inversion(low, low, fine), np.zeros((len(PARTS), LOW, LOW), np.float32)
    assert np.abs(return_detail(crop, rendering)).max() < 1e-6
    skin[SKIN, 40:200, 40:200] = 1
    assert np.abs(return_detail(crop, rendering, skin)).max() < 1e-6, "nor is it graded by what is not comparable"


def test_beside_a_low_inversion_what_an_edit_puts_there_has_the_edits_own_fineness() -> None:
    """Half of the face gets stripes, darker and finer than the low renders can show: hairs."""
    low = np.zeros((LOW, LOW, 3), np.float32)
    edit = np.zeros((512, 512, 3), np.float32)
    edit[256:, ::2] = -1.2
    edit_low = cv2.resize(edit, (LOW, LOW), interpolation=cv2.INTER_AREA)
    crop = np.full((512, 512, 3), 128, np.uint8)
    change = return_detail(crop, _of_a_low_inversion(low, edit_low, edit))[..., 0]
    hairs, skin = change[300:500, 20:-20], change[20:200]
    assert np.abs(skin).max() < 0.01
    assert (hairs[:, 1::2] - hairs[:, ::2]).mean() > 0.9, "stripes of a pixel stay stripes"


def test_blending_is_a_weighted_mean() -> None:
    shape = (LOW, LOW)
    flows = [Flow(np.full((*shape, 2), v, np.float32), np.full(shape, v, np.float32)) for v in (0.0, 1.0)]
    blended = blend_flows(flows, np.array([1.0, 3.0]))
    assert np.allclose(blended.displacement, 0.75)
    assert np.allclose(blended.confidence, 0.75)


def test_the_distortion_map_is_carried_along_and_emptied_where_content_is_new() -> None:
    distortion = smooth_image(256, 5)
    displacement = np.zeros((LOW, LOW, 2), np.float32)
    displacement[..., 0] = 3
    confidence = np.ones((LOW, LOW), np.float32)
    confidence[100:120] = 0
    moved_map = warp_distortion_map(distortion, Flow(displacement, confidence))
    np.testing.assert_allclose(moved_map[:100, :-3], distortion[:100, 3:], atol=1e-5)
    assert not moved_map[100:120].any()


def test_a_map_that_does_not_move_keeps_its_bits() -> None:
    distortion = np.random.default_rng(6).normal(0, 1, (LOW, LOW, 3)).astype(np.float32)
    still = Flow(np.zeros((LOW, LOW, 2), np.float32), np.ones((LOW, LOW), np.float32))
    np.testing.assert_array_equal(warp_distortion_map(distortion, still), distortion)


def test_a_residual_is_trusted_where_nothing_changed_and_doubted_where_much_did() -> None:
    """The source is brighter all over one side than the inversion saw; the edit changes a part of that side."""
    inversion = smooth_image(256, 7) * 0.5
    source = inversion.copy()
    source[60:200, 20:110] += 0.5
    edit = inversion.copy()
    edit[100:160, 30:100] += 0.5
    still = Flow(np.zeros((LOW, LOW, 2), np.float32), np.ones((LOW, LOW), np.float32))
    rendering = Rendering(inversion, edit, still, inversion, edit)
    kept = trust(source, rendering, changed(rendering))[..., 0]
    assert kept[120:140, 45:85].max() < 0.1
    assert kept[175:190, 35:95].min() > 0.9, "a residual alone is no reason"
    assert kept[:, 140:].min() > 0.99
    same = Rendering(inversion, inversion, still, inversion, inversion)
    assert (trust(source, same, changed(same)) == 1).all()


def _parts(lips: tuple[slice, slice], inside: tuple[slice, slice] | None = None) -> np.ndarray:
    """Lips, and what is between them, of places at 256 px."""
    parts = np.zeros((len(PARTS), 256, 256), np.float32)
    parts[LIPS][lips] = 1
    if inside:
        parts[LIPS][inside], parts[MOUTH][inside] = 0, 1
    return parts


def test_of_a_mouth_that_opens_nothing_of_the_closed_one_is_left() -> None:
    """The source's lips are where teeth come, darker than the inversion saw them, and finer things lie on them."""
    face = smooth_image(256, 17) * 0.2
    lips, opened, teeth = ((slice(*y), slice(80, 176)) for y in ((144, 156), (136, 172), (144, 164)))
    inversion, edit, source = face.copy(), face.copy(), face.copy()
    inversion[lips] += (0.3, -0.2, -0.2)
    source[lips] += (0.2, -0.4, -0.4)
    source += np.random.default_rng(18).normal(0, 0.05, source.shape).astype(np.float32)
    edit[opened] += (0.3, -0.2, -0.2)
    edit[teeth] = np.where(np.arange(96) // 6 % 2, 0.7, 0.6)[None, :, None]
    crop = ((source + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    made, parts = rendering(inversion, edit), _parts(lips)
    assert stirs_mouth(made, parts)
    both = [made, replace(made, parts=_parts(opened, teeth))]
    left = [np.abs(crop / 127.5 - 1 + return_detail(crop, each, parts) - edit) for each in both]
    mouth = (slice(146, 162), slice(90, 166))  # of its lips only the light and the colour are the source's
    assert left[1][mouth].mean() < 0.012
    assert left[1][mouth].mean() < 0.5 * left[0][mouth].mean()
    # Far from it the source's own detail stays, as without.
    np.testing.assert_allclose(left[1][:110], left[0][:110], atol=1e-6)


def test_a_lopsided_mouth_leaves_no_corner_beside_the_one_that_an_edit_opens() -> None:
    """The code does not know it: inversion and edit have skin there alike, and so no change takes it away."""
    face = np.full((256, 256, 3), 0.1, np.float32)
    lips, opened, teeth = ((slice(*y), slice(80, 176)) for y in ((144, 156), (136, 172), (144, 164)))
    corner = (slice(116, 128), slice(176, 200))
    inversion, edit, source = face.copy(), face.copy(), face.copy()
    inversion[lips], source[lips], source[corner] = -0.2, -0.2, -0.6
    edit[opened], edit[teeth] = -0.2, 0.6
    crop = ((source + 1) * 127.5).round().astype(np.uint8)
    parts = _parts(lips)
    parts[LIPS][corner] = 1
    made = replace(rendering(inversion, edit), parts=_parts(opened, teeth))
    result = crop / 127.5 - 1 + return_detail(crop, made, parts)
    assert np.abs(result - face)[corner].mean() < 0.12  # of .7
    closed = return_detail(crop, replace(rendering(inversion, inversion), parts=_parts(lips)), parts)
    assert np.abs(closed).max() < 1e-5
    unlike = replace(rendering(edit, edit), parts=_parts(opened, teeth), strength=0.01)
    assert np.abs(return_detail(crop, unlike, parts)).max() < 1e-5, "the code sees it open, and nothing is to be done"


def test_lips_that_an_edit_changes_but_does_not_part_keep_the_source_s_detail() -> None:
    face = smooth_image(256, 19) * 0.3
    lips = (slice(140, 160), slice(80, 176))
    edit = face.copy()
    edit[lips] += 0.2
    source = face + np.random.default_rng(20).normal(0, 0.05, face.shape).astype(np.float32)
    crop = ((source + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    made, parts = rendering(face, edit), _parts(lips)
    changes = [return_detail(crop, each, parts) for each in (made, replace(made, parts=parts))]
    np.testing.assert_allclose(*changes, atol=1e-6)
    assert not stirs_mouth(rendering(face, face), parts)


def test_a_beard_stays_under_an_edit_that_is_not_about_beards() -> None:
    """The edit shows smooth, lighter skin where the source has strands: they stay and get its light."""
    rng = np.random.default_rng(4)
    jaw, cheek = (slice(160, 230), slice(60, 196)), (slice(60, 120), slice(60, 196))
    inversion = np.full((256, 256, 3), 0.0, np.float32)
    inversion[jaw] = -0.4
    source, edit = inversion.copy(), inversion.copy()
    source[jaw] += rng.normal(0, 0.3, (70, 136, 1)).astype(np.float32)
    edit[jaw] = (0.3, 0.0, 0.0)
    edit[cheek] = -0.3  # new, where the source has nothing that is fine
    crop = ((source + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    nowhere = Flow(np.zeros((256, 256, 2), np.float32), np.zeros((256, 256), np.float32))  # is a motion to be trusted
    made = replace(rendering(inversion, edit), flow=nowhere)
    parts = np.zeros((len(PARTS), 128, 128), np.float32)
    aged, shaven = (
        crop / 127.5 - 1 + return_detail(crop, made, parts, regions) for regions in (("skin",), ("skin", "jaw"))
    )
    inner = (slice(175, 215), slice(80, 176))
    assert aged[inner].std(axis=(0, 1)).mean() > 0.8 * (crop / 127.5 - 1)[inner].std()
    assert shaven[inner].std(axis=(0, 1)).mean() < 0.1
    apart = aged[inner].mean((0, 1))
    assert abs(apart[0] - apart[2]) < 0.05, "of the edit's red skin comes its light alone"
    assert apart[1] > -0.35
    smooth = (slice(75, 105), slice(80, 176))
    np.testing.assert_allclose(aged[smooth], shaven[smooth], atol=1e-3)
