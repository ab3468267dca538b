"""Fit the generator's 256 px head: block 4's features -> the area-downsampled 1024 px picture.

Everything else of the generator stays frozen. Samples are drawn on the spot and kept in a rolling pool, because drawing
one costs ten times a training step on it; random consultation-like scale and shift fields are applied to half of them,
so that the head holds for the features that HFGI makes, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.errors import UsageError
from videdit.evaluation.sheet import contact_sheet
from videdit.hfgi.loader import load_encoder, load_generator
from videdit.models.mobile_stylegan import NUM_LAYERS, Head256, Mapping, Synthesis
from videdit.training import recipe, training
from videdit.training.common import psnr
from videdit.training.data import Faces, to_pictures
from videdit.training.training import Setup, Validation

RENEWED = 16  # steps after which the oldest draw of the pool makes room for a new one


@dataclass
class Recipe(recipe.Recipe):
    """configs/train/head256.yaml; the defaults are the first of the two trainings that shipped."""

    warmup: int = 1
    clip: float = 1e9
    ema: float = 0.99
    lr: float = 2e-3
    batch: int = 8
    pool: int = 64  # samples that are at hand at a time
    drawn: int = 4  # of them, drawn at once
    real: bool = False  # every second draw is of codes of real faces, as E0 gives them: what the head meets in use
    absolute: float = 0.1  # weight of the mean absolute error beside the squared one


def random_codes(mapping: Mapping, count: int, rng: torch.Generator) -> Tensor:
    """Codes [count, 18, 512], truncated by psi in [0.5, 1]; half of them mix two w, so that layers differ."""
    device = next(mapping.parameters()).device
    w = mapping(torch.randn(2 * count, 512, generator=rng).to(device))
    mean = mapping(torch.randn(2048, 512, generator=rng).to(device)).mean(0)
    psi = 0.5 + 0.5 * torch.rand(2 * count, 1, generator=rng).to(device)
    w = (mean + psi * (w - mean))[:, None].expand(-1, NUM_LAYERS, -1)
    first, second = w[:count], w[count:]
    share = 0.4 * torch.rand(count, NUM_LAYERS, 1, generator=rng)
    share[: count // 2] = 0
    return first + share.to(device) * (second - first)


def random_condition(trunk: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Smooth random scale and shift [B, 512, 64, 64], of the size that consultation gives."""
    b, c = trunk.shape[:2]
    strength = 0.25 * torch.rand(b, 1, 1, 1, generator=rng) * (torch.rand(b, 1, 1, 1, generator=rng) < 0.5)
    fields = []
    for _ in range(2):
        coarse = torch.randn(b, c, 16, 16, generator=rng)
        fields.append(strength * F.interpolate(coarse, size=64, mode="bilinear", align_corners=False))
    return fields[0].to(trunk), fields[1].to(trunk) * trunk.std(dim=(2, 3), keepdim=True)


@torch.no_grad()
def draw(generator: Synthesis, codes: Tensor, rng: torch.Generator) -> list[tuple[Tensor, ...]]:
    """Samples of (features [256, 128, 128] fp16, w [512], target [3, 256, 256] fp16) of codes [B, 18, 512]."""
    trunk = generator.trunk(codes)
    condition = random_condition(trunk, rng)
    features = generator.features128(trunk, codes, condition)
    x = features
    for i in (5, 6):
        x = generator.blocks[i].conv2(generator.blocks[i].first(x, codes[:, 2 * i + 1]), codes[:, 2 * i + 2])
    half = generator.to_image(x, codes[:, 15])[:, :3] * 0.5  # [B, 3, 512, 512]
    target = F.avg_pool2d(half, 2)
    return [(features[i].half(), codes[i, 11], target[i].half()) for i in range(len(codes))]


def restart(head: Head256) -> None:
    """Fresh weights: the linear skip path begins the picture, the convolutions join in."""
    for module in head.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight, a=0.2)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    torch.nn.init.zeros_(head.modulation.weight)
    torch.nn.init.zeros_(head.out.weight)
    head.skip.weight.data *= 0.1


