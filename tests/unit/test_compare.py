"""Source and edit in one picture: every sample where it belongs, in any layout and rotation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.datatypes import Color, Face, Picture
from videdit.errors import UsageError
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.color import picture_to_rgb
from videdit.media.probe import probe
from videdit.rendering.preview import parse_times, preview_path
from videdit.stages.compare import doubled, side_by_side, wiped
from videdit.stages.debug_overlay import _draw_face, drawable, to_picture

ROTATIONS = st.sampled_from([0, 90, 180, 270])
LAYOUTS = st.sampled_from([((1, 1), 8), ((1, 0), 8), ((0, 0), 10), ((1, 1), 10)])


def picture(seed: int, width: int, height: int, chroma_log2: tuple[int, int], depth: int) -> Picture:
    """Noise of legal code values."""
    rng = np.random.default_rng(seed)
    small = (-(-height >> chroma_log2[1]), -(-width >> chroma_log2[0]))
    dtype, scale = (np.uint8, 1) if depth == 8 else (np.uint16, 4)
    planes = tuple(
        rng.integers(16 * scale, 235 * scale, shape).astype(dtype) for shape in ((height, width), small, small)
    )
    return Picture(planes, Color("bt709", depth=depth, chroma_log2=chroma_log2), "any")


def upright(plane: np.ndarray, rotation: int) -> np.ndarray:
    return np.rot90(plane, -rotation // 90)


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), LAYOUTS, ROTATIONS)
def test_side_by_side_is_left_and_right_as_displayed(width, height, layout, rotation):
    a, b = (picture(seed, width, height, *layout) for seed in (1, 2))
    both = side_by_side(a, b, rotation)
    shown = upright(both.planes[0], rotation)
    wanted = np.hstack([upright(a.planes[0], rotation), upright(b.planes[0], rotation)])
    np.testing.assert_array_equal(shown, wanted)
    rows, columns = both.planes[0].shape
    log_x, log_y = layout[0]
    for plane in both.planes[1:]:
        assert plane.shape == (-(-rows >> log_y), -(-columns >> log_x))
        assert plane.flags["C_CONTIGUOUS"]
    if width % 2 == height % 2 == 0:
        chroma = upright(both.planes[1], rotation)
        np.testing.assert_array_equal(
            chroma, np.hstack([upright(a.planes[1], rotation), upright(b.planes[1], rotation)])
        )


@settings(deadline=None)
@given(st.integers(4, 40), st.integers(4, 40), LAYOUTS, ROTATIONS, st.floats(0, 1))
def test_a_wipe_has_the_source_at_the_left(width, height, layout, rotation, part):
    a, b = (picture(seed, width, height, *layout) for seed in (1, 2))
    shown = upright(wiped(a, b, part, rotation).planes[0], rotation)
    left, right = upright(a.planes[0], rotation), upright(b.planes[0], rotation)
    length = shown.shape[1]
    border = round(part * length)
    for column in range(length):
        if abs(column + 0.5 - border) > 1.5:
            np.testing.assert_array_equal(shown[:, column], (left if column < border else right)[:, column])


def test_a_wipe_that_has_not_begun_is_the_edit_and_one_that_is_over_the_source():
    a, b = (picture(seed, 32, 24, (1, 1), 8) for seed in (1, 2))
    for part, whole in ((0.0, b), (1.0, a)):
        assert all(map(np.array_equal, wiped(a, b, part).planes, whole.planes))


def test_what_is_drawn_comes_back_in_its_colours():
    image = np.full((41, 63, 3), (200, 60, 90), np.uint8)
    back = picture_to_rgb(to_picture(image))
    assert np.abs(back.astype(int) - image).max() <= 2


@pytest.mark.parametrize("at", [10.5, 11.5, 12.1, 12.9])
def test_landmarks_and_boxes_are_drawn_in_the_pixels_that_they_lie_in(at: float) -> None:
    image = np.zeros((80, 80, 3), np.uint8)
    face = Face(np.array([(at, 40.5), (50.5, 40.5), (30.5, 50.5), (at, 60.5), (50.5, 60.5)]), 1.0)
    _draw_face(image, face, np.eye(2, 3), 0.3, (255, 0, 0), "")
    drawn = image[..., 0] > 0
    pixel = int(at)
    assert drawn[40, pixel - 1 : pixel + 2].tolist() == [True] * 3, "a dot of radius 1 around its pixel"
    assert not drawn[40, pixel + 2]
    margin = 0.08 * (50.5 - at)
    columns = np.flatnonzero(drawn[55])
    assert columns.tolist() == [int(at - margin), int(50.5 + margin)]


def test_the_shape_of_what_goes_beside(face_clip):
    info = probe(face_clip)
    assert (doubled(info).width, doubled(info).height) == (2 * info.width, info.height)
    assert doubled(info).color_tags[3] == 6, "what a small picture means that says nothing, and a large one does not"
    turned = replace(info, rotation=90)
    assert (doubled(turned).width, doubled(turned).height) == (info.width, 2 * info.height)
    assert (drawable(turned).width, drawable(turned).height) == (info.height, info.width)


def test_names_of_what_goes_beside(tmp_path):
    (tmp_path / "in.mp4").write_bytes(b"x")
    job = RenderJob(input=str(tmp_path / "in.mp4"), edit="smile", compare="wipe", debug_video=True)
    (clip,) = make_plan([job]).clips
    assert clip.compare == tmp_path / "in_smile_compare.mp4"
    assert clip.debug == tmp_path / "in_smile_debug.mp4"
    clip.compare.write_bytes(b"x")
    with pytest.raises(UsageError, match="exists already"):
        make_plan([job])
    assert preview_path(clip.output, 3723.25) == tmp_path / "in_smile_at_1-02-03.250.png"


def test_times_of_previews():
    assert parse_times("3,0:00:07.5, 1:00,.5") == [3.0, 7.5, 60.0, 0.5]
    for words in ("", "soon", "1,,2"):
        with pytest.raises(UsageError, match="not a time"):
            parse_times(words)
