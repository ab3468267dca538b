"""Frame layouts against what FFmpeg itself puts into them."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_clips import picture

from videdit.errors import MediaError
from videdit.media.pixel_formats import geometry, pack, planar_name, target_formats, unpack

PLANAR = ["yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv420p10le", "yuv422p12le", "yuv444p16le"]
PLANAR += ["yuva420p", "yuva444p10le", "gray", "gray10le", "gray16le", "gbrp", "gbrp10le", "gbrap", "gbrp16le"]
PLANAR += ["gbrap16le", "ya8", "ya16le"]


def equal(a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PLANAR), st.integers(1, 70), st.integers(1, 40), st.integers(0, 9))
def test_packed_and_unpacked_planes_are_the_same(planar: str, width: int, height: int, seed: int) -> None:
    planes = picture(seed, width, height, planar)
    for target in target_formats(planar):
        frame = pack(planes, planar, target)
        assert (frame.format.name, frame.width, frame.height) == (target, width, height)
        back = unpack(frame)
        assert planar_name(target) == planar
        assert equal(planes, back)
        assert all(p.flags.c_contiguous and p.flags.owndata for p in back)
        assert all(p.dtype == planes[0].dtype for p in back)


@pytest.mark.parametrize("name", ["rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb48le", "rgb48be", "rgba64be"])
def test_packed_rgb(name: str) -> None:
    deep = "48" in name or "64" in name
    order = {"bgr24": "BGR", "rgba": "RGBA", "bgra": "BGRA", "argb": "ARGB", "abgr": "ABGR", "rgba64be": "RGBA"}.get(
        name, "RGB"
    )
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536 if deep else 256, (13, 21, len(order))).astype(np.uint16 if deep else np.uint8)
    planes = unpack(av.VideoFrame.from_ndarray(pixels, format=name))
    assert equal(planes, tuple(pixels[..., order.index(c)] for c in "RGBA" if c in order))


@pytest.mark.parametrize(
    ("name", "planar"),
    [("nv12", "yuv420p"), ("nv21", "yuv420p"), ("nv16", "yuv422p"), ("nv24", "yuv444p"), ("yuyv422", "yuv422p")]
    + [("uyvy422", "yuv422p"), ("yvyu422", "yuv422p"), ("p010le", "yuv420p10le"), ("p016le", "yuv420p16le")]
    + [("p210le", "yuv422p10le"), ("p410le", "yuv444p10le"), ("yuv420p10be", "yuv420p10le"), ("gray16be", "gray16le")]
    + [("gbrp10be", "gbrp10le"), ("yuvj420p", "yuv420p"), ("gray12be", "gray12le"), ("rgb0", "gbrp"), ("0bgr", "gbrp")],
)
@pytest.mark.parametrize("width", [32, 30])
def test_as_swscale_lays_them_out(name: str, planar: str, width: int) -> None:
    planes = picture(3, width, 24, planar)
    source = pack(planes, planar, planar)
    if name == "yuvj420p":
        source = pack(planes, "yuv420p", "yuvj420p")
    frame = source.reformat(format=name)
    assert frame.format.name == name
    assert planar_name(name) == planar
    assert equal(unpack(frame), planes)


def test_palette_and_bitmap() -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(0, 256, (9, 11)).astype(np.uint8)
    palette = rng.integers(0, 256, (256, 4)).astype(np.uint8)  # A, R, G, B
    frame = av.VideoFrame.from_ndarray((index, palette), format="pal8")
    assert equal(unpack(frame), tuple(palette[index][..., i] for i in (1, 2, 3, 0)))
    bits = (rng.random((9, 19)) > 0.5).astype(np.uint8) * 255
    for name in ("monob", "monow"):
        frame = av.VideoFrame(19, 9, name)
        memory = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(9, -1)
        memory[:, :3] = np.packbits(bits > 0 if name == "monob" else bits == 0, axis=1)
        assert equal(unpack(frame), (bits,))


def test_strange_layouts_keep_their_depth() -> None:
    assert planar_name("x2rgb10le") == "gbrap16le"
    assert geometry("yuv411p") == (8, (2, 0), False, False)
    assert geometry("gbrap16le") == (16, (0, 0), True, True)
    with pytest.raises(MediaError, match="floating point"):
        planar_name("gbrpf32le")
