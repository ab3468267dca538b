"""Train the face parser on CelebAMask-HQ.

Cross-entropy with rare classes weighted up a little, and a soft Dice loss, which looks at each class as a whole as the
measure (intersection over union) does. The trunk starts from ImageNet's weights; its first stages, which see edges and
blobs and cost most to train, keep them.

Nine hundred masks are soon learnt by heart, the smallest parts first. A network that is trained further is therefore
mostly taught by the one it started from, which looks at each picture in four ways and is surer for it: that needs no
masks, so any faces will do (self-distillation, as in Xie et al., "Self-training with Noisy Student", CVPR 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.errors import UsageError
from videdit.evaluation.parsing import confusion, intersection_over_union, mean_common, parsing_sheet
from videdit.models.efficientnet_lite import EfficientNetLite0, fold_norms
from videdit.models.face_parser import FaceParser
from videdit.models.face_parts import CLASSES
from videdit.training import recipe, training
from videdit.training.data import load_pack
from videdit.training.masks import SWAPPED, MaskedFaces
from videdit.training.training import Setup, Validation, weighted
from videdit.weights.judges import load_judge

FROZEN_STAGES = 2  # up to stride 4
SHOWN = 10  # faces on a sheet


@dataclass
class Recipe(recipe.Recipe):
    """configs/train/parser.yaml; the defaults are for a start from nothing."""

    batch: int = 16
    trunk_lr: float = 2e-4
    head_lr: float = 8e-4
    entropy: float = 1.0  # weights of the losses
    dice: float = 0.5
    teaching: float = 1.0
    taught: int = 0  # pictures of a batch that are taught by the network at the start, half of them the generator's
    balance: float = 0.25  # of the classes in the cross-entropy: 0 none, 1 all count alike
    degraded: float = 0.4  # share of pictures
    occluded: float = 0.35  # of pictures, and of those that are, again
    warmup: int = 50
    clip: float = 2.0
    ema: float = 0.997


def dice_loss(chances: Tensor, masks: Tensor) -> Tensor:
    """1 - soft Dice of each class over the batch, [B, C, H, W] against [B, H, W], mean over the classes there are."""
    hit = torch.zeros_like(chances).scatter_(1, masks[:, None], 1.0)
    area = hit.sum((0, 2, 3))
    dice = 2 * (chances * hit).sum((0, 2, 3)) / (chances.sum((0, 2, 3)) + area).clamp_min(1)
    there = (area > 0).float()
    return ((1 - dice) * there).sum() / there.sum()


def class_balance(masks: np.ndarray, power: float) -> Tensor:
    """Weights [19] of the cross-entropy: a class's share to the power of minus `power`, 1 on the average pixel.

    Much balance makes rare classes grow beyond their borders: with 0.5, brows came out twice as thick as they are.
    """
    share = np.bincount(np.asarray(masks[::10]).ravel(), minlength=len(CLASSES)) / masks[::10].size
    weight = share.clip(1e-4) ** -power
    return torch.from_numpy(weight / (weight * share).sum()).float()


def lesson(teacher: FaceParser, images: Tensor) -> Tensor:
    """How likely each class is in pictures [B, 3, S, S] seen in two sizes and mirrored, [B, 19, S / 2, S / 2]."""
    side = images.shape[-1]
    views = []
    for size in (side, side * 5 // 4):
        seen = images if size == side else F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
        for mirrored in (False, True):
            chances = teacher.coarse(seen.flip(3) if mirrored else seen).float().softmax(1)
            chances = F.interpolate(chances, size=(side // 2, side // 2), mode="bilinear", antialias=True)
            views.append(chances.flip(3)[:, SWAPPED.tolist()] if mirrored else chances)
    return torch.stack(views).mean(0)


def start_from_imagenet(parser: FaceParser) -> None:
    """Before the first step: the trunk's ImageNet weights, and a head that finds no class likelier than another."""
    trunk = EfficientNetLite0(len(parser.trunk.stages))
    wanted = trunk.state_dict()
    trunk.load_state_dict({k: v for k, v in load_judge("efficientnet_lite0").items() if k in wanted}, strict=False)
    parser.trunk.load_state_dict(fold_norms(trunk).state_dict())
    for name, module in parser.named_modules():
        if isinstance(module, nn.Conv2d) and not name.startswith("trunk."):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    for layer in (*parser.merge, parser.scene, parser.classify):
        layer.weight.data *= 0.1
    parser.refine[-1].weight.data.zero_()


