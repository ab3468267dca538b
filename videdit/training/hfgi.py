"""Train ADA and the consultation encoder, E0 and the generator frozen (HFGI section 3.3).

Self-supervised: the distortion map is thrown out of place by a random perspective and ADA must undo it, guided by the
inversion; the consultation encoder must then bring back the source. The image losses go through the 256 px head, which
costs a sixth of the full path; every few steps go through the 512 px path so that it stays true.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.errors import UsageError
from videdit.evaluation.judges import MobileFace
from videdit.evaluation.sheet import contact_sheet
from videdit.hfgi.loader import load_encoder, load_generator
from videdit.models.hfgi import Alignment, Consultation
from videdit.training import recipe, training
from videdit.training.adversary import Adversary
from videdit.training.common import psnr
from videdit.training.data import Bank, Faces, to_pictures
from videdit.training.encoder import SHOWN, FaceFeatures, feature_distance
from videdit.training.optim import Lookahead
from videdit.training.training import Setup, Validation, weighted


@dataclass
class Recipe(recipe.Recipe):
    """configs/train/hfgi.yaml (`mobile`; the defaults are what shipped) and hfgi_adversarial.yaml."""

    warmup: int = 30
    ema: float = 0.99
    faces: int = 6  # a step, one of which is a sample of the generator
    lr: float = 1e-3  # the paper has 1e-4 for 90,000 steps: ours takes a thousandth of the time
    align: float = 0.3  # weights of the losses
    l2: float = 2.0
    perceptual: float = 0.8
    identity: float = 0.3
    adversarial: float = 0.0  # 0: there is no discriminator
    condition: float = 0.002  # keeps scale and shift small: detail return brings back the rest
    still: float = 0.35  # share of maps that are left in place, as for the inversion itself
    sharp_every: int = 4  # every n-th step looks at 512 px


class Hfgi(nn.Module):
    """ADA and consultation encoder as one module, for the optimiser and the file."""

    def __init__(self) -> None:
        """Both fresh, at their usual widths."""
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
    homography = torch.cat((homography, torch.ones(b, 1)), 1).view(b, 3, 3).to(x.device)
    size = x.shape[-1]
    line = (torch.arange(size, device=x.device) + 0.5) * 2 / size - 1
    down, across = line[:, None].expand(size, size), line.expand(size, size)
    grid = torch.stack((across, down, torch.ones_like(down)), -1)  # [H, W, 3]
    mapped = grid.view(1, -1, 3) @ homography.transpose(1, 2)
    mapped = (mapped[..., :2] / mapped[..., 2:]).view(b, size, size, 2)
    return F.grid_sample(x, mapped.to(x), mode="bilinear", padding_mode="reflection", align_corners=False)


class Training(training.Training[Recipe]):
    """ADA and the consultation encoder on real faces, and against a discriminator where the recipe says so."""

    file = "hfgi.safetensors"

    def __init__(self, recipe: Recipe, setup: Setup) -> None:
        """Loads bank and faces of ``setup.data``. Raises UsageError: no weights of E0, or fewer than 2 faces."""
        super().__init__(recipe, setup)
        if recipe.faces < 2 or not setup.encoder:
            raise UsageError("hfgi needs E0's weights (--encoder) and at least 2 faces a step")
        self.model: Hfgi = self.start(Hfgi())
        self.optimizer = Lookahead(torch.optim.Adam(self.model.parameters(), recipe.lr, betas=(0.9, 0.99)))
        self.encoder = load_encoder(setup.encoder, self.device)
        _, self.generator = load_generator(self.device)
        self.features, self.judge = FaceFeatures().to(self.device), MobileFace().to(self.device)
        self.adversary = Adversary(recipe.lr, self.device) if recipe.adversarial else None
        if self.adversary:
            self.others = {"discriminator": self.adversary.net, "discriminator_optimizer": self.adversary.optimizer}
        self.faces = Faces(setup.data / "real256.npy", recipe.held)
        self.bank = Bank(setup.data / "bank256.npy", setup.data / "bank_codes.npy")
        self.held = self.faces.held().to(self.device)
        self.invert, self.consult = self.compiled(self._invert), self.compiled(self._consult)
        self.render, self.render_sharp = self.compiled(self._render), self.compiled(self._render_sharp)

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """(faces and a sample, their originals), each [B, 3, 256, 256] in [-1, 1]."""
        inputs, targets = self.faces.batch(self.recipe.faces - 1, self.rng(step, 1), degraded=0.15)
        sample = self.bank.batch(1, self.rng(step, 2))[0]
        return torch.cat((inputs, sample)), torch.cat((targets, sample))

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Terms: align, l2, perceptual, identity, condition, and adversarial where there is a discriminator, which
        learns."""
        recipe = self.recipe
        inputs, targets = batch
        with torch.no_grad():
            codes, trunk, low = (x.float() for x in self.invert(inputs))
            wanted = self.features(targets)
            distortion = inputs - low
            thrown = random_perspective(distortion, recipe.still, self.torch_rng(step, 3))
        aligned, scale, shift = (x.float() for x in self.consult(thrown, low))
        if recipe.sharp_every and step % recipe.sharp_every == recipe.sharp_every - 1:
            part = slice(0, recipe.faces // 2)  # half the faces: the path costs twice
            sharp = self.render_sharp(trunk[part], codes[part], scale[part], shift[part])
            images = F.avg_pool2d(sharp.float(), 2)
        else:
            part = slice(None)
            images = self.render(trunk, codes, scale, shift).float()
        got = self.features(images)
        near, far = (feature_distance(a, b[part]) for a, b in zip(got[:2], wanted[:2], strict=True))
        terms = {
            "align": (aligned - distortion).abs().mean(),  # eq. 7
            "l2": (images - inputs[part]).square().mean(),
            "perceptual": near + far,
            "identity": 1 - (got[2] * wanted[2][part]).sum(1).mean(),
            "condition": scale.square().mean() + (shift / trunk.std()).square().mean(),
        }
        seen = {}
        if self.adversary:
            seen = self.adversary.learn(inputs[part], images.detach(), step)
            terms["adversarial"] = self.adversary.loss(images)
        return weighted(recipe, terms), terms | seen

    def validate(self, model: nn.Module) -> Validation:
        """PSNR and identity of the high-fidelity inversion of held faces, through the 256 px head and the full path."""
        lows, heads, fulls = [], [], []
        for part in self.held.split(5):
            codes, trunk, low = self._invert(part)
            condition = model.consultation(model.alignment(part - low, low))
            lows.append(low)
            heads.append(self.generator.render(trunk, codes, condition, size=256))
            fulls.append(F.avg_pool2d(self.generator.render(trunk, codes, condition, size=512), 2))
        low, head, full = (torch.cat(parts).clamp(-1, 1) for parts in (lows, heads, fulls))
        who = self.judge(self.held)
        figures = {
            "val_psnr": psnr(head, self.held),
            "val_identity": float((self.judge(head) * who).sum(1).mean()),
            "val_psnr_full": psnr(full, self.held),
            "val_identity_full": float((self.judge(full) * who).sum(1).mean()),
        }
        columns = [to_pictures(images[:SHOWN]) for images in (self.held, low, head, full)]
        sheet = contact_sheet(list(zip(*columns, strict=True)), ("source", "encoder only", "HFGI", "HFGI, full path"))
        return Validation(figures, sheet)

    def _invert(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures [B, 3, 256, 256] -> codes [B, 18, 512], trunk [B, 512, 64, 64], low [B, 3, 256, 256]."""
        codes = self.encoder(x)
        trunk = self.generator.trunk(codes)
        return codes, trunk, self.generator.render(trunk, codes, size=256)

    def _consult(self, thrown: Tensor, low: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        aligned = self.model.alignment(thrown, low)
        return aligned, *self.model.consultation(aligned)

    def _render(self, trunk: Tensor, codes: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return self.generator.render(trunk, codes, (scale, shift), size=256)

    def _render_sharp(self, trunk: Tensor, codes: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return self.generator.render(trunk, codes, (scale, shift), size=512)
