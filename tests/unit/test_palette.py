"""Grading of renders to the footage's colours, against tints that are known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from test_detail import rendering, smooth_image

from videdit.imaging.color_transfer import ANEW, APART, TEETH, match_colors, match_mouth, regrade
from videdit.imaging.detail_transfer import return_detail
from videdit.models.face_parts import LIPS, MOUTH, PARTS
from videdit.models.face_parts import SKIN as FACE

SKIN = np.array((0.55, 0.1, -0.1), np.float32)  # RGB in [-1, 1]
ROWS = slice(30, 100), slice(160, 230)  # well within the upper half, and the lower
EVERYWHERE = np.ones((128, 128), np.float32)


def face(size: int = 256, seed: int = 0) -> np.ndarray:
    """Skin in changing light, [S, S, 3] in [-1, 1]."""
    light = 0.8 + 0.2 * smooth_image(size, seed)[..., :1]
    return ((SKIN + 1) * light - 1).astype(np.float32)


def tinted(image: np.ndarray, factor: complex, where: slice = slice(None)) -> np.ndarray:
    """The image with its chroma multiplied by a factor, in some rows and columns."""
    other = image.copy()
    by = np.tile(np.array((factor.real, factor.imag), np.float32), (64, 64, 1))
    other[where, where] = regrade(image, by, np.ones((64, 64, 1), np.float32))[where, where]
    return other


def chroma(image: np.ndarray) -> np.ndarray:
    return cv2.transform(image, np.array(APART, np.float32))[..., 1:]


@pytest.mark.parametrize("factor", [1.8 + 0j, 1.4 + 0.3j])
@pytest.mark.parametrize("where", [slice(None), slice(90, 160)])
def test_what_an_edit_tints_has_the_source_s_colour_again(factor: complex, where: slice) -> None:
    source = face()
    edit = tinted(source, factor, where)
    result = match_colors(source, rendering(source, edit), EVERYWHERE)
    inner = slice(110, 140)
    before, after = (np.abs(chroma(one) - chroma(source))[inner, inner].mean() for one in (edit, result.edit))
    assert after < 0.35 * before
    np.testing.assert_allclose(result.edit @ APART[0], edit @ APART[0], atol=1e-4)  # light is left alone
    np.testing.assert_allclose(result.inversion, source, atol=2e-3)


def test_teeth_beside_the_skin_stay_white() -> None:
    source = face()
    edit = tinted(source, 2 + 0j)
    edit[120:140, 100:160] = (0.8, 0.78, 0.75)
    skin = EVERYWHERE.copy()
    skin[60:70, 50:80] = 0  # there were lips
    result = match_colors(source, rendering(source, edit), skin).edit
    assert np.abs(chroma(result)[124:136, 104:156]).max() <= np.abs(chroma(edit)[124:136, 104:156]).max() + 1e-6


def test_lips_that_an_edit_reddens_stay_as_red() -> None:
    source = face()
    edit, lips = source.copy(), (slice(150, 170), slice(100, 156))
    edit[lips] = tinted(source, 2 + 0j)[lips]
    parts = np.ones((256, 256), np.float32)
    parts[lips] = 0
    skin = cv2.GaussianBlur(cv2.resize(parts, (128, 128), interpolation=cv2.INTER_AREA), (0, 0), 1.5)  # as a parser's
    redder = np.abs(chroma(match_colors(source, rendering(source, edit), skin).edit) - chroma(source))[lips].mean()
    assert redder > 0.93 * np.abs(chroma(edit) - chroma(source))[lips].mean()


def test_saturation_is_never_raised() -> None:
    source = face()
    edit = tinted(source, 0.4 + 0j)  # a beard comes
    np.testing.assert_allclose(match_colors(source, rendering(source, edit), EVERYWHERE).edit, edit, atol=1e-4)


def test_skin_that_an_edit_makes_paler_is_raised_a_little_and_no_more() -> None:
    """Where the edit's own picture is known to be skin."""
    source, parts = face(), np.zeros((len(PARTS), 128, 128), np.float32)
    parts[FACE, :64] = 1
    saturation = []
    for factor in (0.9, 0.4):
        made = rendering(source, tinted(source, factor + 0j))
        result = match_colors(source, replace(made, parts=parts), EVERYWHERE).edit
        above, below = slice(30, 100), slice(160, 230)
        saturation.append(
            [np.abs(chroma(result)[rows]).sum() / np.abs(chroma(source)[rows]).sum() for rows in (above, below)]
        )
    np.testing.assert_allclose(saturation, [[1.0, 0.9], [0.4 * ANEW, 0.4]], atol=0.03)
    beard = (tinted(source, 0.4 + 0j) + 1) * 0.5 - 1
    made = replace(rendering(source, beard), parts=parts)
    np.testing.assert_allclose(match_colors(source, made, EVERYWHERE).edit, beard, atol=1e-4)