def freeze_costly(parser: FaceParser) -> None:
    """What costs most to train and gains least does not learn: the stages to stride 4, and depthwise kernels.

    (A CPU takes twenty times as long for the gradient of a depthwise 5x5 kernel in bf16 as for the convolution itself.)
    """
    stages: list[nn.Sequential] = list(parser.trunk.stages)  # type: ignore[arg-type]
    kernels = [block.depthwise for stage in stages for block in stage]
    for part in (parser.trunk.stem, *stages[:FROZEN_STAGES], stages[FROZEN_STAGES][0].expand, *kernels):
        part.requires_grad_(False)


class Training(training.Training[Recipe]):
    """The parser on real faces with masks."""

    file = "parser.safetensors"

    def __init__(self, recipe: Recipe, setup: Setup) -> None:
        """Loads faces and masks of ``setup.data``, and a teacher where the recipe wants one. Raises UsageError."""
        super().__init__(recipe, setup)
        self.faces = MaskedFaces(setup.data / "real256.npy", setup.data / "masks256.npy", recipe.held)
        parser = FaceParser()
        if recipe.taught and not setup.initial:
            raise UsageError("a parser that starts from nothing has no teacher: train it with taught: 0 first")
        if not 0 <= recipe.taught < recipe.batch:
            raise UsageError(f"taught: {recipe.taught} of a batch of {recipe.batch}; some of it must have masks")
        if not setup.initial:
            start_from_imagenet(parser)
        self.model: FaceParser = self.start(parser)
        freeze_costly(self.model)
        self.pools = [self.faces.images]
        if recipe.taught:
            self.pools.append(load_pack(setup.data / "bank256.npy"))
            self.teacher = self.start(FaceParser()).eval().requires_grad_(False)
        self.balance = class_balance(self.faces.masks, recipe.balance).to(self.device)
        trunk = [p for p in self.model.trunk.parameters() if p.requires_grad]
        heads = [p for name, p in self.model.named_parameters() if not name.startswith("trunk.")]
        groups = [{"params": trunk, "lr": recipe.trunk_lr}, {"params": heads, "lr": recipe.head_lr}]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=1e-3)
        self.held = tuple(part.to(self.device) for part in self.faces.held())

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """(pictures [B, 3, 256, 256], classes [B - T, 128, 128] of the first, the last T as they were before wear)"""
        recipe, rng = self.recipe, self.rng(step)
        images, masks = self.faces.batch(recipe.batch - recipe.taught, rng, recipe.degraded, recipe.occluded)
        y, x = rng.integers(0, 2, 2)  # any of the four pixels, lest the masks move by half a one
        masks = masks[:, y::2, x::2].contiguous()
        if not recipe.taught:
            return images.contiguous(memory_format=torch.channels_last), masks
        pupils = self.faces.unlabelled(self.pools, recipe.taught, self.rng(step, 1), recipe.degraded, recipe.occluded)
        images, clear = torch.cat((images, pupils[0])), pupils[1]
        images, clear = (x.contiguous(memory_format=torch.channels_last) for x in (images, clear))
        return images, masks, clear

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Terms: entropy and dice of the pictures with masks, and teaching of those without."""
        images, masks, *clear = batch
        # Not compiled: on a CPU the compiled step took three times as long, and minutes to begin with.
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.model.coarse(images).float()  # [B, 19, H / 2, W / 2]
        own, taught = logits.split((len(masks), len(images) - len(masks)))
        terms = {"entropy": F.cross_entropy(own, masks, self.balance), "dice": dice_loss(own.softmax(1), masks)}
        if clear:
            with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16):
                wanted = lesson(self.teacher, clear[0])
            terms["teaching"] = F.cross_entropy(taught, wanted)
        return weighted(self.recipe, terms), terms

    def validate(self, model: nn.Module) -> Validation:
        """Mean IoU of the 11 common classes, and of all, on held faces at 256 px."""
        images, masks = self.held
        classes = torch.cat([model(part).argmax(1) for part in images.split(10)])
        iou = intersection_over_union(confusion(classes, masks))
        figures = {"val_miou11": mean_common(iou), "val_miou19": float(iou.nanmean())}
        return Validation(figures, parsing_sheet(images[:SHOWN], masks[:SHOWN], classes[:SHOWN]))
