"""Smoothing keeps motion, drops jitter, has no lag, and works on frame times, not frame numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.geometry.ffhq_align import crop_side, ffhq_square
from videdit.geometry.landmark_smoothing import AXES, CENTRE, local_fit, smooth_points
from videdit.stages.assign_faces import REACH

FACE = np.array([(-30.0, -20), (30, -20), (0, 5), (-22, 40), (22, 40)]) + (200, 200)  # crop side 240
AHEAD = REACH  # as the recall stage


def smoothed(times: np.ndarray, points: np.ndarray) -> np.ndarray:
    """[T, 5, 2] all frames as the recall stage smooths them: a window of AHEAD seconds on either side."""
    out = []
    for t in times:
        near = np.abs(times - t) <= AHEAD + 1e-9
        out.append(smooth_points(times[near], points[near], t))
    return np.stack(out)


def moved(offsets: np.ndarray) -> np.ndarray:
    """[T, 2] -> the face's points [T, 5, 2] at these offsets."""
    return FACE + offsets[:, None, :]


def inner(values: np.ndarray) -> np.ndarray:
    return values[10:-10]


@pytest.mark.parametrize("fps", [24, 30, 60])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_nod_loses_at_most_five_percent(fps: int, noise: float) -> None:
    times = np.arange(3 * fps) / fps
    nod = 20 * np.sin(2 * np.pi * times)  # 40 px from top to bottom, at 1 Hz
    shake = np.random.default_rng(0).normal(0, noise, (len(times), 5, 2))
    result = smoothed(times, moved(np.stack([0 * nod, nod], axis=1)) + shake)
    found = ffhq_square(result)[0][:, 1] - ffhq_square(FACE)[0][1]
    waves = np.stack([np.sin(2 * np.pi * times), np.cos(2 * np.pi * times)], axis=1)
    (kept, lag), *_ = np.linalg.lstsq(inner(waves), inner(found), rcond=None)
    assert kept / 20 > 0.95
    assert abs(lag) / 20 < 0.02  # zero phase
    assert np.abs(inner(found - nod)).max() < 1.0 + 2 * noise


@pytest.mark.parametrize("fps", [25, 30])
def test_a_still_head_stands_still(fps: int) -> None:
    times = np.arange(4 * fps) / fps
    raw = moved(np.zeros((len(times), 2))) + np.random.default_rng(1).normal(0, 0.2, (len(times), 5, 2))
    result = smoothed(times, raw)
    before, after = ((ffhq_square(points)[0], ffhq_square(points)[1]) for points in (raw, result))
    for i, drop in ((0, 4), (1, 5)):  # the centre, the axes: from frame to frame
        shake, left = np.diff(before[i], axis=0).std(), np.diff(after[i], axis=0).std()
        assert left < shake / drop


def test_a_jerk_is_followed_at_once() -> None:
    times = np.arange(60) / 25
    jerk = np.where(times < 1.2, 0.0, 30.0)  # from one frame to the next
    result = smoothed(times, moved(np.stack([jerk, 0 * jerk], axis=1)))
    found = ffhq_square(result)[0][:, 0] - ffhq_square(FACE)[0][0]
    assert np.abs(found - jerk).max() < 6  # 2.5 % of the crop; a Gaussian of one frame would be off by 9


@given(st.lists(st.floats(0.008, 0.1), min_size=12, max_size=40), st.floats(-300, 300), st.floats(-300, 300))
@settings(max_examples=40, deadline=None)
def test_steady_motion_is_kept_at_any_frame_times(steps: list[float], vx: float, vy: float) -> None:
    # Variable frame rate: a head that moves at constant speed is moved by nothing.
    times = np.cumsum(steps)
    points = moved(np.outer(times, (vx, vy)))
    np.testing.assert_allclose(smoothed(times, points), points, atol=1e-6)


def test_one_frame_is_left_alone() -> None:
    np.testing.assert_allclose(smooth_points(np.array([1.5]), FACE[None], 1.5), FACE, atol=1e-9)


def test_speech_moves_the_size_less_than_the_mouth() -> None:
    times = np.arange(100) / 30
    points = moved(np.zeros((100, 2)))
    points[:, 3:, 1] += (10 + 2 * np.sin(2 * np.pi * 5 * times))[:, None]  # jaw, 5 Hz
    raw, result = ([crop_side(p) for p in points], [crop_side(p) for p in smoothed(times, points)])
    assert np.std(inner(np.array(result))) < 0.5 * np.std(inner(np.array(raw)))


@given(st.integers(0, 2), st.integers(1, 30))
def test_local_fit_is_exact_for_polynomials(degree: int, count: int) -> None:
    times = np.linspace(-0.3, 0.3, 2 * count + 1)
    values = np.stack([3 - 2 * times, 3 + times], axis=1) if degree else np.full((len(times), 2), 3.0)
    np.testing.assert_allclose(local_fit(times, values, 0.1, degree), [3, 3], atol=1e-6)


def test_smoothers_agree_with_the_words_about_them() -> None:
    times = np.arange(-30, 31) / 30
    nod = np.cos(2 * np.pi * times)[:, None]
    assert local_fit(times, nod, 0.1, 1)[0] == pytest.approx(0.82, abs=0.01)
    assert local_fit(times, nod, CENTRE.moving, 2)[0] > 0.985
    assert AXES.still > AXES.moving > AXES.jerking
