"""What surrounds the person of the example clip: lights out of focus that drift by, and a voice."""

from __future__ import annotations

import cv2
import numpy as np

_PALETTE = ((255, 190, 120), (255, 150, 110), (120, 190, 215), (150, 160, 235), (240, 120, 140))  # RGB


class Lights:
    """A dark blue evening with lights far out of focus; it comes back to itself after ``seconds``."""

    def __init__(self, width: int, height: int, seconds: float, count: int = 34, seed: int = 5) -> None:
        rng = np.random.default_rng(seed)
        self.width, self.height, self.seconds = width, height, seconds
        self.radius = rng.uniform(22, 105, count) * height / 720
        self.x, self.y = rng.uniform(0, 1, count), rng.uniform(-0.05, 1.0, count)
        # Whole rounds of a track that is wider than the picture, so that nothing pops up and the clip can loop.
        self.rounds = rng.choice([-1, 1], count)
        self.track = width * rng.uniform(0.03, 0.16, count)
        self.phase = rng.uniform(0, 2 * np.pi, count)
        self.strength = rng.uniform(0.07, 0.30, count)
        self.colour = np.array(_PALETTE, np.float32)[rng.integers(len(_PALETTE), size=count)]

    def __call__(self, time: float) -> np.ndarray:
        """The scene at a time in seconds: [height, width, 3] float32 RGB, 0..255."""
        turn = 2 * np.pi * time / self.seconds
        picture = self._dusk(turn)
        for i in range(len(self.x)):
            angle = self.rounds[i] * turn + self.phase[i]
            centre = (
                self.x[i] * self.width + self.track[i] * np.cos(angle),
                self.y[i] * self.height + 0.35 * self.track[i] * np.sin(angle),
            )
            twinkle = 1 + 0.3 * np.sin(2 * turn + 3 * self.phase[i])
            self._disc(picture, centre, self.radius[i], self.colour[i] * (self.strength[i] * twinkle))
        return picture

    def _dusk(self, turn: float) -> np.ndarray:
        """Slopes of colour and a glow that wanders."""
        y, x = np.mgrid[: self.height, : self.width].astype(np.float32)
        x, y = x / self.width, y / self.height
        glow = np.exp(-((x - 0.72 - 0.12 * np.cos(turn)) ** 2 * 4 + (y - 0.42 - 0.06 * np.sin(turn)) ** 2 * 6))
        shade = 1 - 0.45 * y
        planes = (46 * shade + 46 * glow, 48 * shade + 34 * glow, 78 * shade + 22 * glow)
        return np.stack(planes, -1)

    def _disc(self, picture: np.ndarray, centre: tuple[float, float], radius: float, light: np.ndarray) -> None:
        """Add a disc with soft edges and a slightly brighter rim, as a lens draws a light that is out of focus."""
        x0, y0 = (max(0, int(c - 1.3 * radius)) for c in centre)
        x1, y1 = (int(c + 1.3 * radius) + 1 for c in centre)
        part = picture[y0:y1, x0:x1]
        if part.size == 0:
            return
        y, x = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]].astype(np.float32)
        away = np.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1]) / radius
        edge = np.clip((1.2 - away) / 0.4, 0, 1)
        part += (edge * edge * (3 - 2 * edge) * (0.8 + 0.2 * away**4))[..., None] * light


_VOWELS = {  # the first three resonances of a woman's voice, Hz
    "a": (850, 1220, 2810),
    "e": (610, 1900, 2990),
    "i": (370, 2650, 3200),
    "o": (590, 920, 2710),
    "u": (430, 1000, 2670),
}
# (start, length in seconds, vowel, pitch in Hz): two phrases of a lullaby that has no words.
SYLLABLES = (
    *((0.30, 0.24, "a", 233), (0.60, 0.20, "e", 262), (0.86, 0.34, "o", 294), (1.26, 0.20, "i", 262)),
    *((1.52, 0.42, "a", 220), (2.45, 0.22, "o", 262), (2.73, 0.22, "a", 294), (3.01, 0.36, "e", 349)),
    *((3.43, 0.20, "a", 294), (3.69, 0.22, "o", 262), (3.97, 0.48, "a", 233)),
)
_OPENING = {"a": 1.0, "e": 0.6, "i": 0.35, "o": 0.75, "u": 0.4}


def mouth(time: float) -> float:
    """How far the mouth is open at a time in seconds, 0..1: lips are slower than the voice, and begin before it."""
    times = time + np.linspace(-0.02, 0.08, 6)
    openings = [_OPENING[vowel] * _swell(times, start, length) for start, length, vowel, _ in SYLLABLES]
    return float(np.max(openings, axis=0).mean())


def _swell(time: np.ndarray, start: float, length: float) -> np.ndarray:
    """A smooth rise and fall between start and start + length, 0..1."""
    part = np.clip((time - start) / length, 0, 1)
    return np.sin(np.pi * part**0.8) ** 1.2


def voice(seconds: float, rate: int) -> np.ndarray:
    """The syllables, sung, in a small room over a soft chord: [2, samples] float32, -1..1."""
    time = np.arange(int(seconds * rate)) / rate
    sung = np.zeros(len(time))
    for start, length, vowel, pitch in SYLLABLES:
        loud = _swell(time, start, length)
        vibrato = 1 + 0.012 * np.sin(2 * np.pi * 5.3 * time) * np.clip((time - start) / 0.2, 0, 1)
        phase = 2 * np.pi * np.cumsum(pitch * vibrato) / rate
        for harmonic in range(1, int(5000 / pitch)):
            hertz = harmonic * pitch
            gain = sum(
                weight / (1 + ((hertz - centre) / width) ** 2)
                for centre, weight, width in zip(_VOWELS[vowel], (1.0, 0.45, 0.18), (90, 120, 170), strict=True)
            )
            sung += loud * gain / harmonic**0.6 * np.sin(harmonic * phase + harmonic)
    chord = sum(np.sin(2 * np.pi * pitch * time + i) for i, pitch in enumerate((116.5, 174.6, 233.1, 293.7)))
    chord *= 0.5 - 0.5 * np.cos(2 * np.pi * time / seconds)
    both = np.stack([sung / np.abs(sung).max() * 0.5 + 0.035 * chord] * 2)
    for delay, gain, channel in ((0.031, 0.22, 0), (0.043, 0.2, 1), (0.071, 0.13, 0), (0.089, 0.12, 1)):
        shift = int(delay * rate)
        both[channel, shift:] += gain * both[channel, :-shift]
    return (0.7 * both / np.abs(both).max()).astype(np.float32)


def shade(picture: np.ndarray) -> np.ndarray:
    """Darker corners: [H, W, 3] float32 in place."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    picture *= (1 - 0.22 * np.clip(np.hypot(x, y) - 0.55, 0, 1) ** 2)[..., None]
    return picture


def grain(shape: tuple[int, int], seed: int) -> np.ndarray:
    """What a sensor adds, so that smooth slopes do not show steps: [H, W, 1] float32, standard deviation 0.7."""
    noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 0.7)[..., None] * 1.7
