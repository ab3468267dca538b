"""edit: crops -> renderings of HFGI, batched over any frames and faces.

Codes are smoothed over time per track before the constant edit vector is added, so the edit itself never trembles.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from videdit.inversion import Inverter
from videdit.packets import Crop, Frame
from videdit.temporal import Window

CODE_SIGMA = 0.07  # seconds: two frames at 29 fps

# (track, seconds into the clip) -> what to add to the code, [18, 512]
EditVector = Callable[[int, float], np.ndarray]


class Edit:
    """Encode, smooth codes over time, add the edit, render. Hands on frames with ``renderings``, one a crop."""

    name = "edit"

    def __init__(self, inverter: Inverter, vector: EditVector, code_sigma: float = CODE_SIGMA):
        self.inverter, self.vector = inverter, vector
        self.code_sigma = code_sigma

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        yield from self._rendered(self._smoothed(self._encoded(frames)))

    def _encoded(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, list[np.ndarray]]]:
        """Frames with a raw code [18, 512] for each crop, batched across frames."""
        for group in _groups(frames, self.inverter.batch(256)):
            crops = [crop for frame in group for crop in frame.crops]
            codes = iter(self.inverter.encode([crop.image for crop in crops])) if crops else iter(())
            for frame in group:
                yield frame, [next(codes) for _ in frame.crops]

    def _smoothed(self, encoded: Iterator[tuple[Frame, list[np.ndarray]]]) -> Iterator[tuple[Frame, list[np.ndarray]]]:
        """The same with codes smoothed per track, never across a cut."""
        window: Window[tuple[Frame, list[np.ndarray]]] = Window(lambda item: item[0].time, 3 * self.code_sigma)
        for (frame, _), neighbours in window(encoded):
            smooth = []
            for crop in frame.crops:
                times, codes = [], []
                for other, other_codes in neighbours:
                    if other.scene == frame.scene:
                        for other_crop, code in zip(other.crops, other_codes, strict=True):
                            if other_crop.track == crop.track:
                                times.append(other.time)
                                codes.append(code)
                weights = np.exp(-0.5 * np.square((np.array(times) - frame.time) / self.code_sigma))
                smooth.append(np.einsum("t,tld->ld", weights / weights.sum(), np.stack(codes)))
            yield frame, smooth

    def _rendered(self, smoothed: Iterator[tuple[Frame, list[np.ndarray]]]) -> Iterator[Frame]:
        """Frames with their renderings; crops of one size share batches, frames keep their order."""
        waiting: deque[tuple[Frame, list]] = deque()
        todo: dict[int, list[tuple[list, int, Crop, np.ndarray, np.ndarray]]] = {}
        for frame, codes in smoothed:
            slots: list = [None] * len(codes)
            waiting.append((frame, slots))
            for i, (crop, code) in enumerate(zip(frame.crops, codes, strict=True)):
                delta = crop.confidence * self.vector(crop.track, frame.time)
                todo.setdefault(crop.size, []).append((slots, i, crop, code, code + delta))
            # A frame may not wait for long: when many do, batches go out part full.
            for size, jobs in todo.items():
                if len(jobs) >= self.inverter.batch(size) or len(waiting) > 2 * self.inverter.batch(size):
                    self._run(size, jobs)
            yield from _finished(waiting)
        for size, jobs in todo.items():
            self._run(size, jobs)
        yield from _finished(waiting)

    def _run(self, size: int, jobs: list[tuple[list, int, Crop, np.ndarray, np.ndarray]]) -> None:
        if not jobs:
            return
        renderings = self.inverter.render(
            [crop.image for _, _, crop, _, _ in jobs],
            np.stack([code for *_, code, _ in jobs]),
            np.stack([edited for *_, edited in jobs]),
            size,
        )
        for (slots, i, *_), rendering in zip(jobs, renderings, strict=True):
            slots[i] = rendering
        jobs.clear()


def _finished(waiting: deque[tuple[Frame, list]]) -> Iterator[Frame]:
    while waiting and all(slot is not None for slot in waiting[0][1]):
        frame, slots = waiting.popleft()
        yield replace(frame, renderings=tuple(slots))


def _groups(frames: Iterator[Frame], crops: int) -> Iterator[list[Frame]]:
    """Frames in groups that hold about `crops` crops, or a few times as many frames without a face."""
    group: list[Frame] = []
    for frame in frames:
        group.append(frame)
        if sum(len(f.crops) for f in group) >= crops or len(group) >= 2 * crops:
            yield group
            group = []
    if group:
        yield group
