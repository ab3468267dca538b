"""Optimisation of codes and of the generator, on a generator small enough to know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from videdit.errors import WeightsError
from videdit.hfgi import kept_optimisation
from videdit.hfgi.kept_optimisation import Kept
from videdit.hfgi.optimize import (
    Examples,
    OptimSchedule,
    ReconstructionLoss,
    Stitching,
    optimise_codes,
    optimise_in_domain,
    tune_for_clip,
    tune_generator,
)
from videdit.models.mobile_stylegan import Synthesis
from videdit.models.perceptual import PerceptualFeatures


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


def setting(schedule: OptimSchedule, count: int = 2) -> tuple[Synthesis, ReconstructionLoss, Tensor]:
    rng = torch.Generator().manual_seed(1)
    generator = TinyGenerator()
    with torch.no_grad():
        targets = generator(torch.randn(count, 18, 512, generator=rng), 16)
    codes = torch.randn(count, 18, 512, generator=rng)
    return (
        cast(Synthesis, generator),
        ReconstructionLoss(cast(PerceptualFeatures, Averages()), targets, schedule),
        codes,
    )


def test_codes_are_found() -> None:
    schedule = OptimSchedule(steps=60, lr=0.05, size=16)
    generator, loss, start = setting(schedule)
    kept, seen = start.clone(), []
    codes = optimise_codes(generator, loss, start, schedule, on_step=lambda step, value: seen.append(value))
    with torch.no_grad():
        assert float(loss(generator(codes, 16))) < 0.05 * float(loss(generator(start, 16)))
    assert torch.equal(start, kept)
    assert not codes.requires_grad
    assert len(seen) == 60
    assert seen[-1] < seen[0]


class Reader(nn.Module):
    """Pictures [N, 3, 16, 16] -> codes [N, 18, 512], linear."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(3 * 16 * 16, 18 * 512)
        nn.init.normal_(self.read.weight, std=0.01, generator=torch.Generator().manual_seed(5))

    def forward(self, x: Tensor) -> Tensor:
        return self.read(x.flatten(1)).view(-1, 18, 512)


def test_codes_in_the_domain_are_those_that_the_encoder_finds_again() -> None:
    """By hand: one step of Adam goes down the gradient of both terms; with many, the encoder's holds codes back."""
    reader = Reader()
    schedule = OptimSchedule(steps=60, lr=0.05, domain=2.0, size=16)
    generator, loss, start = setting(schedule)
    codes = start.clone().requires_grad_()
    image = generator(codes, size=16)
    whole = loss(image) + 2.0 * (codes - reader(image)).pow(2).mean()
    (gradient,) = torch.autograd.grad(whole, codes)
    once = replace(schedule, steps=1)
    moved = optimise_in_domain(generator, reader, loss, start, once)
    assert torch.equal((moved - start).sign()[gradient.abs() > 1e-9], -gradient.sign()[gradient.abs() > 1e-9])

    def apart(found: Tensor) -> float:
        with torch.no_grad():
            return float((found - reader(generator(found, size=16))).square().mean())

    inside = optimise_in_domain(generator, reader, loss, start, schedule)
    free = optimise_codes(generator, loss, start, replace(schedule, domain=0.0))
    assert apart(inside) < 0.7 * apart(free)
    with torch.no_grad():
        assert float(loss(generator(inside, size=16))) < 0.5 * float(loss(generator(start, size=16)))


def test_the_generator_is_tuned_around_its_pivots_and_the_original_stays() -> None:
    schedule = OptimSchedule(steps=80, lr=3e-3, size=16)
    generator, loss, pivots = setting(schedule, count=5)
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    tuned = tune_generator(generator, loss, pivots, schedule, batch=2)  # five pivots in three turns
    assert float(loss(tuned(pivots, size=16))) < 0.1 * float(loss(generator(pivots, size=16)))
    assert all(torch.equal(v, before[k]) for k, v in generator.state_dict().items())
    assert not any(p.requires_grad for p in tuned.parameters())


def examples(generator: Synthesis, codes: Tensor) -> Examples:
    """Targets that the generator could give of other codes; a soft mask in the middle."""
    with torch.no_grad():
        targets = generator(torch.randn(codes.shape, generator=torch.Generator().manual_seed(3)), size=32)
    ramp = torch.linspace(-1, 1, 32).square()
    mask = torch.exp(-4 * (ramp[:, None] + ramp)).expand(len(codes), 1, 32, 32)
    edited = codes + 0.5 * torch.randn(1, 18, 512, generator=torch.Generator().manual_seed(4))
    return Examples(targets, codes, edited, mask)


