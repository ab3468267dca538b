"""Hair as a whole: maps of colours that are known, squares whose place is known, hair that belongs to somebody else."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_geometry_mask import round_mesh

from videdit.datatypes import Color, Crop, Edited, Flow, Frame, HairChange, Picture
from videdit.faces.parser import CropParser
from videdit.hfgi.hair_map import (
    GRID,
    HairPainter,
    around,
    border,
    fit,
    guided,
    hair_change,
    hair_coloured,
    matted,
    mean_change,
    on_still,
    own_hair,
    without_hair,
)
from videdit.imaging.crop import crop_picture
from videdit.imaging.host import HostPixels
from videdit.models.face_parts import PARTS
from videdit.stages.paint_hair import MeanHair, PaintHair, steady

RGB = Color("rgb", full_range=True, chroma_log2=(0, 0), chroma_site=(0.5, 0.5))
HAIR_PART = list(PARTS).index("hair")


def strands(seed: int, size: int = 128) -> np.ndarray:
    """Colours as hair has them, [N, N, 3] in -1..1."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(-0.5, 0.3, (size, size, 1)) + rng.normal(0, 0.15, (size, size, 3)), -1, 1)


@given(st.integers(0, 1000), st.floats(-0.3, 0), st.floats(-0.1, 0))
def test_a_shift_of_colours_is_found_exactly(seed, lighter, redder):
    source = strands(seed)
    shift = np.array([lighter + redder, lighter, lighter])
    matrix, mean, covariance = fit(source, np.broadcast_to(shift, source.shape), np.ones(source.shape[:2]))
    np.testing.assert_allclose(matrix, np.column_stack((np.zeros((3, 3)), shift)), atol=1e-6)
    np.testing.assert_allclose(mean, source.mean((0, 1)))
    np.testing.assert_allclose(covariance, np.cov(source.reshape(-1, 3).T), atol=2e-3)


@given(st.floats(1, 1.5), st.floats(0.75, 1))
def test_contrast_is_taken_over_though_strands_lie_elsewhere(contrast, saturation):
    source, other = strands(1), strands(2)
    grey, other_grey = (part.mean(-1, keepdims=True) for part in (source, other))
    wanted = (
        min(0, contrast - 1) + contrast * other_grey + saturation * (other - other_grey)
    )  # of strands that nothing ties to these
    matrix, *_ = fit(source, wanted - source, np.ones(source.shape[:2]))
    made = source + source @ matrix[:, :3].T + matrix[:, 3]
    made_grey = made.mean(-1, keepdims=True)
    np.testing.assert_allclose(made.mean((0, 1)), wanted.mean((0, 1)), atol=1e-9)
    assert made_grey.std() == pytest.approx(contrast * grey.std(), rel=0.05)
    assert (made - made_grey).std() == pytest.approx(saturation * (source - grey).std(), rel=0.1)


def test_shadows_stay_dark_where_hair_becomes_lighter():
    source = np.clip(strands(3) - 0.2, -1, 1)
    matrix, *_ = fit(source, np.full(source.shape, 0.35), np.ones(source.shape[:2]))
    shadow, strand = (np.full(3, value) @ matrix[:, :3].T + matrix[:, 3] for value in (-0.95, -0.5))
    assert (np.abs(shadow) < 0.1).all()
    assert (strand > 3 * shadow).all()


def test_only_what_weighs_counts():
    source, change, weights = strands(2), np.full((128, 128, 3), 0.3), np.zeros((128, 128))
    weights[:64] = 1
    change[64:] = -1  # what happens to the skin
    matrix, mean, _ = fit(source, change, weights)
    np.testing.assert_allclose(mean, source[:64].mean((0, 1)))
    np.testing.assert_allclose(matrix[:, :3] @ mean + matrix[:, 3], 0.3, atol=1e-6)


def test_walls_and_skin_are_no_hair():
    hair = change_of(mean=np.full(3, -0.6), covariance=0.02 * np.eye(3))
    picture = np.array([[[-0.6] * 3, [-0.4] * 3, [0.5, 0.1, 0.0], [0.8] * 3]], np.float32)
    nearest, alike = hair_coloured(picture, hair)
    strand, light, skin, wall = alike[0]
    assert nearest[0, 3].max() < 0
    assert strand == 1
    assert light > 0.95
    assert skin < 0.01
    assert wall < 0.01


def change_of(**fields) -> HairChange:
    seen = np.zeros((128, 128), np.float16)
    return replace(HairChange(np.zeros((3, 4)), np.zeros(3), np.eye(3), 0.2, seen), **fields)


def test_a_mean_of_changes_goes_by_weights():
    one, other = (change_of(matrix=np.full((3, 4), value), weight=share) for value, share in ((1.0, 0.2), (4.0, 0.1)))
    np.testing.assert_allclose(mean_change(one, [one, other], [1, 1]).matrix, 2.0)
    np.testing.assert_allclose(mean_change(other, [one, other], [1, 0]).matrix, 1.0)


