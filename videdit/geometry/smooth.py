"""Smoothing over time with zero phase: what the head does stays, what the landmark net's nerves do goes.

A plain Gaussian strong enough for a still head eats real motion (at 0.1 s a 1 Hz nod loses 18 %). So two local fits
are made around each moment, with Gaussian weights in seconds: a wide straight line for a still head, and a narrower
parabola, which follows motion closely (a 1 Hz nod loses 1 %). Where they differ by more than the noise explains, there
is motion, and the parabola wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from videdit.geometry.align import ffhq_square, similarity, transform


@dataclass(frozen=True)
class Smoother:
    """Gaussian widths, in seconds, of the fit for a still head (a line) and for a moving one (a parabola)."""

    still: float
    moving: float

    def __call__(self, times: np.ndarray, values: np.ndarray, at: float) -> np.ndarray:
        """times [T] seconds, values [T, D] -> the smoothed value [D] at the time ``at`` (one of ``times``).

        All D values count as one vector: they are still, or move, together.
        """
        times, values = np.asarray(times, np.float64) - at, np.asarray(values, np.float64)
        line = local_fit(times, values, self.still, 1)
        parabola = local_fit(times, values, self.moving, 2)
        noise = _noise(values)
        apart = float(np.sum((line - parabola) ** 2))
        # To the fourth power: at half the noise the line holds 94 %, at twice the noise the parabola does.
        moving = apart**2 / (apart**2 + noise**2 + 1e-18)
        return (1 - moving) * line + moving * parabola


# Widths of the crop's centre, its axes (size and angle, which speech disturbs through the mouth corners), and the mesh.
CENTRE = Smoother(still=0.12, moving=0.08)
AXES = Smoother(still=0.2, moving=0.11)


def smooth_points(times: np.ndarray, points: np.ndarray, at: float) -> np.ndarray:
    """Smooth a face's aligned square over time.

    times [T] seconds, points [T, 5, 2] of one track in one scene. Returns the points [5, 2] at the time ``at`` (one of
    ``times``), moved as a whole (turn, scale, shift) so that their FFHQ square is the smoothed one.
    """
    now = int(np.argmin(np.abs(np.asarray(times) - at)))
    centres, halves = ffhq_square(points)  # [T, 2], [T, 2]
    target = CENTRE(times, centres, at), AXES(times, halves, at)
    return transform(similarity((centres[now], halves[now]), target), points[now])


def local_fit(times: np.ndarray, values: np.ndarray, sigma: float, degree: int) -> np.ndarray:
    """The value [D] at time 0 of a polynomial fitted with Gaussian weights of width ``sigma``.

    times [T] relative to the moment asked for, values [T, D]. The degree is lowered where there are too few moments.
    """
    weights = np.exp(-0.5 * (times / sigma) ** 2)
    degree = min(degree, int(np.count_nonzero(weights > 1e-3)) - 1)
    powers = (times / sigma)[:, None] ** np.arange(degree + 1)  # [T, degree + 1]
    root = np.sqrt(weights)[:, None]
    solution, *_ = np.linalg.lstsq(powers * root, values * root, rcond=None)
    return solution[0]


def _noise(values: np.ndarray) -> float:
    """Variance of the noise, summed over D, from third differences (which smooth motion hardly excites)."""
    if len(values) < 6:
        return 0.0
    third = np.diff(values, n=3, axis=0)  # [T - 3, D], variance 20 times the noise's
    return float(np.median(np.sum(third**2, axis=1)) / 20)
