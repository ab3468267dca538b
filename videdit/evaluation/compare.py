"""HFGI beside optimisation: how near each comes to a face, what edits do to it, and how long it takes.

Figures 19 and 20 of the appendix of HFGI's paper: Image2StyleGAN (codes alone), PTI (the generator around a code), and
in-domain GAN inversion (codes that an encoder holds in its domain).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from videdit import paths
from videdit.datatypes import Array
from videdit.edits.directions import edit_delta
from videdit.edits.parse import Edit
from videdit.engine.devices import can_compile
from videdit.evaluation.panel import SIZE, Panel, picture
from videdit.evaluation.report import Evaluation, Value
from videdit.evaluation.sheet import contact_sheet
from videdit.evaluation.stills import face_masks, picture_256, tuned_to
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.kept_optimisation import Kept, KeptOptimisation, Spent
from videdit.hfgi.loader import load_encoder, load_generator
from videdit.hfgi.optimize import (
    CLIP,
    CODES,
    IN_DOMAIN,
    PIVOTAL,
    Generator,
    OptimSchedule,
    ReconstructionLoss,
    optimise_codes,
    optimise_in_domain,
    pictures,
    tune_generator,
)
from videdit.imaging.crop import network_input
from videdit.models.mobile_stylegan import W_DIM, Synthesis
from videdit.models.perceptual import PerceptualFeatures
from videdit.weights.judges import load_judge

_SHOWN = 4  # faces on a sheet
_LONG = 300  # steps from which on compilation pays
OURS = "HFGI"


@dataclass(frozen=True)
class Counts:
    """How many steps each optimisation goes; as the papers go by :data:`PAPERS`."""

    latent: int = CODES.steps
    pivot: int = 0  # of the search for PTI's pivot; 0: the encoder's code
    tune: int = PIVOTAL.steps
    domain: int = IN_DOMAIN.steps
    clip: int = CLIP.steps  # of ours, tuned as to a clip; 0: that is left out


PAPERS = Counts(latent=5000, pivot=450, tune=350, domain=100)


class Optimisers:
    """The three baselines on one face at a time, as their papers run them.

    Each gives the picture of the inversion and that of the edit, [256, 256, 3] float32 in about [-1, 1].
    """

    def __init__(
        self,
        generator: Generator,
        encoder: nn.Module,
        mean: Tensor,
        counts: Counts = Counts(),  # noqa: B008 - frozen
        bf16: bool = False,
        kept: Kept | None = None,
    ) -> None:
        """encoder: pictures [N, 3, 256, 256] -> codes. mean: the mean code [L, 512], where searches begin.

        counts: steps of each search. bf16: the generator computes in bfloat16. kept: where optimisations go on from
        earlier runs. Raises WeightsError: judges are missing.
        """
        self.generator, self.encoder, self.mean, self.counts = generator, encoder, mean, counts
        self.kept = kept
        fast = can_compile(mean.device.type)
        self.codes, self.pivot, self.pivotal, self.in_domain = (
            replace(schedule, steps=steps, bf16=bf16, compiled=fast and steps >= _LONG)
            for schedule, steps in (
                (CODES, counts.latent),
                (CODES, counts.pivot),
                (PIVOTAL, counts.tune),
                (IN_DOMAIN, counts.domain),
            )
        )
        self.features = PerceptualFeatures(load_judge("efficientnet_lite0")).to(mean.device)

    def latent(self, target: Tensor, delta: Tensor) -> Pair:
        """Image2StyleGAN: target [1, 3, 256, 256] and what the edit adds to codes, [1, L, 512]."""
        return self._pair(self.generator, self._searched(target, self.codes), delta)

    def tuned(self, target: Tensor, code: Tensor, delta: Tensor) -> Pair:
        """PTI around an encoder's code [1, L, 512], or around one that is searched first."""
        pivot = self._searched(target, self.pivot) if self.pivot.steps else code
        loss = ReconstructionLoss(self.features, target, self.pivotal)
        kept = self._kept("pivotal", self.pivotal, target, pivot)
        return self._pair(tune_generator(self.generator, loss, pivot, self.pivotal, kept=kept), pivot, delta)

    def domain(self, target: Tensor, code: Tensor, delta: Tensor) -> Pair:
        """In-domain GAN inversion from the encoder's code [1, L, 512]."""
        loss = ReconstructionLoss(self.features, target, self.in_domain)
        kept = self._kept("in-domain", self.in_domain, target, code)
        codes = optimise_in_domain(self.generator, self.encoder, loss, code, self.in_domain, kept=kept)
        return self._pair(self.generator, codes, delta)

    def _searched(self, target: Tensor, schedule: OptimSchedule) -> Tensor:
        start, loss = self.mean[None], ReconstructionLoss(self.features, target, schedule)
        kept = self._kept("codes", schedule, target, start)
        return optimise_codes(self.generator, loss, start, schedule, kept=kept)

    def _kept(self, name: str, schedule: OptimSchedule, target: Tensor, start: Tensor) -> KeptOptimisation | None:
        return self.kept.of(name, schedule, target, start) if self.kept else None

    def _pair(self, generator: Generator, codes: Tensor, delta: Tensor) -> Pair:
        schedule = replace(self.codes, bf16=False)
        with torch.no_grad():
            both = pictures(generator, torch.cat((codes, codes + delta)), schedule).permute(0, 2, 3, 1).cpu().numpy()
        return both[0], both[1]


