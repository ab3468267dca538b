"""Train E0, the basic encoder.

Samples of the generator give exact supervision of the code; real faces give losses on the picture, through the
generator's 256 px head: l2, and distances in a face recognition network (FaceRes) at three depths, the last of which is
identity. Two regularisers keep codes where edits work (e4e, Tov et al. 2021): w stays likely under the generator's
own distribution, deltas stay small.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from videdit.metrics.judges import FaceRes, MobileFace, load_judge
from videdit.metrics.nets import FaceResNet
from videdit.models.encoder import Encoder
from videdit.train.common import Ema, Log, compiled, cosine, load_generator, psnr
from videdit.train.data import VALIDATION_FACES, Bank, Faces, to_tensor


@dataclass
class Recipe:
    """configs/train/encoder.yaml; the defaults are what shipped."""

    samples: int = 10  # a step, with known codes
    faces: int = 8  # a step, real
    trunk_lr: float = 2e-4
    head_lr: float = 1e-3
    code: float = 1.0
    l2: float = 1.0
    features: float = 0.6
    identity: float = 0.5
    prior: float = 0.02
    delta: float = 0.5
    ema: float = 0.995


def trunk_from_faceres() -> dict[str, Tensor]:
    """The recogniser's MobileNetV1 (VGGFace2; MIT) as the trunk's initial state; its input scaling is folded in."""
    source = load_judge("faceres")
    mean = torch.tensor((103.939, 116.779, 123.68))  # BGR, 0..255
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
    """Before the first step: the recogniser's trunk, and heads that give about the mean code [512]."""
    encoder.trunk.load_state_dict(trunk_from_faceres())
    encoder.mean.copy_(mean)
    for layer in (encoder.to_w, encoder.to_coefficients):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)


class FaceFeatures(nn.Module):
    """FaceRes at three depths: [B, 256, 28, 28], [B, 512, 14, 14] and the unit embedding [B, 1024]."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = FaceRes()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean = torch.tensor((103.939, 116.779, 123.68), device=x.device).view(1, 3, 1, 1)
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


@torch.no_grad()
def validate(encoder: Encoder, generator: nn.Module, faces: Tensor, judge: MobileFace) -> dict[str, float]:
    """PSNR and identity of the encoder-only inversion of real faces [N, 3, 256, 256]."""
    images = torch.cat([generator(encoder(part), size=256) for part in faces.split(5)]).clamp(-1, 1)
    identity = (judge(images) * judge(faces)).sum(1).mean()
    return {"val_psnr": psnr(images, faces), "val_identity": float(identity)}


def train(
    out: Path,
    packs: Path,
    seconds: float,
    recipe: Recipe | None = None,
    initial: Path | None = None,
    seed: int = 0,
) -> None:
    """Train for `seconds` of wall time; checkpoints go to out/encoder.safetensors (averaged weights, fp16).

    initial: weights to go on from; without, the trunk starts from the face recogniser's.
    """
    recipe = recipe or Recipe()
    torch.manual_seed(seed)
    start = time.monotonic()
    _, generator = load_generator()
    generator = generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    encoder = Encoder()
    bank, faces = Bank(packs / "bank256.npy", packs / "bank_codes.npy"), Faces(packs / "real256.npy")
    if initial:
        encoder.load_state_dict({k: v.float() for k, v in load_file(initial).items()})
    else:
        start_from_recogniser(encoder, bank.codes.mean(0))
    encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    encode = compiled(encoder.parts)
    synthesise = compiled(lambda codes: generator(codes, size=256))
    variance = bank.codes.var(0).mean()
    # Whitening of W for the prior: likely codes have a mean squared whitened coordinate of 1 or less.
    centred = bank.codes - bank.codes.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    whiten = vectors / values.clamp_min(1e-3 * values.max()).sqrt()
    features = FaceFeatures()
    judge = MobileFace()
    held = to_tensor(Faces(packs / "real256.npy", VALIDATION_FACES).images[:25])
    groups = [
        {"params": list(encoder.trunk.parameters()), "peak": recipe.trunk_lr},
        {"params": [p for n, p in encoder.named_parameters() if not n.startswith("trunk.")], "peak": recipe.head_lr},
    ]
    optimizer = torch.optim.AdamW(groups, recipe.head_lr, betas=(0.9, 0.98), weight_decay=1e-4)
    ema = Ema(encoder, recipe.ema)
    log = Log(out)
    step, saved = 0, start
    while (elapsed := time.monotonic() - start) < seconds:
        progress = elapsed / seconds
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1.0, (step + 1) / 100) * cosine(progress)
        sample_images, sample_codes = bank.batch(recipe.samples)
        inputs, targets = faces.batch(recipe.faces)
        batch = torch.cat((sample_images, inputs)).contiguous(memory_format=torch.channels_last)
        w, deltas = (part.float() for part in encode(batch))
        code = (w[: recipe.samples] - sample_codes).square().mean() / variance
        prior = F.relu(((w - bank.codes.mean(0)) @ whiten).square().mean(1) - 1.0).mean()
        delta = deltas.square().mean() / variance
        codes = (w[:, None] + deltas)[recipe.samples :]
        images = synthesise(codes).float()
        l2 = (images - targets).square().mean()
        with torch.no_grad():
            wanted = features(targets)
        got = features(images)
        distance = feature_distance(got[0], wanted[0]) + feature_distance(got[1], wanted[1])
        identity = 1 - (got[2] * wanted[2]).sum(1).mean()
        loss = (
            recipe.code * code
            + recipe.prior * prior
            + recipe.delta * delta
            + recipe.l2 * l2
            + recipe.features * distance
            + recipe.identity * identity
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        ema.update(encoder)
        if step % 25 == 0:
            terms = {"code": code, "prior": prior, "delta": delta, "l2": l2, "feat": distance, "id": identity}
            log.write(step=step, **{k: float(v.detach()) for k, v in terms.items()})
        if time.monotonic() - saved > 240:
            saved = time.monotonic()
            save(ema.model, out)
            log.write(step=step, **validate(ema.model, generator, held, judge))
        step += 1
    save(ema.model, out)
    log.write(step=step, **validate(ema.model, generator, held, judge))


def save(encoder: Encoder, out: Path) -> None:
    save_file({k: v.half().contiguous() for k, v in encoder.state_dict().items()}, out / "encoder.safetensors")