@pytest.mark.parametrize("size", [256, 512])
def test_the_square_is_twice_as_wide_and_lies_a_little_lower(size):
    image, to_frame = np.zeros((size, size, 3), np.uint8), np.array([[0.0, -0.5, 300.0], [0.5, 0.0, 40.0]])
    edit = Edited(0, image, image[..., 0], to_frame, image)
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1]], float)
    in_crop = np.array([[-0.5, -0.375], [1.5, -0.375], [-0.5, 1.625]]) * size
    expected = np.column_stack((in_crop, np.ones(3))) @ to_frame.T
    np.testing.assert_allclose(corners @ around(edit).T, expected)


def test_hair_of_others_is_left_alone():
    hair = np.zeros((GRID, GRID), np.float32)
    rows, columns = slice(48, 176), slice(64, 192)
    hair[60:220, 80:100] = 0.9  # the head's own, hanging out of the crop
    hair[30:200, 230:250] = 0.9  # somebody beside it
    hair[40:240, 186:200] = 0.9  # and somebody whose hair just reaches into the crop
    belongs = own_hair(hair, rows, columns)
    assert (belongs[60:220, 85:95] > 0.9).all()
    assert (belongs[30:200, 232:248] < 0.01).all()
    assert not own_hair(0 * hair, rows, columns).any()


def test_a_mask_follows_the_edges_of_the_picture():
    picture = np.full((512, 512), 0.6, np.float32)
    picture[:, :250] = -0.7  # dark hair up to here; what is known of it is coarse
    mask = cv2.GaussianBlur((np.arange(GRID) < 125).astype(np.float32)[None].repeat(GRID, 0), (0, 0), 2)
    found = guided(mask, picture)
    assert found[:, :249].min() > 0.8
    assert found[:, 251:].max() < 0.2


def test_borders_ease():
    mask = border(100, 0.1)
    assert mask[50, 50] == 1
    assert mask[0].max() < 0.1
    assert mask[:, -1].max() < 0.1


def test_regions_without_hair_keep_the_face():
    assert without_hair(["face", "eyes", "hair"]) == {"face", "eyes"}
    assert without_hair(["lips"]) == {"lips"}


def heads(people, count=3, scene=0) -> list[Frame]:
    """Frames of a person whose hair leaves the crop, with a change of .3 that grows by .1 a frame."""
    pixels = HostPixels("cpu", "fp32")
    planes = tuple(np.ascontiguousarray(people[0][..., i]) for i in range(3))
    picture = Picture(planes, RGB, "gbrp")
    to_frame = np.array([[0.6, 0, 51.2], [0, 0.6, 64.0]])  # of the face alone
    image = crop_picture(picture, to_frame, 256)
    crop = Crop(0, image, to_frame, 1.0, None, CropParser(pixels, 1).parts([image])[0])
    frames = []
    for i in range(count):
        change, mask = np.full((256, 256, 3), 0.3 + 0.1 * i, np.float16), np.full((256, 256), 255, np.uint8)
        edit = Edited(0, change, mask, to_frame, image, 1.0, hair_change(pixels, crop, change))
        frames.append(Frame(i, i, Fraction(1, 25), i / 25, picture, scene=scene, edits=(edit,)))
    return frames


@pytest.fixture(scope="module")
def hair() -> PaintHair:
    pixels = HostPixels("cpu", "fp32")
    return PaintHair(HairPainter(pixels, CropParser(pixels, 1)))


def test_hair_changes_beyond_the_crop_and_nothing_else_does(people, hair):
    (frame,) = hair(iter(heads(people, 1)))
    (edit,) = frame.edits
    layer = edit.layer
    assert frame.layers == (edit, layer)
    colours = layer.source / 127.5 - 1
    of_hair = np.abs(colours - edit.hair.mean).max(-1) < 0.1
    np.testing.assert_allclose(layer.change[of_hair].mean(), 0.3, atol=0.05)
    whole = hair.painter.parser.parts([people[0]])[0][HAIR_PART]
    black = Picture((np.zeros((256, 256), np.uint8),), replace(RGB, matrix="gray"), "gray")
    found = HostPixels().paste(black, [layer])()
    changed = cv2.resize(found.planes[0].astype(np.float32), (128, 128), interpolation=cv2.INTER_AREA) / (0.3 * 127.5)
    outside = np.ones((128, 128), bool)
    outside[32:109, 26:102] = False  # the crop
    assert changed[outside & (whole > 0.95)].mean() > 0.35, (
        "less of what is no colour of hair, and near the square's border"
    )
    assert changed[whole < 0.02].mean() < 0.05


