"""Fit the generator's 256 px head: block 4's features -> the area-downsampled 1024 px picture.

    python -m videdit.train head256 --time-budget 8m

Everything else of the generator stays frozen. Samples are drawn on the spot and kept in a rolling pool, because drawing
one costs ten times a training step on it; random consultation-like scale and shift fields are applied to half of them,
so that the head holds for the features that HFGI makes, too.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from videdit.models.encoder import Encoder
from videdit.models.mobile_stylegan import NUM_LAYERS, Head256, Mapping, Synthesis
from videdit.train.common import Log, load_encoder, load_generator, psnr
from videdit.train.data import Faces


def random_codes(mapping: Mapping, count: int, rng: torch.Generator) -> Tensor:
    """Codes [count, 18, 512], truncated by psi in [0.5, 1]; half of them mix two w, so that layers differ."""
    w = mapping(torch.randn(2 * count, 512, generator=rng))
    mean = mapping(torch.randn(2048, 512, generator=rng)).mean(0)
    psi = 0.5 + 0.5 * torch.rand(2 * count, 1, generator=rng)
    w = (mean + psi * (w - mean))[:, None].expand(-1, NUM_LAYERS, -1)
    first, second = w[:count], w[count:]
    share = 0.4 * torch.rand(count, NUM_LAYERS, 1, generator=rng)
    share[: count // 2] = 0
    return first + share * (second - first)


def random_condition(trunk: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Smooth random scale and shift [B, 512, 64, 64], of the size that consultation gives."""
    b, c = trunk.shape[:2]
    strength = 0.25 * torch.rand(b, 1, 1, 1, generator=rng) * (torch.rand(b, 1, 1, 1, generator=rng) < 0.5)
    fields = []
    for _ in range(2):
        coarse = torch.randn(b, c, 16, 16, generator=rng)
        fields.append(strength * F.interpolate(coarse, size=64, mode="bilinear", align_corners=False))
    return fields[0], fields[1] * trunk.std(dim=(2, 3), keepdim=True)


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


def encoded_codes(encoder: Encoder, faces: Faces, count: int) -> Tensor:
    """Codes [count, 18, 512] of real faces, as the encoder gives them: what the head meets in use."""
    return encoder(faces.batch(count)[0])


def train(
    out: Path,
    seconds: float,
    encoder_file: Path | None = None,
    packs: Path | None = None,
    pool_size: int = 64,
    batch: int = 8,
    seed: int = 0,
) -> None:
    """Fit for `seconds` of wall time, and write out/generator_head256.safetensors.

    With an encoder's weights and packs of faces, goes on from the shipped head, on codes of real faces for one half.
    """
    start = time.monotonic()
    rng = torch.Generator().manual_seed(seed)
    mapping, generator = load_generator()
    generator = generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU
    head = generator.head256.train().requires_grad_(True)
    peak = 2e-3
    encoder, faces = None, None
    if encoder_file and packs:
        peak = 5e-4
        encoder, faces = load_encoder(encoder_file), Faces(packs / "real256.npy", seed=seed)
    else:
        restart(head)
    turn = itertools.count()

    def sample(count: int) -> list[tuple[Tensor, ...]]:
        with torch.no_grad():
            if encoder and faces and next(turn) % 2:
                return draw(generator, encoded_codes(encoder, faces, count), rng)
            return draw(generator, random_codes(mapping, count, rng), rng)

    log = Log(out)
    held = sample(4) + sample(4)
    pool: list[tuple[Tensor, ...]] = []
    while len(pool) < pool_size and time.monotonic() - start < 0.35 * seconds:
        pool += sample(4)
    optimizer = torch.optim.Adam(head.parameters(), peak, betas=(0.9, 0.99))
    step = 0
    while (elapsed := time.monotonic() - start) < seconds:
        progress = elapsed / seconds
        optimizer.param_groups[0]["lr"] = peak * min(1, 2.5 * (1 - progress)) + 1e-5
        if step % 16 == 15:
            pool = pool[4:] + sample(4)
        # 64 px windows of the 128 px features: more variety a step; the rim sees other padding, and is not counted
        picks = torch.randint(len(pool), (batch,), generator=rng).tolist()
        y, x = (2 * torch.randint(33, (2,), generator=rng)).tolist()
        features = torch.stack([pool[i][0][:, y : y + 64, x : x + 64] for i in picks]).float()
        features = features.contiguous(memory_format=torch.channels_last)
        w = torch.stack([pool[i][1] for i in picks])
        target = torch.stack([pool[i][2][:, 2 * y : 2 * y + 128, 2 * x : 2 * x + 128] for i in picks]).float()
        error = (head(features, w) - target)[:, :, 4:-4, 4:-4]
        loss = error.square().mean() + 0.1 * error.abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            with torch.no_grad():
                features = torch.stack([s[0] for s in held]).float()
                wanted = torch.stack([s[2] for s in held]).float()
                quality = psnr(head(features, torch.stack([s[1] for s in held])), wanted)
            log.write(step=step, loss=float(loss.detach()), held_psnr=quality)
        step += 1
    state = {f"head256.{k}": v.half().contiguous() for k, v in head.state_dict().items()}
    save_file(state, out / "generator_head256.safetensors")
