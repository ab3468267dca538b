"""FFHQ alignment: five points of a face -> the square that is cropped -> the matrix from crop to frame.

Matrices are 2x3 float64 and map points; points are (x, y) with pixel centres at +0.5, so the corners of a crop of size
S are (0, 0) and (S, S) whatever S is.
"""

from __future__ import annotations

import numpy as np

SIZES = (256, 512, 1024)
# A crop of side px of the frame is rendered at size S while side <= ENLARGE * S: a quarter too few pixels are not
# seen, because only the change is enlarged, never the picture.
ENLARGE = 1.25
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


def rot90(v: np.ndarray) -> np.ndarray:
    """A quarter turn from x to y, clockwise on the screen: [..., 2] -> [..., 2]."""
    return np.stack([-v[..., 1], v[..., 0]], axis=-1)


def crop_matrix(corners: np.ndarray, size: int) -> np.ndarray:
    """Corners [4, 2] of a square in the frame -> ``to_frame`` [2, 3] of a crop of size x size pixels."""
    top_left, bottom_left, _, top_right = np.asarray(corners, np.float64)
    return np.stack([(top_right - top_left) / size, (bottom_left - top_left) / size, top_left], axis=1)


def face_matrix(points: np.ndarray, size: int) -> np.ndarray:
    """``to_frame`` [2, 3] of the FFHQ crop of a face with five points [5, 2]."""
    return crop_matrix(ffhq_quad(points), size)


def crop_side(points: np.ndarray) -> float:
    """Side of the FFHQ square in square pixels."""
    return 2.0 * float(np.linalg.norm(ffhq_square(points)[1]))


def coded(matrix: np.ndarray, stretch: tuple[float, float]) -> np.ndarray:
    """A matrix [2, 3] to square pixels of a frame -> the same to coded ones, which are so many square ones."""
    return matrix / np.array(stretch)[:, None]


def side_of(to_frame: np.ndarray, size: int) -> float:
    """Side in square pixels of what a crop of size x size pixels shows; to_frame goes to coded ones."""
    return float(np.linalg.norm(to_frame[:, :2], 2)) * size  # coded pixels are stretched in one way only


def choose_size(side: float, current: int | None = None) -> int:
    """Crop size, one of SIZES, for a square of ``side`` frame pixels: no more pixels than the frame shows.

    With ``current``, the size stays until the side is clearly (HYSTERESIS) beyond what it is good for.
    """

    def smallest(side: float) -> int:
        return next((size for size in SIZES if side <= ENLARGE * size), SIZES[-1])

    if current is None:
        return smallest(side)
    return min(max(current, smallest(side / (1 + HYSTERESIS))), smallest(side * (1 + HYSTERESIS)))


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
