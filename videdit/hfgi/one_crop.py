"""One crop under many strengths: what does not depend on the edit is worked out once, an edit then takes one render.

The passes of :mod:`videdit.hfgi.inverter` hold an inversion and its edit side by side. While a strength moves
the inversion stays what it is, so here each is a render of its own: Xo and Y0 once a crop, Xe and Y1 every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from videdit.datatypes import LOW, Array, Crop, Flow, Rendering
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.prealign import Prealigner
from videdit.imaging.arrays import half, single, stack


@dataclass(frozen=True, slots=True)
class Inversion:
    """What HFGI knows of a crop before any edit."""

    code: Array  # w [L, 512] float32
    distortion: Array  # D [256, 256, 3] float32
    low: Array  # Xo [256, 256, 3] float32
    high: Array | None  # Y0 [S, S, 3] float16, where it is consulted
    size: int  # S, of what is rendered

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays, on the host or on a device."""
        arrays = (self.code, self.distortion, self.low, self.high)
        return sum(array.nbytes for array in arrays if array is not None)


class OneCropEditor:
    """HFGI on single crops, an inversion and its edits apart; arrays are those of the inverter's pixels."""

    def __init__(self, inverter: Inverter, prealign: str = "auto") -> None:
        """prealign: one of :data:`videdit.hfgi.prealign.KINDS`."""
        self.inverter, self.prealigner = inverter, Prealigner(inverter.pixels, prealign)

    def invert(self, crop: Crop, code: Array | None = None) -> Inversion:
        """Steps 1 to 3, and 5 to 7 for the inversion. code: [L, 512] where it is known already."""
        if code is None:
            code = self.inverter.encode([crop.seen], count=1)[0]
        passes = self.inverter.passes
        source = self.inverter.source(crop.seen)
        if not passes.consulted:
            (low,) = passes.images(1, LOW)(code[None])
            return Inversion(code, source - low[0], low[0], None, crop.size)
        trunk, low = passes.low(1)(code[None])
        high = self._high(trunk, code[None], source - low[0], low, crop.size)
        return Inversion(code, source - low[0], low[0], half(high), crop.size)

    def edit(self, inversion: Inversion, delta: np.ndarray) -> Rendering:
        """Steps 4 to 7. delta: what the edit adds to the code, [L, 512] float32."""
        pixels, distortion, passes = self.inverter.pixels, inversion.distortion, self.inverter.passes
        codes = (inversion.code + pixels.put(delta))[None]
        if inversion.high is None:
            images = passes.images(1, inversion.size)(codes)
            low, edit = images[0][0], images[-1][0]
            return Rendering(inversion.low, low, self._flow(inversion, low), inversion.low, edit)
        trunk, low = passes.low(1)(codes)
        flow = self._flow(inversion, low[0])
        if self.prealigner.kind != "none":
            distortion = pixels.warp_distortion_map(distortion, flow)
        high = self._high(trunk, codes, distortion, low, inversion.size)
        return Rendering(inversion.low, low[0], flow, single(inversion.high), high)

    def _flow(self, inversion: Inversion, low: Array) -> Flow:
        """Between an inversion and the low image of its edit [256, 256, 3]."""
        return self.prealigner.memory()([stack((inversion.low, low))], [0])[0]

    def _high(self, trunk: Array, codes: Array, distortion: Array, low: Array, size: int) -> Array:
        """Steps 5 to 7 of one render: the image [S, S, 3]. distortion: [256, 256, 3]; the others: a batch of one."""
        return self.inverter.passes.high(1, size)(trunk, codes, distortion[None], low)[0][0]
