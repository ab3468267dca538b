"""Two phases of training? Mutual information along a training of ADA and the consultation encoder (appendix B.2).

The paper's appendix reads HFGI as an information bottleneck: X is the face, Y what is kept of its distortion map, X^
the reconstruction, and training first raises I(X; Y), then lets go of what Y need not say. Here both I(X; Y) and
I(Y; X^) are estimated at each set of weights that a training has kept (``--snapshot-every``), on faces that it has not
seen.

The estimator (:func:`lower_bound`) is InfoNCE (van den Oord et al., 2018) with a critic that is not trained but fitted:
both variables are projected on their first principal components and canonical ones within these, and the critic is the
log density ratio of normal distributions of the correlations found. Projection, components and correlations come from
one half of the faces, the bound from the other, and the other way round. Whatever the critic, the expectation is a
lower bound of the mutual information; it cannot say more than log2 of the faces in a half, and of few faces it says
little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videdit import paths
from videdit.errors import UsageError
from videdit.evaluation.plot import Series, draw_plots
from videdit.evaluation.report import Evaluation, Value
from videdit.evaluation.stills import picture_256
from videdit.hfgi.loader import load_encoder, load_generator
from videdit.imaging.crop import network_input
from videdit.models.hfgi import Alignment, Consultation
from videdit.models.mobile_stylegan import Synthesis
from videdit.weights.module_io import load_weights

DIMS = 12  # principal components of each variable
PIXELS = 32  # px at which pictures are variables
FEATURES = 1024  # random projections of the condition


@dataclass(frozen=True)
class Bound:
    """A lower bound of a mutual information, and its standard error, in bits."""

    bits: float
    error: float


def lower_bound(x: np.ndarray, y: np.ndarray, dims: int = DIMS, seed: int = 0) -> Bound:
    """I(X; Y) of N pairs, x [N, P], y [N, Q]: see the module's words.

    Raises:
        UsageError: there are fewer than 8 pairs.
    """
    if len(x) < 8:
        raise UsageError(f"mutual information needs at least 8 pairs, not {len(x)}")
    order = np.random.default_rng(seed).permutation(len(x))
    halves = order[: len(x) // 2], order[len(x) // 2 :]
    gains = np.concatenate([_gains(x, y, *pair, dims) for pair in (halves, halves[::-1])])
    return Bound(float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains))))


def _gains(x: np.ndarray, y: np.ndarray, fit: np.ndarray, judge: np.ndarray, dims: int) -> np.ndarray:
    """What each pair of one half tells, in bits, with a critic fitted on the other."""
    sides = []
    for values in (x, y):
        mean = values[fit].mean(0)
        _, scales, axes = np.linalg.svd(values[fit] - mean, full_matrices=False)
        kept = min(dims, int((scales > 1e-6 * max(scales[0], 1e-12)).sum()), len(fit) // 2)
        white = axes[:kept].T / np.maximum(scales[:kept], 1e-12) * np.sqrt(len(fit))
        sides.append(((values[fit] - mean) @ white, (values[judge] - mean) @ white))
    (a_fit, a), (b_fit, b) = sides
    if not a.shape[1] or not b.shape[1]:  # one of them does not vary at all
        return np.zeros(len(judge))
    left, found, right = np.linalg.svd(a_fit.T @ b_fit / len(fit), full_matrices=False)
    rho = np.clip(found - len(fit) ** -0.5, 0, 0.98)  # what chance alone correlates
    u, v = a @ left, b @ right.T  # canonical variables, [M, K]
    ratio = -0.5 * np.log(1 - rho**2)
    square = rho**2 / (2 * (1 - rho**2))
    score = (  # of x_j with y_i: log of the density ratio
        ratio.sum() - (u**2 @ square)[None, :] - (v**2 @ square)[:, None] + (v * (rho / (1 - rho**2))) @ u.T
    )
    most = score.max(1, keepdims=True)
    others = most[:, 0] + np.log(np.exp(score - most).mean(1))
    return (np.diag(score) - others) / np.log(2)


def evaluate_information(snapshots: Path, faces: Sequence[np.ndarray], device: str = "cpu") -> Evaluation:
    """A row a set of weights, and a plot. faces: aligned, [S, S, 3] uint8 RGB.

    Raises:
        UsageError: there are no weights, or too few faces.
        WeightsError: weights are of other networks.
    """
    files = sorted(snapshots.glob("[!.]*.safetensors"))  # a hidden one is being written
    if not files:
        raise UsageError(
            f"no weights in {snapshots}: train with --snapshot-every STEPS, and name its folder of snapshots"
        )
    known = FaceInputs.of(faces, device)
    rows: list[dict[str, Value]] = []
    for file in files:
        kept, made = known.through(file)
        first, second = lower_bound(known.sources, kept), lower_bound(kept, made)
        error = float(np.abs(made - known.sources).mean())
        row: dict[str, Value] = {"step": file.stem.lstrip("0") or "0", "I(X;Y)": first.bits, "+-": first.error}
        rows.append(row | {"I(Y;X^)": second.bits, "+- ": second.error, "l1": error})
    steps = np.array([max(float(str(row["step"])), 1.0) for row in rows])
    series = [Series(name, steps, np.array([row[name] for row in rows], float)) for name in ("I(X;Y)", "I(Y;X^)")]
    limit = np.log2(len(faces) // 2)
    notes = [
        f"{len(faces)} faces, {DIMS} principal components; bits, a lower bound (InfoNCE), at most {limit:.2f}; "
        "+-: standard error",
        phases([float(row["I(X;Y)"] or 0) for row in rows], [float(row["+-"] or 0) for row in rows]),
    ]
    return Evaluation(rows, draw_plots([("mutual information, bits", series)], "steps of training"), notes)


def phases(bits: Sequence[float], errors: Sequence[float]) -> str:
    """Whether I(X; Y) first rises and then falls, each by more than twice what it may err by, in words."""
    peak = int(np.argmax(bits))
    rise, fall = bits[peak] - bits[0], bits[peak] - bits[-1]
    sure = [2 * float(np.hypot(errors[peak], errors[i])) for i in (0, -1)]
    rises, falls = rise > sure[0], fall > sure[1]
    told = f"rises by {rise:.2f} (sure from {sure[0]:.2f}), then falls by {fall:.2f} (sure from {sure[1]:.2f})"
    if rises and falls:
        return f"two phases: I(X;Y) {told}"
    return f"no two phases are seen: I(X;Y) {told}"


@dataclass(frozen=True)
class FaceInputs:
    """What of faces does not depend on the weights that are looked at."""

    x: Tensor  # [N, 3, 256, 256]
    codes: Tensor
    trunk: Tensor
    low: Tensor
    generator: Synthesis
    mix: Tensor  # [FEATURES, 2 * 512 * 64]: random projections

    @classmethod
    @torch.inference_mode()
    def of(cls, faces: Sequence[np.ndarray], device: str) -> FaceInputs:
        """faces: [S, S, 3] uint8 RGB each. What is known of all of them stays on the device."""
        _, generator = load_generator(device)
        encoder = load_encoder(paths.weights_dir() / "encoder.safetensors", device)
        x = torch.from_numpy(np.stack([network_input(picture_256(face)) for face in faces])).to(device)
        codes = torch.cat([encoder(part) for part in x.split(1)])
        trunk = torch.cat([generator.trunk(part) for part in codes.split(1)])
        pairs = zip(trunk.split(1), codes.split(1), strict=True)
        low = torch.cat([generator.low(*pair) for pair in pairs])
        mix = torch.randn(FEATURES, 2 * 512 * 64, generator=torch.Generator().manual_seed(0)) / 256
        return cls(x, codes, trunk, low, generator, mix.to(device))

    @property
    def sources(self) -> np.ndarray:
        """X, [N, 3 * 32 * 32]."""
        return small(self.x)

    @torch.inference_mode()
    def through(self, file: Path) -> tuple[np.ndarray, np.ndarray]:
        """(Y [N, FEATURES], X^ [N, 3 * 32 * 32]) by the weights of a file."""
        networks = torch.nn.ModuleDict({"alignment": Alignment(), "consultation": Consultation()})
        load_weights(networks, file)
        networks.eval().to(self.x.device)
        kept, made = [], []
        for x, codes, trunk, low in zip(*(t.split(1) for t in (self.x, self.codes, self.trunk, self.low)), strict=True):
            condition = networks["consultation"](networks["alignment"](x - low, low))
            both = torch.cat([F.adaptive_avg_pool2d(part, 8).flatten(1) for part in condition], 1)
            kept.append((both @ self.mix.T).cpu().numpy())
            made.append(small(self.generator.render(trunk, codes, condition, size=256)))
        return np.concatenate(kept), np.concatenate(made)


def small(images: Tensor) -> np.ndarray:
    """Pictures [N, 3, 256, 256] -> [N, 3 * 32 * 32]."""
    return F.adaptive_avg_pool2d(images.clamp(-1, 1), PIXELS).flatten(1).cpu().numpy()
