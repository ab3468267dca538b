"""Rate and distortion: how near an inversion comes to a face, and how many numbers it keeps of it (HFGI, figure 3).

The rate is the count of numbers that differ from face to face: one w of 512 for all layers; codes whose first k layers
have their own and share one for the others, up to all 18; then the whole code and a distortion map of r x r x 3, the
map that HFGI consults, averaged down to r px.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch

from videdit.datatypes import LOW
from videdit.evaluation.image import psnr, ssim
from videdit.evaluation.judges import MobileFace
from videdit.evaluation.panel import network_input
from videdit.evaluation.plot import Series, draw_plots
from videdit.evaluation.report import Evaluation, Value
from videdit.hfgi.inverter import Inverter
from videdit.weights.judges import have_judges

LAYERS = (0, 1, 2, 4, 7, 11)  # of their own; all 18 besides
MAPS = (4, 8, 16, 32, 64, 128, 256)  # px


def evaluate_rate(inverter: Inverter, faces: Sequence[np.ndarray]) -> Evaluation:
    """Faces [256, 256, 3] uint8 RGB -> a row a rate, and a sheet with a plot a figure.

    Identity is among the figures where the judges were fetched.
    """
    judge = MobileFace() if have_judges() else None
    rows: list[dict[str, Value]] = []
    with torch.no_grad():
        x = tensor(faces)
        own = judge(x) if judge else None
        for kind, name, count, images in reconstructions(inverter, list(faces)):
            y = tensor(images).clamp(-1, 1)
            row: dict[str, Value] = {"kept": name, "kind": kind, "numbers": float(count)}
            row |= {"psnr": float(psnr(y, x).mean()), "ssim": float(ssim(y, x).mean())}
            if judge and own is not None:
                row["identity"] = float((judge(y) * own).sum(1).mean())
            rows.append(row)
    titles = {"psnr": "PSNR, dB", "ssim": "SSIM", "identity": "identity (cosine, mobileface)"}
    kinds = list(dict.fromkeys(str(row["kind"]) for row in rows))
    plots = [
        (title, [Series(kind, *_points(rows, kind, figure)) for kind in kinds])
        for figure, title in titles.items()
        if figure in rows[0]
    ]
    return Evaluation(rows, draw_plots(plots, "numbers kept of a face"), [f"{len(faces)} faces at {LOW} px"])


def reconstructions(inverter: Inverter, faces: list[np.ndarray]) -> Iterator[tuple[str, str, int, list[np.ndarray]]]:
    """(kind, name, numbers, images [256, 256, 3] in [-1, 1]) by rate."""
    codes = inverter.encode(faces)  # [N, L, 512]
    layers, width = codes.shape[1:]
    for own in (*(k for k in LAYERS if k < layers - 1), layers):
        reduced = share_layers(codes, own)
        name = f"code, {own} layers of their own" if own else "one w for all layers"
        bases = inverter.low_fidelity(faces, reduced, reduced)
        yield "code alone", name, width * min(own + 1, layers), [base.low[0] for base in bases]
    flows = inverter.pixels.flows([base.low for base in bases])
    for px in MAPS:
        coarse = [replace(d, source=d.low[0] + averaged(d.source - d.low[0], px)) for d in bases]
        images = [rendering.inversion for rendering in inverter.high_fidelity(coarse, flows, LOW)]
        yield "code and distortion map", f"code and map of {px} px", width * layers + 3 * px * px, images


def share_layers(codes: np.ndarray, own: int) -> np.ndarray:
    """Codes [N, L, 512] whose layers from `own` on are all their mean."""
    shared = codes.copy()
    if own < codes.shape[1]:
        shared[:, own:] = codes[:, own:].mean(1, keepdims=True)
    return shared


def averaged(image: np.ndarray, px: int) -> np.ndarray:
    """[S, S, 3] averaged down to px and enlarged again."""
    size = image.shape[0]
    if px == size:
        return image
    small = cv2.resize(image, (px, px), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)


def tensor(images: Sequence[np.ndarray]) -> torch.Tensor:
    """uint8, or float in [-1, 1], [S, S, 3] each -> [N, 3, 256, 256] in [-1, 1]."""
    return torch.from_numpy(np.stack([network_input(image) for image in images]))


def _points(rows: Sequence[dict[str, Value]], kind: str, figure: str) -> tuple[np.ndarray, np.ndarray]:
    chosen = [row for row in rows if row["kind"] == kind]
    return np.array([row["numbers"] for row in chosen], float), np.array([row[figure] for row in chosen], float)
