"""The parts that recipes are made of, against what can be worked out by hand."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from videdit.cli.train import main
from videdit.errors import UsageError, WeightsError
from videdit.hfgi.loader import load_generator
from videdit.models.discriminator import Discriminator
from videdit.training import directions
from videdit.training.adversary import Adversary
from videdit.training.curves import COLUMNS, HEIGHT, WIDTH, draw_curves
from videdit.training.data import Bank, Faces
from videdit.training.encoder import released
from videdit.training.log import read_log
from videdit.training.packs import draw_bank, read_travel, write_travel
from videdit.training.recipe import Recipe, read_recipe
from videdit.weights.module_io import load_weights, save_weights


def test_deltas_are_released_one_layer_after_another() -> None:
    counts = [int(released(0.5, progress).sum()) for progress in (0.0, 0.1, 0.25, 0.49, 0.5, 1.0)]
    assert counts == [0, 3, 9, 17, 18, 18]
    assert released(0.5, 0.1)[:3].all()
    assert not released(0.5, 0.1)[3:].any()
    assert released(0.0, 0.0).all()


def test_the_discriminator_judges_each_picture() -> None:
    net = Discriminator()
    assert net(torch.randn(3, 3, 256, 256)).shape == (3,)
    assert sum(p.numel() for p in net.parameters()) < 5e6


class Slope(nn.Module):
    """Logits w * sum(x): everything about it is known."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.w * x.sum((1, 2, 3))


@pytest.fixture
def adversary(monkeypatch: pytest.MonkeyPatch) -> Adversary:
    monkeypatch.setattr("videdit.training.adversary.Discriminator", Slope)
    return Adversary(1e-2, torch.device("cpu"))


def test_r1_is_the_squared_slope(adversary: Adversary) -> None:
    steep = adversary.steepness(torch.randn(4, 3, 8, 8))
    assert float(steep.detach()) == pytest.approx(0.25 * 3 * 8 * 8)
    steep.backward()
    assert float(adversary.net.w.grad) == pytest.approx(2 * 0.5 * 3 * 8 * 8)  # it can be learnt from


def test_the_discriminator_learns_and_the_maker_is_told_where_to_go(adversary: Adversary) -> None:
    real, fake = torch.full((4, 3, 2, 2), 0.1), torch.full((4, 3, 2, 2), -0.1)
    before = float(adversary.net.w.detach())
    told = adversary.learn(real, fake, 1)
    assert float(adversary.net.w.detach()) > before
    assert "r1" not in told
    assert "r1" in adversary.learn(real, fake, 16)
    fake.requires_grad_(True)
    adversary.net.zero_grad()
    adversary.loss(fake).backward()
    assert (fake.grad < 0).all()  # brighter looks more real
    assert adversary.net.w.grad is None  # the maker's loss does not teach the discriminator


def test_batches_depend_on_the_given_chance_alone(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 256, 256, 3)).astype(np.uint8)
    np.save(tmp_path / "faces.npy", images)
    np.save(tmp_path / "codes.npy", np.arange(5 * 512).reshape(5, 512).astype(np.float16))
    faces, bank = Faces(tmp_path / "faces.npy", 2), Bank(tmp_path / "faces.npy", tmp_path / "codes.npy")
    assert len(faces.images) == 3
    assert faces.held().shape == (2, 3, 256, 256)
    for source in (faces, bank):
        first = source.batch(3, np.random.default_rng(7))
        source.batch(2, np.random.default_rng(8))
        assert all(torch.equal(a, b) for a, b in zip(first, source.batch(3, np.random.default_rng(7)), strict=True))
    _, originals, codes = bank.batch(4, np.random.default_rng(1), degraded=1.0)
    for original, code in zip(originals, codes, strict=True):  # a code stays with its picture, which stays whole
        index = int(code[0]) // 512
        np.testing.assert_allclose(original.permute(1, 2, 0).numpy() * 127.5 + 127.5, images[index], atol=1e-3)


