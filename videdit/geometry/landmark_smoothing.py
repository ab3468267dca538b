"""Smoothing over time with zero phase: what the head does stays, what the landmark net's nerves do goes.

A plain Gaussian strong enough for a still head eats real motion (at 0.1 s a 1 Hz nod loses 18 %). So several local fits
are made around each moment, with Gaussian weights in seconds: a wide straight line for a still head, a narrower
parabola that follows motion (a 1 Hz nod loses 1 %), and a very narrow one for a jerk. Where a narrower fit differs from
the wider by more than the noise explains, there is motion, and the narrower wins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from videdit.geometry.affine import rot90, similarity, transform
from videdit.geometry.ffhq_align import ffhq_square


@dataclass(frozen=True)
class Smoother:
    """Gaussian widths, in seconds, of three local fits: of a line, for a still head, and of two parabolas."""

    still: float
    moving: float
    jerking: float

    def __call__(self, times: np.ndarray, values: np.ndarray, at: float, noise: tuple[float, float]) -> np.ndarray:
        """times [T] seconds, values [T, D] -> the smoothed value [D] at the time ``at`` (one of ``times``).

        All D values count as one vector: they are still, or move, together. ``noise`` is the least and the largest
        standard deviation of noise to believe in, in units of the values: what shakes more than that is real.
        """
        times, values = np.asarray(times, np.float64) - at, np.asarray(values, np.float64)
        low, high = (values.shape[1] * deviation**2 for deviation in noise)
        variance = min(max(_noise(values), low), high)
        smooth = local_fit(times, values, self.still, 1)
        for sigma in (self.moving, self.jerking):
            closer = local_fit(times, values, sigma, 2)
            # To the fourth power of the distance: half way at twice the noise, so that noise alone moves nothing.
            apart = float(np.sum((closer - smooth) ** 2))
            smooth = smooth + (closer - smooth) * (apart**2 / (apart**2 + (4 * variance) ** 2 + 1e-18))
        return smooth


CENTRE = Smoother(still=0.5, moving=0.08, jerking=0.03)
AXES = Smoother(still=0.5, moving=0.11, jerking=0.03)
# Noise: of the centre as a fraction of the crop's side, of its angle in radians, of its size as a fraction. Speech, by
# way of the mouth's corners, shakes the size by some percent, and all of that is called noise.
_CENTRE_NOISE, _ANGLE_NOISE, _SIZE_NOISE = (0.0004, 0.0015), (0.002, 0.006), (0.015, 0.015)


def smooth_points(times: np.ndarray, points: np.ndarray, at: float) -> np.ndarray:
    """Smooth a face's aligned square over time.

    times [T] seconds, points [T, 5, 2] of one track in one scene. Returns the points [5, 2] at the time ``at`` (one of
    ``times``), moved as a whole (turn, scale, shift) so that their FFHQ square is the smoothed one.
    """
    now = int(np.argmin(np.abs(np.asarray(times) - at)))
    centres, halves = ffhq_square(points)  # [T, 2], [T, 2]
    half, side = halves[now], 2 * float(np.linalg.norm(halves[now]))
    centre = side * CENTRE(times, centres / side, at, _CENTRE_NOISE)
    angles = np.arctan2(halves @ rot90(half), halves @ half)  # [T], from the present one
    angle = float(AXES(times, angles[:, None], at, _ANGLE_NOISE)[0])
    sizes = np.log(np.linalg.norm(halves, axis=1) * 2 / side)
    size = math.exp(AXES(times, sizes[:, None], at, _SIZE_NOISE)[0])
    target = size * (math.cos(angle) * half + math.sin(angle) * rot90(half))
    return transform(similarity((centres[now], half), (centre, target)), points[now])


def local_fit(times: np.ndarray, values: np.ndarray, sigma: float, degree: int) -> np.ndarray:
    """The value [D] at time 0 of a polynomial fitted with Gaussian weights of width ``sigma``.

    times [T] relative to the moment asked for, values [T, D]. The degree is lowered where there are too few moments.
    """
    weights = np.exp(-0.5 * (times / sigma) ** 2)
    degree = min(degree, int(np.count_nonzero(weights > 1e-3)) - 1)
    powers = (times / sigma)[:, None] ** np.arange(degree + 1)  # [T, degree + 1]
    root = np.sqrt(weights)
    kernel = np.linalg.pinv(powers * root[:, None])[0] * root  # [T]: the fit's constant term is linear in the values
    return kernel @ values


def _noise(values: np.ndarray) -> float:
    """Variance of the noise, summed over D, from third differences (which smooth motion hardly excites)."""
    if len(values) < 6:
        return 0.0
    third = np.diff(values, n=3, axis=0)  # [T - 3, D], variance 20 times the noise's
    return float(np.median(np.sum(third**2, axis=1)) / 20)
