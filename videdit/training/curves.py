"""Learning curves as a picture, drawn with OpenCV: one small plot a figure of the log."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

WIDTH, HEIGHT, COLUMNS = 320, 180, 3  # of a plot, px; plots a row
_LEFT, _TOP, _RIGHT, _BOTTOM = 8, 22, 8, 20
_GROUND, _GRID, _INK, _LINE, _JUDGED = (250,) * 3, (222,) * 3, (60,) * 3, (52, 101, 164), (204, 82, 0)  # RGB


def draw_curves(entries: Sequence[dict[str, float]]) -> np.ndarray:
    """Entries of a log -> a picture [H, W, 3] uint8 RGB: every figure over the steps, validation's in orange."""
    names = list(dict.fromkeys(key for entry in entries for key in entry if key not in ("step", "seconds")))
    rows = max(-(-len(names) // COLUMNS), 1)
    picture = np.full((rows * HEIGHT, COLUMNS * WIDTH, 3), _GROUND, np.uint8)
    last = max((entry["step"] for entry in entries), default=0)
    for i, name in enumerate(names):
        points = np.array([(entry["step"], entry[name]) for entry in entries if name in entry])  # [N, 2]
        y, x = i // COLUMNS * HEIGHT, i % COLUMNS * WIDTH
        _plot(picture[y : y + HEIGHT, x : x + WIDTH], name, points, last)
    return picture


def _plot(area: np.ndarray, name: str, points: np.ndarray, last: float) -> None:
    """Draw points (step, value) into an area [HEIGHT, WIDTH, 3]."""
    points = points[np.isfinite(points[:, 1])]
    x0, x1, y0, y1 = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM
    cv2.rectangle(area, (x0, y0), (x1, y1), _GRID)
    if not len(points):
        return _words(area, f"{name}: nothing finite", (x0, y0 - 7))
    low, high = points[:, 1].min(), points[:, 1].max()
    _words(area, f"{name}  {points[-1, 1]:.4g}  ({low:.4g} to {high:.4g})", (x0, y0 - 7))
    _words(area, f"{last:.0f} steps", (x1 - 76, HEIGHT - 6))
    across = x0 + points[:, 0] / max(last, 1) * (x1 - x0)
    down = y1 - (points[:, 1] - low) / max(high - low, 1e-12) * (y1 - y0)
    colour = _JUDGED if name.startswith("val_") else _LINE
    places = np.stack((across, down), 1).round().astype(np.int32)
    cv2.polylines(area, [places[:, None]], False, colour, 1, cv2.LINE_AA)
    if len(places) < 40:
        for px, py in places.tolist():
            cv2.circle(area, (px, py), 2, colour, -1, cv2.LINE_AA)


def _words(area: np.ndarray, words: str, at: tuple[int, int]) -> None:
    cv2.putText(area, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
