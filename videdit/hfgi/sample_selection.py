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
class Look:
    """How a face looks in one moment."""

    track: int
    shape: np.ndarray  # [468, 2] the mesh, in fractions of the aligned crop: pose and expression are what is left in it
    sharpness: float


class Representatives(Generic[T]):
    """At most `count` of all items added, whatever their number: of two that are most alike the blurrier one goes."""

    def __init__(self, count: int) -> None:
        """count: at least 1."""
        self.count = count
        self._kept: list[tuple[Look, T]] = []

    def add(self, look: Look, item: T) -> None:
        """One more item and its look, in place of an earlier one or for nothing where `count` are there already."""
        self._kept.append((look, item))
        if len(self._kept) > self.count:
            looks = [kept for kept, _ in self._kept]
            _, i, j = min((unlike(looks[i], looks[j]), i, j) for i in range(len(looks)) for j in range(i))
            del self._kept[i if looks[i].sharpness <= looks[j].sharpness else j]

    def __iter__(self) -> Iterator[T]:
        """The items that are kept, in the order in which they were added."""
        return (item for _, item in self._kept)


def unlike(one: Look, other: Look) -> float:
    """How far apart two looks are, in fractions of the crop's side (RMS over the mesh); other faces are beyond all."""
    if one.track != other.track:
        return float("inf")
    return float(np.sqrt(np.square(one.shape - other.shape).sum(1).mean()))


def look(track: int, crop: np.ndarray, mesh: np.ndarray) -> Look:
    """crop [S, S, 3] uint8 RGB, mesh [468, 2] in its pixels."""
    grey = cv2.cvtColor(cv2.resize(crop, (LOW, LOW), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    face = cv2.Laplacian(grey[LOW // 4 : -LOW // 8, LOW // 4 : -LOW // 4], cv2.CV_32F)
    return Look(track, mesh / crop.shape[0], float(face.var()))
