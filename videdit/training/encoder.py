"""Train E0, the basic encoder.

Samples of the generator give exact supervision of the code; real faces, and some of the samples, give losses on the
picture, through the generator's 256 px head: l2, and distances in a face recognition network (FaceRes) at three depths,
the last of which is identity. Three regularisers keep codes where edits work (e4e, Tov et al. 2021, section 3.2): w
stays likely under the generator's own distribution, the layers' deltas from it stay small, and they are released one
layer after another, coarse ones first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.evaluation.judge_networks import FaceResNet
from videdit.evaluation.judges import IMAGENET_MEAN_BGR, FaceRes, MobileFace
from videdit.evaluation.sheet import contact_sheet
from videdit.hfgi.loader import load_generator
from videdit.models.encoder import Encoder
from videdit.models.mobile_stylegan import NUM_LAYERS
from videdit.training import recipe, training
from videdit.training.common import psnr
from videdit.training.data import Bank, Faces, to_pictures
from videdit.training.training import Setup, Validation, weighted
from videdit.weights.judges import load_judge

SHOWN = 8  # faces on a sheet


@dataclass
class Recipe(recipe.Recipe):
    """configs/train/encoder.yaml; the defaults are what shipped."""

    samples: int = 8  # of the generator a step, with known codes
    pictured: int = 0  # of the samples, those that the losses on pictures see too
    faces: int = 10  # real ones a step
    trunk_lr: float = 2e-4
    head_lr: float = 7e-4
    code: float = 1.0  # weights of the losses
    l2: float = 1.0
    perceptual: float = 0.6
    identity: float = 0.9
    prior: float = 0.02
    delta: float = 0.25
    release: float = 0.0  # share of the training in which the deltas of all layers are released; 0: all at once


def trunk_from_faceres() -> dict[str, Tensor]:
    """The recogniser's MobileNetV1 (VGGFace2; MIT) as the trunk's initial state; its input scaling is folded in."""
    source = load_judge("faceres")
    mean = torch.tensor(IMAGENET_MEAN_BGR)  # 0..255
    state = {
        # ours takes RGB in [-1, 1]: x_bgr = 127.5 * x + 127.5 - mean
        "stem.conv.weight": (source["stem.weight"] * 127.5).flip(1),
        "stem.conv.bias": source["stem.bias"] + (source["stem.weight"].sum((2, 3)) * (127.5 - mean)).sum(1),
    }
    for i in range(13):
        for ours, theirs in (("depthwise", 0), ("pointwise", 2)):
            for kind in ("weight", "bias"):
                state[f"{ours}.{i}.conv.{kind}"] = source[f"blocks.{i}.{theirs}.{kind}"]
    return {k: v.contiguous() for k, v in state.items()}


def start_from_recogniser(encoder: Encoder, mean: Tensor) -> None:
    """Before the first step: the recogniser's trunk, heads that give about the mean code [512], and no deltas."""
    encoder.trunk.load_state_dict(trunk_from_faceres())
    encoder.mean.copy_(mean)
    nn.init.normal_(encoder.to_w.weight, std=0.01)
    nn.init.zeros_(encoder.to_coefficients.weight)
    for layer in (encoder.to_w, encoder.to_coefficients):
        nn.init.zeros_(layer.bias)


class FaceFeatures(nn.Module):
    """FaceRes at three depths: [B, 256, 28, 28], [B, 512, 14, 14] and the unit embedding [B, 1024]."""

    def __init__(self) -> None:
        """Raises WeightsError: the judge was not fetched."""
        super().__init__()
        self.judge = FaceRes()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, 3, S, S] in [-1, 1], of any size; differentiable."""
        mean = torch.tensor(IMAGENET_MEAN_BGR, device=x.device).view(1, 3, 1, 1)
        net = cast(FaceResNet, self.judge.net)
        x = F.relu6(net.stem((self.judge.cut(x).flip(1) + 1) * 127.5 - mean))
        kept = []
        for i, block in enumerate(net.blocks):
            x = block(x)
            if i in (4, 10):
                kept.append(x)
        return kept[0], kept[1], F.normalize(x.mean((2, 3)), dim=1)


def feature_distance(a: Tensor, b: Tensor) -> Tensor:
    """Squared distance of channel-normalised features [B, C, H, W], averaged over places."""
    return (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean()


def released(release: float, progress: float) -> Tensor:
    """Which layers' deltas count, [18, 1] of 0 and 1: more and more from the first layer on until `release`."""
    layers = NUM_LAYERS if progress >= release else int(NUM_LAYERS * progress / release)
    return (torch.arange(NUM_LAYERS) < layers).float()[:, None]


