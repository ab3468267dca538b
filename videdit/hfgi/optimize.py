"""Optimisation for one face or clip: of its code (Image2StyleGAN, or in-domain), or of the generator around it (PTI).

Slow, where :mod:`videdit.hfgi.inverter` is fast. All go down on the same loss, of pictures at one size,

    l2 + perceptual distance

by Adam, the learning rate falling along a half cosine. In-domain inversion starts from an encoder's code and adds what
that encoder thinks of the picture, so that codes stay where the generator has people: |w - E(G(w))|^2.

Abdal et al., "Image2StyleGAN", ICCV 2019; Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", 2021;
Zhu et al., "In-Domain GAN Inversion for Real Image Editing", ECCV 2020.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.hfgi.kept_optimisation import KeptOptimisation
from videdit.models import stylegan2
from videdit.models.mobile_stylegan import Synthesis
from videdit.models.perceptual import PerceptualFeatures, feature_distance

Generator = Synthesis | stylegan2.Synthesis
OnStep = Callable[[int, float], None]  # told of each step and its loss
G = TypeVar("G", bound=Synthesis | stylegan2.Synthesis)


@dataclass(frozen=True)
class OptimSchedule:
    """How long and how fast an optimisation goes."""

    steps: int
    lr: float
    l2: float = 1.0  # weights of the losses
    perceptual: float = 1.0
    domain: float = 0.0  # of the in-domain term
    size: int = 256  # px of the pictures that are compared
    bf16: bool = False  # the generator computes in bfloat16: twice as fast on CPUs and GPUs that multiply it
    compiled: bool = (
        False  # by torch.compile, which takes a minute and makes steps of a large generator 3 times as fast
    )


CODES = OptimSchedule(steps=200, lr=0.03)
PIVOTAL = OptimSchedule(steps=80, lr=3e-4)
IN_DOMAIN = OptimSchedule(steps=100, lr=0.01, domain=2.0)  # its paper's numbers
CLIP = OptimSchedule(steps=40, lr=2e-4)


class ReconstructionLoss:
    """The loss against fixed pictures [N, 3, S, S] in [-1, 1]; their features are worked out once."""

    def __init__(self, features: PerceptualFeatures, targets: Tensor, schedule: OptimSchedule) -> None:
        """schedule: the weights of the two terms; its steps and learning rate are not used here."""
        self.features, self.targets, self.schedule = features, targets, schedule
        with torch.no_grad():
            self._wanted = features(targets)

    def __call__(self, images: Tensor, which: Tensor | slice = slice(None)) -> Tensor:
        """Mean loss of images [B, 3, S, S] against the targets that `which` picks."""
        l2 = (images - self.targets[which]).square().mean()
        distance = feature_distance(self.features(images), [level[which] for level in self._wanted]).mean()
        return self.schedule.l2 * l2 + self.schedule.perceptual * distance


def optimise_codes(
    generator: Generator,
    loss: ReconstructionLoss,
    start: Tensor,
    schedule: OptimSchedule = CODES,
    on_step: OnStep | None = None,
    kept: KeptOptimisation | None = None,
) -> Tensor:
    """Codes in W+ whose pictures are the targets.

    start: codes [N, 18, 512] to go on from, one a target: the generator's mean (Image2StyleGAN), or an encoder's. kept:
    where it goes on from an earlier run.
    """
    codes = start.detach().clone().requires_grad_()
    render = made_fast(generator, schedule)

    def step() -> Tensor:
        return loss(pictures(render, codes, schedule))

    descend([codes], step, schedule, on_step, kept)
    return codes.detach()


def optimise_in_domain(
    generator: Generator,
    encoder: nn.Module,
    loss: ReconstructionLoss,
    start: Tensor,
    schedule: OptimSchedule = IN_DOMAIN,
    on_step: OnStep | None = None,
    kept: KeptOptimisation | None = None,
) -> Tensor:
    """Codes in W+ whose pictures are the targets, and which the encoder finds in those pictures again.

    encoder: pictures [N, 3, 256, 256] in [-1, 1] -> codes [N, L, 512]. start: its codes of the targets. kept: as of
    :func:`optimise_codes`.
    """
    codes = start.detach().clone().requires_grad_()
    render = made_fast(generator, schedule)

    def step() -> Tensor:
        images = pictures(render, codes, schedule)
        return loss(images) + schedule.domain * (codes - encoder(images)).square().mean()

    descend([codes], step, schedule, on_step, kept)
    return codes.detach()


def tune_generator(
    generator: G,
    loss: ReconstructionLoss,
    pivots: Tensor,
    schedule: OptimSchedule = PIVOTAL,
    batch: int = 4,
    on_step: OnStep | None = None,
    kept: KeptOptimisation | None = None,
) -> G:
    """A copy of the generator, tuned so that it gives the targets at their pivots; the codes stay where edits work.

    pivots: codes [N, 18, 512], one a target. At most `batch` of them are looked at in a step, in turns. kept: as of
    :func:`optimise_codes`.
    """
    tuned: G = copy.deepcopy(generator)
    tuned.train().requires_grad_(True)
    render = made_fast(tuned, schedule)
    turns = -(-len(pivots) // batch)
    turn = 0

    def step() -> Tensor:
        nonlocal turn
        which = torch.arange(turn % turns, len(pivots), turns, device=pivots.device)
        turn += 1
        return loss(pictures(render, pivots[which], schedule), which)

    descend(tuned.parameters(), step, schedule, on_step, kept)
    tuned.eval().requires_grad_(False)
    return tuned


def made_fast(generator: Generator, schedule: OptimSchedule) -> Callable[..., Tensor]:
    """The generator as a schedule wants to call it."""
    return torch.compile(generator) if schedule.compiled else generator


def pictures(generator: Callable[..., Tensor], codes: Tensor, schedule: OptimSchedule) -> Tensor:
    """Codes [N, L, 512] -> pictures [N, 3, size, size] float32."""
    with torch.autocast(codes.device.type, torch.bfloat16, enabled=schedule.bf16):
        return generator(codes, size=schedule.size).float()


def descend(
    parameters: Iterable[Tensor],
    step: Callable[[], Tensor],
    schedule: OptimSchedule,
    on_step: OnStep | None = None,
    kept: KeptOptimisation | None = None,
) -> None:
    """Adam on parameters of any shapes. What a step does not touch keeps no gradient and does not move.

    kept: where it goes on from an earlier run, as if that had never ended. Raises WeightsError: that is damaged.
    """
    parameters = list(parameters)
    optimizer = torch.optim.Adam(parameters, schedule.lr, betas=(0.9, 0.999))
    for i in range(kept.resume(parameters, optimizer) if kept else 0, schedule.steps):
        warm = min(1.0, (i + 1) / (0.05 * schedule.steps + 1))
        optimizer.param_groups[0]["lr"] = schedule.lr * warm * 0.5 * (1 + math.cos(math.pi * i / schedule.steps))
        loss = step()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if on_step is not None:
            on_step(i, float(loss.detach()))
        if kept is not None:
            kept.keep(i + 1, parameters, optimizer, last=i + 1 == schedule.steps)


@dataclass(frozen=True)
class Examples:
    """Moments of a clip that a generator is tuned on."""

    targets: Tensor  # [N, 3, S, S] in [-1, 1], the source's crops
    pivots: Tensor  # [N, 18, 512], their codes
    edited: Tensor  # [N, 18, 512], the codes after the edit
    masks: Tensor  # [N, 1, S, S] in 0..1, where the edit shows


class Stitching:
    """The loss of tuning for a clip. With I = G(w) and E = G(w + delta) of the tuned generator, I0 and E0 of the given:

        sum over coarse bands B of |B(I - x)|  +  sum over fine bands of |B(I - I0)|
            + |(E - I) - (E0 - I0)|  +  border * |E - x| where the mask ends

    B are the bands of a Laplacian pyramid (Bojanowski et al., "Optimizing the Latent Space of Generative Networks",
    2018). Only coarse ones are taken from the source: few steps cannot place hair and pores, they would only blur them,
    and detail return brings those anyway. The third term keeps what the edit does. The last is stitching (Tzaban et
    al., "Stitch it in Time", 2022), with a weight 4 m (1 - m) of the mask m in place of a hard band. The others count
    little outside of the mask. No network is needed that does not ship.
    """

    OUTSIDE = 0.1
    LEVELS = 5
    FINE = 2  # levels of the pyramid that are kept as they were: structures of up to 4 pixels

    def __init__(self, examples: Examples, inverted: Tensor, edited: Tensor, border: float = 1.0) -> None:
        """inverted, edited: what the given generator makes of the examples, I0 and E0 [N, 3, S, S]."""
        self.examples, self.border = examples, border
        self.inverted, self.change = inverted, edited - inverted

    def __call__(self, inverted: Tensor, edited: Tensor, which: Tensor) -> Tensor:
        """inverted, edited: pictures [B, 3, S, S] of the examples that `which` picks."""
        target, mask = self.examples.targets[which], self.examples.masks[which]
        weight, edge = self.OUTSIDE + (1 - self.OUTSIDE) * mask, 4 * mask * (1 - mask)
        loss = self.border * weighted((edited - target).abs(), edge)
        loss = loss + weighted((edited - inverted - self.change[which]).abs(), weight)
        kept, source = inverted - self.inverted[which], inverted - target
        for level in range(self.LEVELS):
            whole = kept if level < self.FINE else source
            loss = loss + weighted((whole - enlarged(F.avg_pool2d(whole, 2))).abs(), weight)
            kept, source, weight = (F.avg_pool2d(image, 2) for image in (kept, source, weight))
        return loss + weighted(source.abs(), weight)


def weighted(difference: Tensor, weight: Tensor) -> Tensor:
    """The mean of [B, 3, S, S] by a weight [B, 1, S, S]."""
    return (difference * weight).mean() / weight.mean().clamp(min=1e-3)


def enlarged(image: Tensor) -> Tensor:
    """Images [B, 3, S, S] at twice the size."""
    return F.interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)


def tune_for_clip(
    generator: Synthesis, examples: Examples, schedule: OptimSchedule, batch: int = 1, on_step: OnStep | None = None
) -> Synthesis:
    """A copy of the generator, tuned to a clip's examples, `batch` of them a step, in turns.

    The head for 256 px and the frozen noise stay: who is in the clip must go into what all sizes share.
    """
    tuned = copy.deepcopy(generator).to(examples.pivots.device).requires_grad_(False)
    learning = [
        parameter.requires_grad_()
        for name, parameter in tuned.named_parameters()
        if not name.startswith("head256.") and not name.endswith("noise")
    ]
    with torch.no_grad():
        inverted, edited = (
            torch.cat([pictures(tuned, code, schedule) for code in codes.split(1)])
            for codes in (examples.pivots, examples.edited)
        )
    loss = Stitching(examples, inverted, edited)
    turns = -(-len(examples.pivots) // batch)
    turn = 0

    def step() -> Tensor:
        nonlocal turn
        which = torch.arange(turn % turns, len(examples.pivots), turns)
        turn += 1
        codes = torch.cat((examples.pivots[which], examples.edited[which]))
        inverted, edited = pictures(tuned, codes, schedule).chunk(2)
        return loss(inverted, edited, which)

    descend(learning, step, schedule, on_step)
    return tuned.eval().requires_grad_(False)
