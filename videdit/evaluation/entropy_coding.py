"""What an inversion keeps of a face, in bits: codes and distortion maps, quantised and really entropy-coded.

A range coder (the package ``constriction``, extra ``rate``) writes every number under a model that the reader knows or
is told; what is told is counted.

* A code: its mean over layers in the principal axes of the generator's population, in which every axis has a deviation
  of 1, rounded to steps of `step` deviations and coded under a normal distribution. Of W+ then each layer's difference
  from that mean, in the same axes and steps, coded under a normal distribution of the layer's own deviation.
* A distortion map of r x r: the discrete cosine transform of brightness and two differences of colour, rounded to steps
  of `step` and coded under Laplace distributions, one a band of frequencies and channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from videdit.errors import UsageError

MOST = 4000  # a rounded number is at most so far from 0
TOLD = 16  # bits of a deviation that the reader is told
BANDS = 12  # of frequencies, a channel
# Brightness and two differences of colour, orthonormal: steps mean the same in each.
COLOURS = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], np.float64) / np.sqrt([[3], [2], [6]])


@dataclass(frozen=True)
class Axes:
    """The principal axes of codes [N, 512] of the generator's population."""

    mean: np.ndarray  # [512]
    axes: np.ndarray  # [512, K] unit columns
    deviations: np.ndarray  # [K] along them

    @classmethod
    def of(cls, codes: np.ndarray) -> Axes:
        """From samples [N, 512]; K is the smaller of N and 512."""
        mean = codes.mean(0)
        _, values, axes = np.linalg.svd(codes - mean, full_matrices=False)
        return cls(mean, axes.T, np.maximum(values / np.sqrt(len(codes) - 1), 1e-3))

    def whitened(self, codes: np.ndarray) -> np.ndarray:
        """Codes [..., 512] -> [..., K], deviation 1 along each axis over the population."""
        return (codes - self.mean) @ self.axes / self.deviations

    def coloured(self, values: np.ndarray) -> np.ndarray:
        """Back from [..., K] to [..., 512]."""
        return values * self.deviations @ self.axes.T + self.mean


class Coder:
    """Rounded numbers in, what the reader gets back out, and how many bits that took."""

    def __init__(self) -> None:
        """Raises UsageError where the package is not installed."""
        try:
            import constriction
        except ImportError:
            raise UsageError('rates in bits need a package that is not here: pip install "videdit[rate]"') from None
        self._stream = constriction.stream
        self._encoder = constriction.stream.queue.RangeEncoder()
        self._written: list[tuple[str, np.ndarray, np.ndarray]] = []
        self.told = 0  # bits of side information

    def write(self, kind: str, symbols: np.ndarray, scales: np.ndarray) -> None:
        """symbols: whole, [N]. scales: [N], of a normal ("normal") or Laplace ("laplace") distribution around 0."""
        symbols = np.clip(symbols, -MOST, MOST).astype(np.int32).ravel()
        scales = np.maximum(np.broadcast_to(scales, symbols.shape), 1e-2).astype(np.float64).ravel()
        self._encoder.encode(symbols, self._model(kind), np.zeros(len(symbols)), scales)
        self._written.append((kind, scales, symbols))

    def close(self) -> tuple[list[np.ndarray], int]:
        """(the numbers as they are read again, each as it was given, [N] int32; bits in all)."""
        data = self._encoder.get_compressed()
        decoder = self._stream.queue.RangeDecoder(data)
        read = [decoder.decode(self._model(kind), np.zeros(len(s)), s) for kind, s, _ in self._written]
        assert all(np.array_equal(a, b) for a, (_, _, b) in zip(read, self._written, strict=True))
        return read, 32 * len(data) + self.told

    def _model(self, kind: str) -> Any:
        models = {"normal": self._stream.model.QuantizedGaussian, "laplace": self._stream.model.QuantizedLaplace}
        return models[kind](-MOST, MOST)


def coded_w(code: np.ndarray, axes: Axes, step: float) -> tuple[np.ndarray, int]:
    """A code [L, 512] of which one w is kept, its layers' mean -> (the same of what is read, bits)."""
    coder = Coder()
    coder.write("normal", np.rint(axes.whitened(code.mean(0)) / step), np.array(1 / step))
    (read,), bits = coder.close()
    return np.repeat(axes.coloured(read * step)[None], len(code), 0).astype(np.float32), bits


def coded_w_plus(code: np.ndarray, axes: Axes, step: float) -> tuple[np.ndarray, int]:
    """A code [L, 512] with all its layers -> (what is read, bits)."""
    coder = Coder()
    mean = np.rint(axes.whitened(code.mean(0)) / step)
    coder.write("normal", mean, np.array(1 / step))
    base = axes.coloured(mean * step)
    apart = (code - base) @ axes.axes / axes.deviations / step  # [L, K]
    for layer in apart:
        symbols = np.rint(layer)
        coder.told += TOLD
        coder.write("normal", symbols, np.array(float(np.float16(max(symbols.std(), 0.05)))))
    (_, *layers), bits = coder.close()
    found = base + np.stack(layers) * step * axes.deviations @ axes.axes.T
    return found.astype(np.float32), bits


