"""Words in the corner: where they belong, in the clip's own colours, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from videdit.datatypes import Color, Frame, Picture
from videdit.media.color import picture_to_rgb
from videdit.stages.watermark import Watermark


def frame(width: int, height: int, color: Color, value: tuple[int, int, int], pix_fmt: str) -> Frame:
    dtype = np.uint8 if color.depth == 8 else np.uint16
    log_x, log_y = color.chroma_log2
    small = (-(-height >> log_y), -(-width >> log_x))
    planes = tuple(np.full(shape, v, dtype) for shape, v in zip(((height, width), small, small), value, strict=True))
    return Frame(0, 0, Fraction(1, 25), 0.0, Picture(planes, color, pix_fmt))


CASES = [
    (Color("bt709"), (126, 128, 128), "yuv420p"),
    (Color("bt2020", depth=10), (504, 512, 512), "yuv420p10le"),
    (Color("bt601", full_range=True, chroma_log2=(0, 0)), (126, 128, 128), "yuv444p"),
    (Color("rgb", full_range=True, chroma_log2=(0, 0)), (126, 126, 126), "gbrp"),
]


@pytest.mark.parametrize(("color", "value", "pix_fmt"), CASES)
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize(("width", "height"), [(320, 180), (181, 321)])
def test_words_are_light_grey_at_the_lower_right(color, value, pix_fmt, rotation, width, height):
    before = frame(width, height, color, value, pix_fmt)
    (after,) = Watermark("AI-edited", rotation)(iter([before]))
    rgb = picture_to_rgb(after.picture).astype(int)
    upright = np.rot90(rgb, -rotation // 90)
    changed = np.abs(upright - np.rot90(picture_to_rgb(before.picture).astype(int), -rotation // 90)).max(2) > 8
    rows, columns = np.nonzero(changed)
    assert rows.min() > 0.8 * upright.shape[0]
    assert columns.min() > 0.4 * upright.shape[1]
    assert rows.max() < upright.shape[0] - 2
    assert columns.max() < upright.shape[1] - 2
    assert upright.max() > 170
    assert upright.min() < 80
    assert np.ptp(upright, axis=2).max() <= 6  # grey stays grey
    assert all((old == v).all() for old, v in zip(before.picture.planes, value, strict=True))  # not drawn in place


@pytest.mark.parametrize("rotation", [0, 90])
def test_letters_are_not_squeezed_where_pixels_are_wide(rotation):
    plain = frame(320, 180, *CASES[3])
    coded = frame(160, 180, *CASES[3])
    coded = replace(coded, picture=replace(coded.picture, aspect=2.0))
    first, second = (
        next(Watermark("AI-edited", rotation)(iter([before]))).picture.planes[0] for before in (plain, coded)
    )
    seen = cv2.resize(second, (320, 180), interpolation=cv2.INTER_LINEAR)
    places = [np.nonzero(np.abs(drawn.astype(int) - 126) > 20) for drawn in (first, seen)]
    for one, other in zip(*places, strict=True):
        assert abs(one.min() - other.min()) < 4
        assert abs(one.max() - other.max()) < 4


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_in_a_mirrored_picture_it_reads_like_in_any_other(rotation):
    before = frame(320, 180, *CASES[3])
    plain, mirrored = (next(Watermark("AI-edited", rotation, how)(iter([before]))) for how in (False, True))
    shown = [np.rot90(made.picture.planes[0], -rotation // 90) for made in (plain, mirrored)]
    np.testing.assert_array_equal(shown[0], shown[1][:, ::-1])


def test_long_words_fit():
    (after,) = Watermark("x" * 60)(iter([frame(120, 80, *CASES[0])]))
    changed = np.nonzero(after.picture.planes[0] != 126)[1]
    assert changed.min() > 0
    assert changed.max() < 119
