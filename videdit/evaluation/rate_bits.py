"""Rate and distortion in bits (HFGI, figure 3 and appendix B.1): what is kept of a face, quantised and entropy-coded.

The distortion is the mean absolute error, in pictures from -1 to 1. One w for all layers, the whole code, and the whole
code with a distortion map that is consulted, at several sizes; each at several steps of rounding. Beside them Shannon's
lower bound as far as it can be estimated, and a Gaussian source of the pictures' spectrum
(:mod:`videdit.evaluation.entropy_coding`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from videdit.datatypes import LOW, Array
from videdit.evaluation.entropy_coding import Axes, coded_map, coded_w, coded_w_plus, gaussian_rate, shannon_bound
from videdit.evaluation.plot import Series, draw_plots
from videdit.evaluation.report import Evaluation, Value
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.population import sample_codes

CODE_STEPS = (2.0, 1.0, 0.5, 0.25)  # deviations of the population
KEPT = 0.25  # of the code that a map comes with
MAP_STEPS = (0.8, 0.4, 0.2)
MAPS = (16, 64, 256)  # px
POPULATION = 2000  # codes whose principal axes count


def evaluate_bits(inverter: Inverter, faces: Sequence[np.ndarray]) -> Evaluation:
    """Faces [256, 256, 3] uint8 RGB -> a row a rate, and a plot.

    Raises:
        UsageError: the package that codes is not installed.
    """
    rows: list[dict[str, Value]] = []
    for kind, name, bits, images in coded(inverter, list(faces)):
        errors = [np.abs(a.clip(-1, 1) - b / 127.5 + 1).mean() for a, b in zip(images, faces, strict=True)]
        rows.append({"kept": name, "kind": kind, "bits": float(np.mean(bits)), "l1": float(np.mean(errors))})
    span = np.geomspace(0.002, max(float(row["l1"] or 0) for row in rows), 24)
    lines = [
        Series("Gaussian source, same spectrum", gaussian_rate(faces, span), span),
        Series("Shannon's lower bound, estimate", shannon_bound(faces, span), span),
    ]
    kinds = list(dict.fromkeys(str(row["kind"]) for row in rows))
    found = [Series(kind, *_points(rows, kind)) for kind in kinds]
    shown = [Series(one.name, one.x[one.x > 1], one.y[one.x > 1]) for one in (*found, *lines) if (one.x > 1).sum() > 1]
    last = span[shannon_bound(faces, span) > 0]
    notes = [
        f"{len(faces)} faces at {LOW} px; l1 of pictures in [-1, 1]; bits a face, as a range coder wrote and read them",
        "Shannon's lower bound: what WebP needs without loss, less what errors of that size may hide; "
        f"above l1 = {last.max() if len(last) else 0:.3g} it is 0 and says nothing",
    ]
    return Evaluation(rows, draw_plots([("l1 against bits", shown)], "bits a face"), notes)


def coded(inverter: Inverter, faces: list[np.ndarray]) -> Iterator[tuple[str, str, list[int], list[Array]]]:
    """(kind, name, bits of each face, images [256, 256, 3] in about [-1, 1])."""
    axes = Axes.of(sample_codes(POPULATION, seed=5).astype(np.float64))
    codes = inverter.encode(faces)
    for kind, how in (("W: one w", coded_w), ("W+: a code", coded_w_plus)):
        for step in CODE_STEPS:
            read = [how(code, axes, step) for code in codes]
            reduced = np.stack([code for code, _ in read])
            bases = inverter.low_fidelity(faces, reduced, reduced)
            yield kind, f"{kind}, steps of {step:g} sd", [bits for _, bits in read], [d.low[0] for d in bases]
    read = [coded_w_plus(code, axes, KEPT) for code in codes]
    reduced = np.stack([code for code, _ in read])
    bases = inverter.low_fidelity(faces, reduced, reduced)
    flows = inverter.pixels.flows([base.low for base in bases])
    for px in MAPS:
        for step in MAP_STEPS:
            maps = [coded_map(base.source - base.low[0], px, step) for base in bases]
            seen = [replace(d, source=d.low[0] + found) for d, (found, _) in zip(bases, maps, strict=True)]
            images = [rendering.inversion for rendering in inverter.high_fidelity(seen, flows, LOW)]
            bits = [a + b for (_, a), (_, b) in zip(read, maps, strict=True)]
            yield f"W+ and a map of {px} px", f"W+ and a map of {px} px, steps of {step:g}", bits, images


def _points(rows: Sequence[dict[str, Value]], kind: str) -> tuple[np.ndarray, np.ndarray]:
    chosen = sorted((float(row["bits"] or 0), float(row["l1"] or 0)) for row in rows if row["kind"] == kind)
    return np.array([bits for bits, _ in chosen]), np.array([error for _, error in chosen])
