"""Train ADA and the consultation encoder, E0 and the generator frozen (HFGI section 3.3).

Self-supervised: the distortion map is thrown out of place by a random perspective and ADA must undo it, guided by the
inversion; the consultation encoder must then bring back the source. The image losses go through the 256 px head, which
costs a sixth of the full path; every few steps go through the 512 px path so that it stays true.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from videdit.metrics.judges import MobileFace
from videdit.models.encoder import Encoder
from videdit.models.hfgi import Alignment, Consultation
from videdit.models.mobile_stylegan import Synthesis
from videdit.train.common import Ema, Log, Lookahead, compiled, cosine, load_encoder, load_generator, psnr
from videdit.train.data import VALIDATION_FACES, Bank, Faces, to_tensor
from videdit.train.encoder import FaceFeatures, feature_distance


@dataclass
class Recipe:
    """configs/train/hfgi.yaml; the defaults are what shipped."""

    faces: int = 6  # a step
    lr: float = 1e-3  # the paper has 1e-4 for 90,000 steps: ours takes a thousandth of the time
    align: float = 0.3
    l2: float = 2.0
    features: float = 0.8
    identity: float = 0.3
    condition: float = 0.002  # keeps scale and shift small: detail return brings back the rest
    still: float = 0.35  # share of maps that are left in place, as for the inversion itself
    sharp_every: int = 4  # every n-th step looks at 512 px
    ema: float = 0.99


class Hfgi(nn.Module):
    """ADA and consultation encoder as one module, for the optimiser and the file."""

    def __init__(self) -> None:
        super().__init__()
        self.alignment = Alignment()
        self.consultation = Consultation()


def random_perspective(x: Tensor, still: float, rng: torch.Generator) -> Tensor:
    """Throw [B, 3, H, W] out of place: corners move by up to 8 % of the size, borders are reflected."""
    b = x.shape[0]
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    share = torch.rand(b, 1, 1, generator=rng) * (torch.rand(b, 1, 1, generator=rng) > still)
    moved = corners + 0.16 * share * (2 * torch.rand(b, 4, 2, generator=rng) - 1)
    # The homography of four point pairs: 8 unknowns, 8 equations an image.
    rows = []
    for k in range(4):
        sx, sy = corners[k]
        dx, dy = moved[:, k, 0], moved[:, k, 1]
        one, zero = torch.ones(b), torch.zeros(b)
        rows.append(torch.stack((sx * one, sy * one, one, zero, zero, zero, -dx * sx, -dx * sy), 1))
        rows.append(torch.stack((zero, zero, zero, sx * one, sy * one, one, -dy * sx, -dy * sy), 1))
    system = torch.stack(rows, 1)  # [B, 8, 8]
    homography = torch.linalg.solve(system, moved.reshape(b, 8))
    homography = torch.cat((homography, torch.ones(b, 1)), 1).view(b, 3, 3)
    size = x.shape[-1]
    line = (torch.arange(size) + 0.5) * 2 / size - 1
    grid = torch.stack((line.expand(size, size), line[:, None].expand(size, size), torch.ones(size, size)), -1)
    mapped = grid.view(1, -1, 3) @ homography.transpose(1, 2)
    mapped = (mapped[..., :2] / mapped[..., 2:]).view(b, size, size, 2)
    return F.grid_sample(x, mapped.to(x), mode="bilinear", padding_mode="reflection", align_corners=False)


@torch.no_grad()
def validate(
    nets: nn.Module, encoder: Encoder, generator: Synthesis, faces: Tensor, judge: MobileFace
) -> dict[str, float]:
    """PSNR and identity of the high-fidelity inversion at 256 px, through the head and through the full path."""
    heads, fulls = [], []
    for part in faces.split(5):
        codes = encoder(part)
        trunk = generator.trunk(codes)
        low = generator.render(trunk, codes, size=256)
        condition = nets.consultation(nets.alignment(part - low, low))
        heads.append(generator.render(trunk, codes, condition, size=256))
        fulls.append(F.avg_pool2d(generator.render(trunk, codes, condition, size=512), 2))
    head, full = torch.cat(heads).clamp(-1, 1), torch.cat(fulls).clamp(-1, 1)
    wanted = judge(faces)
    return {
        "val_psnr": psnr(head, faces),
        "val_identity": float((judge(head) * wanted).sum(1).mean()),
        "val_psnr_full": psnr(full, faces),
        "val_identity_full": float((judge(full) * wanted).sum(1).mean()),
    }


def train(
    out: Path, packs: Path, encoder_file: Path, seconds: float, recipe: Recipe | None = None, seed: int = 0
) -> None:
    """Train for `seconds` of wall time; checkpoints go to out/hfgi.safetensors (averaged weights, fp16)."""
    recipe = recipe or Recipe()
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    start = time.monotonic()
    _, generator = load_generator()
    generator = generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    encoder = load_encoder(encoder_file)
    nets = Hfgi()
    if (out / "hfgi.safetensors").exists():
        nets.load_state_dict({k: v.float() for k, v in load_file(out / "hfgi.safetensors").items()})
    nets = nets.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    faces = Faces(packs / "real256.npy", seed=seed)
    bank = Bank(packs / "bank256.npy", packs / "bank_codes.npy", seed=seed)
    features, judge = FaceFeatures(), MobileFace()
    held = to_tensor(Faces(packs / "real256.npy", VALIDATION_FACES).images[:25])
    optimizer = Lookahead(torch.optim.Adam(nets.parameters(), recipe.lr, betas=(0.9, 0.99)))
    ema = Ema(nets, recipe.ema)
    log = Log(out)

    def inversion(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        codes = encoder(x)
        trunk = generator.trunk(codes)
        return codes, trunk, generator.render(trunk, codes, size=256)

    def consultation(thrown: Tensor, low: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        aligned = nets.alignment(thrown, low)
        return aligned, *nets.consultation(aligned)

    invert, consult = compiled(inversion), compiled(consultation)
    render = compiled(lambda trunk, codes, scale, shift: generator.render(trunk, codes, (scale, shift), size=256))
    sharply = compiled(lambda trunk, codes, scale, shift: generator.render(trunk, codes, (scale, shift), size=512))
    step, saved = 0, start
    while (elapsed := time.monotonic() - start) < seconds:
        progress = elapsed / seconds
        optimizer.lr = recipe.lr * min(1.0, (step + 1) / 30) * cosine(progress)
        inputs, targets = faces.batch(recipe.faces - 1, degraded=0.15)
        extra, _ = bank.batch(1)
        inputs, targets = torch.cat((inputs, extra)), torch.cat((targets, extra))
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            codes, trunk, low = (x.float() for x in invert(inputs))
            wanted = features(targets)
            distortion = inputs - low
            thrown = random_perspective(distortion, recipe.still, rng)
        aligned, scale, shift = (x.float() for x in consult(thrown, low))
        align = (aligned - distortion).abs().mean()
        sharp = step % recipe.sharp_every == recipe.sharp_every - 1
        if sharp:  # half the faces: the path costs twice
            part = slice(0, recipe.faces // 2)
            images = F.avg_pool2d(sharply(trunk[part], codes[part], scale[part], shift[part]).float(), 2)
        else:
            part = slice(None)
            images = render(trunk, codes, scale, shift).float()
        l2 = (images - inputs[part]).square().mean()
        got = features(images)
        distance = feature_distance(got[0], wanted[0][part]) + feature_distance(got[1], wanted[1][part])
        identity = 1 - (got[2] * wanted[2][part]).sum(1).mean()
        condition = scale.square().mean() + (shift / trunk.std()).square().mean()
        loss = (
            recipe.align * align
            + recipe.l2 * l2
            + recipe.features * distance
            + recipe.identity * identity
            + recipe.condition * condition
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(nets.parameters(), 1.0)
        optimizer.step()
        ema.update(nets)
        if step % 20 == 0:
            terms = {"align": align, "l2": l2, "feat": distance, "id": identity, "condition": condition}
            log.write(step=step, **{k: float(v.detach()) for k, v in terms.items()})
        if time.monotonic() - saved > 240:
            saved = time.monotonic()
            save(ema.model, out)
            log.write(step=step, **validate(ema.model, encoder, generator, held, judge))
        step += 1
    save(ema.model, out)
    log.write(step=step, **validate(ema.model, encoder, generator, held, judge))


def save(nets: nn.Module, out: Path) -> None:
    save_file({k: v.half().contiguous() for k, v in nets.state_dict().items()}, out / "hfgi.safetensors")
