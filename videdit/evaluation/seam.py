"""Whether the border of an edit can be seen."""

from __future__ import annotations

import cv2
import numpy as np

# Grey levels, smoothed, from which on something counts as changed in part and in whole: an encoder's noise stays below.
CHANGED = (3.0, 8.0)
_SMOOTH = 2.0  # pixels
# Pixels, sigma, by which a mask's border is widened. An outline that the edit moves (a wider cheek) moves the border
# along, and then is in the edited border but just beside it in the source: a border counts what is near it, too.
REACH = 3.0


def seam(source: np.ndarray, edited: np.ndarray, masks: np.ndarray) -> float | None:
    """How steep an edited clip is across its masks' borders, relative to its source there: 1 shows nothing.

    source, edited: [T, H, W, 3] uint8 RGB; masks: [T, H, W] uint8, 0..255. The mean absolute derivative along the
    masks' own gradients, weighted by their steepness: a sharp border counts where it is, a soft one all over its width.
    None where the masks have no border or the source is flat there.
    """
    totals = np.zeros(2)
    for before, after, mask in zip(source, edited, masks, strict=True):
        border = cv2.GaussianBlur(_length(_gradient(mask[..., None])), (0, 0), REACH)  # [H, W]
        across = _gradient(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), REACH)[..., None])  # [H, W, 1, 2]
        direction = across / np.maximum(_length(across), 1e-6)[..., None, None]
        for i, picture in enumerate((before, after)):
            slope = np.abs((_gradient(picture) * direction).sum(-1)).mean(-1)  # [H, W]
            totals[i] += float((border * slope).sum())
    return float(totals[1] / totals[0]) if totals[0] > 0 else None


def changed(source: np.ndarray, edited: np.ndarray) -> np.ndarray:
    """Masks [T, H, W] uint8 of what an edited clip changed, for clips of which no matte is at hand."""
    low, high = CHANGED
    masks = []
    for before, after in zip(source, edited, strict=True):
        difference = np.abs(cv2.GaussianBlur(after.astype(np.float32) - before, (0, 0), _SMOOTH)).max(-1)
        masks.append(np.rint(np.clip((difference - low) / (high - low), 0, 1) * 255))
    return np.stack(masks).astype(np.uint8)


def _gradient(picture: np.ndarray) -> np.ndarray:
    """Central differences [H, W, C] -> [H, W, C, 2] (x, y)."""
    rows, columns = np.gradient(picture.astype(np.float32), axis=(0, 1))
    return np.stack((columns, rows), axis=-1)


def _length(gradient: np.ndarray) -> np.ndarray:
    """The steepness of a mask's gradient [H, W, 1, 2]: [H, W]."""
    return np.linalg.norm(gradient[:, :, 0], axis=-1)
