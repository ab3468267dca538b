"""Still pictures: exact planes where the format allows it, and EXIF, ICC and notes along with them."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_clips import picture

from videdit.errors import MediaError
from videdit.media.color import picture_to_rgb
from videdit.media.decode.read import read_image
from videdit.media.pixel_formats import pack
from videdit.media.probe import file_tags, probe
from videdit.media.stills.image_tags import ImageTags, embed, read_tags, without_thumbnail
from videdit.media.stills.write import write_image
from videdit.media.stills.xmp import SOURCE_TYPE, say_edited

SMOOTH = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (45, 61, 4)).astype(np.uint8), (0, 0), 3)


def exif(orientation: int, thumbnail: bytes = b"") -> bytes:
    """A TIFF block with an orientation and, in a second directory, a preview."""
    first = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 26 if thumbnail else 0)
    return b"II*\0" + struct.pack("<I", 8) + first + (struct.pack("<HI", 0, 0) + thumbnail if thumbnail else b"")


def stored(path: Path, pixels: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("depth", [8, 16])
def test_pixels_come_back(tmp_path: Path, suffix: str, channels: int, depth: int) -> None:
    pixels = SMOOTH[..., :channels].squeeze()
    pixels = pixels if depth == 8 else pixels.astype(np.uint16) * 255 + 77
    source = stored(tmp_path / "in.png", pixels)
    frame = read_image(source)
    assert (frame.pts, frame.index, frame.picture.color.depth) == (None, 0, depth)
    expected = (pixels,) if channels == 1 else tuple(pixels[..., i] for i in (2, 1, 0, 3)[:channels])
    for plane, truth in zip(frame.picture.planes, expected, strict=True):
        np.testing.assert_array_equal(plane, truth)
    target = tmp_path / f"out{suffix}"
    write_image(target, frame, probe(source))
    back = read_image(target).picture
    if suffix in (".png", ".tif"):
        assert back.pix_fmt == frame.picture.pix_fmt
        for plane, truth in zip(back.planes, expected, strict=True):
            np.testing.assert_array_equal(plane, truth)
    else:
        limit = 4 if (suffix, channels) == (".webp", 1) else 0
        difference = picture_to_rgb(back).astype(int) - picture_to_rgb(frame.picture)
        assert np.abs(difference).max() <= limit


def test_jpeg_stays_close_and_keeps_its_chroma(tmp_path: Path) -> None:
    source = stored(tmp_path / "in.png", SMOOTH[..., :3])
    write_image(tmp_path / "out.jpg", read_image(source), probe(source))
    info = probe(tmp_path / "out.jpg")
    assert (info.codec, info.planar, info.color.full_range, info.color.chroma_site) == (
        "mjpeg",
        "yuv444p",
        True,
        (0.5, 0.5),
    )
    back = picture_to_rgb(read_image(info).picture)
    assert np.abs(back.astype(int) - SMOOTH[..., 2::-1]).mean() < 1


@pytest.mark.parametrize("factor", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422])
def test_jpeg_decodes_as_other_programs_see_it(tmp_path: Path, factor: int) -> None:
    path = tmp_path / "in.jpg"
    cv2.imwrite(str(path), SMOOTH[..., :3], [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])
    ours = picture_to_rgb(read_image(path).picture)
    theirs = cv2.imread(str(path))[..., ::-1]
    assert np.abs(ours.astype(int) - theirs).mean() < 0.6
    assert np.abs(ours.astype(int) - theirs).max() <= 5


@pytest.mark.parametrize(("orientation", "rotation"), [(1, 0), (3, 180), (6, 90), (8, 270)])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_orientation(tmp_path: Path, orientation: int, rotation: int, suffix: str) -> None:
    plain = stored(tmp_path / f"plain{suffix}", SMOOTH[..., :3])
    source = tmp_path / f"in{suffix}"
    source.write_bytes(embed(plain.read_bytes(), ImageTags(exif=exif(orientation))))
    info = probe(source)
    assert info.rotation == rotation
    assert info.display_size == ((45, 61) if rotation in (90, 270) else (61, 45))
    frame = read_image(info)
    upright = np.rot90(picture_to_rgb(frame.picture), -rotation // 90)
    assert cv2.imread(str(source))[..., ::-1].shape == upright.shape  # OpenCV turns it
    for name in ("a.jpg", "a.png", "a.tif", "a.webp", "a.bmp"):
        write_image(tmp_path / name, frame, info)
        seen = cv2.imread(str(tmp_path / name))[..., ::-1]
        assert seen.shape == upright.shape
        assert np.abs(seen.astype(int) - upright).mean() < 2.5
    assert probe(tmp_path / "a.jpg").rotation == rotation
    assert probe(tmp_path / "a.tif").rotation == 0


HEADS = [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1\0\x20Exif\0\0"]
HEADS += [b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"RIFF\x10\0\0\0WEBPVP8X", b"RIFF\x10\0\0\0WEBP"]
RDF = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description a="\xc3\xbc"/></rdf:RDF>'


@pytest.mark.parametrize("source_suffix", [".jpg", ".png"])
@pytest.mark.parametrize("target_suffix", [".jpg", ".png"])
def test_tags_travel(tmp_path: Path, source_suffix: str, target_suffix: str) -> None:
    plain = stored(tmp_path / f"plain{source_suffix}", SMOOTH[..., :3])
    profile = np.random.default_rng(1).bytes(150_000)
    tags = ImageTags(exif(1, b"tiny preview"), profile, RDF, {"Author": "Ada ü"})
    source, target = tmp_path / f"in{source_suffix}", tmp_path / f"out{target_suffix}"
    source.write_bytes(embed(plain.read_bytes(), tags))
    assert read_tags(source).icc == profile
    info = probe(source)
    assert info.tags == {"Author": "Ada ü"}
    write_image(target, read_image(info), info, {"comment": "edited with videdit"})
    kept = read_tags(target)
    assert kept.icc == profile
    assert kept.xmp is not None
    assert kept.xmp.startswith(RDF.removesuffix(b"</rdf:RDF>"))
    assert kept.exif is not None
    assert kept.exif[8:22] == tags.exif[8:22]  # the same entries
    assert kept.exif[22:26] == b"\0\0\0\0"  # and no way to the preview of the old picture
    assert file_tags(target) == {"Author": "Ada ü", "comment": "edited with videdit"}
    assert cv2.imread(str(target)) is not None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_every_kind_says_that_a_model_changed_it(tmp_path: Path, suffix: str, channels: int) -> None:
    pixels = SMOOTH[..., :channels] if suffix != ".jpg" else SMOOTH[..., :3]
    plain = stored(tmp_path / f"plain{suffix}", pixels)
    profile = np.random.default_rng(1).bytes(999)
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    source.write_bytes(embed(plain.read_bytes(), ImageTags(icc=profile, xmp=RDF)))
    said = 'edited with videdit 1 (smile=1 & "age"=2)'
    write_image(target, read_image(source), probe(source), {"comment": said})
    kept = read_tags(target)
    assert kept.icc == profile
    assert kept.notes["comment"] == said
    description = ElementTree.fromstring(kept.xmp or b"")[-1]
    assert description.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType") == SOURCE_TYPE
    before, after = (picture_to_rgb(read_image(path).picture).astype(int) for path in (source, target))
    assert np.abs(before - after).max() <= (20 if suffix in (".jpg", ".webp") else 0)
    assert cv2.imread(str(target), cv2.IMREAD_UNCHANGED).shape == pixels.shape
    fresh = ElementTree.fromstring(say_edited(None, said))
    assert SOURCE_TYPE in ElementTree.tostring(fresh).decode()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(HEADS))
def test_hostile_tags_do_no_harm(tmp_path_factory, body: bytes, magic: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile"
    path.write_bytes(magic + body)
    tags = read_tags(path)
    assert isinstance(tags, ImageTags)
    assert len(without_thumbnail(body)) == len(body)


def test_an_inflating_profile_is_cut(tmp_path: Path) -> None:
    bomb = embed(stored(tmp_path / "a.png", SMOOTH[..., :3]).read_bytes(), ImageTags(icc=bytes(64 << 20)))
    (tmp_path / "b.png").write_bytes(bomb)
    assert len(read_tags(tmp_path / "b.png").icc or b"") <= 16 << 20


@pytest.mark.parametrize(
    ("name", "match"), [("in.png", "the source itself"), ("a.gif", "not supported"), ("no/a.png", "does not exist")]
)
def test_impossible_targets(tmp_path: Path, name: str, match: str) -> None:
    source = stored(tmp_path / "in.png", SMOOTH[..., :3])
    with pytest.raises(MediaError, match=match):
        write_image(tmp_path / name, read_image(source), probe(source))
    assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


def test_cut_off_pictures(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    for suffix in (".png", ".jpg"):
        source = stored(tmp_path / f"in{suffix}", noise)
        (tmp_path / f"half{suffix}").write_bytes(source.read_bytes()[: source.stat().st_size // 2])
        with pytest.raises(MediaError, match="damaged|cut off|no picture"):
            read_image(tmp_path / f"half{suffix}")


@pytest.mark.parametrize("tags", [(2, 9, 16, 0), (2, 1, 13, 0), (2, 9, 18, 0), (2, 2, 2, 0)])
def test_png_keeps_what_its_numbers_mean(tmp_path: Path, tags: tuple[int, int, int, int]) -> None:
    """HDR above all: without its cICP chunk a PQ picture is shown pale and dark."""
    planes = picture(0, 32, 24, "gbrp16le")
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 32, 24, "rgb48be", 1
    frame = pack(planes, "gbrp16le", "rgb48be")
    for part in (context, frame):
        part.color_range, part.color_primaries, part.color_trc, part.colorspace = tags
    (tmp_path / "in.png").write_bytes(b"".join(map(bytes, context.encode(frame) + context.encode(None))))
    info = probe(tmp_path / "in.png")
    assert info.color_tags[1:3] == tags[1:3]
    write_image(tmp_path / "out.png", read_image(info), info)
    again = probe(tmp_path / "out.png")
    assert (again.color, again.color_tags) == (info.color, info.color_tags)
    for plane, back in zip(planes, read_image(again).picture.planes, strict=True):
        np.testing.assert_array_equal(plane, back)
