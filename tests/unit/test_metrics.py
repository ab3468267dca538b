"""Metrics against pictures, flows and clips whose answer is known."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.cli.eval import main, span
from videdit.errors import MediaError, UsageError
from videdit.evaluation.image import psnr, ssim
from videdit.evaluation.report import Evaluation, mean_row
from videdit.evaluation.sheet import contact_sheet, write_sheet
from videdit.evaluation.stills import changes, load_faces
from videdit.evaluation.temporal import identity_stability, warp_errors


def texture(height: int = 160, width: int = 160, seed: int = 0) -> np.ndarray:
    """Smooth noise that flow can follow, [H, W, 3] uint8."""
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.clip(128 + 45 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def drifting(frames: int = 4, step: int = 2, seed: int = 0) -> np.ndarray:
    """A texture that moves by `step` pixels a frame, [T, 96, 96, 3]."""
    wide = texture(seed=seed)
    return np.stack([wide[20:116, 20 + step * t : 116 + step * t] for t in range(frames)])


@given(level=st.floats(0.01, 0.9))
@settings(max_examples=20, deadline=None)
def test_psnr_of_a_known_difference(level: float) -> None:
    a = torch.zeros(2, 3, 8, 8)
    expected = -20 * math.log10(level / 2)
    assert psnr(a, a + level).tolist() == pytest.approx([expected] * 2, abs=1e-3)


def test_psnr_counts_only_what_the_mask_shows() -> None:
    a, mask = torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    b = a.clone()
    b[..., :4] = 1.0
    mask[..., :4] = 1
    assert psnr(a, b, mask).item() == pytest.approx(-20 * math.log10(0.5), abs=1e-4)
    assert psnr(a, b, 1 - mask).item() == math.inf
    assert psnr(a, b).item() == pytest.approx(-10 * math.log10(0.125), abs=1e-4)


def test_ssim_of_flat_pictures_is_its_luminance_term() -> None:
    a, b = torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), -0.25)
    c1, x, y = 0.01**2, 0.75, 0.375
    assert ssim(a, b).item() == pytest.approx((2 * x * y + c1) / (x * x + y * y + c1), abs=1e-4)


def test_ssim_agrees_with_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    a, b = texture(64, 64, 1), texture(64, 64, 2)
    b = (0.7 * a + 0.3 * b).astype(np.uint8)
    theirs = metrics.structural_similarity(
        a, b, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    x, y = (torch.from_numpy(p).permute(2, 0, 1)[None].float() / 127.5 - 1 for p in (a, b))
    assert ssim(x, y).item() == pytest.approx(theirs, abs=2e-4)
    assert ssim(x, x).item() == pytest.approx(1, abs=1e-5)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(seed=st.integers(0, 1000), frames=st.integers(2, 6))
@settings(max_examples=20, deadline=None)
def test_a_clip_is_as_steady_as_itself(seed: int, frames: int) -> None:
    rows = unit(1 + 0.2 * np.random.default_rng(seed).standard_normal((frames, 16)))
    steady = identity_stability(rows, rows)
    assert (steady.local, steady.all) == pytest.approx((1, 1))


def test_stability_of_known_angles() -> None:
    def turning(degrees: float) -> np.ndarray:
        angles = np.radians(degrees) * np.arange(3)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    steady = identity_stability(turning(10), turning(30))
    local, two_apart = (math.cos(math.radians(a * 30)) / math.cos(math.radians(a * 10)) for a in (1, 2))
    assert steady.local == pytest.approx(local)
    assert steady.all == pytest.approx((2 * local + two_apart) / 3)
    better = identity_stability(turning(30), turning(10))
    assert (better.local, better.all) == (1, 1)


def test_stability_wants_equal_rows() -> None:
    with pytest.raises(ValueError, match="equal"):
        identity_stability(np.eye(3), np.eye(4))


@given(step=st.integers(-3, 3))
@settings(max_examples=7, deadline=None)
def test_a_translation_warps_onto_itself(step: int) -> None:
    clip = drifting(step=abs(step))
    clip = clip if step >= 0 else clip[::-1]
    (own,) = warp_errors(clip, clip)
    still = float(np.mean(np.square((clip[1:].astype(float) - clip[:-1]) / 255)))
    assert own <= 0.05 * still + 1e-6


def test_what_does_not_move_with_the_source_costs() -> None:
    source = drifting()
    stuck = source.copy()
    stuck[:, 30:60, 30:60] = texture(30, 30, 5)  # dirt on the lens
    flicker = np.clip(source.astype(int) + 12 * (-1) ** np.arange(4)[:, None, None, None], 0, 255).astype(np.uint8)
    own, dirty, flickering, same = warp_errors(source, source, stuck, flicker, source)
    assert own == same
    assert dirty > 5 * own
    assert flickering == pytest.approx((24 / 255) ** 2, rel=0.25)


def test_hidden_pixels_do_not_count() -> None:
    """A patch that slides over a still ground: what it uncovers was never seen before, and is no error."""
    ground, patch = texture(96, 96, 1), texture(30, 30, 2)
    clip = np.stack([ground.copy() for _ in range(2)])
    for t in range(2):
        clip[t, 30:60, 20 + 6 * t : 50 + 6 * t] = patch
    (own,) = warp_errors(clip, clip)
    assert own < 0.2 * float(np.mean(np.square((clip[1].astype(float) - clip[0]) / 255)))


def scores(**values: float) -> dict[str, np.ndarray]:
    names = {"happy": 0.1, "smile": -3.0, "age": 30.0, "yaw": 0.0, **values}
    return {name: np.full(4, value) for name, value in names.items()}


def test_changes_in_standard_deviations_and_leaks() -> None:
    row = changes("age", 1.0, scores(), scores(age=30 + 12.1, yaw=0.5 * 11.6))
    assert row["sd"] == pytest.approx(1)
    assert row["worst leak"] == "yaw 0.50"
    assert row["mean leak"] == pytest.approx(0.25)  # of smile and yaw; "happy" says the same as smile


def test_smiles_count_where_there_was_none() -> None:
    before, after = scores(), scores(happy=0.9)
    before["happy"][:2] = after["happy"][:2] = 1.0
    row = changes("happy", 1.5, before, after)
    assert (row["before"], row["after"]) == pytest.approx((0.1, 0.9))
    assert changes("unheard-of", 1.0, before, after)["sd"] is None


def test_report_as_table_json_and_beside_an_earlier_one(tmp_path) -> None:
    rows = [{"clip": "a", "psnr": 20.0, "frames": "5"}, {"clip": "b", "psnr": math.inf, "frames": "6"}]
    result = Evaluation([*rows, mean_row("mean", rows[:1])], notes=["said"])
    assert str(result).splitlines() == [
        "clip  psnr  frames",
        "a     20.0       5",
        "b      inf       6",
        "mean  20.0       -",
        "said",
    ]
    path = tmp_path / "deep" / "old.json"
    result.write_json(path)
    assert json.loads(path.read_text())["rows"][1] == {"clip": "b", "psnr": None, "frames": "6"}
    later = Evaluation([{"clip": "a", "psnr": 21.0}])
    later.put_beside(path)
    assert [row["clip"] for row in later.rows] == ["a", "  old"]
    path.write_text("[]")
    with pytest.raises(UsageError, match="--json"):
        later.put_beside(path)


def test_sheet_has_a_tile_for_each_picture(tmp_path) -> None:
    red = np.full((20, 20, 3), (255, 0, 0), np.uint8)
    sheet = contact_sheet([[red, red], [red]], ["one", "two"], tile=32)
    assert sheet.shape == (16 + 64, 64, 3)
    assert (sheet[20, 40] == (255, 0, 0)).all()
    assert not (sheet[60, 40] == (255, 0, 0)).all()
    write_sheet(tmp_path / "s.png", sheet)
    assert (cv2.imread(str(tmp_path / "s.png"))[:, :, ::-1] == sheet).all()
    with pytest.raises(MediaError, match="cannot write"):
        write_sheet(tmp_path / "s.png" / "t.png", sheet)


def test_faces_come_by_name_and_bad_ones_are_named(tmp_path) -> None:
    for i in (2, 0, 1):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((8, 8, 3), (i, 0, 0), np.uint8))
    assert [int(face[0, 0, 2]) for face in load_faces(tmp_path, slice(1, 3))] == [1, 2]
    with pytest.raises(MediaError, match="no pictures"):
        load_faces(tmp_path, slice(5, 9))
    (tmp_path / "3.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match="3.png"):
        load_faces(tmp_path, slice(None))


def test_words_of_the_command() -> None:
    assert span("950:1000") == slice(950, 1000)
    assert span(":5") == slice(None, 5)
    with pytest.raises(UsageError, match="pairs"):
        main(["video", "one.mp4"])
    with pytest.raises(UsageError, match="not a range"):
        main(["inversion", "--range", "all"])
