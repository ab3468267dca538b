"""Optimisation for one face or clip: of its code (Image2StyleGAN), or of the generator around the code (PTI).

Slow, where :mod:`videdit.inversion` is fast. Both go down on the same loss, of pictures at one size,

    l2 + perceptual distance

by Adam, the learning rate falling along a half cosine.

Abdal et al., "Image2StyleGAN", ICCV 2019; Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", 2021.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from videdit.metrics.perceptual import PerceptualFeatures, feature_distance
from videdit.models.mobile_stylegan import Synthesis

Tell = Callable[[int, float], None]  # told of each step and its loss


@dataclass(frozen=True)
class Course:
    """How long and how fast an optimisation goes."""

    steps: int
    lr: float
    l2: float = 1.0  # weights of the losses
    perceptual: float = 1.0
    size: int = 256  # px of the pictures that are compared
    bf16: bool = False  # the generator computes in bfloat16: twice as fast on CPUs and GPUs that multiply it


CODES = Course(steps=200, lr=0.03)
PIVOTAL = Course(steps=80, lr=3e-4)


class Likeness:
    """The loss against fixed pictures [N, 3, S, S] in [-1, 1]; their features are worked out once."""

    def __init__(self, features: PerceptualFeatures, targets: Tensor, course: Course) -> None:
        self.features, self.targets, self.course = features, targets, course
        with torch.no_grad():
            self._wanted = features(targets)

    def __call__(self, images: Tensor, which: Tensor | slice = slice(None)) -> Tensor:
        """Mean loss of images [B, 3, S, S] against the targets that `which` picks."""
        l2 = (images - self.targets[which]).square().mean()
        distance = feature_distance(self.features(images), [level[which] for level in self._wanted]).mean()
        return self.course.l2 * l2 + self.course.perceptual * distance


def optimise_codes(
    generator: Synthesis, loss: Likeness, start: Tensor, course: Course = CODES, tell: Tell | None = None
) -> Tensor:
    """Codes in W+ whose pictures are the targets.

    start: codes [N, 18, 512] to go on from, one a target: the generator's mean (Image2StyleGAN), or an encoder's.
    """
    codes = start.detach().clone().requires_grad_()

    def step() -> Tensor:
        return loss(pictures(generator, codes, course))

    descend([codes], step, course, tell)
    return codes.detach()


def tune_generator(
    generator: Synthesis,
    loss: Likeness,
    pivots: Tensor,
    course: Course = PIVOTAL,
    batch: int = 4,
    tell: Tell | None = None,
) -> Synthesis:
    """A copy of the generator, tuned so that it gives the targets at their pivots; the codes stay where edits work.

    pivots: codes [N, 18, 512], one a target. At most `batch` of them are looked at in a step, in turns.
    """
    tuned = copy.deepcopy(generator).train().requires_grad_(True)
    turns = -(-len(pivots) // batch)
    turn = 0

    def step() -> Tensor:
        nonlocal turn
        which = torch.arange(turn % turns, len(pivots), turns, device=pivots.device)
        turn += 1
        return loss(pictures(tuned, pivots[which], course), which)

    descend(tuned.parameters(), step, course, tell)
    return tuned.eval().requires_grad_(False)


def pictures(generator: Synthesis, codes: Tensor, course: Course) -> Tensor:
    """Codes [N, 18, 512] -> pictures [N, 3, size, size] float32."""
    with torch.autocast(codes.device.type, torch.bfloat16, enabled=course.bf16):
        return generator(codes, size=course.size).float()


def descend(
    parameters: Iterable[Tensor], step: Callable[[], Tensor], course: Course, tell: Tell | None = None
) -> None:
    """Adam for so many steps. What a step does not touch keeps no gradient and does not move."""
    optimizer = torch.optim.Adam(list(parameters), course.lr, betas=(0.9, 0.999))
    for i in range(course.steps):
        warm = min(1.0, (i + 1) / (0.05 * course.steps + 1))
        optimizer.param_groups[0]["lr"] = course.lr * warm * 0.5 * (1 + math.cos(math.pi * i / course.steps))
        loss = step()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if tell is not None:
            tell(i, float(loss.detach()))
