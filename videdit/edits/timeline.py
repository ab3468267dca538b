"""The edits of a clip over its time: what is added to a code, and how alike two moments are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from videdit.datatypes import Array, Crop, Expression
from videdit.edits.direction_files import NUM_LAYERS
from videdit.edits.directions import Directions
from videdit.edits.expression_easing import AT_REST, LEFT, OPENER, expression_of, gaping, torn
from videdit.edits.keyframes import in_seconds, strength_at
from videdit.edits.parse import Edit

GAPES = "a wide open mouth"  # for which edits are reduced, in words
ALIKE = 0.25  # of recommended strengths: edits so far apart are alike by 1/e


class Timeline:
    """Edits whose strengths may change. Times are seconds from the clip's first frame; all tracks get the same."""

    def __init__(
        self,
        edits: Iterable[Edit],
        time_of_frame: Callable[[int], float] | None = None,
        layers: int = NUM_LAYERS,
    ) -> None:
        """edits: in the order in which :meth:`strengths` gives theirs. layers: of the codes.

        time_of_frame: the number of a frame -> its time; needed where keyframes name frames.

        Raises:
            UsageError: frames and seconds of keyframes are not in order of time.
        """

        def no_frames(number: int) -> float:
            raise ValueError(f"frame {number} of a clip that nobody looked at")

        self.edits = tuple(
            replace(edit, keyframes=in_seconds(edit.name, edit.keyframes, time_of_frame or no_frames)) for edit in edits
        )
        self._speech = [edit.info.speech for edit in self.edits]
        self._blinks, self._purses, self._smiles, self._gapes = (
            np.array([getattr(edit.info, way) for edit in self.edits], bool)
            for way in ("blinks", "purses", "smiles", "gapes")
        )
        opener = [OPENER] if any(self._speech) else []  # comes after the others
        self._directions = Directions([*(edit.name for edit in self.edits), *opener], layers)
        self._units = np.array([edit.info.recommended for edit in self.edits])
        peaks = np.array([edit.strength for edit in self.edits]) / self._units
        self._peak = float(np.abs(peaks).sum())
        self.varies = self._peak > 0 and any(edit.keyframes for edit in self.edits)
        self._as_one = self.varies and self._grow_as_one()

    def __call__(self, track: int, time: float, code: Array | None = None, face: Expression = AT_REST) -> np.ndarray:
        """What is added to a track's code [L, 512], which some edits depend on: [L, 512] float32.

        face: what it does then, which reduces some edits.
        """
        strengths = self._made_way(track, time, face)
        if any(self._speech):
            return self._directions(np.append(strengths[:, 0], strengths[:, 1].sum()), code)
        return self._directions(strengths[:, 0], code)

    def given(self, track: int, time: float, face: Expression = AT_REST) -> np.ndarray:
        """What each edit gets at a time, [N], reduced by what the face does."""
        return self._made_way(track, time, face)[:, 0]

    def _made_way(self, track: int, time: float, face: Expression) -> np.ndarray:
        """Strengths of the edits, and of OPENER for each, [N, 2]."""
        strengths = self.strengths(track, time)
        shares = math.prod(self._shares(strengths, face).values())
        kept = shares * (strengths - gaping(face) * self._beyond(strengths))
        pairs = zip(self._speech, kept, strict=True)
        return np.array([speech(s, face.gap) if speech else (s, 0.0) for speech, s in pairs]).reshape(-1, 2)

    def _shares(self, strengths: np.ndarray, face: Expression) -> dict[str, np.ndarray]:
        """By what a face does: how much of its strength each edit keeps for it, [N] in 0..1."""
        return {
            "closed lids": np.where(self._blinks, face.lids, 1.0),
            "pursed lips": np.where(self._purses, face.spread, 1.0),
            "a smile that is there": np.where(self._smiles & (strengths > 0), 1 - (1 - LEFT) * face.smiling, 1.0),
            GAPES: np.where(self._gapes & (strengths > 0), 1 - torn(face), 1.0),
        }

    def _beyond(self, strengths: np.ndarray) -> np.ndarray:
        """By how much strengths are more than a wide open mouth bears, [N], 0 of most: see `gapes` of EditInfo."""
        return np.where(self._gapes, np.maximum(strengths - self._units, 0.0), 0.0)

    def delta_for_crop(self, crop: Crop, time: float, code: Array) -> np.ndarray:
        """What is added to the code of a crop, as far as the edit is sure of it, [L, 512] float32."""
        return crop.confidence * self(crop.track, time, code, expression_of(crop))

    def strongest(self, crop: Crop, time: float) -> float:
        """The most that any edit gets on a crop, in recommended strengths, 0..1: as much or more."""
        given = crop.confidence * self.given(crop.track, time, expression_of(crop))
        return float(np.abs(given / self._units).max(initial=0.0).clip(max=1.0))

    def reductions(self, crop: Crop, time: float) -> list[str]:
        """Which edits get less than half of their strength at a time for what a face does, and why, in words.

        Of a wide open mouth: less than half of what is beyond their recommended strength.
        """
        strengths, face = self.strengths(crop.track, time), expression_of(crop)
        little = {what: (shares < 0.5) & (strengths != 0) for what, shares in self._shares(strengths, face).items()}
        little[GAPES] |= (gaping(face) > 0.5) & (self._beyond(strengths) > 0)
        return [
            f"{self.edits[i].name} is reduced for {what}"
            for what, which in little.items()
            for i in np.flatnonzero(which)
        ]

    def edits_of(self, track: int) -> tuple[Edit, ...]:
        """The edits that a track gets, in the order of :meth:`strengths`."""
        return self.edits

    def strengths(self, track: int, time: float) -> np.ndarray:
        """Of each edit, [N]."""
        return np.array([strength_at(edit.keyframes, time) if edit.keyframes else edit.strength for edit in self.edits])

    def words(self, track: int, time: float) -> str:
        """What a track gets at a time, for people: "smile 0.50, age -1.00"."""
        given = zip(self.edits, self.strengths(track, time), strict=True)
        return ", ".join(f"{edit.name} {strength:.2f}" for edit, strength in given)

    def active(self, track: int, time: float) -> bool:
        """Whether any edit with keyframes is at work; edits of constant strength always are."""
        return not self.varies or bool(self.strengths(track, time).any())

    def gain(self, track: int, time: float) -> float:
        """By how much the whole change is scaled at a time, 0..1; 1 where the edits do not grow and shrink as one."""
        return self.activity(track, time) if self._as_one else 1.0

    def activity(self, track: int, time: float) -> float:
        """How strong the edits are at a time, of the strongest that they get, 0..1; 1 where no strength changes."""
        if not self.varies:
            return 1.0
        return float(np.abs(self.strengths(track, time) / self._units).sum()) / self._peak

    def similarity(self, track: int, one: np.ndarray | None, other: np.ndarray | None) -> float:
        """How much the edits of one moment tell of those of another: 1 where what is :meth:`given` is the same.

        one, other: [N]; None: what was given then is not known, and taken for the same.
        """
        if one is None or other is None:
            return 1.0
        return math.exp(-float(np.abs((one - other) / self._units).sum()) / ALIKE)

    def _grow_as_one(self) -> bool:
        """Whether the strengths are always in the same proportion: looked up at all keyframes and between them."""
        places = sorted({key.place for edit in self.edits for key in edit.keyframes})
        # A quarter of the way, where every easing is elsewhere.
        times = [*places, *((3 * one + other) / 4 for one, other in itertools.pairwise(places))]
        return bool(np.linalg.matrix_rank(np.stack([self.strengths(0, time) for time in times])) <= 1)
