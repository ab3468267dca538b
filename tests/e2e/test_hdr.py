"""HDR clips: the networks see SDR, the clip stays HDR, and what is not edited stays bit for bit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from footage import frames_of, largest_face, same_planes, smile
from synthetic import background, with_face

from videdit.datatypes import Color
from videdit.faces.detector import FaceDetector
from videdit.media.color import describe, picture_to_rgb, rgb_to_yuv
from videdit.media.pixel_formats import pack
from videdit.media.probe import probe
from videdit.media.tone_proxy import from_sdr

TRANSFERS = {"pq": 16, "hlg": 18}
PEAK = 940  # the brightest code value of narrow range at 10 bits


def hdr_planes(rgb: np.ndarray, color: Color) -> tuple[np.ndarray, ...]:
    """A picture [H, W, 3] uint8 whose proxy this is, with a highlight far above white in a corner; Y, U, V 4:4:4."""
    coded = np.stack(from_sdr([rgb[..., i] / 255 for i in range(3)], color, np), -1)
    coded[:24, :24] = 1.0
    return tuple(np.rint(plane).astype(np.uint16) for plane in rgb_to_yuv(coded, color))


def hdr_clip(path: Path, pictures: list[np.ndarray], transfer: str) -> Path:
    tags = (1, 9, TRANSFERS[transfer], 9)
    color = describe("yuv444p10le", 10, (0, 0), tags, None, pictures[0].shape[1::-1], False, False)
    assert color.transfer == transfer
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p10le"
        context = stream.codec_context
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = tags
        for i, rgb in enumerate(pictures):
            frame = pack(hdr_planes(rgb, color), "yuv444p10le", "yuv444p10le")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            frame.color_range, frame.color_primaries, frame.color_trc, frame.colorspace = tags
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def pictures(people) -> list[np.ndarray]:
    return [with_face(background(320, 240), people[0], (150 + 2 * i, 120 + i), 200) for i in range(4)]


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_an_edit_looks_in_hdr_as_it_does_in_sdr(render, pictures, tmp_path, transfer):
    source, matte = hdr_clip(tmp_path / "in.mkv", pictures, transfer), tmp_path / "matte.mkv"
    result = render(source, tmp_path / "out.mkv", edit="smile=2", alpha_out=str(matte))
    assert result.faces == 4
    before, after = probe(source), probe(result.output)
    assert (after.color, after.color_tags, after.planar) == (before.color, before.color_tags, "yuv444p10le")

    detector = FaceDetector("cpu")
    for old, new, alpha, rgb in zip(
        frames_of(source), frames_of(result.output), frames_of(matte), pictures, strict=True
    ):
        seen = picture_to_rgb(old.picture).astype(int)
        assert np.abs(seen - rgb)[30:, 30:].mean() < 1.5  # the networks see the SDR picture
        untouched = alpha.picture.planes[0] == 0
        for a, b in zip(old.picture.planes, new.picture.planes, strict=True):
            np.testing.assert_array_equal(a[untouched], b[untouched])
        assert new.picture.planes[0][:20, :20].min() == PEAK  # the highlight is as bright as it was
        assert smile(largest_face(detector, new)) > smile(largest_face(detector, old)) + 0.02


def test_the_same_edit_of_the_same_face(render, pictures, tmp_path):
    """Seen as SDR, both results change alike: the change is carried back as what it looks like."""
    seen = []
    for transfer in TRANSFERS:
        source = hdr_clip(tmp_path / f"{transfer}.mkv", pictures[:2], transfer)
        render(source, tmp_path / f"{transfer}_out.mkv", edit="smile=2")
        pairs = zip(frames_of(source), frames_of(tmp_path / f"{transfer}_out.mkv"), strict=True)
        rgb = [[picture_to_rgb(frame.picture).astype(float) for frame in pair] for pair in pairs]
        seen.append([after - before for before, after in rgb])
    for one, other in zip(*seen, strict=True):
        size = np.abs(one).mean()
        assert size > 0.5
        assert np.abs(one - other).mean() < 0.3 * size
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_an_hdr_clip_without_a_face_comes_back_bit_for_bit(render, tmp_path, transfer):
    source = hdr_clip(tmp_path / "in.mkv", [background(320, 240)] * 3, transfer)
    result = render(source, tmp_path / "out.mkv", keep_unedited=True)
    assert (result.frames, result.faces) == (3, 0)
    assert all(map(same_planes, frames_of(source), frames_of(result.output)))


def test_a_mark_is_no_brighter_than_reference_white(render, pictures, tmp_path):
    source = hdr_clip(tmp_path / "in.mkv", pictures[:2], "pq")
    render(source, tmp_path / "out.mkv", mark="AI-edited")
    for old, new in zip(frames_of(source), frames_of(tmp_path / "out.mkv"), strict=True):
        corner = (slice(200, None), slice(160, None))
        drawn = new.picture.planes[0][corner][old.picture.planes[0][corner] != new.picture.planes[0][corner]]
        assert drawn.size > 20
        assert drawn.max() < 64 + 876 * 0.6
