"""Motion of strongly edited faces: what landmarks say, and when they are asked."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.datatypes import Flow
from videdit.faces.detector import FaceDetector
from videdit.geometry.delaunay_flow import flow_between
from videdit.hfgi.prealign import FAR, Prealigner, better
from videdit.imaging.device import DevicePixels
from videdit.imaging.host import HostPixels


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


def render(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) / 127.5 - 1


def turned(picture: np.ndarray, reach: float) -> np.ndarray:
    """The middle of a picture moved to the right by so many pixels, its border left where it is."""
    y, x = np.mgrid[:256, :256].astype(np.float32)
    away = np.clip(np.hypot(x - 128, y - 140) / 128, 0, 1)
    return cv2.remap(picture, x - reach * (1 - away**2) ** 2, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.integers(0, 1000))
def test_inside_its_points_a_map_is_what_moved_them(a, b, seed) -> None:
    points = np.stack(np.meshgrid(np.arange(40, 220, 13), np.arange(40, 220, 13)), -1).reshape(-1, 2)
    points = points + np.random.default_rng(seed).uniform(-3, 3, points.shape)
    linear = np.array([[1 + a, b], [-b, 1 - a]])
    before = (points - 128) @ linear.T + 128
    flow = flow_between(points, before, 256)
    assert flow.shape == (256, 256, 2)
    assert flow.dtype == np.float32
    at = np.stack(np.meshgrid(np.arange(70, 186), np.arange(70, 186)), -1) + 0.5
    assert np.abs(flow[70:186, 70:186] - ((at - 128) @ (linear - np.eye(2)).T)).max() < 0.05
    border = np.concatenate((flow[0], flow[-1], flow[:, 0], flow[:, -1]))
    assert np.abs(border).max() < 0.05 * np.abs(before - points).max() + 1e-4


def test_points_that_left_the_picture_are_left_out() -> None:
    points = np.array([(100.0, 100), (150, 100), (120, 150), (-5, 40), (300, 40)])
    flow = flow_between(points, points + np.array([3.0, 0]) * (points[:, :1] > 0), 256)
    assert np.isfinite(flow).all()
    assert flow[110:120, 118:124, 0].min() > 2


@pytest.mark.parametrize("kind", ["flow", "landmarks"])
def test_a_known_motion_is_found(people, detector, kind) -> None:
    pair = np.stack((render(people[0]), render(turned(people[0], 34))))
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, axis=0)
    wanted = turned(ramp, 34).astype(np.float32) - ramp[..., 0]  # where each column came from
    (flow,) = Prealigner(HostPixels(), kind, detector).memory()([pair], [0])
    assert np.abs(flow.displacement[..., 0] - wanted)[90:200, 90:180].mean() < 0.8
    assert flow.confidence[90:200, 90:180].mean() > 0.7


def test_of_two_flows_the_one_that_can_be_trusted_counts() -> None:
    displacements = (np.full((256, 256, 2), value, np.float32) for value in (1, 9))
    one, other = (Flow(displacement, np.zeros((256, 256), np.float32)) for displacement in displacements)
    one.confidence[:, :100], other.confidence[:, 150:] = 0.8, 0.6
    found = better(one, other)
    assert np.allclose(found.displacement[:, :100], 1)
    assert np.allclose(found.displacement[:, 150:], 9, atol=1e-3)
    assert np.allclose(found.displacement[:, 100:150], 1)
    assert found.confidence.max() <= 0.8
    same = better(one, one)
    assert np.allclose(same.displacement, one.displacement)
    assert np.allclose(same.confidence, one.confidence)


def test_two_equal_pictures_have_not_moved_whatever_the_kind(people, detector) -> None:
    pair = np.stack((render(people[1]),) * 2)
    for kind in ("auto", "landmarks", "flow", "none"):
        (flow,) = Prealigner(HostPixels(), kind, detector).memory()([pair], [0])
        assert np.abs(flow.displacement).max() == 0
        assert flow.confidence.min() > 0.9999


def test_landmarks_are_asked_only_where_the_face_moves_far(people, detector) -> None:
    asked = []

    class Asked:
        def aligned(self, picture):
            asked.append(picture)
            return detector.aligned(picture)

    flows = Prealigner(HostPixels(), "auto", Asked()).memory()
    near = np.stack((render(people[0]), render(turned(people[0], 2))))
    far = np.stack((render(people[0]), render(turned(people[0], 3 * FAR))))
    flows([near, near], [0, 0])
    assert not asked
    found = flows([near, far], [0, 1])
    assert len(asked) == 2
    assert np.array_equal(found[0].displacement, HostPixels().flows([near])[0].displacement)


def test_a_picture_without_a_face_keeps_its_flow(detector) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (16, 16, 3)).astype(np.float32)
    one = cv2.resize(noise, (256, 256), interpolation=cv2.INTER_CUBIC)
    pair = np.stack((one, turned(one, 30)))
    (found,) = Prealigner(HostPixels(), "landmarks", detector).memory()([pair], [0])
    assert np.array_equal(found.displacement, HostPixels().flows([pair])[0].displacement)


def test_tensors_and_arrays_give_nearly_the_same_flow(people, detector) -> None:
    pair = np.stack((render(people[0]), render(turned(people[0], 26))))
    device = DevicePixels("cpu", "fp32")
    (host,) = Prealigner(HostPixels(), "landmarks", detector).memory()([pair], [0])
    (other,) = Prealigner(device, "landmarks", detector).memory()([device.put(pair)], [0])
    face = (slice(90, 200), slice(90, 180))
    # The flows themselves are of two kinds.
    assert np.abs(host.displacement - device.fetch(other.displacement))[face].mean() < 0.5
