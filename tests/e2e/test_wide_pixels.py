"""Pixels that are not square: a clip that is stored squeezed is edited as the same clip in square pixels is."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from synthetic import background, with_face

from videdit.media.color import picture_to_rgb
from videdit.media.decode.read import VideoReader

WIDTH, HEIGHT, FRAMES = 480, 270, 2


def squeezed(path, pictures, sar: Fraction, upright: bool):
    """The pictures with fewer columns (upright: rows), in a file that says how wide its pixels are."""
    fewer = (WIDTH, round(HEIGHT * sar)) if upright else (round(WIDTH / sar), HEIGHT)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height = fewer
        stream.pix_fmt = "yuv444p"
        stream.codec_context.sample_aspect_ratio = sar
        for picture in pictures:
            small = cv2.resize(picture, fewer, interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(small, "rgb24")))
        container.mux(stream.encode(None))
    return path


def shown(path):
    with VideoReader(path) as reader:
        pictures = [picture_to_rgb(frame.picture) for frame in reader]
    return [cv2.resize(p, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.float32) for p in pictures]


def change(render, source, output):
    render(source, output, edit="smile=2", codec="h264", crf=4, restore="none")
    after, before = shown(output), shown(source)
    return np.mean([b - a for a, b in zip(before, after, strict=True)], axis=0)


@pytest.fixture(scope="module")
def pictures(people):
    return [with_face(background(WIDTH, HEIGHT), people[0], (230 + 2 * i, 140), 230) for i in range(FRAMES)]


@pytest.fixture(scope="module")
def square(render, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("square")
    return change(render, squeezed(folder / "in.mp4", pictures, Fraction(1), False), folder / "out.mp4")


@pytest.mark.parametrize("sar", [Fraction(4, 3), Fraction(64, 45), Fraction(16, 9), Fraction(8, 9)], ids=str)
def test_an_edit_does_not_know_how_the_clip_is_stored(render, pictures, square, tmp_path, sar):
    source = squeezed(tmp_path / "in.mp4", pictures, sar, upright=sar < 1)
    found = change(render, source, tmp_path / "out.mp4")
    away = np.abs(cv2.GaussianBlur(found - square, (0, 0), 2))  # what is left of edges that were stored coarser
    assert np.abs(square).max() > 30  # it smiles
    assert away.mean() < 0.3, away.mean()
    assert np.percentile(away, 99) < 4, (np.percentile(away, 99), away.max())
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == sar
