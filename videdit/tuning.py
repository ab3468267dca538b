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
import torch.nn.functional as F
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


@dataclass(frozen=True)
class Examples:
    """Moments of a clip that a generator is tuned on."""

    targets: Tensor  # [N, 3, S, S] in [-1, 1], the source's crops
    pivots: Tensor  # [N, 18, 512], their codes
    edited: Tensor  # [N, 18, 512], the codes after the edit
    masks: Tensor  # [N, 1, S, S] in 0..1, where the edit shows


class Stitching:
    """The loss of tuning for a clip: the pivots give the source, and the edit meets it where its mask ends.

        sum over bands of mean w |B(G(w)) - B(x)|  +  border * mean b |G(w + delta) - x|

    B are the bands of a Laplacian pyramid (Bojanowski et al., "Optimizing the Latent Space of Generative Networks",
    2018), w is little outside of the mask m, and b = 4 m (1 - m) is 1 in the middle of the mask's soft edge (Tzaban et
    al., "Stitch it in Time", 2022, has a hard band there). No network is needed for it that does not ship.
    """

    OUTSIDE = 0.1
    LEVELS = 4

    def __init__(self, examples: Examples, border: float = 1.0) -> None:
        self.examples, self.border = examples, border

    def __call__(self, inverted: Tensor, edited: Tensor, which: Tensor) -> Tensor:
        """inverted, edited: pictures [B, 3, S, S] of the examples that `which` picks."""
        target, mask = self.examples.targets[which], self.examples.masks[which]
        weight = self.OUTSIDE + (1 - self.OUTSIDE) * mask
        edge = 4 * mask * (1 - mask)
        loss = self.border * ((edited - target).abs() * edge).mean() / edge.mean().clamp(min=1e-3)
        difference = inverted - target
        for _ in range(self.LEVELS):
            low = F.avg_pool2d(difference, 2)
            band = difference - F.interpolate(low, scale_factor=2.0, mode="bilinear", align_corners=False)
            loss = loss + (band.abs() * weight).mean() / weight.mean()
            difference, weight = low, F.avg_pool2d(weight, 2)
        return loss + (difference.abs() * weight).mean() / weight.mean()


def tune_for_clip(
    generator: Synthesis, examples: Examples, course: Course, batch: int = 2, tell: Tell | None = None
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
    loss = Stitching(examples)
    turns = -(-len(examples.pivots) // batch)
    turn = 0

    def step() -> Tensor:
        nonlocal turn
        which = torch.arange(turn % turns, len(examples.pivots), turns)
        turn += 1
        codes = torch.cat((examples.pivots[which], examples.edited[which]))
        inverted, edited = pictures(tuned, codes, course).chunk(2)
        return loss(inverted, edited, which)

    descend(learning, step, course, tell)
    return tuned.eval().requires_grad_(False)
