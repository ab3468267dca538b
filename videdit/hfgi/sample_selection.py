"""A few crops that stand for all of a clip's: unlike each other in pose and expression, and sharp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np

from videdit.datatypes import LOW

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FaceSample:
    """What tells one sample of a face from another."""

    track: int
    shape: np.ndarray  # [468, 2] the mesh, in fractions of the aligned crop: pose and expression are what is left in it
    sharpness: float


class Representatives(Generic[T]):
    """At most `count` of all items added, whatever their number: of two that are most alike the blurrier one goes."""

    def __init__(self, count: int) -> None:
        """count: at least 1."""
        self.count = count
        self._kept: list[tuple[FaceSample, T]] = []

    def add(self, sample: FaceSample, item: T) -> None:
        """One more item and its sample, in place of an earlier one or for nothing where `count` are there already."""
        self._kept.append((sample, item))
        if len(self._kept) > self.count:
            samples = [kept for kept, _ in self._kept]
            _, i, j = min((unlike(samples[i], samples[j]), i, j) for i in range(len(samples)) for j in range(i))
            del self._kept[i if samples[i].sharpness <= samples[j].sharpness else j]

    def __iter__(self) -> Iterator[T]:
        """The items that are kept, in the order in which they were added."""
        return (item for _, item in self._kept)


def unlike(one: FaceSample, other: FaceSample) -> float:
    """How far apart two are, in fractions of the crop's side (RMS over the mesh); other faces are beyond all."""
    if one.track != other.track:
        return float("inf")
    return float(np.sqrt(np.square(one.shape - other.shape).sum(1).mean()))


def face_sample(track: int, crop: np.ndarray, mesh: np.ndarray) -> FaceSample:
    """crop [S, S, 3] uint8 RGB, mesh [468, 2] in its pixels."""
    grey = cv2.cvtColor(cv2.resize(crop, (LOW, LOW), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    face = cv2.Laplacian(grey[LOW // 4 : -LOW // 8, LOW // 4 : -LOW // 4], cv2.CV_32F)
    return FaceSample(track, mesh / crop.shape[0], float(face.var()))
