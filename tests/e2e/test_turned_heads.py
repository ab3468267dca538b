"""Heads that lie or hang are edited as upright ones are."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import background, with_face, write_clip

from videdit.media.color import picture_to_rgb
from videdit.media.decode.read import VideoReader


def shown(path, turns):
    with VideoReader(path) as reader:
        return [np.rot90(picture_to_rgb(frame.picture), -turns).astype(np.float32) for frame in reader]


@pytest.fixture(scope="module")
def pictures(people):
    return [with_face(background(320, 240), people[0], (150 + 2 * i, 120), 200) for i in range(2)]


def change(render, pictures, turns, folder):
    turned = [np.ascontiguousarray(np.rot90(picture, turns)) for picture in pictures]
    source = write_clip(folder / f"{turns}.mp4", turned, sound=False, pix_fmt="yuv444p", options={"crf": "4"})
    output = folder / f"{turns}_out.mp4"
    render(source, output, edit="smile=2", crf=4, restore="none")
    return np.mean([a - b for a, b in zip(shown(output, turns), shown(source, turns), strict=True)], axis=0)


def test_an_edit_does_not_know_which_way_up_a_head_is(render, pictures, tmp_path):
    upright = change(render, pictures, 0, tmp_path)
    assert np.abs(upright).max() > 30
    for turns in (1, 2):
        away = np.abs(change(render, pictures, turns, tmp_path) - upright)
        assert away.mean() < 1, (turns, away.mean())
        assert np.percentile(away, 99) < 8, (turns, np.percentile(away, 99))