def test_faces_travel_as_one_small_file(tmp_path: Path, people: list[np.ndarray]) -> None:
    np.save(tmp_path / "faces.npy", np.stack(people))
    write_travel(tmp_path / "faces.npy", tmp_path / "faces.tar", 75)
    assert (tmp_path / "faces.tar").stat().st_size < 40_000
    read_travel(tmp_path / "faces.tar", tmp_path / "again.npy")
    again = np.load(tmp_path / "again.npy").astype(float)
    assert [np.abs(a - b).mean() < 4 for a, b in zip(again, people, strict=True)] == [True, True]
    (tmp_path / "other.tar").write_bytes(b"no tar")
    with pytest.raises(UsageError, match="--travel"):
        read_travel(tmp_path / "other.tar", tmp_path / "none.npy")


def test_samples_are_the_generators_own(tmp_path: Path) -> None:
    draw_bank(2, tmp_path / "images.npy", tmp_path / "codes.npy", "cpu", eager=True)
    images, codes = np.load(tmp_path / "images.npy"), np.load(tmp_path / "codes.npy")
    with torch.inference_mode():
        whole = load_generator()[1](torch.from_numpy(codes[:1].astype(np.float32))[:, None].expand(-1, 18, -1))
    wanted = nn.functional.avg_pool2d(whole, 4).clamp(-1, 1)[0].permute(1, 2, 0).numpy() * 127.5 + 127.5
    assert np.abs(images[0] - wanted).mean() < 0.6  # rounding, and what goes beyond the range


def test_missing_packs_and_too_few_faces_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="videdit.train pack"):
        Faces(tmp_path / "none.npy")
    np.save(tmp_path / "few.npy", np.zeros((3, 256, 256, 3), np.uint8))
    with pytest.raises(UsageError, match="3 faces"):
        Faces(tmp_path / "few.npy", 50)


def test_weights_of_another_network_are_one_line(tmp_path: Path) -> None:
    save_weights(nn.Linear(3, 2).state_dict(), tmp_path / "a.safetensors")
    load_weights(nn.Linear(3, 2), tmp_path / "a.safetensors")
    for path in (tmp_path / "a.safetensors", tmp_path / "none.safetensors"):
        with pytest.raises(WeightsError, match="weights of Linear") as caught:
            load_weights(nn.Linear(5, 2), path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [("lr: 1", "unknown"), ("steps: 1.5", "steps"), ("steps: lots", "steps"), ("- 1", "no recipe"), ("a: [", "read")],
)
def test_bad_recipes_are_told(tmp_path: Path, words: str, complaint: str) -> None:
    (tmp_path / "recipe.yaml").write_text(words)
    with pytest.raises(UsageError, match=complaint):
        read_recipe(Recipe, tmp_path / "recipe.yaml")


def test_values_of_the_command_line_count_in_place_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("ema: 0.5\nclip: 2\n")
    recipe = read_recipe(Recipe, tmp_path / "recipe.yaml", {"ema": "0", "steps": "7"})
    assert (recipe.ema, recipe.clip, recipe.steps) == (0.0, 2.0, 7)
    with pytest.raises(UsageError, match="unknown key 'stpes'"):
        read_recipe(Recipe, None, {"stpes": "7"})


def test_pictures_of_a_folder_become_a_pack(tmp_path: Path, people: list[np.ndarray]) -> None:
    (tmp_path / "in" / "more").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "in" / "a.png"), people[0][:, :, ::-1])
    cv2.imwrite(str(tmp_path / "in" / "more" / "b.png"), cv2.resize(people[1], (400, 300))[:, :, ::-1])
    assert main(["pack", "--images", str(tmp_path / "in"), "--data", str(tmp_path / "out")]) == 0
    assert (
        main(["pack", "--images", str(tmp_path / "in"), "--data", str(tmp_path / "out"), "--pack", "cars192.npy"]) == 0
    )
    faces, cars = np.load(tmp_path / "out" / "ffhq256.npy"), np.load(tmp_path / "out" / "cars192.npy")
    assert faces.shape == (2, 256, 256, 3)
    assert cars.shape == (2, 192, 256, 3)
    assert np.array_equal(faces[0], people[0])
    assert main(["pack", "--images", str(tmp_path / "out"), "--data", str(tmp_path / "out")]) == 2


