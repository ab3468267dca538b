"""The learned change: HFGI's student on crops, compiled for where the pixels are (:mod:`videdit.models.student`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from videdit.datatypes import Array, Crop, Flow
from videdit.edits.expression_easing import Speech
from videdit.edits.parse import Edit
from videdit.engine.recipe import NetworkRecipe
from videdit.errors import WeightsError
from videdit.hfgi.hair_map import on_still
from videdit.imaging.arrays import batches, larger, single, stack
from videdit.imaging.pixels import Pixels
from videdit.models.sizes import ANCHORS, EDITS
from videdit.weights import load_state, manifest, verified

if TYPE_CHECKING:
    from torch import nn

    from videdit.models.student import Student

NAME = "student"  # in the manifest
BATCH = {"cpu": {256: 4, 512: 2, 1024: 1}, "cuda": {256: 32, 512: 16, 1024: 8}}
# How speech reduces an edit that it reduces at all. The student leaves mouths as open as they are, and who calls "oh"
# does not smile: teeth that it puts into a round mouth are believed by nobody.
SPEECH = Speech(eases=0.85, opens=0.0)
SOONER = 1.4  # and does so at mouths so many times less open


def have_student() -> bool:
    """Whether the student's weights ship with this version."""
    return NAME in manifest()


class StudentEditor:
    """Crops and strengths -> changes. Batches are of a fixed size, so that each size of crop is compiled once."""

    def __init__(self, pixels: Pixels, batch: int | None = None, net: Student | None = None) -> None:
        """net: another student than the one that ships.

        Raises:
            WeightsError: it does not ship, or its file is damaged.
        """
        if net is None:
            if not have_student():
                raise WeightsError(
                    "the student's weights (weights/student.safetensors) do not ship with this version: train them "
                    "with python -m videdit.train student, or use --method hfgi"
                )
            verified(NAME)
        self.pixels, self._batch, self._net = pixels, batch, net
        self._engines: dict[int, Callable[..., tuple[Array, ...]]] = {}
        self._compiling = threading.Lock()

    def batch(self, size: int) -> int:
        """Crops a pass at a size."""
        return self._batch or BATCH["cuda" if self.pixels.device.startswith("cuda") else "cpu"][size]

    def alone(self) -> StudentEditor:
        """The same network in passes of one crop, for a single frame that somebody waits for."""
        return self if self._batch == 1 else StudentEditor(self.pixels, 1, self._net)

    def __call__(self, crops: Sequence[Crop], strengths: np.ndarray) -> list[tuple[Array, Flow]]:
        """What the edits change in crops of one size S (256, 512 or 1024).

        strengths: [N, E] float32, by EDITS, 1 is an edit's recommended strength. A crop without a mesh stays as it is.

        Returns for each crop (result - crop, [S, S, 3] float32 in units where RGB is -1..1; where the pixels of the
        result come from, and how far they are the source's own).
        """
        size = crops[0].size
        count = self.batch(size)
        with self._compiling:
            if size not in self._engines:
                shapes = ((count, size, size, 3), (count, len(EDITS)), (count, len(ANCHORS), 2))
                self._engines[size] = self.pixels.compile(self._network(), shapes)
        pictures = stack([single(started(crop)) for crop in crops])
        found = [anchors_of(crop) for crop in crops]
        known = np.array([anchors is not None for anchors in found])
        given = self.pixels.put((strengths * known[:, None]).astype(np.float32))
        nowhere = np.zeros((len(ANCHORS), 2), np.float32)
        points = self.pixels.put(np.stack([nowhere if anchors is None else anchors for anchors in found]))
        results: list[tuple[Array, Flow]] = []
        for *inputs, used in batches(count, pictures, given, points):
            change, displacement, kept = self._engines[size](*inputs)
            results += [(change[i], Flow(displacement[i], kept[i])) for i in range(used)]
        return results

    def _network(self) -> nn.Module | NetworkRecipe:
        """What is compiled; the student that ships is not built where its graph is kept."""
        if self._net is None:
            return NetworkRecipe("StudentEdit", (manifest()[NAME].sha256,), lambda: student_edit(self._net))
        return student_edit(self._net)

    def pasted(self, crops: Sequence[Crop], edits: Sequence[Edit], regions: Iterable[str]) -> list[np.ndarray]:
        """The results for crops of one size as a clip shows them, each [S, S, 3] float32 in [-1, 1]."""
        given = student_strengths(edits, [edit.strength for edit in edits])
        changes = self(crops, np.tile(given, (len(crops), 1)))
        return [on_still(self.pixels, crop, *change, regions) for crop, change in zip(crops, changes, strict=True)]


def student_edit(net: Student | None = None) -> nn.Module:
    """The student as it is compiled: by default the one that ships."""
    from videdit.models.student import Student, StudentEdit

    if net is None:
        net = Student()
        net.load_state_dict(load_state(NAME))
    return StudentEdit(net.eval().requires_grad_(False))


def student_strengths(edits: Iterable[Edit], strengths: Iterable[float], gap: float = 0.0) -> np.ndarray:
    """Strengths of edits as the student takes them, [E] by EDITS: in recommended ones, answered for by `response`.

    gap: how open the mouth is, as of :func:`videdit.edits.expression_easing.openness`; it reduces some edits.
    """
    given = np.zeros(len(EDITS), np.float32)
    for edit, strength in zip(edits, strengths, strict=True):
        info = edit.info
        if info.speech:
            strength, _ = SPEECH(float(strength), SOONER * gap)
        given[EDITS.index(edit.name)] = strength / info.recommended * info.response[int(strength > 0)]
    return given


def can_edit(names: Iterable[str]) -> bool:
    """Whether the student knows all of these edits."""
    return set(names) <= set(EDITS)


def anchors_of(crop: Crop) -> np.ndarray | None:
    """The points of the mesh that the student is told, [21, 2] float32 in half sides; None without a mesh."""
    if crop.mesh is None or len(crop.mesh) <= max(ANCHORS):
        return None
    return (crop.mesh[list(ANCHORS)] * (2 / crop.size) - 1).astype(np.float32)


def started(crop: Crop) -> Array:
    """What an edit begins with, [S, S, 3] in 0..255: the crop, or what restoration made of it, in its share."""
    if crop.restored is None:
        return crop.image
    before = single(crop.image)
    return (before + crop.restoration * (single(crop.restored) - before)).clip(0, 255).round()


def with_restoration(crop: Crop, change: Array, mask: Array, face: Array) -> tuple[Array, Array]:
    """(change [S, S, 3], mask [S, S] uint8): a change of a restored crop where `mask` is, restoration on all the face.

    mask, face: uint8 [S, S]. Paste multiplies one change by one mask, so the two are put into one, each in its share.
    """
    both = larger(mask, face)
    whole = single(both).clip(1, 255)[..., None]
    restored = (started(crop) - single(crop.image)) / 127.5
    return (single(mask)[..., None] * change + single(face)[..., None] * restored) / whole, both
