"""Pictures in another layout: what players show, where nothing else was asked for, or what --pix-fmt says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic import background
from synthetic_clips import Clip, make

from videdit.datatypes import Color, Picture
from videdit.errors import MediaError
from videdit.jobs.render_job import RenderJob
from videdit.media.color import picture_to_rgb
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.convert import convert, converted
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe


def gif(path: Path, transparent: bool, frames: int = 4) -> Path:
    """A GIF whose later frames leave out what stays, as they all do; or one with a hole."""
    from PIL import Image

    pictures = []
    for i in range(frames):
        picture = background(96, 64)
        picture[20:30, 10 + 8 * i : 20 + 8 * i] = 250
        alpha = np.full((64, 96), 255, np.uint8)
        if transparent:
            alpha[:16, :16] = 0
        pictures.append(Image.fromarray(np.dstack([picture, alpha]), "RGBA"))
    if not transparent:
        pictures = [picture.convert("RGB") for picture in pictures]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80, disposal=2 if transparent else 1)
    return path


def written(source: Path, target: Path, **settings) -> list[str]:
    info = probe(source)
    with VideoReader(info) as reader, VideoWriter(target, info, EncodeSettings(**settings)) as writer:
        for frame in reader:
            writer.write(frame)
    return writer.warnings


def kind(path: Path) -> tuple[str, str]:
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        return context.codec.canonical_name, context.pix_fmt


def rgb_or_yuv(pix_fmt: str) -> Clip:
    return Clip(codec="ffv1", options={}, pix_fmt=pix_fmt, store="bgr0" if pix_fmt == "gbrp" else None, noise=0)


def colours_of(path: Path) -> np.ndarray:
    with VideoReader(path) as reader:
        return np.stack([picture_to_rgb(frame.picture).astype(int) for frame in reader])


def test_an_opaque_gif_is_not_transparent(tmp_path: Path) -> None:
    assert probe(gif(tmp_path / "plain.gif", False)).planar == "gbrp"
    assert probe(gif(tmp_path / "hole.gif", True)).planar == "gbrap"


@pytest.mark.parametrize(
    "suffix, expected",
    [(".mp4", ("h264", "yuv420p")), (".mov", ("h264", "yuv420p")), (".mkv", ("h264", "yuv420p")),
     (".webm", ("vp9", "yuv420p"))],
)  # fmt: skip
def test_a_gif_becomes_what_players_show(tmp_path: Path, suffix: str, expected: tuple[str, str]) -> None:
    source = gif(tmp_path / "in.gif", False)
    said = written(source, tmp_path / f"out{suffix}")
    assert kind(tmp_path / f"out{suffix}") == expected
    assert any("becomes yuv420p" in words and "--pix-fmt gbrp" in words for words in said)
    before, after = colours_of(source), colours_of(tmp_path / f"out{suffix}")
    assert np.abs(before - after).mean() < 4


def test_a_gif_with_a_hole(tmp_path: Path) -> None:
    source = gif(tmp_path / "in.gif", True)
    assert any("transparency is dropped" in words for words in written(source, tmp_path / "out.mp4"))
    assert kind(tmp_path / "out.mp4") == ("h264", "yuv420p")
    written(source, tmp_path / "out.mkv")
    assert kind(tmp_path / "out.mkv")[0] == "ffv1"
    assert probe(tmp_path / "out.mkv").planar == "gbrap"
    written(source, tmp_path / "pro.mov", codec="prores")
    assert kind(tmp_path / "pro.mov")[0] == "prores"
    assert "a" in probe(tmp_path / "pro.mov").planar
    written(source, tmp_path / "out.webm")
    with VideoReader(tmp_path / "out.webm") as reader:
        alpha = next(iter(reader)).picture.planes[-1]
    assert probe(tmp_path / "out.webm").planar == "yuva420p"
    assert alpha[4, 4] < 40 < 215 < alpha[40, 60]


@pytest.mark.parametrize("pix_fmt", ["gbrp", "gbrp10le", "gbrp16le"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_rgb_sources_become_what_players_show(tmp_path: Path, suffix: str, pix_fmt: str) -> None:
    source = tmp_path / "in.mkv"
    make(source, rgb_or_yuv(pix_fmt))
    written(source, tmp_path / f"out{suffix}")
    assert kind(tmp_path / f"out{suffix}") == ("h264", "yuv420p")
    info = probe(tmp_path / f"out{suffix}")
    assert info.color_tags == (1, 1, 1, 1)
    assert info.color.matrix == "bt709"
    if pix_fmt == "gbrp":
        written(source, tmp_path / "out.mkv")  # what was without loss stays so
        assert kind(tmp_path / "out.mkv")[0] == "ffv1"
        assert probe(tmp_path / "out.mkv").planar == "gbrp"
        written(source, tmp_path / "kept.mp4", pix_fmt="gbrp", codec="h264")
        assert probe(tmp_path / "kept.mp4").planar == "gbrp"


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "gray"])
@pytest.mark.parametrize("source_fmt", ["yuv420p", "yuv444p10le", "gbrp"])
def test_the_layout_can_be_chosen(tmp_path: Path, source_fmt: str, pix_fmt: str) -> None:
    source = tmp_path / "in.mkv"
    make(source, rgb_or_yuv(source_fmt))
    written(source, tmp_path / "out.mkv", pix_fmt=pix_fmt, codec="ffv1")
    assert probe(tmp_path / "out.mkv").planar == pix_fmt
    before, after = colours_of(source), colours_of(tmp_path / "out.mkv")
    if pix_fmt == "gray":
        before, after = before @ [0.299, 0.587, 0.114], after.mean(-1)
    assert np.abs(before - after).mean() < (9 if source_fmt == "gbrp" and pix_fmt == "gray" else 4)


@pytest.mark.parametrize("site", [(0.5, 1.0), (1.0, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_chroma_goes_where_its_samples_are(site: tuple[float, float], size: tuple[int, int]) -> None:
    width, height = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    planes = tuple(np.rint(v).astype(np.uint16) for v in (20000 + 300 * x, 30000 + 200 * y, 40000 - 250 * x + 0 * y))
    rgb = Picture(planes, Color("rgb", True, 16, (0, 0), (0.5, 0.5)), "gbrp16le")
    there = Color("bt709", False, 16, (1, 1), site)
    back = picture_to_rgb(convert_to(rgb, there))
    away = np.abs(back.astype(int) - picture_to_rgb(rgb).astype(int))[2:-2, 2:-2]
    assert away.max() <= 1  # slopes pass through exactly


def convert_to(picture: Picture, color: Color) -> Picture:
    class Target:
        planar = "yuv420p16le"

    target = Target()
    target.color = color  # type: ignore[attr-defined]
    return convert(picture, target)  # type: ignore[arg-type]


def test_webm_says_why_the_codec_changes(tmp_path: Path) -> None:
    make(tmp_path / "in.mp4", Clip(options={"preset": "ultrafast"}))
    said = written(tmp_path / "in.mp4", tmp_path / "out.webm")
    assert "the video becomes av1: webm files hold no h264" in said


def test_floating_point_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "in.mkv", Clip(codec="ffv1", options={}))
    from dataclasses import replace

    info = probe(tmp_path / "in.mkv")
    with pytest.raises(MediaError, match="floating point"):
        converted(replace(info, color=replace(info.color, depth=32)), "yuv420p")
    assert info.fps > Fraction(0)


def test_words_for_layouts() -> None:
    for words in ("yuv420p", "yuva444p10le", "gbrp", "gray16le", None):
        assert RenderJob(input="a", edit="smile", pix_fmt=words).pix_fmt == words
    for words in ("foo", "nv12", "rgb24", "", "yuv420p10be"):
        with pytest.raises(ValueError, match="no layout of pictures"):
            RenderJob(input="a", edit="smile", pix_fmt=words)