def coded_map(image: np.ndarray, px: int, step: float) -> tuple[np.ndarray, int]:
    """A map [S, S, 3] in about [-2, 2], averaged down to px -> (what is read, at its own size again, bits)."""
    size = image.shape[0]
    small = image if px == size else cv2.resize(image, (px, px), interpolation=cv2.INTER_AREA)
    mixed = small.astype(np.float64) @ COLOURS.T
    y, x = np.mgrid[:px, :px]
    band = np.minimum((np.log2(1 + np.hypot(y, x)) * BANDS / np.log2(1 + 1.5 * px)).astype(int), BANDS - 1)
    coder, places = Coder(), []
    for channel in range(3):
        symbols = np.rint(cv2.dct(np.ascontiguousarray(mixed[..., channel])) / step)
        for number in range(BANDS):
            where = band == number
            if where.any():
                coder.told += TOLD
                scale = float(np.float16(max(np.abs(symbols[where]).mean(), 0.02)))
                coder.write("laplace", symbols[where], np.array(scale))
                places.append((channel, where))
    parts, bits = coder.close()
    planes = np.zeros((3, px, px))
    for (channel, where), part in zip(places, parts, strict=True):
        planes[channel][where] = part * step
    found = np.stack([cv2.idct(plane) for plane in planes], -1) @ COLOURS
    if px != size:
        found = cv2.resize(found, (size, size), interpolation=cv2.INTER_LINEAR)
    return found.astype(np.float32), bits


def lossless_bits(face: np.ndarray) -> int:
    """Bits of a picture [S, S, 3] uint8 as WebP without loss: more than its entropy, nearer to it than PNG."""
    done, data = cv2.imencode(".webp", face, [cv2.IMWRITE_WEBP_QUALITY, 101])
    assert done
    return 8 * data.size


def shannon_bound(faces: Sequence[np.ndarray], distortions: np.ndarray) -> np.ndarray:
    """Shannon's lower bound of the rate, as far as it can be estimated, at mean absolute errors in [-1, 1]: bits, [D].

    Of n numbers with a mean absolute error of at most d it is h - n log2(2 e d), h the source's differential entropy:
    among errors of that size the Laplace distribution's have most entropy. h is not known. Numbers rounded to 1/127.5
    have an entropy of about h + n log2(127.5), which no lossless coder goes below: what WebP needs stands for it, so
    the estimate is above the bound, by as much as WebP is above the entropy. Below 0 it says nothing, and is 0.
    """
    bits = float(np.mean([lossless_bits(face) for face in faces]))
    count = faces[0].size
    return np.maximum(bits - count * np.log2(2 * np.e * 127.5 * np.asarray(distortions, float)), 0.0)


def gaussian_rate(faces: Sequence[np.ndarray], distortions: np.ndarray) -> np.ndarray:
    """Bits, [D], of a Gaussian source with the pictures' mean spectrum at mean absolute errors in [-1, 1].

    Reverse water-filling over the frequencies of their cosine transforms, those alike in one: no source of that
    spectrum needs more at that squared error, so what an inversion saves against it is what is known of faces beyond
    their spectrum. The absolute error is a normal distribution's of that squared one.
    """
    spectra = []
    for face in faces:
        mixed = (face.astype(np.float64) / 127.5 - 1) @ COLOURS.T
        spectra.append([cv2.dct(np.ascontiguousarray(mixed[..., channel])) for channel in range(3)])
    power = np.square(np.array(spectra)).mean(0)  # [3, S, S]; the transform keeps energy
    y, x = np.mgrid[: power.shape[1], : power.shape[2]]
    ring = np.rint(np.hypot(y, x)).astype(int).ravel()  # few faces tell a mean of frequencies alike, and no single one
    means = [np.bincount(ring, plane.ravel()) / np.maximum(np.bincount(ring), 1) for plane in power]
    power = np.concatenate([mean[ring] for mean in means])
    rates = []
    for distortion in np.asarray(distortions, float):
        wanted = (distortion / np.sqrt(2 / np.pi)) ** 2  # mean squared error a number
        low, high = 0.0, float(power.max())
        for _ in range(60):
            level = (low + high) / 2
            low, high = (level, high) if np.minimum(level, power).mean() < wanted else (low, level)
        rates.append(float(0.5 * np.log2(np.maximum(power / max(high, 1e-12), 1)).sum()))
    return np.array(rates)