class Training(training.Training[Recipe]):
    """E0 on samples and faces."""

    file = "encoder.safetensors"

    def __init__(self, recipe: Recipe, setup: Setup) -> None:
        """Loads bank and faces of ``setup.data``. Raises UsageError or WeightsError: what is needed is not there."""
        super().__init__(recipe, setup)
        data, device = setup.data, self.device
        self.bank = Bank(data / "bank256.npy", data / "bank_codes.npy")
        self.faces = Faces(data / "real256.npy", recipe.held)
        encoder = Encoder()
        if not setup.initial:
            start_from_recogniser(encoder, self.bank.codes.mean(0))
        self.model: Encoder = self.start(encoder)
        _, self.generator = load_generator(device)
        self.features, self.judge = FaceFeatures().to(device), MobileFace().to(device)
        self.encode = self.compiled(self.model.parts)
        self.synthesise = self.compiled(lambda codes: self.generator(codes, size=256))
        trunk = list(self.model.trunk.parameters())
        heads = [p for name, p in self.model.named_parameters() if not name.startswith("trunk.")]
        groups = [{"params": trunk, "lr": recipe.trunk_lr}, {"params": heads, "lr": recipe.head_lr}]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=1e-4)
        # Whitening of W for the prior: likely codes have a mean squared whitened coordinate of 1 or less.
        codes = self.bank.codes
        self.mean, self.variance = codes.mean(0).to(device), float(codes.var(0).mean())
        centred = codes - codes.mean(0)
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        self.whiten = (vectors / values.clamp_min(1e-3 * values.max()).sqrt()).to(device)
        self.held = self.faces.held().to(device)

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """(samples, their originals, their codes [B, 512], faces, their originals); pictures are [B, 3, 256, 256]."""
        samples = self.bank.batch(self.recipe.samples, self.rng(step, 1))
        return *samples, *self.faces.batch(self.recipe.faces, self.rng(step, 2))

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Terms: code, prior, delta, l2, perceptual, identity; deltas are released by `progress`."""
        recipe = self.recipe
        samples, originals, codes, faces, targets = batch
        count, first = len(samples), len(samples) - recipe.pictured
        w, deltas = (part.float() for part in self.encode(torch.cat((samples, faces))))
        deltas = deltas * released(recipe.release, progress).to(self.device)
        targets = torch.cat((originals[first:], targets))
        images = self.synthesise((w[:, None] + deltas)[first:]).float()
        with torch.no_grad():
            wanted = self.features(targets)
        got = self.features(images)
        terms = {
            "code": (w[:count] - codes).square().mean() / self.variance,
            "prior": F.relu(((w - self.mean) @ self.whiten).square().mean(1) - 1.0).mean(),
            "delta": deltas.square().mean() / self.variance,
            "l2": (images - targets).square().mean(),
            "perceptual": feature_distance(got[0], wanted[0]) + feature_distance(got[1], wanted[1]),
            "identity": 1 - (got[2] * wanted[2]).sum(1).mean(),
        }
        return weighted(recipe, terms), terms

    def validate(self, model: nn.Module) -> Validation:
        """PSNR and identity of the inversion of held faces by the code alone."""
        images = torch.cat([self.generator(model(part), size=256) for part in self.held.split(5)]).clamp(-1, 1)
        identity = (self.judge(images) * self.judge(self.held)).sum(1).mean()
        rows = zip(to_pictures(self.held[:SHOWN]), to_pictures(images[:SHOWN]), strict=True)
        sheet = contact_sheet(list(rows), ("source", "encoder only"))
        return Validation({"val_psnr": psnr(images, self.held), "val_identity": float(identity)}, sheet)
