"""Train the face parser on CelebAMask-HQ.

Cross-entropy with rare classes weighted up, and a soft Dice loss, which looks at each class as a whole as the measure
(intersection over union) does. The trunk starts from ImageNet's weights; its first stages, which see edges and blobs
and cost most to train, keep them.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from videdit.metrics.judges import load_judge
from videdit.models.efficientnet_lite import EfficientNetLite0, fold_norms
from videdit.models.face_parser import CLASSES, COMMON, FaceParser
from videdit.train.common import Ema, Log, compiled, cosine
from videdit.train.data import VALIDATION_FACES, to_tensor
from videdit.train.masks import FACES, MASKS, MaskedFaces

FILE = "parser.safetensors"
FROZEN_STAGES = 2


@dataclass
class Recipe:
    """configs/train/parser.yaml; the defaults are what shipped."""

    batch: int = 16
    trunk_lr: float = 3e-4
    head_lr: float = 1.2e-3
    dice: float = 0.5
    degraded: float = 0.4  # share of pictures
    occluded: float = 0.35  # of pictures, and of those that are, again
    ema: float = 0.99


class TrainedParser(nn.Module):
    """The parser with its losses, as one function of fixed shapes."""

    def __init__(self, parser: FaceParser, balance: Tensor) -> None:
        super().__init__()
        self.parser = parser
        self.register_buffer("balance", balance)

    def forward(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures [B, 3, H, W], classes [B, H / 2, W / 2] -> (cross-entropy, Dice loss)."""
        logits = self.parser.half(images).float()
        entropy = F.cross_entropy(logits, masks, self.balance)
        return entropy, dice_loss(logits.softmax(1), masks)


def dice_loss(chances: Tensor, masks: Tensor) -> Tensor:
    """1 - soft Dice of each class over the batch, [B, C, H, W] against [B, H, W], mean over the classes there are."""
    hit = torch.zeros_like(chances).scatter_(1, masks[:, None], 1.0)
    area = hit.sum((0, 2, 3))
    dice = 2 * (chances * hit).sum((0, 2, 3)) / (chances.sum((0, 2, 3)) + area).clamp_min(1)
    there = (area > 0).float()
    return ((1 - dice) * there).sum() / there.sum()


def class_balance(masks: np.ndarray) -> Tensor:
    """Weights [19] of the cross-entropy: the inverse square root of a class's share, 1 on the average pixel."""
    share = np.bincount(np.asarray(masks[::10]).ravel(), minlength=len(CLASSES)) / masks[::10].size
    weight = 1 / np.sqrt(share.clip(1e-4))
    return torch.from_numpy(weight / (weight * share).sum()).float()


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


def freeze_early(parser: FaceParser) -> None:
    """The stem and the stages up to stride 4 do not learn."""
    for part in (parser.trunk.stem, *parser.trunk.stages[:FROZEN_STAGES]):
        part.requires_grad_(False)


def confusion(classes: Tensor, masks: Tensor) -> Tensor:
    """Predicted and true classes of equal shape -> counts [19 true, 19 predicted]."""
    n = len(CLASSES)
    return torch.bincount(masks.flatten().long() * n + classes.flatten(), minlength=n * n).view(n, n)


def intersection_over_union(counts: Tensor) -> Tensor:
    """Confusion counts [19, 19] over all pictures -> IoU of each class [19], nan where a class is not there."""
    both = counts.diagonal().double()
    return both / (counts.sum(0) + counts.sum(1) - both)


@torch.no_grad()
def validate(parser: nn.Module, images: Tensor, masks: Tensor) -> dict[str, float]:
    """Mean IoU of the 11 common classes and of all, on pictures [N, 3, S, S] and masks [N, S, S]."""
    counts = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.int64)
    for image, mask in zip(images.split(10), masks.split(10), strict=True):
        counts += confusion(parser(image).argmax(1), mask)
    iou = intersection_over_union(counts)
    return {"val_miou11": float(iou[list(COMMON)].mean()), "val_miou19": float(iou.nanmean())}


def train(
    out: Path, packs: Path, seconds: float, recipe: Recipe | None = None, initial: Path | None = None, seed: int = 0
) -> None:
    """Train for `seconds` of wall time; checkpoints go to out/parser.safetensors (averaged weights, fp16).

    initial: weights to go on from; without, the trunk starts from ImageNet's.
    """
    recipe = recipe or Recipe()
    torch.manual_seed(seed)
    start = time.monotonic()
    faces = MaskedFaces(packs, seed=seed)
    parser = FaceParser()
    if initial:
        parser.load_state_dict({k: v.float() for k, v in load_file(initial).items()})
    else:
        start_from_imagenet(parser)
    parser = parser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    freeze_early(parser)
    learner = TrainedParser(parser, class_balance(faces.masks))
    losses = compiled(learner)
    held = to_tensor(np.load(packs / FACES, mmap_mode="r")[VALIDATION_FACES])
    held_masks = torch.from_numpy(np.load(packs / MASKS)[VALIDATION_FACES])
    trunk = [p for p in parser.trunk.parameters() if p.requires_grad]
    heads = [p for n, p in parser.named_parameters() if not n.startswith("trunk.")]
    groups = [{"params": trunk, "peak": recipe.trunk_lr}, {"params": heads, "peak": recipe.head_lr}]
    optimizer = torch.optim.AdamW(groups, recipe.head_lr, betas=(0.9, 0.99), weight_decay=1e-3)
    ema = Ema(parser, recipe.ema)
    log = Log(out)
    step, saved = 0, start

    def draw() -> tuple[Tensor, Tensor]:
        images, masks = faces.batch(recipe.batch, recipe.degraded, recipe.occluded)
        y, x = faces.rng.integers(0, 2, 2)  # any of the four pixels, lest the masks move by half a one
        return images.contiguous(memory_format=torch.channels_last), masks[:, y::2, x::2].contiguous()

    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(draw)
        while (elapsed := time.monotonic() - start) < seconds:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * min(1.0, (step + 1) / 50) * cosine(elapsed / seconds)
            images, masks = coming.result()
            coming = beside.submit(draw)
            entropy, dice = losses(images, masks)
            optimizer.zero_grad(set_to_none=True)
            (entropy + recipe.dice * dice).backward()
            nn.utils.clip_grad_norm_(parser.parameters(), 2.0)
            optimizer.step()
            ema.update(parser)
            if step % 25 == 0:
                log.write(step=step, entropy=float(entropy.detach()), dice=float(dice.detach()))
            if time.monotonic() - saved > 180:
                saved = time.monotonic()
                save(ema.model, out)
                log.write(step=step, **validate(ema.model, held, held_masks))
            step += 1
    save(ema.model, out)
    log.write(step=step, **validate(ema.model, held, held_masks))


def save(parser: nn.Module, out: Path) -> None:
    save_file({k: v.half().contiguous() for k, v in parser.state_dict().items()}, out / FILE)
