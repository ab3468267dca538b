"""Pictures in a program's memory, and the PNGs that stand for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from videdit.errors import UsageError
from videdit.media.stills.memory import is_in_memory, pixels_of, read_png, write_png

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        RGB,
        RGB[:, :, ::-1],  # a view of OpenCV's BGR
        RGB[::2, ::-2],
        RGB[:, :, 0],
        RGB[:, :, :1],
        RNG.integers(0, 256, (20, 30, 4), dtype=np.uint8),
        RNG.integers(0, 65536, (20, 30, 3), dtype=np.uint16),
        RNG.integers(0, 65536, (20, 30), dtype=np.uint16),
        torch.from_numpy(RGB),
        np.asfortranarray(RGB),
        RGB[:1, :1],
    ],
)
def test_pixels_are_the_same_there_and_back(picture, tmp_path) -> None:
    assert is_in_memory(picture)
    pixels = pixels_of(picture)
    assert np.array_equal(pixels, np.squeeze(np.asarray(picture), 2) if picture.shape[2:] == (1,) else picture)
    write_png(tmp_path / "picture.png", pixels)
    back = read_png(tmp_path / "picture.png")
    assert back.dtype == pixels.dtype
    assert np.array_equal(back, pixels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "LA", "YCbCr", "HSV", "LAB", "I;16"])
def test_pictures_of_pil_of_any_mode(mode) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = image.fromarray(RGB)
    picture = image.fromarray(RGB.astype(np.uint16)[:, :, 0]) if mode == "I;16" else picture.convert(mode)
    assert picture.mode == mode
    assert is_in_memory(picture)
    pixels = pixels_of(picture)
    channels = {"RGBA": (4,), "LA": (4,), "L": (), "I;16": ()}.get(mode, (3,))
    assert pixels.shape == (20, 30, *channels)
    assert pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)
    if mode in ("RGB", "RGBA"):
        assert np.array_equal(pixels[:, :, :3], RGB)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (RGB / np.float32(255), r"this is float32 \[20, 30, 3\]; for values in 0\.\.1: \(255 \* picture"),
        (RGB.astype(np.int64), r"this is int64 \[20, 30, 3\]$"),
        (RGB.astype(float), r"this is float64 \[20, 30, 3\]$"),
        (RGB > 9, "this is bool"),
        (RGB.transpose(2, 0, 1), r"channels first: picture.transpose\(1, 2, 0\)"),
        (RGB[None], r"this is uint8 \[1, 20, 30, 3\]"),
        (RGB[:, :, :2], r"this is uint8 \[20, 30, 2\]"),
        (RGB[:0], r"this is uint8 \[0, 30, 3\]"),
        (np.zeros(0, np.uint8), r"this is uint8 \[0\]"),
        (np.array("face.jpg"), "this is <U8"),
        (torch.rand(4, 4, 3, requires_grad=True), "cannot be read as an array: .*detach"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_line(picture, said) -> None:
    with pytest.raises(UsageError, match=said) as error:
        pixels_of(picture)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("source", ["face.jpg", b"face.jpg", None, [1, 2], 3])
def test_what_is_not_in_memory(source) -> None:
    assert not is_in_memory(source)
