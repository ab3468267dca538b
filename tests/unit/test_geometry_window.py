"""Boxes, the window around them, and the mask inside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videdit.geometry.affine import invert, transform
from videdit.geometry.box_window import FEATHER, box_mask, box_outline, window_matrix, window_side

boxes = st.tuples(*[st.floats(-200, 2000)] * 2, *[st.floats(8, 2000)] * 2)


@given(boxes, st.sampled_from((256, 512)))
def test_the_window_holds_the_box_in_its_middle_rows(box, size) -> None:
    corners = np.array([box[:2], (box[0] + box[2], box[1] + box[3])])
    inside = transform(invert(window_matrix(box, size)), corners)
    assert np.allclose(inside.mean(0), size / 2, atol=1e-6 * size)
    low, high = inside
    assert low[0] >= -1e-6 * size
    assert low[1] >= size / 8 - 1e-6 * size
    # As tight as can be: it touches the window's sides, or its upper and lower end.
    assert np.isclose(high[0] - low[0], size) or np.isclose(high[1] - low[1], size * 3 / 4)


def test_a_window_is_as_wide_as_three_to_four_needs() -> None:
    assert window_side((0, 0, 400, 300)) == window_side((5, 5, 400, 100)) == window_side((0, 0, 30, 300)) == 400


def test_a_mask_is_whole_inside_and_nothing_on_the_outline() -> None:
    outline = np.array([(50.0, 80.0), (50, 180), (200, 180), (200, 80)])
    mask = box_mask(outline, 256)
    assert mask.dtype == np.uint8
    assert mask[130, 125] == 255
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (80, 179, 50, 199)
    edge = round(FEATHER * 256)
    assert (mask[80 + edge + 1 : 180 - edge - 1, 50 + edge + 1 : 200 - edge - 1] == 255).all()
    assert mask[130, 50] < 20


@pytest.mark.parametrize("box", [(0.0, 0.0, 640.0, 360.0), (-10.0, -5.0, 700.0, 400.0)])
def test_where_the_picture_ends_the_mask_does_not(box) -> None:
    matrix = window_matrix(box, 512)
    mask = box_mask(transform(invert(matrix), box_outline(box, (640, 360))), 512)
    corners = transform(invert(matrix), np.array([(0.5, 0.5), (639.5, 359.5), (320, 180)])).astype(int)
    assert all(mask[y, x] >= 250 for x, y in corners)  # of the crop pixel that holds the point


def test_only_the_sides_that_end_with_the_picture_stay_hard() -> None:
    outline = box_outline((0, 100, 200, 100), (640, 360))
    assert outline.min(0)[0] < 0
    assert outline.min(0)[1] == 100
    assert tuple(outline.max(0)) == (200, 200)
