"""Train HFGI's own ADA and consultation encoder for the published generator and e4e, to the paper's letter.

What the recipes hfgi_ffhq and hfgi_car share (Wang et al., CVPR 2022, section 3.3 and appendix A; where the paper says
nothing, as its release does): both networks from fresh weights, Adam with LookAhead at 1e-4, 90,000 steps of 8,

    align |ADA(thrown D, Xo) - D| + l2 (Y0 - x)^2 + perceptual LPIPS(Y0, x) + identity (1 - cos) + adversarial

with a random perspective of D that ADA must undo. Pictures are mirrored and nothing else: no sample of the generator,
no degradation, no average of weights, no other size, no half precision. Our own additions are in
:mod:`videdit.training.hfgi`.

The release draws the generator's noise anew in every pass; so does this. It also leaves the frozen encoder's batch
normalisation learning, which this does not: what is frozen stays as it is. Its discriminator is commented out; the
paper's adversarial term is StyleGAN2's (non-saturating, R1) on pictures of 256 px.

None of the networks ships: e4e with its generator, LPIPS and the recogniser are the user's files, checked by structure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.errors import UsageError, WeightsError
from videdit.evaluation.sheet import contact_sheet
from videdit.hfgi.loader import checkpoint_tensors, published_networks
from videdit.models import ada_appendix, hfgi_released, stylegan2
from videdit.models.arcface import ArcFace
from videdit.models.lpips import Lpips
from videdit.training import recipe, training
from videdit.training.adversary import Adversary
from videdit.training.common import psnr
from videdit.training.data import load_pack, to_pictures, to_tensor
from videdit.training.optim import Lookahead
from videdit.training.perspective import thrown
from videdit.training.training import M, Setup, Validation, weighted
from videdit.weights.checkpoint import read_checkpoint

SHOWN = 4  # pictures that validations look at, and sheets show
LAYOUTS: dict[str, Callable[[], nn.Module]] = {
    "released": hfgi_released.Alignment,
    "appendix": ada_appendix.Alignment,
}


@dataclass
class Recipe(recipe.Recipe):
    """configs/train/hfgi_ffhq.yaml; that of cars differs in `identity`, `pack` and the networks."""

    steps: int = 90_000
    schedule: str = "constant"
    warmup: int = 1
    clip: float = 0.0  # not at all
    ema: float = 0.0  # no average: what is exported is what was trained
    batch: int = 8
    lr: float = 1e-4
    lookahead: int = 6  # steps between two synchronisations, the release's
    align: float = 0.1  # weights of the losses
    l2: float = 1.0
    perceptual: float = 0.8
    identity: float = 0.1
    adversarial: float = 0.01  # 0: there is no discriminator, as in the release
    discriminator_lr: float = 2e-5
    perspective: float = 0.15  # how far corners move, of half a picture
    probability: float = 0.9  # that they do: the release's train.sh; the default of its options is 0.8
    noise: bool = True  # of the generator, drawn anew in every pass
    alignment: str = "released"  # layout of ADA, or "appendix"
    pack: str = "ffhq256.npy"  # in --data: made by python -m videdit.train pack --images
    networks: str = ""  # files: e4e with its generator, or several with commas between
    alexnet: str = ""  # file of torchvision's AlexNet, for LPIPS
    lpips: str = ""  # file of LPIPS' linear layers, version 0.1, alex
    recogniser: str = ""  # file of ArcFace's IR-SE50 for faces, of MoCo v2's ResNet-50 for cars


class PublishedHfgi(nn.Module):
    """ADA and consultation encoder by their names in a published file."""

    def __init__(self, alignment: nn.Module, channels: int) -> None:
        """alignment: ADA, by the release or by the appendix. channels: of scale and of shift."""
        super().__init__()
        self.grid_align, self.residue = alignment, hfgi_released.Consultation(channels=channels)


class Training(training.Training[Recipe]):
    """ADA and the consultation encoder beside frozen published networks."""

    height: ClassVar[int] = 256  # of the pictures: all rows of the generator's square, or those in its middle

    def __init__(self, recipe: Recipe, setup: Setup) -> None:
        """Loads the published networks and the pack that the recipe names.

        Raises:
            UsageError: a value of the recipe makes no sense, or does not fit the pack.
            WeightsError: a file is missing or not in the published layout.
        """
        super().__init__(recipe, setup)
        if recipe.alignment not in LAYOUTS:
            raise UsageError(f"alignment: {recipe.alignment!r} is neither of {', '.join(LAYOUTS)}")
        files = [name.strip() for name in recipe.networks.split(",") if name.strip()]
        if not files:
            raise UsageError("networks: name the file of e4e and its generator, e.g. --set networks=e4e_ffhq_encode.pt")
        tensors = checkpoint_tensors(files)
        try:
            found = published_networks(tensors, (0, self.height))
            strengths = stylegan2.noise_strengths({k.removeprefix("decoder."): v for k, v in tensors.items()})
        except (KeyError, IndexError, RuntimeError) as error:
            detail = " ".join(str(error).split())[:200]
            raise WeightsError(f"{recipe.networks} is not in the published layout ({detail})") from None
        assert isinstance(found.generator, stylegan2.Synthesis)
        self.generator, self.encoder = self.frozen(found.generator), self.frozen(found.encoder)
        self.strengths = strengths
        self.perceptual = self.frozen(judge(Lpips(), {"alexnet": recipe.alexnet, "lpips": recipe.lpips}))
        self.recogniser = self.frozen(judge(self.recogniser_of(), {"recogniser": recipe.recogniser}))
        torch.manual_seed(recipe.seed)
        self.model: PublishedHfgi = self.start(
            PublishedHfgi(LAYOUTS[recipe.alignment](), found.generator.fusion_channels)
        )
        self.optimizer = Lookahead(torch.optim.Adam(self.model.parameters(), recipe.lr), recipe.lookahead)
        self.adversary = Adversary(recipe.discriminator_lr, self.device) if recipe.adversarial else None
        if self.adversary:
            self.others = {"discriminator": self.adversary.net, "discriminator_optimizer": self.adversary.optimizer}
        images = load_pack(setup.data / recipe.pack)
        if images.shape[1:] != (self.height, 256, 3):
            raise UsageError(f"{recipe.pack} is of {list(images.shape[1:])}, not of [{self.height}, 256, 3]")
        if not 0 < recipe.held < len(images):
            raise UsageError(f"{recipe.pack} has {len(images)} pictures: {recipe.held} cannot be held back")
        self.images, self.held = images[: -recipe.held], images[-recipe.held :]

    @staticmethod
    def recogniser_of() -> nn.Module:
        """The network whose features are to stay: a network of the subject's, still without weights."""
        return ArcFace()

    def frozen(self, network: M) -> M:
        """A network that does not learn, on the device."""
        return self.placed(network.eval().requires_grad_(False))

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """Pictures [B, 3, H, 256], each mirrored or not."""
        rng = self.rng(step, 1)
        chosen = rng.integers(len(self.images), size=self.recipe.batch)
        mirrored = rng.random(self.recipe.batch) < 0.5
        images = [self.images[i][:, ::-1] if flip else self.images[i] for i, flip in zip(chosen, mirrored, strict=True)]
        return (to_tensor(np.stack(images)),)

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Terms: align, l2, perceptual, identity, and adversarial where there is a discriminator, which learns."""
        (x,) = batch
        recipe, rng = self.recipe, self.torch_rng(step, 3)
        with torch.no_grad():
            codes = self.encoder(x)
            low = self.seen(self.low(codes, rng))
            distortion = x - low
            moved = thrown(distortion, recipe.perspective, recipe.probability, rng)
        images, aligned = self.inverted(self.model, codes, moved, low, rng)
        terms = {
            "align": (aligned - distortion).abs().mean(),  # eq. 7
            "l2": (images - x).square().mean(),
            "perceptual": self.perceptual(images, x),
            "identity": 1 - (self.recogniser(images) * self.recogniser(x)).sum(1).mean(),
        }
        seen = {}
        if self.adversary:
            seen = self.adversary.learn(square(x), square(images.detach()), step)
            terms["adversarial"] = self.adversary.loss(square(images))
        return weighted(recipe, terms), terms | seen

    def inverted(
        self, model: nn.Module, codes: Tensor, moved: Tensor, low: Tensor, rng: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """(images [B, 3, H, 256] of codes that consult ADA's map, that map); rng: of noise, None for the frozen."""
        aligned = model.grid_align(moved, low)
        above = (256 - self.height) // 8  # rows of the condition, a quarter of the maps' size, that nothing says
        scale, shift = (F.pad(part, (0, 0, above, above)) for part in model.residue(aligned))
        image = self.image(codes, (scale, shift), rng)
        return self.seen(F.adaptive_avg_pool2d(image, 256)), aligned

    def low(self, codes: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """As :meth:`videdit.models.stylegan2.Synthesis.low`, with noise drawn anew."""
        image = self.image(codes, None, rng).clamp(-1, 1)
        return F.interpolate(image, size=(256, 256), mode="bilinear", align_corners=False)

    def image(self, codes: Tensor, condition: tuple[Tensor, Tensor] | None, rng: torch.Generator | None) -> Tensor:
        """[B, 3, S, S] at the generator's size."""
        kept = stylegan2.noises_of(self.generator)
        if self.recipe.noise and rng is not None:
            fresh = {
                name: strength * torch.randn(len(codes), *kept[name].shape[1:], generator=rng).to(codes.device)
                for name, strength in self.strengths.items()
            }
            return torch.func.functional_call(self.generator, fresh, (codes, condition))
        return self.generator(codes, condition)

    def seen(self, image: Tensor) -> Tensor:
        """The rows of a square [B, 3, 256, 256] that pictures have."""
        above = (256 - self.height) // 2
        return image[:, :, above : above + self.height]

    def validate(self, model: nn.Module) -> Validation:
        """PSNR, LPIPS and identity of the inversion of held pictures; noise is the generator's own."""
        rows, figures = [], []
        for picture in self.held[:SHOWN]:
            x = to_tensor(picture[None]).to(self.device)
            codes = self.encoder(x)
            low = self.seen(self.low(codes))
            image, _ = self.inverted(model, codes, x - low, low)
            like = float((self.recogniser(image) * self.recogniser(x)).sum())
            figures.append((psnr(image, x), float(self.perceptual(image, x)), like))
            rows.append([square_picture(to_pictures(part)[0]) for part in (x, low, image)])
        means = torch.tensor(figures).mean(0).tolist()
        names = ("val_psnr", "val_lpips", "val_identity")
        return Validation(dict(zip(names, means, strict=True)), contact_sheet(rows, ("source", "encoder only", "HFGI")))


def square(x: Tensor) -> Tensor:
    """Pictures [B, 3, H, 256] in the middle of a square, black above and below: what the discriminator looks at."""
    above = (256 - x.shape[2]) // 2
    return F.pad(x, (0, 0, above, above), value=-1.0) if above else x


def square_picture(picture: np.ndarray) -> np.ndarray:
    """A picture [H, 256, 3] uint8 in the middle of a black square."""
    above = (256 - picture.shape[0]) // 2
    return np.pad(picture, ((above, above), (0, 0), (0, 0)))


def judge(network: M, files: dict[str, str]) -> M:
    """A network with the tensors of the user's files, by the recipe's keys that name them.

    Raises:
        UsageError: a file is not named.
        WeightsError: it cannot be read, or is another network's.
    """
    state: dict[str, Tensor] = {}
    for key, name in files.items():
        if not name:
            raise UsageError(f"{key}: name the file, e.g. --set {key}=FILE")
        loaded = read_checkpoint(Path(name).expanduser())
        loaded = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
        state |= {str(k).removeprefix("module.encoder_q."): v for k, v in loaded.items() if isinstance(v, Tensor)}
    wanted = network.state_dict()
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    wrong = [k for k in wanted if k in state and state[k].shape != wanted[k].shape]
    if missing or wrong:
        what = f"{missing[0]} is not there" if missing else f"{wrong[0]} is {list(state[wrong[0]].shape)}"
        raise WeightsError(f"{', '.join(files.values())} does not hold a {type(network).__name__}: {what}")
    network.load_state_dict({k: state[k].float() for k in wanted if k in state}, strict=False)
    return network
