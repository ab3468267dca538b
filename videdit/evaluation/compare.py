"""Ours beside optimisation: how near each comes to a face, and how long it takes (the appendix of HFGI's paper)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from videdit.evaluation.panel import SIZE, Panel, picture
from videdit.evaluation.report import Evaluation, Value
from videdit.evaluation.sheet import contact_sheet
from videdit.evaluation.stills import face_masks, picture_256, tuned_to
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.optimize import CLIP, OptimSchedule, ReconstructionLoss, optimise_codes, pictures, tune_generator
from videdit.imaging.crop import network_input
from videdit.models import stylegan2
from videdit.models.mobile_stylegan import Synthesis
from videdit.models.perceptual import PerceptualFeatures
from videdit.weights.judges import load_judge

_SHOWN = 8  # faces on a sheet
OURS = "HFGI"


class Optimisers:
    """The two baselines on one face at a time, as their papers run them."""

    def __init__(
        self,
        generator: Synthesis | stylegan2.Synthesis,
        mean: Tensor,
        codes: OptimSchedule,
        pivotal: OptimSchedule,
    ) -> None:
        """mean: the generator's mean code [512] or [L, 512], from which Image2StyleGAN starts."""
        self.generator, self.mean = generator, mean
        self.codes, self.pivotal = codes, pivotal
        self.features = PerceptualFeatures(load_judge("efficientnet_lite0")).to(mean.device)

    def latent(self, target: Tensor) -> Tensor:
        """Image2StyleGAN: target [1, 3, 256, 256] -> picture of the optimised code."""
        start = self.mean.expand(self.generator.num_layers, -1)[None]
        loss = ReconstructionLoss(self.features, target, self.codes)
        return self._picture(self.generator, optimise_codes(self.generator, loss, start, self.codes))

    def tuned(self, target: Tensor, pivot: Tensor) -> Tensor:
        """PTI around an encoder's code [1, 18, 512]: target -> picture of the tuned generator."""
        loss = ReconstructionLoss(self.features, target, self.pivotal)
        tuned = tune_generator(self.generator, loss, pivot, self.pivotal)
        return self._picture(tuned, pivot)

    def _picture(self, generator: Synthesis | stylegan2.Synthesis, codes: Tensor) -> Tensor:
        with torch.no_grad():
            return pictures(generator, codes, replace(self.codes, bf16=False))


def evaluate_compare(
    inverter: Inverter,
    panel: Panel,
    faces: Sequence[np.ndarray],
    optimisers: Optimisers,
) -> Evaluation:
    """Encoder only, HFGI, latent optimisation and pivotal tuning at 256 px, with seconds a face.

    The embedded generator is also tuned as it would be to a clip, which others are not.
    """
    crops = [picture_256(face) for face in faces]
    codes = inverter.encode(crops)
    inverter.render(crops[:1], codes[:1], codes[:1], SIZE)  # the first pass compiles
    device = optimisers.mean.device
    targets = [torch.from_numpy(network_input(crop))[None].to(device) for crop in crops]
    pivots = torch.from_numpy(codes).to(device)

    encoded, encoder_seconds = timed(lambda: [inverter.draft([c], w := inverter.encode([c]), w)[0] for c in crops])
    high, hfgi_seconds = timed(lambda: [_invert(inverter, crop) for crop in crops])
    bar = tqdm(total=2 * len(crops), desc="optimising", file=sys.stderr, disable=None)

    def each(work: Callable[[int], Tensor]) -> list[np.ndarray]:
        found = []
        for i in range(len(crops)):
            found.append(work(i)[0].permute(1, 2, 0).cpu().numpy())
            bar.update()
        return found

    latent, latent_seconds = timed(lambda: each(lambda i: optimisers.latent(targets[i])))
    tuned, tuned_seconds = timed(lambda: each(lambda i: optimisers.tuned(targets[i], pivots[i : i + 1])))
    bar.close()
    masks = face_masks(panel, crops)
    each_face = list(zip(crops, codes[:, None], masks, strict=True))
    methods = {"encoder only": ([draft.low[0] for draft in encoded], encoder_seconds), OURS: (high, hfgi_seconds)}
    titles = ["source", "encoder only", OURS]
    if isinstance(inverter.generator, Synthesis):
        states, clip_seconds = timed(lambda: [tuned_to(inverter, *face, CLIP.steps) for face in each_face])
        own = [
            inverter.with_generator(state).render([crop], code, code, SIZE)[0].inversion
            for state, (crop, code, _) in zip(states, each_face, strict=True)
        ]
        methods[f"{OURS}, tuned as to a clip, {CLIP.steps} steps"] = own, clip_seconds + hfgi_seconds
        titles.append("tuned")
    methods |= {
        f"latent optimisation, {optimisers.codes.steps} steps": (latent, latent_seconds),
        f"pivotal tuning, {optimisers.pivotal.steps} steps": (tuned, tuned_seconds),
    }
    rows: list[dict[str, Value]] = []
    for name, (results, seconds) in methods.items():
        like = panel.likeness(results, crops, masks)
        row: dict[str, Value] = {"inversion": name}
        for column in ("psnr", "psnr_face", "ssim", "perceptual", "mobileface", "faceres"):
            row[column] = float(getattr(like, column).mean())
        rows.append(row | {"seconds": seconds / len(crops), "times HFGI's": seconds / hfgi_seconds})
    columns = [crops[:_SHOWN], *([picture(image) for image in images[:_SHOWN]] for images, _ in methods.values())]
    titles += ["latent optim.", "pivotal tuning"]
    sheet = contact_sheet(list(zip(*columns, strict=True)), titles, tile=SIZE)
    notes = [
        f"{len(crops)} faces at {SIZE} px, one at a time; seconds a face on {device.type}, compilation not counted",
        "optimisation looks at the perceptual distance itself: let mobileface and faceres decide",
    ]
    return Evaluation(rows, sheet, notes)


def _invert(inverter: Inverter, crop: np.ndarray) -> np.ndarray:
    codes = inverter.encode([crop])
    return inverter.render([crop], codes, codes, SIZE)[0].inversion


def timed(work: Callable[[], list]) -> tuple[list, float]:
    """(what it gives, seconds it took)"""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start
