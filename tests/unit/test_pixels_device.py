"""Pixels on a device against those on the host.

The device is the CPU here: the same code, without streams and graphs. tests/gpu repeats all of this on a GPU.
"""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_blend import edited, picture
from test_detail import moved, smooth_image
from test_geometry_mask import round_mesh
from test_geometry_warp import square

from videdit.datatypes import LOW, Color, Crop, Edited, Flow, Frame, Picture, Rendering
from videdit.geometry.ffhq_align import crop_matrix
from videdit.imaging.device import DevicePixels
from videdit.imaging.host import HostPixels
from videdit.imaging.lucas_kanade import dense_flow
from videdit.imaging.optical_flow import warp_distortion_map
from videdit.imaging.paste import add_changes
from videdit.stages.paste import Paste

HOST = HostPixels("cpu", "fp32")


@pytest.fixture(scope="module")
def device() -> DevicePixels:
    return DevicePixels("cpu", "fp32")


def on(device: DevicePixels, value):
    """An array as a tensor; a packet with tensors for its images."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value).to(device.device)
    images = {k: getattr(value, k) for k in value.__dataclass_fields__ if k not in ("to_frame", "mesh")}
    return replace(value, **{k: on(device, v) for k, v in images.items() if isinstance(v, np.ndarray | Flow)})


def smooth_picture(depth: int, matrix: str, chroma: tuple[int, int]) -> Picture:
    height, width, top = 121, 160, (1 << depth) - 1
    shapes = [(height, width)] + [(-(-height // (1 << chroma[1])), -(-width // (1 << chroma[0])))] * 2
    planes = []
    for i, (h, w) in enumerate(shapes[: 1 if matrix == "gray" else 3]):
        plane = cv2.resize(smooth_image(32, i)[..., 0], (w, h), interpolation=cv2.INTER_CUBIC)
        planes.append(np.rint((plane * 0.4 + 0.5) * top).astype(np.uint8 if depth == 8 else np.uint16))
    color = Color(matrix=matrix, depth=depth, chroma_log2=chroma, full_range=matrix == "rgb")
    return Picture(tuple(planes), color, "")


@pytest.mark.parametrize(
    ("depth", "matrix", "chroma"),
    [(8, "bt709", (1, 1)), (10, "bt2020", (1, 0)), (8, "bt601", (0, 0)), (12, "rgb", (0, 0)), (8, "gray", (0, 0))],
)
@given(st.builds(square, st.floats(0, 160), st.floats(0, 120), st.floats(10, 80), st.floats(-3, 3)))
@settings(max_examples=8, deadline=None)
def test_crops_are_the_host_s(
    device: DevicePixels, depth: int, matrix: str, chroma: tuple[int, int], corners: np.ndarray
) -> None:
    source = smooth_picture(depth, matrix, chroma)
    places = [(crop_matrix(corners, size), size) for size in (32, 64, 256)]
    for ours, theirs in zip(device.crop(source, places), HOST.crop(source, places), strict=True):
        assert ours.dtype == torch.uint8
        assert ours.shape == theirs.shape
        difference = np.abs(ours.cpu().numpy().astype(int) - theirs)
        # Chroma halfway between two code values is rounded up here and down there: up to 2 and a half of blue.
        assert difference.max() <= 5
        assert difference.mean() < 0.3
        assert (difference > 2).mean() < 0.02


def known_flow(kind: str) -> np.ndarray:
    """[256, 256, 2] (x, y) pixels."""
    y, x = np.mgrid[:LOW, :LOW].astype(np.float32)
    near = np.exp(-((x - 128) ** 2 + (y - 170) ** 2) / (2 * 20**2))
    return {
        "shift": np.stack((np.full_like(x, -6), np.full_like(x, 4)), -1),
        "waves": np.stack((4 * np.sin(y / 30), 4 * np.cos(x / 35)), -1),
        "mouth": np.stack((5 * near, -6 * near), -1),
        "zoom": np.stack(((x - 128) * 0.05, (y - 128) * 0.05), -1),
    }[kind]


@pytest.mark.parametrize("kind", ["shift", "waves", "mouth", "zoom"])
@pytest.mark.parametrize("brighter", [0.0, 0.1])
def test_flow_finds_known_motion(device: DevicePixels, kind: str, brighter: float) -> None:
    images, targets, flows = [], [], []
    for seed, cells in ((1, 14), (2, 40)):
        image, flow = smooth_image(LOW, seed, cells)[..., 0] * 0.8, known_flow(kind)
        y, x = np.mgrid[:LOW, :LOW].astype(np.float32)
        target = cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        images.append(image), targets.append(target + brighter), flows.append(flow)
    pairs = (on(device, np.stack(several))[..., None] for several in (images, targets))
    found = dense_flow(*pairs).cpu().numpy()
    inner = slice(24, -24)
    assert np.linalg.norm(found - np.stack(flows), axis=-1)[:, inner, inner].mean() < 0.3


def test_equal_pictures_do_not_move_at_all(device: DevicePixels) -> None:
    same = on(device, np.stack([smooth_image(LOW, 3)] * 2))
    (flow,) = device.flows([same])
    assert not flow.displacement.any()
    assert (flow.confidence == 1).all()


def test_flows_of_a_batch_are_those_of_each_alone(device: DevicePixels) -> None:
    lows = []
    for seed in range(3):
        image = smooth_image(LOW, seed)
        lows.append(on(device, np.stack((image, moved(image, 3 - seed, seed)))))
    for one, low in zip(device.flows(lows), lows, strict=True):
        (alone,) = device.flows([low])
        torch.testing.assert_close(one.displacement, alone.displacement, atol=1e-4, rtol=0)
        torch.testing.assert_close(one.confidence, alone.confidence, atol=1e-4, rtol=0)


def test_flow_agrees_with_the_host_s(device: DevicePixels) -> None:
    before = smooth_image(LOW, 4) * 0.8
    after = moved(before, 4, -2)
    after[120:160, 100:160] = (0.9, 0.9, 0.8)  # something new
    low = np.stack((before, after))
    (ours,), (theirs,) = device.flows([on(device, low)]), HOST.flows([low])
    surely = theirs.confidence > 0.9
    surely[:24], surely[-24:], surely[:, :24], surely[:, -24:] = False, False, False, False
    assert np.linalg.norm(ours.displacement.cpu().numpy() - theirs.displacement, axis=-1)[surely].mean() < 0.3
    assert np.abs(ours.confidence.cpu().numpy() - theirs.confidence).mean() < 0.05
    assert ours.confidence[128:152, 110:150].mean() < 0.15


def some_flow(seed: int) -> Flow:
    confidence = np.clip(smooth_image(LOW, seed)[..., 0] + 0.5, 0, 1)
    return Flow(smooth_image(LOW, seed + 1, 6)[..., :2] * 5, confidence)


def test_a_distortion_map_is_carried_as_on_the_host(device: DevicePixels) -> None:
    distortion, flow = smooth_image(LOW, 5), some_flow(6)
    ours = device.warp_distortion_map(on(device, distortion), on(device, flow))
    np.testing.assert_allclose(ours.cpu().numpy(), warp_distortion_map(distortion, flow), atol=2e-3)


def some_parts() -> np.ndarray:
    return np.clip(np.stack([smooth_image(128, seed)[..., 0] for seed in range(20, 29)]), 0, 1).astype(np.float16)


@pytest.mark.parametrize("parsed", ["not", "source", "both"])
@pytest.mark.parametrize("size", [256, 512, 1024])
def test_detail_is_returned_as_on_the_host(device: DevicePixels, size: int, parsed: str) -> None:
    noise = np.random.default_rng(7).normal(0, 12, (size, size, 3))
    image = np.clip(smooth_image(size, 8) * 90 + 127.5 + noise, 0, 255).astype(np.uint8)
    inversion, edit = smooth_image(size, 8) * 0.7, smooth_image(size, 9) * 0.2 + smooth_image(size, 8) * 0.6
    low = [cv2.resize(render, (LOW, LOW), interpolation=cv2.INTER_AREA) for render in (inversion, edit)]
    flow = some_flow(10)
    crop = Crop(0, image, np.eye(2, 3), 1.0, parts=some_parts() if parsed != "not" else None)
    rendering = Rendering(*low, flow, inversion, edit, some_parts()[::-1].copy() if parsed == "both" else None)
    if parsed == "both":
        asked = device.edit_to_parse(on(device, crop), on(device, rendering))
        np.testing.assert_array_equal(asked.cpu().numpy(), HOST.edit_to_parse(crop, rendering))
    theirs = HOST.change(crop, rendering)
    ours = device.change(on(device, crop), on(device, rendering)).cpu().numpy()
    inner = slice(size // 16, -size // 16)  # nearer to the border they mirror in two ways, and nothing is pasted
    difference = np.abs(ours.astype(np.float32) - theirs)[inner, inner]
    # OpenCV rounds places to 1/32 px: that is what is left, of noise of 0.1.
    assert difference.mean() < 0.005
    assert difference.max() < 0.15


def test_no_edit_is_no_change_at_all(device: DevicePixels) -> None:
    image = np.random.default_rng(11).integers(0, 256, (512, 512, 3)).astype(np.uint8)
    render = on(device, smooth_image(512, 12))
    low = on(device, smooth_image(LOW, 13))
    (flow,) = device.flows([torch.stack((low, low))])
    crop = Crop(0, on(device, image), np.eye(2, 3), 1.0, parts=on(device, some_parts()))
    assert device.change(crop, Rendering(low, low, flow, render, render)).abs().max() < 1e-6


@pytest.mark.parametrize("size", [256, 1024])
@pytest.mark.parametrize("regions", [["face"], ["eyes", "hair"], ["lips"], ["head"], ["crop"]])
def test_masks_are_the_host_s(device: DevicePixels, regions: list[str], size: int) -> None:
    crop = Crop(0, np.zeros((size, size, 3), np.uint8), np.eye(2, 3), 1.0, round_mesh(size), some_parts())
    flow = some_flow(18)
    for where in (crop, replace(crop, parts=None), replace(crop, mesh=None)):
        ours = device.mask(on(device, where), on(device, flow), regions).cpu().numpy()
        difference = np.abs(ours.astype(int) - HOST.mask(where, flow, regions))
        # OpenCV rounds places to 1/32 px.
        assert difference.max() <= 8
        assert difference.mean() < 0.5


@pytest.mark.parametrize("matrix", ["bt709", "rgb"])
@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("scale", [0.4, 1.0, 1.7])
def test_changes_are_pasted_as_on_the_host(device: DevicePixels, depth: int, matrix: str, scale: float) -> None:
    before = picture(depth=depth, matrix=matrix)
    edits = []
    for seed, x in ((14, 7.3), (15, 20.0)):  # they overlap
        edit = edited(x=x, y=12.6, scale=scale)
        edit.change[...] = smooth_image(32, seed)
        edits.append(edit)
    theirs = add_changes(before, edits)
    ours = device.paste(before, [on(device, edit) for edit in edits])()
    for source, a, b in zip(before.planes, ours.planes, theirs.planes, strict=True):
        assert a.dtype == b.dtype
        difference = np.abs(a.astype(int) - b)
        moved_by = np.abs(b.astype(int) - source).max()
        assert difference.max() <= 1 + 0.05 * moved_by
        assert difference.mean() < 0.1 * (1 << (depth - 8))
        assert (difference[b == source] <= 1).all()


@pytest.mark.parametrize("depth", [8, 10, 16])
def test_no_change_keeps_every_bit(device: DevicePixels, depth: int) -> None:
    before = picture(depth=depth)
    after = device.paste(before, [on(device, edited(change=0.0, scale=0.83))])()
    assert all(map(np.array_equal, before.planes, after.planes))


def test_pasting_does_not_write_to_the_source_and_outside_the_frame_is_nothing(device: DevicePixels) -> None:
    before = picture()
    copies = [plane.copy() for plane in before.planes]
    after = device.paste(before, [on(device, edited(change=0.5, x=-20.5, y=-8)), on(device, edited(x=500, y=500))])()
    assert all(map(np.array_equal, before.planes, copies))
    assert (after.planes[0] != before.planes[0]).any()
    assert (after.planes[0][40:] == before.planes[0][40:]).all()
    nothing = device.paste(before, [on(device, edited(x=500, y=500))])()
    assert all(a is b for a, b in zip(nothing.planes, before.planes, strict=True))


def frame_of(index: int, edits: tuple[Edited, ...]) -> Frame:
    return Frame(index, index, Fraction(1, 25), index / 25, picture(seed=index), edits=edits)


def test_frames_keep_their_order_while_their_pictures_are_on_the_way(device: DevicePixels) -> None:
    assert device.ahead > 0
    edits = [() if i % 3 == 1 else (edited(change=0.1 * i, x=float(i)),) for i in range(3 * device.ahead)]
    theirs = list(Paste(HOST)(frame_of(i, own) for i, own in enumerate(edits)))
    on_device = [tuple(on(device, edit) for edit in own) for own in edits]
    ours = list(Paste(device)(frame_of(i, own) for i, own in enumerate(on_device)))
    assert [frame.index for frame in ours] == list(range(len(edits)))
    for a, b in zip(ours, theirs, strict=True):
        assert not a.edits
        for p, q in zip(a.picture.planes, b.picture.planes, strict=True):
            assert np.abs(p.astype(int) - q).max() <= 1


def test_a_frame_on_a_device_weighs_what_it_does_on_the_host(device: DevicePixels) -> None:
    flow, image = some_flow(16), np.zeros((512, 512, 3), np.float32)
    crop = Crop(0, image.astype(np.uint8), np.eye(2, 3), 1.0)
    rendering = Rendering(image[:LOW, :LOW].copy(), image[:LOW, :LOW].copy(), flow, image, image.copy())
    frame = replace(frame_of(0, (edited(),)), crops=(crop,), renderings=(rendering,))
    kinds = ("crops", "renderings", "edits")
    same = replace(frame, **{kind: tuple(on(device, packet) for packet in getattr(frame, kind)) for kind in kinds})
    assert same.nbytes == frame.nbytes > 2 * image.nbytes


def linear_picture() -> Picture:
    """Floating point RGB, up to eight times white, with what only such planes can hold in a corner."""
    planes = [np.float32(8) * (smooth_image(81, i)[:60, :, 0] * 0.5 + 0.5) ** 3 for i in range(3)]
    planes[0][0, :4] = (np.inf, np.nan, -0.0, -1.0)
    color = Color("rgb", full_range=True, depth=32, chroma_log2=(0, 0), transfer="linear")
    return Picture(tuple(planes), color, "gbrpf32le")


@pytest.mark.parametrize("transfer", ["pq", "hlg", "linear"])
def test_hdr_is_seen_and_changed_as_on_the_host(device: DevicePixels, transfer: str) -> None:
    source = smooth_picture(10, "bt2020", (1, 1))
    hdr = replace(source, color=replace(source.color, transfer=transfer))
    source = linear_picture() if transfer == "linear" else hdr
    places = [(np.array([[0.8, 0, 4.0], [0, 0.8, 3.0]]), 64)]
    (ours,), (theirs,) = device.crop(source, places), HOST.crop(source, places)
    difference = np.abs(ours.cpu().numpy().astype(int) - theirs)
    assert difference.max() <= 6
    assert difference.mean() < 0.5
    crop = Crop(0, theirs, places[0][0], 1.0)
    change = (smooth_image(64, 9) * 0.2).astype(np.float16)
    found = device.change_of_code(on(device, change), on(device, crop), source.color)
    expected = HOST.change_of_code(change, crop, source.color)
    assert found.dtype == torch.float16
    assert expected.dtype == np.float16
    np.testing.assert_allclose(found.float().cpu().numpy(), expected.astype(np.float32), atol=2e-3, rtol=2e-3)


def test_floating_point_planes_keep_their_bits_where_nothing_changes(device: DevicePixels) -> None:
    before, edit = linear_picture(), edited(x=20, y=20, scale=0.9)
    edit.change[...] = smooth_image(32, 4) * 0.5
    results = [add_changes(before, [edit]), device.paste(before, [on(device, edit)])()]
    for after in results:
        for old, new in zip(before.planes, after.planes, strict=True):
            assert new.dtype == np.float32
            assert old[:16].tobytes() == new[:16].tobytes()
            assert (old != new)[16:].any()
    for one, other in zip(*(after.planes for after in results), strict=True):
        np.testing.assert_allclose(one, other, atol=0.02)