class FittedHead(nn.Module):
    """The head under its name in the weight file."""

    def __init__(self, head: Head256) -> None:
        """head: what is trained."""
        super().__init__()
        self.head256 = head


class Training(training.Training[Recipe]):
    """The head on windows of the pool's samples."""

    file = "generator_head256.safetensors"

    def __init__(self, recipe: Recipe, setup: Setup) -> None:
        """Draws what is held back. Raises UsageError: `pool` is not a multiple of `drawn`."""
        super().__init__(recipe, setup)
        if recipe.drawn < 1 or recipe.pool < 1 or recipe.pool % recipe.drawn:
            raise UsageError(f"pool: {recipe.pool} is not a multiple of drawn: {recipe.drawn}")
        self.mapping, self.generator = load_generator(self.device)
        head = Head256()
        if not setup.initial:
            restart(head)
        self.model: FittedHead = self.start(FittedHead(head))
        self.optimizer = torch.optim.Adam(self.model.parameters(), recipe.lr, betas=(0.9, 0.99))
        if recipe.real:
            assert setup.encoder
            self.encoder = load_encoder(setup.encoder, self.device)
            self.faces = Faces(setup.data / "real256.npy", recipe.held)
        self.drawn: dict[int, list[tuple[Tensor, ...]]] = {}  # the pool: draws by their numbers
        self.held = self.draw(0, 8) + self.draw(1, 8)

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """Which samples of the pool, and where their window of 64 px is: picks [batch], corner [2]."""
        rng = self.torch_rng(step, 1)
        picks = torch.randint(self.recipe.pool, (self.recipe.batch,), generator=rng)
        return picks, torch.randint(33, (2,), generator=rng)

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Terms: squared and absolute error, of a window of 128 px without its rim."""
        # 64 px windows of the 128 px features: more variety a step; the rim sees other padding, and is not counted
        pool = self.pool(step)
        chosen = [pool[i] for i in batch[0].tolist()]
        y, x = (2 * batch[1]).tolist()
        features = torch.stack([s[0][:, y : y + 64, x : x + 64] for s in chosen]).float()
        features = features.contiguous(memory_format=torch.channels_last)
        target = torch.stack([s[2][:, 2 * y : 2 * y + 128, 2 * x : 2 * x + 128] for s in chosen]).float()
        made = self.model.head256(features, torch.stack([s[1] for s in chosen]))
        error = (made - target)[:, :, 4:-4, 4:-4]
        terms = {"squared": error.square().mean(), "absolute": error.abs().mean()}
        return terms["squared"] + self.recipe.absolute * terms["absolute"], terms

    def validate(self, model: nn.Module) -> Validation:
        """PSNR against the downsampled 1024 px picture on samples that no step sees."""
        features, w, wanted = (torch.stack(parts).float() for parts in zip(*self.held, strict=True))
        made = model.head256(features, w)
        sheet = contact_sheet(list(zip(to_pictures(wanted), to_pictures(made), strict=True)), ("1024 px", "head"))
        return Validation({"val_psnr": psnr(made, wanted)}, sheet)

    def pool(self, step: int) -> list[tuple[Tensor, ...]]:
        """The samples at hand at a step, each as of :func:`draw`. Which ones depends on the step alone."""
        first = step // RENEWED
        numbers = range(first, first + self.recipe.pool // self.recipe.drawn)
        self.drawn = {number: self.drawn.get(number) or self.draw(number, 2) for number in numbers}
        return [sample for number in numbers for sample in self.drawn[number]]

    @torch.no_grad()
    def draw(self, number: int, purpose: int) -> list[tuple[Tensor, ...]]:
        """The samples of one draw, as of :func:`draw`."""
        rng = self.torch_rng(number, purpose)
        if self.recipe.real and number % 2:
            codes = self.encoder(self.faces.batch(self.recipe.drawn, self.rng(number, purpose))[0].to(self.device))
        else:
            codes = random_codes(self.mapping, self.recipe.drawn, rng)
        return draw(self.generator, codes, rng)
