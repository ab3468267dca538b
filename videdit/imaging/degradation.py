"""What becomes of a face in bad footage, as restorers are trained on (GFPGAN, Wang et al., CVPR 2021, equation 8):

input = enlarge(JPEG(shrink(blur(face)) + noise))
"""

from __future__ import annotations

import cv2
import numpy as np

_SHRINK = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
CLEAN = 0.06  # share of faces that are left as they are: the restorer must know when to do nothing


def blur_kernel(sigma_x: float, sigma_y: float, angle: float) -> np.ndarray:
    """A Gaussian of two widths in pixels, turned by an angle in radians: [K, K] float32 of sum 1."""
    radius = max(1, int(np.ceil(2.5 * max(sigma_x, sigma_y))))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * (np.square(along / sigma_x) + np.square(across / sigma_y)))
    return (kernel / kernel.sum()).astype(np.float32)


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """JPEG and back, uint8 [H, W, 3] RGB."""
    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def add_noise(image: np.ndarray, sigma: float, rng: np.random.Generator, grey: bool = False) -> np.ndarray:
    """Gaussian noise on [H, W, 3] uint8, sigma in units of 255."""
    shape = (*image.shape[:2], 1) if grey else image.shape
    return np.clip(image + rng.normal(0, sigma, shape), 0, 255).round().astype(np.uint8)


def enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """Bicubic, to [size, size, 3] uint8: what the restorer takes."""
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)


def ruin(image: np.ndarray, rng: np.random.Generator, shrink: float = 6.0) -> np.ndarray:
    """A face [S, S, 3] uint8 RGB -> the same at the same size, blurred, shrunk by up to `shrink`, noisy, compressed."""
    size = image.shape[0]
    if rng.random() < CLEAN:
        return image
    if rng.random() < 0.5:
        widest = 2.0 * size / 128
        sigmas = rng.uniform(0.2, widest, 2) if rng.random() < 0.5 else np.repeat(rng.uniform(0.2, widest), 2)
        kernel = blur_kernel(sigmas[0], sigmas[1], rng.uniform(0, np.pi))
        image = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    small = max(16, round(size / rng.uniform(1.0, shrink)))
    if small < size:
        image = cv2.resize(image, (small, small), interpolation=_SHRINK[rng.integers(3)])
    if rng.random() < 0.75:
        image = add_noise(image, rng.uniform(0.5, 10), rng, grey=rng.random() < 0.4)
    if rng.random() < 0.75:
        image = compress(image, int(rng.integers(40, 96)))
    return enlarge(image, size)
