"""--sweep: what its words mean, and the sheet that it makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from videdit.cli.preview import TILE, _cut, parse_sweep, sheet_of, square_around, with_sweep
from videdit.errors import UsageError
from videdit.rendering.session_answers import EditedFace, Preview
from videdit.studio.studio import _tile


def preview(value: int, outlines: list[np.ndarray]) -> Preview:
    before = np.full((200, 300, 3), 100, np.uint8)
    after = np.full((200, 300, 3), value, np.uint8)
    faces = tuple(EditedFace(0, 1.0, 256, outline) for outline in outlines)
    return Preview(before, after, 0.0, "draft", faces, 0.1)


SQUARE = np.array([(100, 50), (180, 50), (180, 130), (100, 130)], float)


@pytest.mark.parametrize(
    ("words", "strengths"),
    [
        ("age=-15..30", [-15, -3.75, 7.5, 18.75, 30]),
        ("age=-15..30:2", [-15, 30]),
        ("smile=1..0:3", [1, 0.5, 0]),
    ],
)
def test_a_range_is_a_few_strengths(words, strengths):
    name, found = parse_sweep(words)
    assert name == words.partition("=")[0]
    assert found == strengths


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("age", "write it as"),
        ("age=5", "write it as"),
        ("age=1..2:1", "2 to 25"),
        ("age=1..2:99", "2 to 25"),
        ("age=1..2..3", "should be numbers"),
        ("age=.....2", "should be numbers"),
        ("agee=1..2", "agee"),
        ("smile=-500..2", "smile"),
    ],
)
def test_mistakes_are_said(words, said):
    with pytest.raises(UsageError, match=said):
        parse_sweep(words)


def test_a_sweep_alone_names_the_edit():
    options = {}
    with_sweep(options, "age=-15..30")
    assert options == {"edit": ["age"]}
    options = {"edit": ["smile"]}
    with_sweep(options, "age=-15..30")
    assert options == {"edit": ["smile"]}


def test_the_sheet_shows_source_and_edits_where_the_face_is():
    found = [preview(150, [SQUARE]), preview(200, [SQUARE + 10])]
    assert square_around(found) == (145.0, 95.0, 90.0)
    sheet = sheet_of(found, ["source", "age +1", "age +2"])
    assert sheet.shape == (TILE, 3 * TILE, 3)
    middles = sheet[TILE // 2, TILE // 2 :: TILE]
    assert middles.tolist() == [[100] * 3, [150] * 3, [200] * 3]


def test_a_sheet_without_a_face_shows_all_of_the_frame():
    assert square_around([preview(100, [])]) == (150.0, 100.0, 300.0)


def of_the_studio(picture: np.ndarray, place: tuple[float, float, float]) -> np.ndarray:
    x, y, side = place
    corners = np.array((x, y)) + side / 2 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    return _tile(replace(preview(0, [corners]), after=picture))


@pytest.mark.parametrize("cut", [_cut, of_the_studio])
def test_tiles_show_what_is_in_their_square_to_the_pixel(cut):
    """A picture that says of its points where they are, twice as large in the tile."""
    y, x = np.indices((200, 300), dtype=np.float32) + 0.5
    size = cut(np.dstack((x, y, x)), (150.0, 100.0, 64.0)).shape[0]
    tile = cut(np.dstack((x, y, x)), (150.0, 100.0, size / 2))
    along = (np.arange(size) + 0.5) / 2 - size / 4
    inner = slice(size // 2 - 40, size // 2 + 40)
    np.testing.assert_allclose(tile[inner, inner, 0], np.tile(150 + along[inner], (80, 1)), atol=0.02)
    np.testing.assert_allclose(tile[inner, inner, 1], np.tile(100 + along[inner, None], (1, 80)), atol=0.02)