def test_the_stitching_loss_is_none_where_all_is_well_and_sees_the_border() -> None:
    generator, _, codes = setting(OptimSchedule(steps=1, lr=1.0, size=16))
    given = examples(generator, codes)
    every = torch.arange(len(codes))

    def loss(inverted: Tensor, edited: Tensor) -> float:
        """Of a generator that gives what it always gave: neither fine bands nor the edit's change count."""
        return float(Stitching(given, inverted, edited)(inverted, edited, every))

    source = given.targets
    assert loss(source, source) == 0
    inside = source + (given.masks > 0.98) * 0.5  # the edit itself, where the mask lets all of it through
    border = source + ((given.masks > 0.3) & (given.masks < 0.7)) * 0.5
    assert loss(source, border) > 10 * loss(source, inside)
    low, high = given.masks.quantile(0.1), given.masks.quantile(0.9)
    far, near = (source + where * 0.5 for where in (given.masks <= low, given.masks >= high))
    assert loss(far, source) < 0.7 * loss(near, source)
    fine = source + 0.3 * torch.randn(source.shape, generator=torch.Generator().manual_seed(5))
    coarse = source + 0.3
    assert loss(fine, source) < 0.5 * loss(coarse, source), "hair and pores are not asked for"


def test_what_the_edit_does_and_fine_bands_are_kept() -> None:
    generator, _, codes = setting(OptimSchedule(steps=1, lr=1.0, size=16))
    given, every = examples(generator, codes), torch.arange(len(codes))
    teeth = torch.zeros_like(given.targets)
    teeth[..., 14:18, 14:18] = 1
    loss = Stitching(given, given.targets, given.targets + teeth)
    kept, lost = (float(loss(given.targets, given.targets + share * teeth, every)) for share in (1.0, 0.0))
    assert kept < 0.5 * lost
    blurred = nn.functional.avg_pool2d(nn.functional.pad(given.targets, (1, 1, 1, 1), "replicate"), 3, 1)
    assert float(loss(blurred, blurred + teeth, every)) > kept


def test_a_generator_is_tuned_to_a_clip() -> None:
    schedule = OptimSchedule(steps=60, lr=1e-3, size=32)
    generator, _, codes = setting(schedule, count=3)
    given = examples(generator, codes)
    seen: list[float] = []
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    tuned = tune_for_clip(generator, given, schedule, on_step=lambda step, value: seen.append(value))
    assert seen[-1] < 0.6 * seen[0]
    edge = 4 * given.masks * (1 - given.masks)
    with torch.no_grad():
        off = [((g(given.edited, size=32) - given.targets).abs() * edge).mean() for g in (generator, tuned)]
        coarse = nn.AvgPool2d(8)  # finer is not asked for
        inverted = [coarse(g(codes, size=32) - given.targets).abs().mean() for g in (generator, tuned)]
    assert off[1] < 0.5 * off[0]
    assert inverted[1] < 0.5 * inverted[0]
    assert all(torch.equal(v, before[k]) for k, v in generator.state_dict().items())
    assert not any(p.requires_grad for p in tuned.parameters())


def test_what_all_sizes_do_not_share_is_not_tuned() -> None:
    class WithHead(TinyGenerator):
        def __init__(self) -> None:
            super().__init__()
            self.head256 = nn.Conv2d(3, 3, 1)

        def forward(self, codes: Tensor, size: int) -> Tensor:
            return self.head256(super().forward(codes, size))

    generator = cast(Synthesis, WithHead())
    codes = torch.randn(2, 18, 512, generator=torch.Generator().manual_seed(1))
    tuned = tune_for_clip(generator, examples(generator, codes), OptimSchedule(steps=2, lr=1e-2, size=32))
    before, after = generator.state_dict(), tuned.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"paint.weight", "paint.bias"}


class Ended(Exception):
    """Something ends the program."""


def ends(step: int, _: float) -> None:
    if step == 12:
        raise Ended


def test_an_optimisation_that_ended_goes_on_as_if_it_had_not(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(kept_optimisation, "EVERY", 0.0)
    schedule = OptimSchedule(steps=30, lr=0.05, size=16)
    generator, loss, start = setting(schedule)
    straight = optimise_codes(generator, loss, start, schedule)
    with pytest.raises(Ended):
        optimise_codes(generator, loss, start, schedule, ends, Kept(tmp_path).of(schedule, start))
    seen = list[int]()
    kept = Kept(tmp_path)
    codes = optimise_codes(generator, loss, start, schedule, lambda i, _: seen.append(i), kept.of(schedule, start))
    assert seen[0] == 12  # of 30: the twelve before it are in the file
    assert torch.equal(codes, straight)
    assert 0 < kept.earlier.seconds < 60
    again = Kept(tmp_path)
    codes = optimise_codes(generator, loss, start, schedule, ends, again.of(schedule, start))
    assert torch.equal(codes, straight), "what is done is not done again"
    assert again.earlier.seconds > kept.earlier.seconds
    assert not again.of(schedule, start + 1).path.exists(), "another start is another optimisation"


def test_a_tuned_generator_is_kept_whole(tmp_path: Path) -> None:
    schedule = OptimSchedule(steps=6, lr=3e-3, size=16)
    generator, loss, pivots = setting(schedule, count=2)
    first, second = (tune_generator(generator, loss, pivots, schedule, kept=Kept(tmp_path).of(1)) for _ in range(2))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    schedule = OptimSchedule(steps=2, lr=0.05, size=16)
    generator, loss, start = setting(schedule)
    place = Kept(tmp_path).of("x")
    place.path.write_bytes(b"no archive")
    with pytest.raises(WeightsError, match="remove it to start anew"):
        optimise_codes(generator, loss, start, schedule, kept=place)
