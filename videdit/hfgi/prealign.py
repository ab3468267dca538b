"""Where the pixels of a strongly edited face were: by landmarks and by dense flow (HFGI, appendix C.6).

ADA learnt to undo motions of up to 8 % of the picture. The paper's remedy for edits that turn the head further, which
it describes and did not publish: match landmarks of the pictures before and after the edit, triangulate them,
interpolate, and warp the distortion map before ADA sees it.

Landmarks alone draw ghosts where they have nothing to say: hair, background, the side of a head that comes into view.
Here dense flow starts from what they say, on pictures that then nearly agree, and everywhere the better of that and of
flow by itself counts, as their confidence tells, which empties the map where nothing of the source is. At strength 0
both pictures are one and nothing moves, as without them.

Measured where the truth is known (ten samples of the generator turned by their own codes, inverted and edited):
weights/MODEL_CARD.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from videdit.datatypes import LOW, Array, Flow
from videdit.faces.detector import FaceDetector
from videdit.geometry.delaunay_flow import flow_between
from videdit.geometry.face_regions import REGIONS
from videdit.imaging.arrays import stack
from videdit.imaging.pixels import Pixels

KINDS = ("auto", "landmarks", "flow", "none")
# Of the mesh: outlines of the face and its parts, down the nose, the cheeks.
_NOSE, _CHEEKS = (168, 6, 197, 195, 5, 4, 1, 2, 98, 327), (50, 280, 205, 425)
POINTS = sorted({point for outline in REGIONS.values() for point in outline} | {*_NOSE, *_CHEEKS})
FAR = 0.08 * LOW  # pixels: as far as ADA learnt to see; beyond it, where the picture moves most, landmarks are asked
MOST_MOVED = 90  # percentile
AGAIN = 12  # every so many crops of a track it is measured anew


class Prealigner:
    """Pairs of low renders -> the flow of each edit."""

    def __init__(self, pixels: Pixels, kind: str = "auto", detector: FaceDetector | None = None):
        """kind: "landmarks" always, "auto" where the motion is large, "flow" or "none" never.

        detector: finds the landmarks; by default one of its own, loaded at first use.
        """
        assert kind in KINDS, kind
        self.pixels, self.kind, self._detector = pixels, kind, detector

    def memory(self) -> Callable[[Sequence[Array], Sequence[int]], list[Flow]]:
        """What works through one clip: it remembers how far each track's edit moves the face.

        Takes pairs of low renders, Xo and Xe, each [2, 256, 256, 3] float32 in [-1, 1], and the tracks they are of.
        """
        seen: Counter[int] = Counter()
        far: dict[int, bool] = {}

        def flows(lows: Sequence[Array], tracks: Sequence[int]) -> list[Flow]:
            found = self.pixels.flows(lows)
            if self.kind in ("flow", "none"):
                return found
            for i, track in enumerate(tracks):
                if self.kind == "auto" and seen[track] % AGAIN == 0:
                    far[track] = self._reach(found[i]) > FAR
                seen[track] += 1
            chosen = [i for i, track in enumerate(tracks) if self.kind == "landmarks" or far[track]]
            guesses = {i: guess for i in chosen if (guess := self._guess(lows[i])) is not None}
            for i, flow in zip(guesses, self._refined([lows[i] for i in guesses], [*guesses.values()]), strict=True):
                found[i] = better(found[i], flow)
            return found

        return flows

    def _reach(self, flow: Flow) -> float:
        """How far an edit moves what it moves most, in pixels at 256."""
        displacement = self.pixels.fetch(flow.displacement[::4, ::4])
        return float(np.percentile(np.linalg.norm(displacement, axis=-1), MOST_MOVED))

    def _guess(self, low: Array) -> np.ndarray | None:
        """Flow [256, 256, 2] from the edited picture to the other, as landmarks say; None where there is no face."""
        if self._detector is None:
            self._detector = FaceDetector(self.pixels.device)
        pictures = np.clip(self.pixels.fetch(low) * 127.5 + 127.5, 0, 255).round().astype(np.uint8)
        before, after = (self._detector.aligned(picture) for picture in pictures)
        if before is None or after is None or before.mesh is None or after.mesh is None:
            return None
        return flow_between(after.mesh[POINTS], before.mesh[POINTS], LOW)

    def _refined(self, lows: Sequence[Array], guesses: Sequence[np.ndarray]) -> list[Flow]:
        """The flows of renders of which the first is warped by a guess, and then the guess put before them."""
        if not lows:
            return []
        everywhere = self.pixels.put(np.ones((LOW, LOW), np.float32))
        displacements = [self.pixels.put(guess) for guess in guesses]
        near = [
            stack((self.pixels.warp_distortion_map(low[0], Flow(displacement, everywhere)), low[1]))
            for low, displacement in zip(lows, displacements, strict=True)
        ]
        return [
            Flow(
                rest.displacement + self.pixels.warp_distortion_map(displacement, Flow(rest.displacement, everywhere)),
                rest.confidence,
            )
            for displacement, rest in zip(displacements, self.pixels.flows(near), strict=True)
        ]


def better(one: Flow, other: Flow) -> Flow:
    """Of two flows, everywhere the one that can be trusted more, with a soft seam."""
    share = other.confidence**4 / (one.confidence**4 + other.confidence**4 + 1e-6)
    displacement = one.displacement + share[..., None] * (other.displacement - one.displacement)
    return Flow(displacement, one.confidence + share * (other.confidence - one.confidence))