def test_numbers_that_yaml_takes_for_words(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("ema: 9e-1\nclip: 2\n")
    recipe = read_recipe(Recipe, tmp_path / "recipe.yaml")
    assert recipe.ema == 0.9
    assert isinstance(recipe.clip, float)


def test_a_curve_is_where_its_values_are() -> None:
    rising = draw_curves([{"step": i, "seconds": i, "loss": float(i)} for i in range(101)])
    assert rising.shape == (HEIGHT, COLUMNS * WIDTH, 3)
    assert rising.dtype == np.uint8
    area = rising[24 : HEIGHT - 22, 10 : WIDTH - 10].astype(int)
    line = (area[..., 2] - area[..., 0]) > 60  # blue ink
    ys, xs = np.nonzero(line)
    assert np.corrcoef(xs, ys)[0, 1] < -0.99  # from below left to above right
    assert line.any(0).mean() > 0.95


def test_curves_of_little_and_of_nothing() -> None:
    assert draw_curves([]).shape[0] == HEIGHT
    names = {f"loss{i}": 1.0 for i in range(COLUMNS + 1)}
    assert draw_curves([{"step": 0, "seconds": 0, **names, "val_psnr": float("nan")}]).shape[0] == 2 * HEIGHT


def test_logs_that_ship_are_read() -> None:
    for path in (Path(__file__).resolve().parents[2] / "docs" / "training").glob("*.jsonl"):
        entries = read_log(path)
        assert len(entries) > 1
        assert all("step" in entry for entry in entries)


def test_the_command_draws_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Path(__file__).resolve().parents[2] / "docs" / "training" / "hfgi.jsonl"
    assert main(["curves", str(log), str(tmp_path / "hfgi.png")]) == 0
    assert cv2.imread(str(tmp_path / "hfgi.png")).shape[1] == COLUMNS * WIDTH
    (tmp_path / "bad.jsonl").write_text("hello\n{}\n")
    assert main(["curves", str(tmp_path / "bad.jsonl"), str(tmp_path / "bad.png")]) == 2
    assert "line 1 is no entry" in capsys.readouterr().err


class Counting:
    """Scores that cost nothing, and count."""

    names = ("smile", "age")

    def __init__(self) -> None:
        self.scored = 0

    def images(self, codes: np.ndarray) -> np.ndarray:
        return codes[:, 0, :2]

    def scores(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.scored += len(images)
        return images.astype(np.float32), images


def test_scores_are_made_once(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).normal(size=(450, 512)).astype(np.float32)
    cache, never, measure = tmp_path / "scores.npz", time.monotonic() + 1e6, Counting()
    assert directions.score(cache, measure, codes, time.monotonic() - 1) is None  # type: ignore[arg-type]
    ticks = iter((0.0, 1.0, 2.0, 3.0))
    clock = SimpleNamespace(monotonic=lambda: next(ticks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directions, "time", clock)
        assert directions.score(cache, measure, codes, 1.5) is None  # type: ignore[arg-type]
    assert measure.scored == 400
    _, scores = directions.score(cache, measure, codes, never)  # type: ignore[arg-type, misc]
    assert measure.scored == 450
    np.testing.assert_array_equal(scores, codes[:, :2])
    directions.score(cache, measure, codes + 1, never)  # type: ignore[arg-type]
    assert measure.scored == 900  # those of other codes are no use
    cache.write_bytes(cache.read_bytes()[:100])
    directions.score(cache, measure, codes, never)  # type: ignore[arg-type]
    assert measure.scored == 1350
