"""Each primitive of pixel formulas: what it takes and refuses, known truths, and the host against a device.

The device is the CPU here: the same code. The kinds of tests are kornia's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch

from videdit.datatypes import Array
from videdit.imaging import primitives
from videdit.imaging.arrays import rows
from videdit.imaging.primitives import Primitives, host
from videdit.imaging.primitives import torch as device

SIDES = [pytest.param(host, id="host"), pytest.param(device, id="device")]
SIZES = [(16, 16), (48, 32), (5, 9)]
LUMA = ((0.3, 0.6, 0.1),)
SWAP = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))

# Whatever takes a picture and gives one of its size, with the channels that it gives for 3.
KEEPING: dict[str, tuple[Callable[[Primitives, Array], Array], int]] = {
    "blur": (lambda xp, image: xp.blur(image, 0.6), 3),
    "channel_max": (lambda xp, image: xp.channel_max(image), 1),
    "channel_sum": (lambda xp, image: xp.channel_sum(image), 1),
    "constant": (lambda xp, image: xp.constant(image, 0.5), 1),
    "dilate": (lambda xp, image: xp.dilate(image, 2), 3),
    "erode": (lambda xp, image: xp.erode(image, 1), 3),
    "exp": (lambda xp, image: xp.exp(image), 3),
    "maximum": (lambda xp, image: xp.maximum(image, 0.5 * image), 3),
    "merge": (lambda xp, image: xp.merge(image, image[..., :1]), 4),
    "minimum": (lambda xp, image: xp.minimum(image, 0.5 * image), 3),
    "mix": (lambda xp, image: xp.mix(image, SWAP if image.shape[-1] == 2 else LUMA), 1),
    "mix of many": (lambda xp, image: xp.mix(xp.merge(image, image), (LUMA[0] * 2, LUMA[0] * 2)), 2),
    "planes": (lambda xp, image: xp.channels_last(xp.channels_first(image)), 3),
    "split": (lambda xp, image: xp.split(image)[1], 1),
    "spread": (lambda xp, image: xp.spread(image[..., :1], 3), 3),
    "sqrt": (lambda xp, image: xp.sqrt(abs(image)), 3),
    "warp": (lambda xp, image: xp.warp(image, 2 * image[..., :2]), 3),
    "warp bicubic": (lambda xp, image: xp.warp(image, 0 * image[..., :2], mode="bicubic", border="reflect"), 3),
    "with_channel": (lambda xp, image: xp.with_channel(image, 1, image[..., :1]), 3),
}


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def smooth(size: int, channels: int = 3) -> np.ndarray:
    return cv2.resize(picture(6, 6, channels), (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, -1)


def on(xp: ModuleType, array: np.ndarray) -> Array:
    return torch.from_numpy(array) if xp is device else array


def back(array: Array) -> np.ndarray:
    return array.numpy() if isinstance(array, torch.Tensor) else array


def test_an_array_says_whose_primitives_are_its_own() -> None:
    assert primitives.of(np.zeros(1)) is host
    assert primitives.of(torch.zeros(1)) is device


def test_both_sides_have_every_primitive_with_the_same_arguments() -> None:
    names = [name for name, value in vars(Primitives).items() if callable(value) and not name.startswith("_")]
    assert len(names) > 20
    for name in names:
        arguments = [[*inspect.signature(getattr(xp, name)).parameters] for xp in (host, device)]
        assert arguments[0] == arguments[1]


@pytest.mark.parametrize("xp", SIDES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", KEEPING)
def test_pictures_keep_their_size_and_type(xp: ModuleType, name: str, size: tuple[int, int]) -> None:
    run, channels = KEEPING[name]
    image = on(xp, picture(*size, 3))
    before = back(image).copy()
    result = back(run(xp, image))
    assert result.shape == (*size, channels)
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(back(image), before)


@pytest.mark.parametrize("xp", SIDES)
@pytest.mark.parametrize("name", ["blur", "channel_max", "channel_sum", "dilate", "erode", "exp", "minimum", "planes"])
def test_maps_keep_their_channel(xp: ModuleType, name: str) -> None:
    assert back(KEEPING[name][0](xp, on(xp, picture(12, 8, 1)))).shape == (12, 8, 1)


@pytest.mark.parametrize("name", KEEPING)
def test_a_batch_on_a_device_is_each_of_its_pictures(name: str) -> None:
    run, _ = KEEPING[name]
    images = torch.from_numpy(picture(2, 3, 16, 24, 3))
    whole = run(device, images)
    assert whole.shape[:4] == (2, 3, 16, 24)
    if name != "planes":
        torch.testing.assert_close(whole[1, 2], run(device, images[1, 2]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", KEEPING)
def test_the_host_s_and_the_device_s_agree(name: str) -> None:
    run, _ = KEEPING[name]
    image = smooth(64)
    ours, theirs = run(device, torch.from_numpy(image)), run(host, image)
    # OpenCV reads between pixels in steps of a 32nd.
    np.testing.assert_allclose(ours.numpy(), theirs, atol=0.02 if "warp" in name else 2e-5)


@pytest.mark.parametrize("xp", SIDES)
@pytest.mark.parametrize("kind", [np.float32, np.float16, np.uint8])
@pytest.mark.parametrize("shape", [(7,), (4, 6), (3, 5, 3), (2, 3, 4, 5)])
def test_types_are_changed_to_the_nearest_value(xp: ModuleType, kind: type, shape: tuple[int, ...]) -> None:
    array = (np.random.default_rng(1).uniform(0, 255, shape)).astype(kind)
    given = on(xp, array)
    for found, wanted in ((xp.single(given), np.float32), (xp.half(given), np.float16)):
        assert back(found).dtype == wanted
        np.testing.assert_array_equal(back(found), array.astype(wanted))
    np.testing.assert_array_equal(back(xp.byte(xp.single(given))), np.rint(array).astype(np.uint8))


def test_read_only_arrays_change_their_type_too() -> None:
    array = np.broadcast_to(np.float16(0.5), (4, 4))
    assert not array.flags.writeable
    assert host.half(host.single(array)).tolist() == array.tolist()


@pytest.mark.parametrize("xp", SIDES)
def test_arrays_are_put_together(xp: ModuleType) -> None:
    one, other = (on(xp, picture(3, 4, seed=seed)) for seed in (1, 2))
    assert back(xp.stack([one, other])).shape == (2, 3, 4)
    assert back(xp.stack([one, other], axis=1)).shape == (3, 2, 4)
    np.testing.assert_array_equal(back(xp.concatenate([one, other]))[3:], back(other))
    with pytest.raises((ValueError, RuntimeError)):
        xp.stack([one, other[:2]])


@pytest.mark.parametrize("xp", SIDES)
def test_channels_are_mixed_as_the_matrix_says(xp: ModuleType) -> None:
    image = on(xp, picture(8, 8, 3))
    red, green, _ = (back(channel) for channel in xp.split(image))
    np.testing.assert_allclose(back(xp.mix(image, ((0.0, 1.0, 0.0), (2.0, 0.0, 0.0)))), np.dstack((green, 2 * red)))
    many = on(xp, picture(8, 8, 9))
    np.testing.assert_allclose(back(xp.mix(many, ((1.0,) * 9,))), back(xp.channel_sum(many)), atol=1e-5)
    np.testing.assert_array_equal(back(xp.channel_max(many))[..., 0], back(many).max(-1))
    with pytest.raises((cv2.error, RuntimeError)):
        xp.mix(image, ((1.0, 1.0),))


@pytest.mark.parametrize("xp", SIDES)
def test_a_channel_is_replaced_and_the_others_are_not(xp: ModuleType) -> None:
    image, map_ = picture(8, 8, 3), picture(8, 8, 1, seed=1)
    found = back(xp.with_channel(on(xp, image), 2, on(xp, map_)))
    np.testing.assert_array_equal(found, np.dstack((image[..., :2], map_)))


@pytest.mark.parametrize("xp", SIDES)
@pytest.mark.parametrize("kind", [np.float32, np.uint8])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_are_averaged_and_enlarged(xp: ModuleType, kind: type, channels: int) -> None:
    image = (np.random.default_rng(3).uniform(0, 255, (32, 32, channels))).astype(kind)
    smaller, larger = (back(xp.resize(on(xp, image), size)) for size in (8, 64))
    assert smaller.dtype == larger.dtype == kind
    assert smaller.shape == (8, 8, channels)
    assert larger.shape == (64, 64, channels)
    mean = image.astype(np.float32).reshape(8, 4, 8, 4, channels).mean((1, 3))
    np.testing.assert_allclose(smaller, mean, atol=0.51 if kind == np.uint8 else 1e-3)
    # Pixel centres at +0.5: the pixel of a larger picture is a quarter of a pixel beside the smaller one's.
    between = 0.75 * image[:, :-1].astype(np.float32) + 0.25 * image[:, 1:]
    between = 0.75 * between[:-1] + 0.25 * between[1:]
    np.testing.assert_allclose(larger[1:-1:2, 1:-1:2], between, atol=1 if kind == np.uint8 else 1e-3)
    assert xp.resize(given := on(xp, image), 32) is given


def test_a_device_averages_whole_blocks_only() -> None:
    with pytest.raises(ValueError, match="whole factor"):
        device.resize(torch.zeros(30, 30, 3), 20)


def test_greys_are_the_host_s_to_a_code_value() -> None:
    image = np.random.default_rng(4).integers(0, 256, (32, 32, 3), np.uint8)
    ours, theirs = device.grey(torch.from_numpy(image)).numpy(), host.grey(image)
    assert ours.shape == theirs.shape == (32, 32, 1)
    assert ours.dtype == theirs.dtype == np.uint8
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("xp", SIDES)
@pytest.mark.parametrize("sigma", [0.64, 1.5, 3.0])
def test_a_blurred_point_is_a_gaussian(xp: ModuleType, sigma: float) -> None:
    image = np.zeros((65, 65, 1), np.float32)
    image[32, 32] = 1
    found = back(xp.blur(on(xp, image), sigma))[..., 0]
    away = np.arange(65) - 32
    line = np.exp(-0.5 * np.square(away / sigma))
    np.testing.assert_allclose(found, np.outer(line, line) / line.sum() ** 2, atol=1e-4)


@pytest.mark.parametrize("sigma", [0.64, 1.5, 18.0])
def test_blurs_are_opencv_s(sigma: float) -> None:
    image = picture(256, 256, 3)
    np.testing.assert_allclose(
        device.blur(torch.from_numpy(image), sigma).numpy(), cv2.GaussianBlur(image, (0, 0), sigma), atol=2e-5
    )


@pytest.mark.parametrize("xp", SIDES)
@pytest.mark.parametrize("by", [1, 3])
def test_a_point_grows_to_a_square_and_a_hole_closes(xp: ModuleType, by: int) -> None:
    image = np.zeros((21, 21, 1), np.float32)
    image[10, 10] = 1
    grown = back(xp.dilate(on(xp, image), by))[..., 0]
    wanted = np.zeros((21, 21))
    wanted[10 - by : 11 + by, 10 - by : 11 + by] = 1
    np.testing.assert_array_equal(grown, wanted)
    np.testing.assert_array_equal(back(xp.erode(on(xp, 1 - image), by))[..., 0], 1 - wanted)
    at_border = np.zeros((9, 9, 1), np.float32)
    at_border[0, 0] = -1
    assert back(xp.dilate(on(xp, at_border - 2), 1)).max() == -2, "nothing comes in from beyond the border"


@pytest.mark.parametrize("xp", SIDES)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("border", ["replicate", "reflect"])
def test_a_flow_of_whole_pixels_reads_those_pixels(xp: ModuleType, mode: str, border: str) -> None:
    image = picture(32, 32, 3)
    flow = np.zeros((32, 32, 2), np.float32)
    still = back(xp.warp(on(xp, image), on(xp, flow), mode=mode, border=border))
    np.testing.assert_array_equal(still, image)
    flow[...] = (5, -2)  # x to the right, y up
    found = back(xp.warp(on(xp, image), on(xp, flow), mode=mode, border=border))
    np.testing.assert_allclose(found[2:, :-5], image[:-2, 5:], atol=1e-5)
    if border == "replicate":
        np.testing.assert_allclose(found[2:, -1], image[:-2, -1], atol=1e-5)


@pytest.mark.parametrize("xp", SIDES)
def test_between_pixels_a_ramp_is_read_where_the_flow_says(xp: ModuleType) -> None:
    y, x = np.indices((32, 32), dtype=np.float32) + 0.5
    image, flow = np.dstack((x, y)), np.full((32, 32, 2), (1.25, -0.5), np.float32)
    found = back(xp.warp(on(xp, image), on(xp, flow)))
    np.testing.assert_allclose(found[4:-4, 4:-4], (image + flow)[4:-4, 4:-4], atol=1e-4)


@pytest.mark.parametrize("xp", SIDES)
def test_what_is_no_mode_is_refused(xp: ModuleType) -> None:
    image, flow = on(xp, picture(8, 8, 3)), on(xp, picture(8, 8, 2))
    with pytest.raises((KeyError, ValueError)):
        xp.warp(image, flow, mode="lanczos")
    with pytest.raises(KeyError):
        xp.warp(image, flow, border="wrap")


def test_rows_are_those_of_a_stack_and_not_copied_where_they_lie_so():
    whole = np.arange(4 * 2 * 3, dtype=np.float16).reshape(4, 2, 3)
    for parts, shares in (
        ([whole[0], whole[1], whole[2]], True),
        ([whole[0:2], whole[2:4]], True),
        ([whole[1], whole[0]], False),
        ([whole[0], whole[2]], False),
        ([whole[:, 0], whole[:, 1]], False),
        ([whole[0], whole[1].copy()], False),
        ([torch.from_numpy(whole[0]), torch.from_numpy(whole[1])], False),
    ):
        found = rows(parts)
        assert np.array_equal(found, np.stack([np.asarray(part) for part in parts]))
        assert isinstance(found, torch.Tensor) or np.shares_memory(found, whole) == shares
