"""A dense map of motion from matched points: Delaunay triangulation, linear inside each triangle."""

from __future__ import annotations

import cv2
import numpy as np

_STEP = 2  # pixels between the places where triangles are looked up; between them the map is enlarged


def flow_between(after: np.ndarray, before: np.ndarray, size: int) -> np.ndarray:
    """Where each pixel after a motion was before it, as points say that moved with it.

    after, before: [N, 2] the same points in pixels of either picture, pixel centres at +0.5. The border of the picture
    stays where it is. Returns flow [size, size, 2] float32, (x, y) in pixels, from after to before.
    """
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import Delaunay

    line = np.linspace(0, size, 5)
    border = np.array([(x, y) for x in line for y in line if {x, y} & {0.0, float(size)}])
    inside = ((after > 0) & (after < size)).all(axis=1)
    triangles = Delaunay(np.concatenate((after[inside], border)))
    moves = np.concatenate(((before - after)[inside], np.zeros_like(border)))
    at = (np.arange(size // _STEP) + 0.5) * _STEP
    x, y = np.meshgrid(at, at)
    flow = LinearNDInterpolator(triangles, moves)(x, y).astype(np.float32)
    return cv2.resize(flow, (size, size), interpolation=cv2.INTER_LINEAR)
