"""Affine matrices, 2x3 float64: they map points (x, y) with pixel centres at +0.5."""

from __future__ import annotations

import numpy as np


def rot90(v: np.ndarray) -> np.ndarray:
    """A quarter turn from x to y, clockwise on the screen: [..., 2] -> [..., 2]."""
    return np.stack([-v[..., 1], v[..., 0]], axis=-1)


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points [..., 2] by a 2x3 matrix."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a 2x3 matrix, e.g. ``to_frame`` -> frame to crop. Raises LinAlgError when it is singular."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The 2x3 matrix that applies ``inner`` first, then ``outer``."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def upright_matrix(rotation: int, width: float, height: float) -> np.ndarray:
    """Pixels of a picture as it is displayed -> pixels of the picture that is coded (width x height), a matrix [2, 3].

    rotation: degrees clockwise, 0, 90, 180 or 270, that the coded picture is turned by for display.
    """
    turns = {
        0: [[1, 0, 0], [0, 1, 0]],
        90: [[0, 1, 0], [-1, 0, height]],
        180: [[-1, 0, width], [0, -1, height]],
        270: [[0, -1, width], [1, 0, 0]],
    }
    return np.array(turns[rotation % 360], np.float64)


def similarity(square: tuple[np.ndarray, np.ndarray], target: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The 2x3 similarity that takes one (centre, half) square onto another."""
    (c0, h0), (c1, h1) = square, target
    a, b = np.array([h1 @ h0, h1 @ rot90(h0)]) / max(float(h0 @ h0), 1e-18)  # h1 = a h0 + b rot90(h0)
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, c1 - linear @ c0])