Pair = tuple[Array, Array]  # inversion and edit


def differentiable(inverter: Inverter) -> tuple[Generator, nn.Module, Tensor]:
    """(generator, encoder, the generator's mean code [L, 512]) of a profile, in a form that takes gradients."""
    if inverter.profile.layout != "mobile":
        return inverter.generator, inverter.basic_encoder, inverter.mean_code.to(inverter.device)
    mapping, generator = load_generator(inverter.device)
    chance = torch.randn(4096, W_DIM, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mean = mapping(chance.to(inverter.device)).mean(0)
    encoder = load_encoder(paths.weights_dir() / "encoder.safetensors", inverter.device)
    return generator, encoder, mean.expand(generator.num_layers, -1)


def evaluate_compare(
    inverter: Inverter, panel: Panel, faces: Sequence[np.ndarray], optimisers: Optimisers, edits: Sequence[Edit] = ()
) -> Evaluation:
    """Encoder only, HFGI, latent optimisation, pivotal tuning and in-domain inversion at 256 px, seconds a face.

    faces: each [S, S, 3] uint8 RGB, aligned. edits: what is done to each inversion, together; () for none.
    """
    crops = [picture_256(face) for face in faces]
    codes = inverter.encode(crops)
    deltas = edit_delta(edits, codes) if edits else np.zeros_like(codes)
    inverter.render(crops[:1], codes[:1], codes[:1], SIZE)  # the first pass compiles
    device = optimisers.mean.device
    targets = [torch.from_numpy(network_input(crop))[None].to(device) for crop in crops]
    pivots, steps = (torch.from_numpy(array).to(device).split(1) for array in (codes, deltas))
    counts = optimisers.counts
    bar = tqdm(total=3 * len(crops), desc="optimising", file=sys.stderr, disable=None)

    def encoded(i: int) -> Pair:
        own = inverter.encode([crops[i]])
        return _both(inverter.low_fidelity([crops[i]], own, own + deltas[i : i + 1])[0].low)

    def consulted(i: int) -> Pair:
        own = inverter.encode([crops[i]])
        rendering = inverter.render([crops[i]], own, own + deltas[i : i + 1], SIZE)[0]
        return rendering.inversion, rendering.edit

    def told(work: Callable[[int], Pair]) -> Callable[[int], Pair]:
        def run(i: int) -> Pair:
            found = work(i)
            bar.update()
            return found

        return run

    pti = f"{counts.pivot} + {counts.tune}" if counts.pivot else f"{counts.tune}"
    methods: dict[str, Callable[[int], Pair]] = {
        "encoder only": encoded,
        OURS: consulted,
        f"latent optimisation, {counts.latent} steps": told(lambda i: optimisers.latent(targets[i], steps[i])),
        f"pivotal tuning, {pti} steps": told(lambda i: optimisers.tuned(targets[i], pivots[i], steps[i])),
        f"in-domain, {counts.domain} steps": told(lambda i: optimisers.domain(targets[i], pivots[i], steps[i])),
    }
    masks = face_masks(panel, crops)
    if counts.clip and isinstance(inverter.generator, Synthesis):

        def own_tuned(i: int) -> Pair:
            code = codes[i : i + 1]
            tuned = inverter.with_generator(tuned_to(inverter, crops[i], code, masks[i], counts.clip))
            rendering = tuned.render([crops[i]], code, code + deltas[i : i + 1], SIZE)[0]
            return rendering.inversion, rendering.edit

        methods[f"{OURS}, tuned as to a clip, {counts.clip} steps"] = own_tuned
    found: dict[str, Sequence[Pair]] = {}
    rows: list[dict[str, Value]] = []
    spent: dict[str, Spent] = {}
    for name, work in methods.items():
        found[name], spent[name] = timed(work, len(crops), optimisers.kept)
        row = similarity_row(panel, name, found[name], crops, masks, bool(edits))
        row |= {"seconds": spent[name].seconds / len(crops), "processor": spent[name].processor / len(crops)}
        rows.append(row)
        tqdm.write(str(Evaluation([row])), file=sys.stderr)  # hours may pass before the next one
    bar.close()
    clock = "processor" if device.type == "cpu" else "seconds"
    ours = getattr(spent[OURS], clock)
    for row in rows:
        row["times HFGI's"] = getattr(spent[str(row["inversion"])], clock) / ours
    notes = [
        f"{len(crops)} faces at {SIZE} px, one at a time; seconds a face on {device.type}, compilation not counted",
        "processor: seconds that processors worked for this program, which other programs hardly change; on a CPU "
        "they are what times HFGI's go by",
        "optimisation looks at the perceptual distance itself: let mobileface and faceres decide",
    ]
    return Evaluation(rows, compare_sheet(crops, found, edits), notes)


def similarity_row(
    panel: Panel, name: str, pairs: Sequence[Pair], crops: Sequence[np.ndarray], masks: np.ndarray, edited: bool
) -> dict[str, Value]:
    """How near inversions are to their faces, and how much of the person an edit leaves.

    crops: [256, 256, 3] uint8. masks: of their faces, [N, 256, 256] in 0..1.
    """
    like = panel.similarities([pair[0] for pair in pairs], crops, masks)
    row: dict[str, Value] = {"inversion": name}
    for column in ("psnr", "psnr_face", "ssim", "perceptual", "mobileface", "faceres"):
        row[column] = float(getattr(like, column).mean())
    if edited:
        after = panel.similarities([pair[1] for pair in pairs], crops, masks)
        row["edited, mobileface"] = float(after.mobileface.mean())
    return row


def compare_sheet(crops: Sequence[np.ndarray], found: dict[str, Sequence[Pair]], edits: Sequence[Edit]) -> np.ndarray:
    """A row a face: the source and each inversion; with edits another one below, of the edit of each.

    crops: [256, 256, 3] uint8. Returns [H, W, 3] uint8 RGB.
    """
    rows = []
    for i, crop in enumerate(crops[:_SHOWN]):
        for part in (0, 1) if edits else (0,):
            rows.append([crop, *(picture(pairs[i][part]) for pairs in found.values())])
    short = [name.partition(",")[0] for name in found]
    return contact_sheet(rows, ("source", *short), tile=SIZE)


def _both(low: Array) -> Pair:
    return low[0], low[1]


def timed(work: Callable[[int], Pair], count: int, kept: Kept | None = None) -> tuple[list[Pair], Spent]:
    """(what it gives for 0, 1, ... count - 1, the time it took in all, with that of the runs that it goes on from)"""
    earlier = kept.earlier if kept else Spent()
    start = Spent.now()
    result = [work(i) for i in range(count)]
    return result, Spent.now() - start + ((kept.earlier if kept else Spent()) - earlier)
