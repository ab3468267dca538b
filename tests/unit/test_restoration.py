"""Restoration: the network, ruined faces, who needs it, and its way through the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from videdit.datatypes import Color, Crop, Frame, Picture, Rendering
from videdit.errors import UsageError, WeightsError
from videdit.evaluation.restoration import pair_psnr, worn
from videdit.imaging.degradation import add_noise, blur_kernel, ruin
from videdit.imaging.host import HostPixels
from videdit.imaging.inverse_search import InverseSearch
from videdit.imaging.optical_flow import estimate_flow
from videdit.jobs.render_job import RenderJob
from videdit.models.restorer import MULTIPLE, Restorer
from videdit.restoration.policy import PUBLISHED, RAMP, RestorationGate, RestorerChoice, choose, sharpness
from videdit.restoration.restorer import CropRestorer, RestorerSpec, resized, small_network
from videdit.stages.restore import Restore, mix
from videdit.stages.transfer_detail import TransferDetail
from videdit.weights.install import import_file

HOST = HostPixels("cpu", "fp32")
SMALL, AUTO = RestorerChoice("small"), RestorerChoice("small", if_needed=True)


def test_a_fresh_restorer_gives_back_what_it_is_given() -> None:
    net = Restorer().eval()
    for size in (MULTIPLE, 64, 128):
        x = torch.rand(1, 3, size, size) * 2 - 1
        with torch.inference_mode():
            torch.testing.assert_close(net(x), x, atol=0, rtol=0)
    assert sum(p.numel() for p in net.parameters()) < 1.5e6


def test_blur_kernels_are_gaussians_as_wide_and_turned_as_told() -> None:
    kernel = blur_kernel(3.0, 1.0, 0.0)
    y, x = (axis - kernel.shape[0] // 2 for axis in np.indices(kernel.shape))
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert np.sqrt((kernel * x**2).sum()) == pytest.approx(3, rel=0.1)
    assert np.sqrt((kernel * y**2).sum()) == pytest.approx(1, rel=0.1)
    np.testing.assert_allclose(blur_kernel(3.0, 1.0, np.pi / 2), kernel.T, atol=1e-6)


def test_ruined_faces_keep_their_size_and_lose_something(people: list[np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    face, lost = people[0], []
    for _ in range(30):
        bad = ruin(face, rng)
        assert bad.shape == face.shape
        assert bad.dtype == np.uint8
        lost.append(pair_psnr(bad, face))
    assert 18 < np.median(lost) < 35
    assert any(np.isinf(lost)) or max(lost) > 30  # some are left nearly or wholly as they are


def test_noise_has_the_strength_that_it_is_given() -> None:
    noisy = add_noise(np.full((200, 200, 3), 128, np.uint8), 5.0, np.random.default_rng(0))
    assert noisy.std() == pytest.approx(5, rel=0.05)


def test_the_judged_input_is_the_same_every_time(people: list[np.ndarray]) -> None:
    first, second = worn(people[0], 3), worn(people[0], 3)
    np.testing.assert_array_equal(first[1], second[1])
    assert first[0].shape == first[1].shape == (128, 128, 3)
    assert 15 < pair_psnr(*first) < 30


@pytest.fixture(scope="module")
def soft(people: list[np.ndarray]) -> np.ndarray:
    """A face of 180 px in its frame, of which only a third of the pixels are real, in a crop of 256 px."""
    small = cv2.resize(people[0], (60, 60), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.resize(small, (180, 180), interpolation=cv2.INTER_CUBIC), (256, 256))


@pytest.fixture(scope="module")
def sharp(people: list[np.ndarray]) -> np.ndarray:
    return cv2.resize(cv2.resize(people[0], (180, 180), interpolation=cv2.INTER_AREA), (256, 256))


def test_sharpness_tells_soft_faces_from_small_ones(soft: np.ndarray, sharp: np.ndarray) -> None:
    assert sharpness(sharp, 180) > 0.7 > 0.62 > sharpness(soft, 180)


def test_who_is_small_and_soft_is_restored(soft: np.ndarray, sharp: np.ndarray) -> None:
    assert RestorationGate()(1, 0.0, 180, lambda: soft) == 1
    assert RestorationGate()(1, 0.0, 180, lambda: sharp) == 0
    assert RestorationGate()(1, 0.0, 400, lambda: soft) == 0  # large
    either = [
        RestorationGate(either=True)(1, 0.0, side, lambda c=c: c)
        for side, c in ((180, sharp), (400, soft), (400, sharp))
    ]
    assert either == [1, 1, 0]


def test_a_track_keeps_its_mind_through_a_few_blurred_frames(soft: np.ndarray, sharp: np.ndarray) -> None:
    need = RestorationGate()
    crops = [sharp] * 10 + [soft] * 3 + [sharp] * 10
    assert {need(1, i / 25, 180, lambda crop=crop: crop) for i, crop in enumerate(crops)} == {0.0}


def test_faces_are_looked_at_no_more_often_than_it_takes(soft: np.ndarray) -> None:
    looks: list[float] = []
    for side, expected in ((180, 6), (400, 0)):
        looks.clear()
        need = RestorationGate()
        for i in range(26):
            need(1, i / 25, side, lambda i=i: looks.append(i / 25) or soft)
        assert max(expected - 1, 0) <= len(looks) <= expected


def test_frames_in_which_nobody_needs_it_do_not_wait(sharp: np.ndarray) -> None:
    eye = np.array([[180 / 256, 0, 0], [0, 180 / 256, 0]])
    given = [replace(frame, crops=(Crop(0, sharp, eye, 1.0),)) for frame in frames([[0], [0]])]
    stage = Restore(AUTO, restorer=cast(CropRestorer, Brighter()), pixels=HOST)
    arrived = []

    def arriving() -> Iterator[Frame]:
        for frame in given:
            arrived.append(frame)
            yield frame

    assert next(stage(arriving())) is given[0]
    assert len(arrived) == 1


def test_a_change_of_mind_fades(soft: np.ndarray, sharp: np.ndarray) -> None:
    need = RestorationGate()
    levels = [need(1, i / 25, 180, lambda i=i: sharp if i < 5 else soft) for i in range(120)]
    assert levels[4] == 0
    assert levels[-1] == 1
    assert max(np.diff(levels)) <= 1 / 25 / RAMP + 1e-9
    assert min(np.diff(levels)) >= 0
    assert need(2, 5.0, 180, lambda: sharp) == 0  # another track has a mind of its own


class Brighter:
    """Stands where the network would: adds 10 to every value, and remembers how many crops it was given."""

    group = 3

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, crops: list[np.ndarray]) -> list[np.ndarray]:
        self.calls.append(len(crops))
        return [crop + np.uint8(10) for crop in crops]


def frames(values: list[list[int]], size: int = 256) -> list[Frame]:
    """Frames with grey crops of the given values, tracks 0, 1, ..."""
    picture = Picture((np.zeros((4, 4), np.uint8),), Color(), "gray")
    eye = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    return [
        Frame(
            i, i, Fraction(1, 25), i / 25, picture,
            crops=tuple(Crop(t, np.full((size, size, 3), v, np.uint8), eye, 1.0) for t, v in enumerate(row)),
        )
        for i, row in enumerate(values)
    ]  # fmt: skip


def test_frames_and_crops_keep_their_order() -> None:
    net = Brighter()
    rows = [[10], [], [20, 30], [40], [], [50, 60]]
    done = list(Restore(SMALL, restorer=cast(CropRestorer, net), pixels=HOST)(iter(frames(rows))))
    assert [frame.index for frame in done] == list(range(6))
    for frame, row in zip(done, rows, strict=True):
        assert [int(crop.image[0, 0, 0]) for crop in frame.crops] == row  # the source's crop is still there
        assert [int(crop.seen[0, 0, 0]) for crop in frame.crops] == [value + 10 for value in row]
    assert max(net.calls) >= 3  # crops of several frames share a pass


def test_none_and_needless_restoration_touch_nothing(sharp: np.ndarray) -> None:
    given = frames([[10], [20]])
    assert list(Restore()(iter(given))) == given
    net = Brighter()
    stage = Restore(AUTO, restorer=cast(CropRestorer, net), pixels=HOST)
    eye = np.array([[180 / 256, 0, 0], [0, 180 / 256, 0]])
    clean = [replace(frame, crops=(Crop(0, sharp, eye, 1.0),)) for frame in given]
    assert all(crop.restored is None for frame in stage(iter(clean)) for crop in frame.crops)
    assert stage.words() == "none, no face is small and soft"
    assert sum(net.calls) == 0


def test_auto_says_whom_it_restored(soft: np.ndarray) -> None:
    eye = np.array([[180 / 256, 0, 0], [0, 180 / 256, 0]])
    stage = Restore(AUTO, restorer=cast(CropRestorer, Brighter()), pixels=HOST)
    given = [replace(frame, crops=(Crop(7, soft, eye, 1.0),)) for frame in frames([[0], [0]])]
    assert all(crop.restored is not None for frame in stage(iter(given)) for crop in frame.crops)
    assert stage.words().startswith("small, of face 7")


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_change_of_an_unedited_face_is_its_restoration(strength: float) -> None:
    frame = next(iter(Restore(SMALL, strength, cast(CropRestorer, Brighter()), HOST)(iter(frames([[100]])))))
    grey = np.full((256, 256, 3), 0.1, np.float32)
    same = Rendering(grey, grey, estimate_flow(grey, grey, InverseSearch()), grey, grey)  # an edit that does nothing
    edited = next(iter(TransferDetail(HOST, ["eyes"])(iter([replace(frame, renderings=(same,))])))).edits[0]
    inside = edited.mask > 0
    np.testing.assert_allclose(edited.change[inside].astype(float), strength * 10 / 127.5, atol=2e-3)


def test_mixing_is_exact_at_its_ends() -> None:
    a, b = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert mix(a, b, 1.0) is b
    assert (mix(b, a, 0.5) == 128).all()


def test_words_that_make_no_sense() -> None:
    for word in ("codeformer", "small:a.pth", ""):
        with pytest.raises(UsageError, match="none, small, gfpgan"):
            choose(word)
        with pytest.raises(ValidationError, match="not a restoration; there is none, small"):
            RenderJob(input="a.mp4", edit="smile", restore=word)
    with pytest.raises(UsageError, match="0 to 1"):
        Restore(strength=1.5)
    with pytest.raises(ValidationError, match="restore_strength"):
        RenderJob(input="a.mp4", edit="smile", restore_strength=2)


def test_missing_weights_are_told(tmp_path, monkeypatch) -> None:
    (tmp_path / "manifest.yaml").write_text("{}\n")
    monkeypatch.setenv("VIDEDIT_SHIPPED", str(tmp_path))
    with pytest.raises(WeightsError, match="--restore none"):
        choose("small")
    assert choose("auto").kind == "none"


def installed(folder: Path, name: str, file: str) -> Path:
    """A file of no real network among the user's weights."""
    torch.save({"params_ema": {"weight": torch.zeros(1)}}, folder / file)
    return import_file(folder / file, name, other_version=True)[1]


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_weights_are_found_where_the_user_keeps_them(kind, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VIDEDIT_WEIGHTS", str(tmp_path / "mine"))
    with pytest.raises(WeightsError, match=f"videdit weights fetch {PUBLISHED[kind][0]}"):
        choose(kind)
    with pytest.raises(WeightsError, match="no file nowhere.pth"):
        choose(f"{kind}:nowhere.pth")
    for name in reversed(PUBLISHED[kind]):  # the worst first: each next one is preferred
        place = installed(tmp_path, name, f"{name}.pth")
        assert choose(kind) == RestorerChoice(kind, place)
    assert choose(f"{kind}:{place}") == RestorerChoice(kind, place)


def test_auto_takes_the_best_that_is_there(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VIDEDIT_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setattr("videdit.restoration.policy.installed", lambda: True)
    assert choose("auto") == RestorerChoice("small", if_needed=True)
    place = installed(tmp_path, "gfpgan_v1.4", "GFPGANv1.4.pth")
    assert choose("auto") == RestorerChoice("gfpgan", place, if_needed=True)
    monkeypatch.setattr("videdit.restoration.policy.installed", lambda: False)
    assert choose("auto").kind == "small"


class Lighter(torch.nn.Module):
    """Adds 0.1 to every value, and makes pictures `k` times as large."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(x + 0.1, scale_factor=float(self.k))


@pytest.mark.parametrize("k", [1, 2])
def test_crops_of_any_size_get_what_the_network_changed(k: int, people: list[np.ndarray]) -> None:
    net = RestorerSpec(Lighter(k), on_cpu={64: 2, 128: 1}, on_gpu={})
    crops = [resized(people[0], size) // 2 for size in (64, 256, 50, 128, 64)]
    results = CropRestorer(net, "cpu", "fp32")(crops)
    for before, after in zip(crops, results, strict=True):  # a network of one size loses detail of others, but
        assert after.shape == before.shape  # what is too fine for it is kept
        change = after.astype(float) - before
        assert change.mean() == pytest.approx(12.75, abs=0.3)
        assert np.abs(change - 12.75).max() < (1 if len(before) != 50 else 30)


def test_a_restorer_that_fails_stops_the_run() -> None:
    class Broken(Brighter):
        def __call__(self, crops: list[np.ndarray]) -> list[np.ndarray]:
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        list(Restore(SMALL, restorer=cast(CropRestorer, Broken()), pixels=HOST)(iter(frames([[10]]))))


def test_crops_of_all_sizes_are_restored_in_batches(tmp_path) -> None:
    from safetensors.torch import save_file

    save_file({k: v.half() for k, v in Restorer().state_dict().items()}, tmp_path / "restorer.safetensors")
    restore = CropRestorer(small_network(tmp_path / "restorer.safetensors"), "cpu", "fp32", batch=2)
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (size, size, 3)).astype(np.uint8) for size in (256, 128, 256, 256)]
    for before, after in zip(crops, restore(crops), strict=True):
        np.testing.assert_array_equal(before, after)  # fresh weights restore nothing
