"""A synthetic clip whose people are known: two who cross, a hand before a face, and a cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from synthetic import background, with_face

from videdit.datatypes import Color, Frame, Picture

WIDTH, HEIGHT, FPS = 480, 288, 25
SIDE = 190  # px of an aligned picture; the face is half of it
_RGB = Color(matrix="rgb", full_range=True, chroma_log2=(0, 0))


@dataclass(frozen=True)
class Person:
    """Where somebody is, and whether they can be seen."""

    name: int
    centre: tuple[float, float]
    hidden: bool = False


@dataclass(frozen=True)
class Moment:
    shot: int
    people: tuple[Person, ...]
    hand: float | None = None  # height of the top of a hand that covers the face of person 0


def crossing() -> list[Moment]:
    """Person 0 walks to the right, before person 1, who walks to the left: 1.6 s."""
    moments = []
    for i in range(40):
        x = 90 + 300 * i / 39
        left, right = Person(0, (x, 150)), Person(1, (480 - x, 140), hidden=abs(480 - 2 * x) < 70)
        moments.append(Moment(0, (right, left)))
    return moments


def covering() -> list[Moment]:
    """A hand comes up before the face of person 0, stays for a second, and goes: 2.4 s. Person 1 stands beside."""
    moments = []
    for i in range(60):
        up = float(np.clip((i - 8) / 8, 0, 1) - np.clip((i - 42) / 8, 0, 1))
        people = (Person(0, (130 + 0.3 * i, 140), hidden=up > 0.5), Person(1, (360, 150)))
        moments.append(Moment(1, people, HEIGHT - up * (HEIGHT - 50)))
    return moments


def draw(moment: Moment, faces: list[np.ndarray], seed: int) -> np.ndarray:
    """[HEIGHT, WIDTH, 3] uint8 RGB, with grain."""
    picture = background(WIDTH, HEIGHT)
    if moment.shot:
        picture = np.ascontiguousarray(picture[:, ::-1, ::-1])
    for person in moment.people:
        picture = with_face(picture, faces[person.name], person.centre, SIDE)
    if moment.hand is not None:
        x = int(moment.people[0].centre[0])
        cv2.rectangle(picture, (x - 42, int(moment.hand)), (x + 42, HEIGHT), (201, 150, 122), -1)
        for finger in range(-42, 43, 21):
            cv2.line(picture, (x + finger, int(moment.hand)), (x + finger, HEIGHT), (150, 100, 80), 2)
    noise = np.random.default_rng(seed).normal(0, 3, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def frames(moments: list[Moment], faces: list[np.ndarray]) -> Iterator[Frame]:
    """The moments as a clip without compression."""
    for i, moment in enumerate(moments):
        rgb = draw(moment, faces, i)
        planes = tuple(np.ascontiguousarray(rgb[..., c]) for c in range(3))
        yield Frame(i, i, Fraction(1, FPS), i / FPS, Picture(planes, _RGB, "gbrp"))
