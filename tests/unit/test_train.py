"""The parts of training that can be wrong without anyone seeing it."""

from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from videdit.cli.train import duration
from videdit.errors import UsageError
from videdit.training.common import psnr
from videdit.training.data import SIZE, degrade, jitter_colour, jitter_geometry, to_tensor
from videdit.training.hfgi import Hfgi, Recipe, random_perspective
from videdit.training.optim import Ema, Lookahead, cosine
from videdit.training.recipe import read_recipe


def test_still_perspective_is_the_identity() -> None:
    x = torch.randn(3, 3, 64, 64)
    torch.testing.assert_close(random_perspective(x, 1.0, torch.Generator().manual_seed(0)), x, atol=1e-4, rtol=0)


def test_perspective_moves_and_keeps_the_shape() -> None:
    x = torch.randn(4, 3, 64, 64)
    moved = random_perspective(x, 0.0, torch.Generator().manual_seed(0))
    assert moved.shape == x.shape
    assert torch.isfinite(moved).all()
    assert (moved - x).abs().mean() > 0.1


def test_perspective_moves_corners_by_at_most_its_share() -> None:
    """A picture of its own coordinates shows where each pixel was taken from."""
    line = (torch.arange(64) + 0.5) / 32 - 1
    x = torch.stack((line.expand(64, 64), line[:, None].expand(64, 64), torch.zeros(64, 64)))[None].repeat(50, 1, 1, 1)
    moved = random_perspective(x, 0.0, torch.Generator().manual_seed(1))
    assert (moved[:, :2] - x[:, :2]).abs().max() < 0.16 + 0.04


def test_lookahead_goes_half_way_every_k_steps() -> None:
    parameter = nn.Parameter(torch.tensor([0.0]))
    optimizer = Lookahead(torch.optim.SGD([parameter], lr=1.0), k=2, alpha=0.5)
    seen = []
    for _ in range(4):
        optimizer.zero_grad()
        (-parameter).sum().backward()  # every fast step adds 1
        optimizer.step()
        seen.append(float(parameter.detach()))
    assert seen == [1.0, 1.0, 2.0, 2.0]  # 0 -> 1 -> 2, half way back to 0: 1; -> 2 -> 3, half way to 1: 2


def test_ema_follows_and_lags() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema = Ema(model, 0.9)
    nn.init.ones_(model.weight)
    values = []
    for _ in range(100):
        ema.update(model)
        values.append(float(ema.model.weight))
    assert values == sorted(values)
    assert values[0] < 1
    assert values[-1] > 0.99
    assert not ema.model.weight.requires_grad


def test_fresh_networks_consult_nothing() -> None:
    nets = Hfgi().eval()
    with torch.inference_mode():
        scale, shift = nets.consultation(torch.randn(1, 3, 256, 256))
    assert scale.shape == shift.shape == (1, 512, 64, 64)
    assert not scale.any()
    assert not shift.any()


@pytest.mark.parametrize("change", [jitter_geometry, jitter_colour, degrade])
def test_augmentation_keeps_what_a_picture_is(change) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    before = image.copy()
    for _ in range(20):
        out = change(image, rng)
        assert out.shape == image.shape
        assert out.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


def test_tensor_range_and_layout() -> None:
    images = np.zeros((2, 4, 5, 3), np.uint8)
    images[1] = 255
    x = to_tensor(images)
    assert x.shape == (2, 3, 4, 5)
    assert float(x[0].max()) == -1.0
    assert float(x[1].min()) == 1.0


def test_psnr_of_a_known_error() -> None:
    assert psnr(torch.zeros(10), torch.full((10,), 0.2)) == pytest.approx(20.0, abs=1e-4)


def test_cosine_ends_at_two_percent() -> None:
    assert cosine(0) == 1.0
    assert cosine(1) == pytest.approx(0.02)
    assert cosine(0.3) > cosine(0.31)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("25m", 1500), ("1.5h", 5400)])
def test_time_budgets(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "soon", "-5m", "5 days"])
def test_bad_time_budgets_are_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        duration(text)


def test_recipes_refuse_keys_they_do_not_have(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("lr: 0.5\n")
    assert read_recipe(Recipe, path).lr == 0.5
    path.write_text("learning: 0.5\n")
    with pytest.raises(UsageError, match="learning"):
        read_recipe(Recipe, path)