def test_an_edit_that_changes_nothing_stays_nothing_however_pale_both_renders_are() -> None:
    """Where nothing is consulted the inversion is as pale as the edit: raised more than it, all of a face reddens."""
    source, parts = face(), np.zeros((len(PARTS), 128, 128), np.float32)
    parts[FACE] = 1
    pale = tinted(source, 0.6 + 0j)
    result = match_colors(source, replace(rendering(pale, pale), parts=parts), EVERYWHERE)
    np.testing.assert_allclose(result.edit, result.inversion, atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_lips_that_an_edit_parts_are_as_the_source_s(share: float) -> None:
    """Another colour and another light than the inversion's; what is beside the new lips is left alone."""
    old, new = ((slice(*y), slice(96, 160)) for y in ((150, 166), (176, 200)))
    inversion, edit = face(), face()
    inversion[old] = edit[new] = (0.3, -0.3, -0.2)
    source = inversion.copy()
    source[old] = (0.0, -0.5, -0.36)
    parts = np.zeros((2, len(PARTS), 256, 256), np.float32)
    parts[0, LIPS][old] = parts[1, LIPS][new] = 1
    made = replace(rendering(inversion, edit), parts=parts[1])
    result = match_mouth(source, made, parts[0], (np.float32(share), 1.0)).edit
    wanted = source[old].mean((0, 1)) if share else edit[new].mean((0, 1))
    np.testing.assert_allclose(result[new].mean((0, 1)), wanted, atol=0.04)
    np.testing.assert_allclose(result[:170], edit[:170], atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_happens_without_skin_or_colour(value: float) -> None:
    grey = np.repeat(face()[..., :1], 3, axis=2)
    edit = tinted(face(), 1.5 + 0j) if value == 0 else grey
    result = match_colors(grey, rendering(grey, edit), value * EVERYWHERE)
    np.testing.assert_allclose(result.edit, edit, atol=1e-3)
    assert np.isfinite(result.inversion).all()


def test_equal_renders_stay_equal() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (512, 512, 3)).astype(np.uint8)
    same = tinted(face(512), 1.6 + 0j)
    assert np.abs(return_detail(crop, rendering(same, same), np.tile(EVERYWHERE, (len(PARTS), 1, 1)))).max() < 1e-5


def darker(image: np.ndarray, by: float) -> np.ndarray:
    """An image [S, S, 3] in [-1, 1] in less light."""
    return ((image + 1) * by - 1).astype(np.float32)


def test_what_an_edit_paints_stands_in_the_source_s_light() -> None:
    """An inversion that is too light would leave a pale band where an edit can carry nothing over."""
    source = darker(face(), 0.7)
    paler = face()
    paler[150:] = tinted(paler, 1.2 + 0j)[150:]
    result = match_colors(source, rendering(face(), paler), EVERYWHERE)
    np.testing.assert_allclose(result.inversion[40:-40, 40:-40], source[40:-40, 40:-40], atol=0.03)
    light = np.array(APART[0], np.float32)
    np.testing.assert_allclose((result.edit @ light)[40:-40, 40:-40], (source @ light)[40:-40, 40:-40], atol=0.03)


def test_the_shade_that_an_edit_brings_stays() -> None:
    source = face()
    folds = source.copy()
    folds[100:160, 90:170] = darker(folds, 0.7)[100:160, 90:170]
    result = match_colors(source, rendering(source, folds), EVERYWHERE).edit
    np.testing.assert_allclose(result, folds, atol=5e-3)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.25, 1.6])
