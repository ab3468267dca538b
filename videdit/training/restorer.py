"""Train the blind face restorer on real faces and samples of the generator, ruined at random.

The restorer must come near the original in each pixel (L1, through a smooth root) and in a face recogniser's features;
these are light, for a restorer that invents is worse in video than one that leaves a face soft. Crops of 128 and 256 px
take turns: in one, a face's features are half as large as in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from videdit.evaluation.judges import MobileFace
from videdit.evaluation.restoration import worn
from videdit.evaluation.sheet import contact_sheet
from videdit.imaging.degradation import ruin
from videdit.models.restorer import Restorer
from videdit.training import recipe, training
from videdit.training.data import Bank, Faces, jitter_colour, jitter_geometry, to_pictures, to_tensor
from videdit.training.encoder import FaceFeatures, feature_distance
from videdit.training.training import Setup, Validation, weighted

SMALL = 128  # px
SHOWN = 8  # faces on a sheet


@dataclass
class Recipe(recipe.Recipe):
    """configs/train/restorer.yaml; the defaults are for a start from nothing."""

    small: int = 16  # crops of 128 px in a step
    large: int = 4  # crops of 256 px in a step
    large_every: int = 4  # every n-th step looks at large ones
    sampled: float = 0.25  # share of the generator's samples among the crops
    lr: float = 1.5e-3
    l1: float = 1.0  # weights of the losses
    perceptual: float = 0.02
    identity: float = 0.02
    judged: int = 2  # crops of a step that the face recogniser looks at
    warmup: int = 20


class Training(training.Training[Recipe]):
    """The restorer on ruined faces."""

    file = "restorer.safetensors"

    def __init__(self, recipe: Recipe, setup: Setup) -> None:
        """Loads bank and faces of ``setup.data``; those held back are worn in always the same way."""
        super().__init__(recipe, setup)
        self.faces = Faces(setup.data / "real256.npy", recipe.held)
        self.samples = Bank(setup.data / "bank256.npy", setup.data / "bank_codes.npy")
        self.model: Restorer = self.start(Restorer())
        self.features, self.judge = FaceFeatures().to(self.device), MobileFace().to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), recipe.lr, betas=(0.9, 0.99))
        pairs = [worn(np.asarray(face), seed) for seed, face in enumerate(self.faces.held_images)]
        self.originals, self.inputs = (
            to_tensor(np.stack(column)).to(self.device) for column in zip(*pairs, strict=True)
        )

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """(ruined, originals), each [B, 3, S, S]"""
        recipe, rng = self.recipe, self.rng(step)
        large = step % recipe.large_every == recipe.large_every - 1
        inputs, targets = [], []
        for _ in range(recipe.large if large else recipe.small):
            pool = self.samples.images if rng.random() < recipe.sampled else self.faces.images
            image = jitter_geometry(np.asarray(pool[rng.integers(len(pool))]), rng)
            if rng.random() < 0.5:
                image = jitter_colour(image, rng)
            if not large:
                image = cv2.resize(image, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
            targets.append(image)
            inputs.append(ruin(image, rng, shrink=8.0 if large else 6.0))
        return to_tensor(np.stack(inputs)), to_tensor(np.stack(targets))

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Terms: l1, perceptual, identity; the latter two of the first ``judged`` pictures."""
        inputs, targets = batch
        # Not compiled: plain convolutions in bf16 are as fast without, and two sizes would be compiled one by one.
        with torch.autocast(self.device.type, torch.bfloat16):
            restored = self.model(inputs).float()
            count = self.recipe.judged
            with torch.no_grad():
                wanted = [part.float() for part in self.features(targets[:count])]
            got = [part.float() for part in self.features(restored[:count])]
        terms = {
            "l1": ((restored - targets).square() + 1e-5).sqrt().mean(),
            "perceptual": feature_distance(got[0], wanted[0]) + feature_distance(got[1], wanted[1]),
            "identity": 1 - (got[2] * wanted[2]).sum(1).mean(),
        }
        return weighted(self.recipe, terms), terms

    def validate(self, model: nn.Module) -> Validation:
        """PSNR gained over bicubic enlargement, and identity beside its, on held faces ruined in one fixed way."""
        restored = torch.cat([model(part) for part in self.inputs.split(10)]).clamp(-1, 1)
        who = self.judge(self.originals)
        gain = mean_psnr(restored, self.originals) - mean_psnr(self.inputs, self.originals)
        figures = {
            "val_gain": gain,
            "val_identity": float((self.judge(restored) * who).sum(1).mean()),
            "val_identity_bicubic": float((self.judge(self.inputs) * who).sum(1).mean()),
        }
        columns = (to_pictures(x[:SHOWN]) for x in (self.inputs, restored, self.originals))
        return Validation(figures, contact_sheet(list(zip(*columns, strict=True)), ("bicubic", "restored", "original")))


def mean_psnr(a: Tensor, b: Tensor) -> float:
    """The mean over pictures [N, 3, S, S] of their PSNR in dB."""
    return float((-10 * torch.log10((a - b).square().mean((1, 2, 3)) / 4)).mean())