def test_changes_are_averaged_over_time_but_not_across_a_cut(people, hair):
    before, after = heads(people, 3), heads(people, 3, scene=1)
    mean = MeanHair()

    def shade_of(frame: Frame, near: list[Frame]) -> np.ndarray:
        (painted,) = hair(iter([mean.of(frame, near)]))
        return painted.edits[0].layer.change

    painted = list(hair(mean(iter(before))))
    shades = [float(frame.edits[0].layer.change.mean()) for frame in painted]
    assert shades[0] < shades[1] < shades[2]
    alone = [float(shade_of(frame, [frame]).mean()) for frame in before]
    assert alone[0] < shades[0]
    assert shades[2] < alone[2]
    np.testing.assert_array_equal(shade_of(before[0], before), painted[0].edits[0].layer.change)
    (alone,) = steady(after[0], [before[2], after[0]])
    np.testing.assert_array_equal(alone.hair.matrix, after[0].edits[0].hair.matrix)


def test_edits_that_leave_hair_alone_get_no_layer(people, hair):
    (frame,) = heads(people, 1)
    bare = replace(frame, edits=(replace(frame.edits[0], hair=None),))
    (frame,) = hair(iter([bare]))
    assert frame.edits[0].layer is None
    assert frame.layers == frame.edits


def test_a_pixel_that_is_hair_in_part_changes_in_that_part() -> None:
    """Dark hair before a bright wall, its mask too wide by a grid's pixel: the wall's light does not turn grey."""
    size = 512
    dark, wall, lighter = np.array((-0.6, -0.7, -0.8)), np.array((0.6, 0.2, -0.4)), np.array((0.5, 0.55, 0.6))
    rows, columns = np.mgrid[:size, :size]
    away = np.hypot(columns - 256, rows - 256) - 130  # px outside of the head
    alpha = np.clip(0.5 - away / 6, 0, 1).astype(np.float32)  # its edge is soft, as footage's are
    image = (alpha[..., None] * dark + (1 - alpha[..., None]) * wall).astype(np.float32)
    wide = cv2.GaussianBlur((away < 4).astype(np.float32), (0, 0), 2)
    colours, mask = matted(image, image, wide)
    matrix = np.diag((1.5, 1.5, 1.5))  # a map that makes what is light already lighter still
    made = image + mask[..., None] * ((colours - dark) @ (matrix - np.eye(3)) + lighter)
    true = image + alpha[..., None] * lighter
    before = image + wide[..., None] * ((image - dark) @ (matrix - np.eye(3)) + lighter)
    rim = (away > -8) & (away < 12)
    assert np.abs(made - true)[rim].mean() < 0.3 * np.abs(before - true)[rim].mean()
    assert np.abs(made - image)[(away > 6) & (away < 12)].max() < 0.05  # no halo
    deep = away < -20
    np.testing.assert_array_equal(colours[deep], image[deep])
    np.testing.assert_array_equal(mask[deep], wide[deep])


def test_a_still_s_hair_changes_as_a_clip_s_does() -> None:
    """Figures and sheets of stills show what clips show: all of the hair, none of the wall."""
    pixels = HostPixels()
    size = 256
    image = np.full((size, size, 3), 200, np.uint8)
    image[30:110, 60:196] = (60, 40, 30)
    image[30:110:4, 60:196] = (80, 58, 44)
    image[110:220, 70:186] = (190, 140, 120)
    parts = np.zeros((len(PARTS), 128, 128), np.float16)
    names = list(PARTS)
    parts[names.index("other")] = 1
    for name, (rows, columns) in {"hair": ((15, 55), (30, 98)), "face": ((55, 110), (35, 93))}.items():
        parts[:, rows[0] : rows[1], columns[0] : columns[1]] = 0
        parts[names.index(name), rows[0] : rows[1], columns[0] : columns[1]] = 1
    crop = Crop(0, image, np.eye(2, 3), 1.0, None, parts)
    change = np.full((size, size, 3), 0.4, np.float32)
    still = Flow(np.zeros((256, 256, 2), np.float32), np.ones((256, 256), np.float32))
    before = image.astype(np.float32) / 127.5 - 1
    made = on_still(pixels, replace(crop, mesh=round_mesh(size)), change, still, {"skin", "hair"}) - before
    assert made[40:100, 70:186].min() > 0.15  # the hair, up to where no shape of a face reaches
    assert np.abs(made[:20]).max() < 0.02  # the wall
    assert made[150:170, 100:150].mean() > 0.3  # the face


def test_grey_hair_is_not_more_colourful_than_it_was() -> None:
    """Black hair that shines blue is lightened, and its blue is not."""
    source = strands(5)
    grey = source.mean(-1, keepdims=True)
    source = np.clip(0.4 * grey - 0.7 + (source - grey), -1, 1)
    wanted = source + 0.3 + 0.8 * (source - source.mean(-1, keepdims=True))
    matrix, *_ = fit(source, wanted - source, np.ones(source.shape[:2]))
    made = source + source @ matrix[:, :3].T + matrix[:, 3]
    before, after = (part - part.mean(-1, keepdims=True) for part in (source, made))
    assert after.std((0, 1)) == pytest.approx(before.std((0, 1)), rel=0.1)
    assert made.mean() > source.mean() + 0.1
