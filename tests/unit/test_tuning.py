"""Optimisation of codes and of the generator, on a generator small enough to know."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from videdit.metrics.perceptual import PerceptualFeatures
from videdit.models.mobile_stylegan import Synthesis
from videdit.tuning import Course, Likeness, optimise_codes, tune_generator


class TinyGenerator(nn.Module):
    """Codes [N, 18, 512] -> pictures [N, 3, size, size], linear in both code and weights."""

    def __init__(self) -> None:
        super().__init__()
        self.paint = nn.Linear(18 * 512, 3 * 8 * 8)
        nn.init.normal_(self.paint.weight, std=0.01, generator=torch.Generator().manual_seed(0))

    def forward(self, codes: Tensor, size: int) -> Tensor:
        picture = self.paint(codes.flatten(1)).view(-1, 3, 8, 8)
        return nn.functional.interpolate(picture, size=(size, size), mode="nearest")


class Averages(nn.Module):
    """Stands where perceptual features would: a picture's averages."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [nn.functional.avg_pool2d(x, 4) + 2.0]


def setting(course: Course, count: int = 2) -> tuple[Synthesis, Likeness, Tensor]:
    rng = torch.Generator().manual_seed(1)
    generator = TinyGenerator()
    with torch.no_grad():
        targets = generator(torch.randn(count, 18, 512, generator=rng), 16)
    codes = torch.randn(count, 18, 512, generator=rng)
    return cast(Synthesis, generator), Likeness(cast(PerceptualFeatures, Averages()), targets, course), codes


def test_codes_are_found() -> None:
    course = Course(steps=60, lr=0.05, size=16)
    generator, loss, start = setting(course)
    kept, seen = start.clone(), []
    codes = optimise_codes(generator, loss, start, course, tell=lambda step, value: seen.append(value))
    with torch.no_grad():
        assert float(loss(generator(codes, 16))) < 0.05 * float(loss(generator(start, 16)))
    assert torch.equal(start, kept) and not codes.requires_grad
    assert len(seen) == 60 and seen[-1] < seen[0]


def test_the_generator_is_tuned_around_its_pivots_and_the_original_stays() -> None:
    course = Course(steps=80, lr=3e-3, size=16)
    generator, loss, pivots = setting(course, count=5)
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    tuned = tune_generator(generator, loss, pivots, course, batch=2)  # five pivots in three turns
    assert float(loss(tuned(pivots, size=16))) < 0.1 * float(loss(generator(pivots, size=16)))
    assert all(torch.equal(v, before[k]) for k, v in generator.state_dict().items())
    assert not any(p.requires_grad for p in tuned.parameters())
