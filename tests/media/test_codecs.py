"""Every codec family, and what happens when the source's own cannot hold the picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from synthetic_clips import LOSSLESS, Clip, Sound, copied_packets, copy, make, picture, planes_of

from videdit.errors import MediaError
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.pixel_formats import pack, unpack
from videdit.media.probe import probe

FFV1 = {"level": "3", "slices": "1"}


def times_of(path: Path) -> list[Fraction]:
    with VideoReader(path) as reader:
        return [frame.pts * frame.time_base for frame in reader]


@pytest.mark.parametrize(
    ("codec", "suffix", "pix_fmt"),
    [
        ("h264", ".mp4", "yuv420p10le"),
        ("h264", ".mov", "yuv422p"),
        ("hevc", ".mp4", "yuv420p"),
        ("hevc", ".mov", "yuv420p10le"),
        ("hevc", ".mkv", "yuv444p12le"),
        ("hevc", ".mp4", "gbrp"),
        ("vp9", ".webm", "yuv420p"),
        ("vp9", ".mp4", "yuv444p"),
        ("av1", ".webm", "yuv420p10le"),
        ("av1", ".mp4", "yuv420p"),
        ("ffv1", ".mkv", "yuv420p16le"),
        ("ffv1", ".mkv", "gbrap16le"),
        ("ffv1", ".mkv", "gbrp"),
        ("ffv1", ".mkv", "gray16le"),
        ("ffv1", ".mkv", "yuva444p10le"),
    ],
)
def test_lossless(tmp_path: Path, codec: str, suffix: str, pix_fmt: str) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    store = {"gbrp": "bgr0"}.get(pix_fmt, pix_fmt)
    truth = make(
        source, Clip(pts=tuple(range(0, 5000 * 6, 5000)), codec="ffv1", pix_fmt=pix_fmt, options=FFV1, store=store)
    )
    copy(source, target, EncodeSettings(codec=codec, lossless=True))
    info = probe(target)
    assert info.codec == codec
    for planes, made in zip(planes_of(target), truth, strict=True):
        for plane, expected in zip(planes, made, strict=True):
            np.testing.assert_array_equal(plane, expected)
    assert times_of(source) == times_of(target)


@pytest.mark.parametrize(
    ("codec", "suffix", "pix_fmt", "error"),
    [("h264", ".mp4", "yuv420p", 1.0), ("hevc", ".mp4", "yuv420p10le", 4.0), ("vp9", ".webm", "yuv420p", 1.0)]
    + [("av1", ".mp4", "yuv420p", 1.0), ("prores", ".mov", "yuv422p10le", 4.0), ("hevc", ".mov", "yuv444p12le", 16.0)],
)
def test_default_quality_is_visually_lossless(
    tmp_path: Path, codec: str, suffix: str, pix_fmt: str, error: float
) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    clip = Clip(
        pts=tuple(range(0, 8 * 5000, 5000)), width=128, height=96, codec="ffv1", pix_fmt=pix_fmt, options=FFV1, noise=0
    )
    truth = make(source, clip)
    copy(source, target, EncodeSettings(codec=codec))
    assert (probe(target).codec, probe(target).planar) == (codec, pix_fmt)
    for planes, made in zip(planes_of(target), truth, strict=True):
        assert np.abs(planes[0].astype(float) - made[0]).mean() < error
    assert times_of(source) == times_of(target)


@pytest.mark.parametrize(
    ("made_by", "pix_fmt", "suffix", "becomes"),
    [
        ("mjpeg", "yuvj420p", ".mp4", "h264"),
        ("mpeg4", "yuv420p", ".mp4", "h264"),
        ("libvpx-vp9", "yuv420p", ".mp4", "vp9"),
        ("libvpx-vp9", "yuv420p", ".mov", "h264"),
        ("libx264", "yuv420p", ".webm", "av1"),
        ("prores_ks", "yuv422p10le", ".mp4", "h264"),
        ("prores_ks", "yuv422p10le", ".mov", "prores"),
        ("ffv1", "yuv420p", ".mkv", "ffv1"),
        ("utvideo", "yuv422p", ".mkv", "ffv1"),
    ],
)
def test_family(tmp_path: Path, made_by: str, pix_fmt: str, suffix: str, becomes: str) -> None:
    source, target = tmp_path / ("in.avi" if made_by in ("mpeg4", "utvideo") else "in.mkv"), tmp_path / f"out{suffix}"
    planar = pix_fmt.replace("j", "")
    tags = (2, 2, 2, 2) if pix_fmt != planar else (0, 2, 2, 2)
    make(
        source,
        Clip(
            pts=(0, 1, 2),
            time_base=Fraction(1, 30),
            last_duration=1,
            pix_fmt=planar,
            store=pix_fmt,
            codec=made_by,
            options={},
            tags=tags,
        ),
    )
    writer = copy(source, target, EncodeSettings())
    before, after = probe(source), probe(target)
    assert after.codec == becomes
    assert after.planar == planar
    assert after.color.full_range == before.color.full_range
    switched = (made_by, becomes) in {("libvpx-vp9", "h264"), ("libx264", "av1"), ("prores_ks", "h264")}
    assert any(becomes in said for said in writer.warnings) == switched


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1", "ffv1"])
def test_short_clips_that_begin_late(tmp_path: Path, codec: str, count: int) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / ("out.mkv" if codec == "ffv1" else "out.mp4")
    pts = tuple(450000 + 3600 * i for i in range(count))
    make(source, Clip(pts=pts, last_duration=3600, codec="ffv1", options=FFV1))
    copy(source, target, EncodeSettings(codec=codec, lossless=True))
    assert times_of(target) == [p * Fraction(1, 90000) for p in pts]
    for planes, back in zip(planes_of(source), planes_of(target), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(planes, back, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (17, 33), (63, 48), (64, 3)])
def test_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    source = tmp_path / "in.mkv"
    truth = make(
        source, Clip(pts=(0, 3000, 6000), width=size[0], height=size[1], codec="ffv1", options=FFV1, tags=(1, 1, 1, 1))
    )
    for name, codec in (("a.mkv", None), ("b.mp4", "vp9")):
        copy(source, tmp_path / name, EncodeSettings(codec=codec, lossless=True))
        for planes, made in zip(planes_of(tmp_path / name), truth, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(planes, made, strict=True))


def test_prores_4444_stays_in_its_family(tmp_path: Path) -> None:
    """It decodes to 12 bits; the encoder takes 10, and that is said."""
    source, again = tmp_path / "in.mov", tmp_path / "out.mov"
    make(source, Clip(pts=(0, 3000), pix_fmt="yuv444p10le", codec="prores_ks", options={"profile": "4"}))
    assert probe(source).planar == "yuv444p12le"
    writer = copy(source, again, EncodeSettings())
    assert probe(again).codec == "prores"
    assert writer.warnings == ["12 bits become 10: the prores encoder takes no more"]
    for planes, back in zip(planes_of(source), planes_of(again), strict=True):
        assert np.abs(planes[0].astype(float) - back[0]).mean() < 16


def test_odd_motion_jpeg_finds_a_codec_that_holds_it(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make(
        source, Clip(pts=(0, 3000), width=33, height=21, pix_fmt="yuv420p", store="yuvj420p", codec="mjpeg", options={})
    )
    writer = copy(source, target, LOSSLESS)
    assert probe(target).width == 33
    assert "h264 cannot hold 33x21" in writer.warnings[0]
    for planes, back in zip(planes_of(source), planes_of(target), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(planes, back, strict=True))


@pytest.mark.parametrize(
    ("pix_fmt", "becomes", "told"),
    [
        ("yuv422p", "h264", "stored without loss becomes h264"),
        ("gray", "h264", "stored without loss becomes h264"),
        ("gray10le", "h264", "stored without loss becomes h264"),
        ("yuv420p12le", "hevc", "stored without loss becomes hevc"),
        ("yuva444p10le", "h264", "the transparency is dropped"),
        ("yuv420p16le", "ffv1", "few players show ffv1 in mp4"),  # nothing else holds it
    ],
)
def test_what_was_lossless_is_in_mp4_what_players_show(tmp_path: Path, pix_fmt: str, becomes: str, told: str) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make(source, Clip(pts=(0, 3000), pix_fmt=pix_fmt, codec="ffv1", options=FFV1))
    writer = copy(source, target, EncodeSettings())
    assert probe(target).codec == becomes
    assert told in " ".join(writer.warnings)
    copy(source, tmp_path / "out.mkv", EncodeSettings())
    assert probe(tmp_path / "out.mkv").codec == "ffv1"


def test_interlaced_clips_stay_interlaced(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    make(source, Clip(interlaced=True, options={"preset": "ultrafast", "qp": "0"}))
    assert probe(source).interlaced
    copy(source, tmp_path / "out.mkv", LOSSLESS)
    assert probe(tmp_path / "out.mkv").interlaced
    assert probe(tmp_path / "out.mkv").field_order == probe(source).field_order
    writer = copy(source, tmp_path / "hevc.mkv", EncodeSettings(codec="hevc"))
    assert any("interlaced" in said for said in writer.warnings)


@pytest.mark.parametrize("site", ["topleft", "center"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_chroma_siting_is_kept(tmp_path: Path, site: str, codec: str) -> None:
    source = tmp_path / "in.mp4"
    options = {"preset": "ultrafast", "chroma_sample_location": site, "x265-params": "log-level=none"}
    make(source, Clip(width=64, height=64, codec=codec, options=options))
    copy(source, tmp_path / "out.mp4", EncodeSettings())
    for path in (source, tmp_path / "out.mp4"):
        info = probe(path)
        assert info.chroma_location == site
        assert info.color.chroma_site == {"topleft": (0.5, 0.5), "center": (1.0, 1.0)}[site]


@pytest.mark.parametrize("suffix", [".avi", ".ts", ".flv"])
def test_other_containers_are_read(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"in{suffix}"
    codec = "mp2" if suffix == ".ts" else "mp3"
    truth = make(
        source,
        Clip(pts=tuple(range(12)), time_base=Fraction(1, 30), last_duration=1, sounds=[Sound(rate=44100, codec=codec)]),
    )
    writer = copy(source, tmp_path / "out.mkv", LOSSLESS)
    back = planes_of(tmp_path / "out.mkv")
    assert len(back) == len(truth)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(back, truth, strict=True))
    with VideoReader(source) as reader:
        steps = np.diff([float(f.pts * f.time_base) for f in reader])
    np.testing.assert_allclose(steps, 1 / 30, atol=0.002)
    assert [s.kind for s in probe(tmp_path / "out.mkv").streams] == ["audio"]
    assert [data for data, _, _ in copied_packets(source)[1]] == [
        data for data, _, _ in copied_packets(tmp_path / "out.mkv")[1]
    ]
    assert not any("left out" in said for said in writer.warnings)


HDR10 = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


@pytest.mark.parametrize(("codec", "suffix"), [("hevc", ".mp4"), ("h264", ".mkv"), ("av1", ".webm"), ("ffv1", ".mkv")])
def test_hdr10_keeps_its_mastering_display(tmp_path: Path, codec: str, suffix: str) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    words = f"log-level=none:pools=1:lossless=1:master-display={HDR10}:max-cll=1000,400"
    make(
        source,
        Clip(
            pts=(0, 1800, 3600),
            pix_fmt="yuv420p10le",
            codec="libx265",
            options={"x265-params": words, "preset": "ultrafast"},
            tags=(1, 9, 16, 9),
        ),
    )
    before = probe(source).hdr
    assert before is not None
    assert before.display is not None
    assert before.light == (1000, 400)
    assert [float(value) for value in before.display[:2]] == [0.68, 0.32]
    assert [float(value) for value in before.display[-2:]] == [0.005, 1000]
    writer = copy(source, target, EncodeSettings(codec=codec, lossless=True))
    after = probe(target)
    assert after.color_tags == (1, 9, 16, 9)
    assert after.color.transfer == "pq"
    assert after.planar == "yuv420p10le"
    if codec == "ffv1":
        assert any("mastering display" in said for said in writer.warnings)
        return
    assert after.hdr is not None
    assert after.hdr.display is not None
    assert after.hdr.light == (1000, 400)
    assert [float(v) for v in after.hdr.display] == pytest.approx([float(v) for v in before.display], rel=0.01)


@pytest.mark.parametrize(
    ("codec", "instead"), [("h264_v4l2m2m", None), ("hevc_amf", "libx265"), ("h264_qsv", "libx264")]
)
def test_an_encoder_of_the_machine_that_is_missing_is_replaced_aloud(
    tmp_path: Path, codec: str, instead: str | None
) -> None:
    """Where a machine does have one, the file still has to be of its family and hold the frames."""
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, Clip(width=256, height=256))
    if instead is None:
        with pytest.raises(MediaError, match="unknown codec"):
            copy(source, target, EncodeSettings(codec=codec))
        return
    writer = copy(source, target, EncodeSettings(codec=codec, preset="7"))
    assert probe(target).codec == codec.split("_")[0]
    assert len(planes_of(target)) == 10
    if writer.encoder.name == instead:
        assert writer.warnings[0] == f"{codec} does not work here or does not keep this picture; {instead} is used"


@pytest.mark.parametrize(("planar", "semi"), [("yuv420p", "nv12"), ("yuv420p10le", "p010le")])
def test_semi_planar_layouts_hold_the_same(planar: str, semi: str) -> None:
    planes = picture(0, 33, 21, planar)
    for plane, back in zip(planes, unpack(pack(planes, planar, semi)), strict=True):
        np.testing.assert_array_equal(plane, back)
