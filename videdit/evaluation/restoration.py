"""The restorer judged: how much nearer to the original than bicubic enlargement, and whether it is still the person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from videdit.evaluation.panel import Panel, picture
from videdit.evaluation.report import Evaluation, Value
from videdit.evaluation.sheet import contact_sheet
from videdit.imaging.degradation import add_noise, compress, enlarge

SIZE = 128  # px of the crops that are judged
SHRINK, NOISE, QUALITY = 4, 5.0, 60
_SHOWN = 8

Restore = Callable[[list[np.ndarray]], list[np.ndarray]]  # crops [S, S, 3] uint8 RGB -> the same, restored


def worn(face: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(original, input) at 128 px of a face [S, S, 3] uint8: shrunk by 4, noise 5/255, JPEG 60, enlarged by bicubic."""
    original = cv2.resize(face, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    small = cv2.resize(original, (SIZE // SHRINK, SIZE // SHRINK), interpolation=cv2.INTER_AREA)
    small = compress(add_noise(small, NOISE, np.random.default_rng(seed)), QUALITY)
    return original, enlarge(small, SIZE)


def pair_psnr(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR in dB of two pictures [H, W, 3] uint8, infinite where they are equal."""
    error = np.square(a.astype(np.float64) - b).mean() / 255**2
    return float(-10 * np.log10(error)) if error else float("inf")


def evaluate_restorer(restore: Restore, panel: Panel, faces: Sequence[np.ndarray]) -> Evaluation:
    """Bicubic enlargement and the restorer, against the originals; and what it does to faces that need nothing.

    faces: each [S, S, 3] uint8 RGB, aligned.
    """
    pairs = [worn(face, seed) for seed, face in enumerate(faces)]
    originals, inputs = [original for original, _ in pairs], [given for _, given in pairs]
    masks = np.ones((len(faces), 256, 256), np.float32)
    rows: list[dict[str, Value]] = []
    methods = {"bicubic": inputs, "restorer": restore(inputs)}
    for name, results in methods.items():
        like = panel.similarities(results, originals, masks)
        row: dict[str, Value] = {"restoration": name}
        row["psnr"] = float(np.mean([pair_psnr(a, b) for a, b in zip(results, originals, strict=True)]))
        row |= {key: float(getattr(like, key).mean()) for key in ("ssim", "perceptual", "mobileface", "faceres")}
        rows.append(row)
    untouched = [pair_psnr(a, b) for a, b in zip(restore(originals), originals, strict=True)]
    gain = {key: float(rows[1][key]) - float(rows[0][key]) for key in rows[0] if key != "restoration"}  # type: ignore[arg-type]
    rows.append({"restoration": "gain", **gain})
    columns = [[picture(image) for image in images[:_SHOWN]] for images in (inputs, methods["restorer"], originals)]
    sheet = contact_sheet(list(zip(*columns, strict=True)), ("bicubic", "restored", "original"), tile=256)
    notes = [
        f"{len(faces)} faces at {SIZE} px, shrunk by {SHRINK}, noise {NOISE:g}/255, JPEG {QUALITY}, enlarged again",
        f"originals come through the restorer with {np.mean(untouched):.1f} dB",
    ]
    return Evaluation(rows, sheet, notes)
