"""An inverter that remembers inversions: the same crops under another strength take one render each, not two.

Passes hold an inversion beside its edit (:mod:`videdit.hfgi.inverter`). Where the inversion is known, another crop's
edit takes its place in the pass, in the same compiled graphs, so that results are what they are without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from videdit.datatypes import Array, Motion, Rendering
from videdit.hfgi.inverter import Inverter, LowFidelity
from videdit.imaging.arrays import batches, half, stack


@dataclass(frozen=True, slots=True)
class Known:
    """What an inversion leaves for later edits."""

    low: Array  # Xo [256, 256, 3] float32
    high: Array  # Y0 [S, S, 3] float32

    @property
    def nbytes(self) -> int:
        """Bytes of both pictures, on the host or on a device."""
        return self.low.nbytes + self.high.nbytes


@dataclass(frozen=True, slots=True)
class KeyedLowFidelity(LowFidelity):
    """Low fidelity that knows by what its inversion is kept."""

    key: tuple = ()
    known: Known | None = None


class KeptInversions(Inverter):
    """An inverter of crops in the host's memory; shares networks and graphs with another."""

    def __init__(
        self, inverter: Inverter, get: Callable[[tuple], Known | None], put: Callable[[tuple, Known], None]
    ) -> None:
        """get, put: look up and keep inversions by keys that are of this inverter's alone."""
        self.__dict__.update(inverter.__dict__)
        self._get, self._put = get, put

    def low_fidelity(self, crops: list[Array], codes: Array, edited: Array) -> list[LowFidelity]:
        """As :meth:`Inverter.low_fidelity`; where an inversion is known only the edit is rendered."""
        keys = [
            (len(crop), hashlib.blake2b(crop.tobytes() + code.tobytes(), digest_size=16).digest())
            for crop, code in zip(crops, codes, strict=True)
        ]
        known = [self._get(key) for key in keys]
        new = [i for i, found in enumerate(known) if found is None]
        old = [i for i, found in enumerate(known) if found is not None]
        fresh = iter(super().low_fidelity([crops[i] for i in new], codes[new], edited[new]) if new else ())
        again = iter(self._low([edited[i] for i in old]) if old else ())
        bases: list[LowFidelity] = []
        for i, (key, found) in enumerate(zip(keys, known, strict=True)):
            if found is None:
                base = next(fresh)
                bases.append(KeyedLowFidelity(base.source, base.codes, base.trunk, base.low, key))
            else:
                trunk, low = next(again)
                source = self.pixels.network_input(crops[i]).swapaxes(0, 1).swapaxes(1, 2)
                pair = stack((codes[i], edited[i])), stack((trunk, trunk)), stack((found.low, low))
                bases.append(KeyedLowFidelity(source, *pair, key, found))
        return bases

    def _low(self, edited: list[Array]) -> list[tuple[Array, Array]]:
        """(trunk features, low image) of edited codes [L, 512], two renders' places each holding an edit."""
        count, results = 2 * self.batch(256), list[tuple[Array, Array]]()
        for part, used in batches(count, stack(edited)):
            trunk, low = self.low_pass(count)(part)
            trunk = half(trunk)
            results += [(trunk[i], low[i]) for i in range(used)]
        return results

    def high_fidelity(
        self, bases: list[LowFidelity], motions: list[Motion], size: int, carried: bool = True
    ) -> list[Rendering]:
        """As :meth:`Inverter.high_fidelity`; where an inversion is known only the edit is rendered."""
        results: dict[int, Rendering] = {}
        old = [i for i, base in enumerate(bases) if isinstance(base, KeyedLowFidelity) and base.known is not None]
        new = [i for i in range(len(bases)) if i not in old]
        if new:
            made = super().high_fidelity([bases[i] for i in new], [motions[i] for i in new], size, carried)
            for i, rendering in zip(new, made, strict=True):
                results[i] = rendering
                base = bases[i]
                if isinstance(base, KeyedLowFidelity) and base.key[0] == size:
                    self._put(base.key, Known(base.low[0], rendering.inversion))
        if old:
            highs = iter(self._high([(bases[i], motions[i]) for i in old], size, carried))
            for i in old:
                base = bases[i]
                assert isinstance(base, KeyedLowFidelity)
                assert base.known is not None
                results[i] = Rendering(base.low[0], base.low[1], motions[i], base.known.high, next(highs))
        return [results[i] for i in range(len(bases))]

    def _high(self, pairs: list[tuple[LowFidelity, Motion]], size: int, carried: bool) -> list[Array]:
        """The edits of bases at a size, two renders' places each holding an edit."""
        count, results = 2 * self.batch(size), list[Array]()
        inputs: list[list[Array]] = [[], [], [], []]
        for base, motion in pairs:
            distortion = base.source - base.low[0]
            moved = self.pixels.carry(distortion, motion) if carried else distortion
            for array, value in zip(inputs, (base.trunk[1], base.codes[1], moved, base.low[1]), strict=True):
                array.append(value)
        for *parts, used in batches(count, *map(stack, inputs)):
            high = self.high_pass(count, size)(*parts)[0]
            results += [high[i] for i in range(used)]
        return results
