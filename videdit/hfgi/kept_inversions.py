"""An inverter that remembers inversions: the same crops under another strength take one render each, not two.

Passes hold renders, of which an inversion is one and its edit another (:mod:`videdit.hfgi.inverter`). Here those that
are still to be made fill the passes one after the other, in the same compiled graphs, so that results are what they are
without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from videdit.datatypes import LOW, Array, Flow, Rendering
from videdit.hfgi.inverter import Inverter, LowFidelity
from videdit.imaging.arrays import batches, half, rows, stack

PASSES = 4  # at once: as many hold the passes of a preview's neighbourhood, mostly


@dataclass(frozen=True, slots=True)
class KeptInversion:
    """What an inversion leaves for later edits."""

    low: Array  # Xo [256, 256, 3] float32
    high: Array  # Y0 [S, S, 3] float32

    @property
    def nbytes(self) -> int:
        """Bytes of both pictures, on the host or on a device."""
        return self.low.nbytes + self.high.nbytes


@dataclass(frozen=True, slots=True)
class KeyedLowFidelity(LowFidelity):
    """Low fidelity that knows by what its inversion is kept; where that is known there is no first half of `trunk`."""

    key: tuple = ()
    known: KeptInversion | None = None


class KeptInversions(Inverter):
    """An inverter of crops in the host's memory; shares networks and graphs with another."""

    def __init__(
        self,
        inverter: Inverter,
        get: Callable[[tuple], KeptInversion | None],
        put: Callable[[tuple, KeptInversion], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """get, put: look up and keep inversions by keys that are of this inverter's alone.

        check: called before each pass; what it raises ends the work.
        """
        self.__dict__.update(inverter.__dict__)
        self._get, self._put, self._check = get, put, check

    def at_once(self, size: int) -> int:
        """Crops of several passes: so few of their places are empty, however many inversions are known."""
        return PASSES * 2 * self.batch(size)

    def each_low_fidelity(self, crops: list[Array], codes: Array, edited: Array) -> Iterator[LowFidelity]:
        """As :meth:`Inverter.each_low_fidelity`; where an inversion is known only the edit is rendered."""
        keys = [
            (hashlib.blake2b(crop.tobytes() + code.tobytes(), digest_size=16).digest(),)
            for crop, code in zip(crops, codes, strict=True)
        ]
        known = [self._get(key) for key in keys]
        both = list(zip(codes, edited, strict=True))
        made = self._low([code for found, pair in zip(known, both, strict=True) for code in pair[bool(found) :]])
        for crop, key, found, pair in zip(crops, keys, known, both, strict=True):
            before = (None, found.low) if found else next(made)
            trunks, lows = zip(before, next(made), strict=True)
            source = self.pixels.network_input(crop).swapaxes(0, 1).swapaxes(1, 2)
            yield KeyedLowFidelity(source, pair, trunks, stack(lows), key, found)

    def _low(self, codes: list[Array]) -> Iterator[tuple[Array, Array]]:
        """(trunk features float16, low image) of codes [L, 512]."""
        count = 2 * self.batch(LOW)
        for part, used in batches(count, stack(codes)):
            self._check()
            trunk, low = self.low_pass(count)(part)
            trunk = half(trunk)
            yield from ((trunk[i], low[i]) for i in range(used))

    def each_high_fidelity(
        self, bases: list[LowFidelity], flows: list[Flow], size: int, carried: bool = True
    ) -> Iterator[Rendering]:
        """As :meth:`Inverter.each_high_fidelity`; where an inversion is known only the edit is rendered."""
        known = [_known(base, size) for base in bases]
        inputs: list[tuple[Array, ...]] = []
        for base, flow, found in zip(bases, flows, known, strict=True):
            distortion = base.source - base.low[0]
            moved = self.pixels.warp_distortion_map(distortion, flow) if carried else distortion
            trunks = base.trunk
            if found is None and trunks[0] is None:  # it is known at another size only
                trunks = next(self._low([base.codes[0]]))[0], trunks[1]
            renders = list(zip(trunks, base.codes, (distortion, moved), base.low, strict=True))
            inputs += renders[bool(found) :]
        made = self._high(inputs, size)
        for base, flow, found in zip(bases, flows, known, strict=True):
            inversion = found.high if found else next(made)
            if found is None and isinstance(base, KeyedLowFidelity):
                # Copies: all pictures of a pass share their memory.
                self._put(base.key, KeptInversion(base.low[0].copy(), inversion.copy()))
            yield Rendering(base.low[0], base.low[1], flow, inversion, next(made))

    def _high(self, inputs: list[tuple[Array, ...]], size: int) -> Iterator[Array]:
        """Renders at a size of (trunk features, code, distortion map, low image)."""
        count = 2 * self.batch(size)
        for *parts, used in batches(count, *map(rows, zip(*inputs, strict=True))):
            self._check()
            high = self.high_pass(count, size)(*parts)[0]
            yield from (high[i] for i in range(used))


def _known(base: LowFidelity, size: int) -> KeptInversion | None:
    """What is known of a base's inversion at a size."""
    known = base.known if isinstance(base, KeyedLowFidelity) else None
    return known if known is not None and len(known.high) == size else None
