"""FFHQ alignment: five points of a face -> the square that is cropped -> the matrix from crop to frame.

Matrices are 2x3 float64 and map points; points are (x, y) with pixel centres at +0.5, so the corners of a crop of size
S are (0, 0) and (S, S) whatever S is.
"""

from __future__ import annotations

import numpy as np

from videdit.geometry.affine import rot90

SIZES = (256, 512, 1024)
# Up to which side, in px of the frame, a crop is rendered at a size. A quarter too few pixels are not seen, for only
# the change is enlarged, never the picture; but teeth at 256 px, by a head of the generator that was fitted, are softer
# than those at 512 px, by its own output, also where the frame shows fewer pixels than that.
UP_TO = {256: 160, 512: 640}
HYSTERESIS = 0.12


def ffhq_square(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The aligned square of a face.

    points: [5, 2] (or [..., 5, 2]) eye at image left, eye at image right, nose, mouth corner left, right.
    Returns (centre [..., 2], half [..., 2]): half is the vector from the centre to the middle of the right side; the
    square's side is twice its length. Nose is not used.
    """
    points = np.asarray(points, np.float64)
    eyes = (points[..., 0, :] + points[..., 1, :]) / 2
    across = points[..., 1, :] - points[..., 0, :]
    down = (points[..., 3, :] + points[..., 4, :]) / 2 - eyes
    half = across - rot90(down)
    length = np.maximum(2.0 * np.linalg.norm(across, axis=-1), 1.8 * np.linalg.norm(down, axis=-1))
    half = half / np.maximum(np.linalg.norm(half, axis=-1), 1e-9)[..., None] * length[..., None]
    return eyes + 0.1 * down, half


def ffhq_quad(points: np.ndarray) -> np.ndarray:
    """[5, 2] points -> [4, 2] corners: top left, bottom left, bottom right, top right of the upright face."""
    return quad(*ffhq_square(points))


def quad(centre: np.ndarray, half: np.ndarray) -> np.ndarray:
    """The corners [4, 2] of the square that :func:`ffhq_square` describes."""
    x, y = half, rot90(half)
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def crop_matrix(corners: np.ndarray, size: int) -> np.ndarray:
    """Corners [4, 2] of a square in the frame -> ``to_frame`` [2, 3] of a crop of size x size pixels."""
    top_left, bottom_left, _, top_right = np.asarray(corners, np.float64)
    return np.stack([(top_right - top_left) / size, (bottom_left - top_left) / size, top_left], axis=1)


def face_matrix(points: np.ndarray, size: int) -> np.ndarray:
    """``to_frame`` [2, 3] of the FFHQ crop of a face with five points [5, 2]."""
    return crop_matrix(ffhq_quad(points), size)


def crop_side(points: np.ndarray) -> float:
    """Side in square pixels of the FFHQ square of five points [5, 2]."""
    return 2.0 * float(np.linalg.norm(ffhq_square(points)[1]))


def coded(matrix: np.ndarray, stretch: tuple[float, float]) -> np.ndarray:
    """A matrix [2, 3] to square pixels of a frame -> the same to coded ones, which are so many square ones."""
    return matrix / np.array(stretch)[:, None]


def side_of(to_frame: np.ndarray, size: int) -> float:
    """Side in square pixels of what a crop of size x size pixels shows; to_frame [2, 3] goes to coded ones."""
    return float(np.linalg.norm(to_frame[:, :2], 2)) * size  # coded pixels are stretched in one way only


def choose_size(side: float, current: int | None = None) -> int:
    """Crop size, one of SIZES, for a square of ``side`` frame pixels.

    With ``current``, the size stays until the side is clearly (HYSTERESIS) beyond what it is good for.
    """

    def smallest(side: float) -> int:
        return next((size for size, most in UP_TO.items() if side <= most), SIZES[-1])

    if current is None:
        return smallest(side)
    return min(max(current, smallest(side / (1 + HYSTERESIS))), smallest(side * (1 + HYSTERESIS)))
