"""How players are told to show a picture: stereo, 360 degrees, clean aperture, cropping, pixels that are not square."""

from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from synthetic_clips import Clip, Sound, make

from videdit.media import boxes, ebml
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe
from videdit.media.viewing import Projection, Viewing, display_size, for_mp4

EQUI = Projection(1, bytes(4) + struct.pack(">4I", 0, 0, 0, 1 << 30), (90.0, -45.0, 0.0))
CROP = (Fraction(4), Fraction(2), Fraction(0), Fraction(6))
TOLD = [
    pytest.param(Viewing(stereo=1), id="side by side"),
    pytest.param(Viewing(stereo=3), id="above each other"),
    pytest.param(Viewing(projection=EQUI), id="360"),
    pytest.param(Viewing(projection=Projection(2, bytes(12))), id="cube"),
    pytest.param(Viewing(crop=CROP), id="crop"),
    pytest.param(Viewing(stereo=3, projection=EQUI, crop=CROP), id="all"),
]


def written(source: Path, target: Path, told: Viewing | None = None, **settings) -> list[str]:
    """A copy of a clip; with `told` as if its source said so."""
    info = probe(source)
    if told is not None:
        info = replace(info, viewing=told)
    with VideoReader(info) as reader, VideoWriter(target, info, EncodeSettings(**settings)) as writer:
        for frame in reader:
            writer.write(frame)
    return writer.warnings


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "plain.mp4"
    make(path, Clip(sounds=(Sound(seconds=0.5),), metadata={"title": "A trip"}))
    return path


def packets(path: Path) -> list[list[tuple[bytes, Fraction]]]:
    with av.open(str(path)) as container:
        return [
            [(bytes(packet), packet.pts * packet.time_base) for packet in container.demux(stream) if packet.size]
            for stream in container.streams
            if not container.seek(0)
        ]


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("suffixes", [(".mp4", ".mkv"), (".mov", ".webm"), (".mkv", ".mp4"), (".webm", ".mov"),
                                      (".mp4", ".mov"), (".mkv", ".webm")], ids="".join)  # fmt: skip
def test_it_survives_from_container_to_container(
    plain: Path, tmp_path: Path, told: Viewing, suffixes: tuple[str, str]
) -> None:
    first, second = (tmp_path / f"{i}{suffix}" for i, suffix in enumerate(suffixes))
    for source, target, words in ((plain, first, told), (first, second, None)):
        said = written(source, target, words)
        assert not [line for line in said if "do not keep" in line], said
        found = probe(target).viewing
        assert (found.stereo, found.projection, found.crop) == (told.stereo, told.projection, told.crop)
        with av.open(str(target)) as container:
            assert container.streams.video[0].metadata.get("handler_name", "VideoHandler") == "VideoHandler"
            assert "title" not in container.streams.video[0].metadata
            assert container.metadata.get("title") == "A trip"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_nothing_else_changes(plain: Path, tmp_path: Path, suffix: str) -> None:
    written(plain, tmp_path / f"plain{suffix}")
    written(plain, tmp_path / f"told{suffix}", Viewing(3, EQUI, CROP))
    assert packets(tmp_path / f"told{suffix}") == packets(tmp_path / f"plain{suffix}")


def test_what_is_said_in_mp4_is_said_again_bit_for_bit(plain: Path, tmp_path: Path) -> None:
    xml = boxes.SPHERICAL_XML + b"<rdf:SphericalVideo>" + b"x" * 500
    said = boxes.Said(
        ((b"st3d", bytes(4) + b"\3"), (b"vexu", boxes.box(b"free", b"apple")), (b"hfov", bytes(4))), ((b"uuid", xml),)
    )
    written(plain, tmp_path / "a.mp4", Viewing(said=said))
    assert probe(tmp_path / "a.mp4").viewing.said == said
    written(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").viewing.said == said
    words = written(tmp_path / "a.mp4", tmp_path / "c.mkv")
    assert any("Apple's words" in line for line in words)
    assert any("360" in line for line in words)
    layers = boxes.box(b"eyes", boxes.box(b"stri", bytes(5)))
    words = written(plain, tmp_path / "d.mp4", Viewing(said=boxes.Said(((b"vexu", layers),))))
    assert any("second eye" in line for line in words)
    assert not probe(tmp_path / "d.mp4").viewing.said.entry


def test_what_has_no_words_is_said(plain: Path, tmp_path: Path) -> None:
    assert for_mp4(Viewing(stereo=7), (64, 48))[1] == ["the stereo layout"]
    said = written(plain, tmp_path / "a.mp4", Viewing(stereo=7))
    assert "mp4 files, as written here, do not keep the stereo layout of this clip" in said
    odd = (Fraction(1, 2), Fraction(0), Fraction(1, 2), Fraction(0))
    assert any("clean aperture" in line for line in written(plain, tmp_path / "b.mkv", Viewing(crop=odd)))


def test_stereo_of_the_frames_themselves(tmp_path: Path) -> None:
    source = tmp_path / "in.avi"
    make(source, Clip(options={"preset": "ultrafast", "x264-params": "frame-packing=3"}))
    assert probe(source).viewing.stereo == 1
    written(source, tmp_path / "out.mkv")
    assert probe(tmp_path / "out.mkv").viewing.stereo == 1


@pytest.mark.parametrize("sar", [Fraction(8, 9), Fraction(4, 3), Fraction(64, 45), Fraction(16, 15), Fraction(2)])
@pytest.mark.parametrize("suffix, codec", [(".mkv", "vp9"), (".mkv", "ffv1"), (".mkv", "av1"), (".mkv", "h264"),
                                           (".mkv", "hevc"), (".webm", "vp9"), (".webm", "av1"), (".mp4", "h264"),
                                           (".mp4", "av1"), (".mp4", "vp9"), (".mov", "prores")])  # fmt: skip
def test_the_shape_of_pixels_stays(tmp_path: Path, suffix: str, codec: str, sar: Fraction) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    make(source, Clip(pts=(0, 3000), sar=sar))
    written(source, target, codec=codec, pix_fmt="yuv422p10le" if codec == "prores" else None)
    assert probe(target).sar == sar
    if suffix != ".mov":  # and it stays from there on
        written(target, tmp_path / f"again{suffix}")
        assert probe(tmp_path / f"again{suffix}").sar == sar


def test_display_sizes() -> None:
    assert display_size(320, 160, Fraction(8, 9)) == (320, 180)
    assert display_size(1440, 1080, Fraction(4, 3)) == (1920, 1080)
    for size in ((720, 576), (719, 577), (64, 48)):
        for sar in (Fraction(16, 15), Fraction(64, 45), Fraction(99, 100), Fraction(8, 9)):
            wide, high = display_size(*size, sar)
            assert abs(wide * size[1] / (high * size[0]) / float(sar) - 1) < 0.02
            assert wide <= 4 * size[0]
            assert high <= 4 * size[1]


def test_damaged_heads_say_nothing(tmp_path: Path) -> None:
    for data in (b"", b"\x1a\x45\xdf\xa3", bytes(64), b"\0\0\0\x10moovtrak" + bytes(40), b"\xff" * 64):
        (tmp_path / "x").write_bytes(data)
        assert boxes.read(tmp_path / "x", 0) == boxes.Said()
        assert ebml.entries(tmp_path / "x") == []
