"""Plots of figures over a size that spans orders of magnitude, drawn with OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

WIDTH, HEIGHT = 520, 360  # of a plot, px
_LEFT, _TOP, _RIGHT, _BOTTOM = 58, 34, 16, 46
_GROUND, _GRID, _INK = (252,) * 3, (225,) * 3, (50,) * 3  # RGB
_COLOURS = ((52, 101, 164), (204, 82, 0), (78, 140, 60), (140, 70, 140), (0, 150, 160), (190, 150, 0), (120, 120, 120))
_FEW = 4  # names of series find room below; more go above


@dataclass(frozen=True, slots=True)
class Series:
    """Points joined by a line."""

    name: str
    x: np.ndarray  # [N] above zero
    y: np.ndarray  # [N]


def draw_plots(plots: Sequence[tuple[str, Sequence[Series]]], x_title: str, from_zero: bool = False) -> np.ndarray:
    """(title, its series) each -> plots side by side, x logarithmic; [HEIGHT, N * WIDTH, 3] uint8 RGB.

    from_zero: the other axis begins there, wherever the values do.
    """
    picture = np.full((HEIGHT, WIDTH * len(plots), 3), _GROUND, np.uint8)
    for i, (title, series) in enumerate(plots):
        _plot(picture[:, i * WIDTH : (i + 1) * WIDTH], title, series, x_title, from_zero)
    return picture


def _plot(area: np.ndarray, title: str, series: Sequence[Series], x_title: str, from_zero: bool) -> None:
    x0, x1, y0, y1 = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM
    all_x = np.log10(np.concatenate([s.x for s in series]))
    all_y = np.concatenate([s.y for s in series])
    decades = np.arange(np.floor(all_x.min()), np.ceil(all_x.max()) + 1)
    ticks = y_ticks(0.0 if from_zero else float(all_y.min()), float(all_y.max()))

    def place(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Values -> pixels, [N, 2] int32."""
        across = x0 + (np.log10(x) - decades[0]) / max(decades[-1] - decades[0], 1) * (x1 - x0)
        down = y1 - (y - ticks[0]) / (ticks[-1] - ticks[0]) * (y1 - y0)
        return np.stack((across, down), -1).round().astype(np.int32)

    for decade in decades:
        column = int(place(np.array(10.0**decade), np.array(ticks[0]))[0])
        cv2.line(area, (column, y0), (column, y1), _GRID)
        _words(area, short(10**decade), (column, y1 + 16), centred=True)
    for tick in ticks:
        row = int(place(np.array(10.0 ** decades[0]), np.array(tick))[1])
        cv2.line(area, (x0, row), (x1, row), _GRID)
        _words(area, f"{tick:g}", (8, row + 4))
    _words(area, title, (x0, y0 - 14), 0.48)
    _words(area, x_title, ((x0 + x1) // 2, HEIGHT - 10), centred=True)
    for i, one in enumerate(series):
        colour, places = _COLOURS[i % len(_COLOURS)], place(one.x, one.y)
        cv2.polylines(area, [places[:, None]], False, colour, 2, cv2.LINE_AA)
        for x, y in places.tolist():
            cv2.circle(area, (x, y), 4, colour, -1, cv2.LINE_AA)
        row = y0 + 14 + 18 * i if len(series) > _FEW else y1 - 10 - 18 * (len(series) - 1 - i)
        cv2.line(area, (x1 - 196, row - 4), (x1 - 176, row - 4), colour, 2, cv2.LINE_AA)
        _words(area, one.name, (x1 - 170, row))


def y_ticks(low: float, high: float) -> np.ndarray:
    """Five or so round values, [N], that span low to high."""
    span = max(high - low, 1e-9)
    step = 10 ** np.floor(np.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (factor * step) <= 5)
    first, last = np.floor(low / step), np.ceil(high / step)
    return np.round(np.arange(first, max(last, first + 1) + 1) * step, 10)


def short(number: float) -> str:
    """1000 -> "1k", 2000000 -> "2M"."""
    for letter, unit in (("M", 1e6), ("k", 1e3)):
        if number >= unit:
            return f"{number / unit:g}{letter}"
    return f"{number:g}"


def _words(area: np.ndarray, words: str, at: tuple[int, int], size: float = 0.4, centred: bool = False) -> None:
    if centred:
        at = (at[0] - cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0] // 2, at[1])
    cv2.putText(area, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
