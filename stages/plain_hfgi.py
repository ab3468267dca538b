"""plain: crops -> changes by HFGI exactly as it is released, every frame by itself (``--method plain``).

No code is smoothed, no distortion map is carried along before ADA, and the generator's picture is neither graded nor
masked, nor does the source's detail return into it: the whole crop is pasted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from videdit.datatypes import LOW, Array, Color, Crop, Edited, Frame
from videdit.edits import Timeline
from videdit.hfgi.inverter import Inverter
from videdit.imaging.arrays import half, single, stack
from videdit.jobs.obstacles import only_crops
from videdit.media.failures import writing
from videdit.media.tone_proxy import needs_proxy
from videdit.pipeline.windows import groups
from videdit.storage.outputs import ExistsError, temporary_name


class PlainHfgi:
    """Hands on frames with ``edits``, one a crop; crops have done their work and are dropped."""

    name = "plain"

    def __init__(self, inverter: Inverter, timeline: Timeline, folder: CropFolder | None = None) -> None:
        """folder: takes the crops and their results."""
        self.inverter, self.timeline, self.folder = inverter, timeline, folder
        self.pixels, self.rows = inverter.pixels, inverter.profile.rows

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with one edit a crop, in the order of their crops; held back until a pass is full."""
        for group in groups(((frame, frame.crops) for frame in frames), self.inverter.batch(LOW)):
            results = iter(self._results([(frame, crop) for frame, crops in group for crop in crops]))
            for frame, crops in group:
                images = [next(results) for _ in crops]
                pairs = list(zip(crops, images, strict=True))
                if self.folder is not None and frame.own:
                    for crop, image in pairs:
                        self.folder.write(frame.index, crop.track, *self._pictures(crop, image))
                edits = tuple(self._edited(crop, image, frame.picture.color) for crop, image in pairs)
                yield replace(frame, crops=(), edits=edits)

    def _results(self, crops: list[tuple[Frame, Crop]]) -> list[Array]:
        """The images of crops, in their order; those of one size share batches."""
        if not crops:
            return []
        seen = [crop.seen for _, crop in crops]
        codes = self.inverter.encode(seen)
        # The mouth is taken for closed: speech reduces nothing in the release.
        added = [self.timeline(crop.track, frame.time, code) for (frame, crop), code in zip(crops, codes, strict=True)]
        edited = codes + self.pixels.put(np.stack(added))
        images: list[Array] = [None] * len(crops)
        for size in sorted({crop.size for _, crop in crops}):
            chosen = [i for i, (_, crop) in enumerate(crops) if crop.size == size]
            own_codes, own_edited = (stack([array[i] for i in chosen]) for array in (codes, edited))
            found = self.inverter.plain([seen[i] for i in chosen], own_codes, own_edited, size)
            for i, image in zip(chosen, found, strict=True):
                images[i] = image.clip(-1, 1)
        return images

    def _edited(self, crop: Crop, image: Array, color: Color) -> Edited:
        change = image - (single(crop.image) / 127.5 - 1)
        if needs_proxy(color):
            change = self.pixels.change_of_code(change, crop, color)
        mask = np.zeros((crop.size, crop.size), np.uint8)
        mask[self._shown(crop.size)] = 255
        return Edited(crop.track, half(change), self.pixels.put(mask), crop.to_frame, crop.image)

    def _pictures(self, crop: Crop, image: Array) -> tuple[np.ndarray, np.ndarray]:
        """What the networks looked at, and what they made of it, [H, S, 3] uint8 RGB; of cars H is 3/4 S."""
        result = np.rint(self.pixels.fetch(image) * 127.5 + 127.5).astype(np.uint8)
        shown = self._shown(crop.size)
        return self.pixels.fetch(crop.seen)[shown], result[shown]

    def _shown(self, size: int) -> slice:
        """The rows of a crop that show something."""
        return slice(*(row * size // LOW for row in self.rows))


class CropFolder:
    """A folder of crops and results, ``000012_0_crop.png`` and ``000012_0_result.png`` of frame 12, track 0.

    Frames are counted from 0, the first that is rendered. The folder grows under a hidden name, takes its own with
    :meth:`keep`, and leaves nothing behind with :meth:`drop`.
    """

    def __init__(self, path: Path, replace: bool = False) -> None:
        """replace: a folder that has that name by then."""
        self.path, self.replace = path, replace
        self._temporary: Path | None = None

    def write(self, index: int, track: int, crop: np.ndarray, result: np.ndarray) -> None:
        """Add two pictures [H, S, 3] uint8 RGB. Raises MediaError: the disk is full, ..."""
        with writing(self.path):
            if self._temporary is None:
                temporary = temporary_name(self.path)
                temporary.mkdir(parents=True)
                self._temporary = temporary
            for name, picture in (("crop", crop), ("result", result)):
                found, data = cv2.imencode(".png", np.ascontiguousarray(picture[:, :, ::-1]))
                assert found
                (self._temporary / f"{index:06}_{track}_{name}.png").write_bytes(data.tobytes())

    def join(self) -> None:
        """There are no segments of it: see :func:`videdit.rendering.resuming.resumable`."""

    def keep(self) -> None:
        """Give the folder its name. Raises ExistsError: it has been given away (without `replace`)."""
        if self._temporary is None:
            return
        with writing(self.path):
            before = None
            if os.path.lexists(self.path):
                if not self.replace or not only_crops(self.path):
                    raise ExistsError(self.path)
                before = temporary_name(self.path)
                os.rename(self.path, before)
            os.rename(self._temporary, self.path)
            self._temporary = None
            if before is not None:
                shutil.rmtree(before)

    def drop(self) -> None:
        """Leave nothing behind."""
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._temporary)
            self._temporary = None