def test_what_is_made_lighter_does_not_burn_out(factor: float) -> None:
    """Skin gets the factor; teeth, which are lighter, less of it, in their order and below white."""
    grey = np.linspace(0, 1, 64, dtype=np.float32)
    render = np.repeat(np.repeat(grey[None, :, None], 64, 0), 3, 2) * 2 - 1
    none = np.zeros((64, 64, 2), np.float32)
    none[..., 0] = 1
    made = regrade(render, none, np.full((64, 64, 1), factor, np.float32))[0, :, 0] / 2 + 0.5
    dark = grey <= 0.5
    np.testing.assert_allclose(made[dark], factor * grey[dark], atol=1e-4)
    assert (np.diff(made) > 0).all()
    assert made.max() < 1 + 1e-4
    assert (made[grey > 0.6] <= factor * grey[grey > 0.6] + 1e-4).all()


def _open_mouth(inside: slice | None) -> np.ndarray:
    """PARTS [9, 128, 128] of a face that is all skin, and a mouth in some rows of 256."""
    parts = np.zeros((len(PARTS), 128, 128), np.float32)
    parts[FACE] = 1
    if inside is not None:
        rows = slice(inside.start // 2, inside.stop // 2)
        parts[FACE, rows, 40:88], parts[MOUTH, rows, 40:88] = 0, 1
    return parts


@pytest.mark.parametrize(("teeth", "own", "expected"), [(0.8, None, TEETH * 0.5), (0.5, None, 0.5), (0.9, 0.8, 0.8)])
def test_teeth_are_no_brighter_than_the_face_s_light_or_the_source_s_own(
    teeth: float, own: float | None, expected: float
) -> None:
    mouth = (slice(160, 184), slice(80, 176))
    source = np.zeros((256, 256, 3), np.float32)  # skin of half the range
    edit = source.copy()
    edit[mouth] = 2 * teeth - 1
    if own is not None:
        source[mouth] = 2 * own - 1
    made = replace(rendering(source, edit), parts=_open_mouth(mouth[0]))
    result = match_mouth(source, made, _open_mouth(None if own is None else mouth[0]), (np.float32(1), 1.0)).edit
    np.testing.assert_allclose(result[166:178, 90:166] / 2 + 0.5, expected, atol=0.01)
    np.testing.assert_array_equal(result[:150], edit[:150])


@pytest.mark.parametrize("recoloured", [False, True])
def test_lips_get_redder_only_by_edits_that_are_about_it(recoloured: bool) -> None:
    """A generator's smiles have redder lips; a lipstick is meant to be red."""
    old, new = (slice(176, 190), slice(100, 156)), (slice(178, 200), slice(90, 166))
    mauve, violet, red = ((0.1, -0.2, -0.1), (0.1, -0.2, 0.0), (0.4, -0.4, -0.3))
    source, inversion, edit = face(), face(), face()
    source[old], inversion[old], edit[new] = mauve, violet, red
    parts = np.zeros((2, len(PARTS), 256, 256), np.float32)
    parts[:, FACE] = 1
    for each, where in zip(parts, (old, new), strict=True):
        each[FACE][where], each[LIPS][where] = 0, 1
    made = replace(rendering(inversion, edit), parts=parts[1])
    result = match_mouth(source, made, parts[0], (np.float32(1), 1.0), recoloured).edit[184:196, 96:160].mean((0, 1))
    if recoloured:
        assert result[0] - result[1] > 0.5
    else:
        np.testing.assert_allclose(result, mauve, atol=0.03)


def test_folds_of_saturated_footage_are_not_grey() -> None:
    """Make-up in warm light: the generator's face is paler, and where a smile folds it, it is darker as well."""
    source = tinted(face(), 1.3 + 0j)
    folds = face()
    folds[120:170, 90:170] = darker(folds, 0.6)[120:170, 90:170]
    parts = np.zeros((len(PARTS), 128, 128), np.float32)
    parts[FACE] = 1
    made = replace(rendering(face(), folds), parts=parts)
    result = match_colors(source, made, EVERYWHERE).edit
    light = (result @ np.array(APART[0], np.float32) + 1)[130:160, 100:160, None]
    wanted = chroma(source)[130:160, 100:160] / (source @ np.array(APART[0], np.float32) + 1)[130:160, 100:160, None]
    np.testing.assert_allclose((chroma(result)[130:160, 100:160] / light).mean((0, 1)), wanted.mean((0, 1)), rtol=0.1)
