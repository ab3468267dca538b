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
    high: Array  # Y0 [S, S, 3] float32; Xo where nothing is consulted

    @property
    def nbytes(self) -> int:
        """Bytes of both pictures, on the host or on a device."""
        return self.low.nbytes + self.high.nbytes


@dataclass(frozen=True, slots=True)
class KeyedLowFidelity(LowFidelity):
    """Low fidelity that knows by what its inversion is kept; where that is known there is no first half of
    `features`."""

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
            features, lows = zip(before, next(made), strict=True)
            source = self.pixels.network_input(crop).swapaxes(0, 1).swapaxes(1, 2)
            yield KeyedLowFidelity(source, pair, features, stack(lows), key, found)

    def _low(self, codes: list[Array]) -> Iterator[tuple[Array, Array]]:
        """(features float16, low image) of codes [L, 512]."""
        count = 2 * self.batch(LOW)
        for part, used in batches(count, stack(codes)):
            self._check()
            features, low = self.passes.low(count)(part)
            features = half(features)
            yield from ((features[i], low[i]) for i in range(used))

    def each_high_fidelity(
        self, bases: list[LowFidelity], flows: list[Flow], size: int, carried: bool = True
    ) -> Iterator[Rendering]:
        """As :meth:`Inverter.each_high_fidelity`; where an inversion is known only the edit is rendered."""
        known = [self._known(base, size) for base in bases]
        made = self._high(bases, flows, known, carried, size)
        for base, flow, found in zip(bases, flows, known, strict=True):
            inversion = found.high if found else next(made) if self.passes.consulted else base.low[0]
            if found is None and isinstance(base, KeyedLowFidelity):
                # Copies: all pictures of a pass share their memory.
                self._put(base.key, KeptInversion(base.low[0].copy(), inversion.copy()))
            yield Rendering(base.low[0], base.low[1], flow, inversion, next(made))

    def _known(self, base: LowFidelity, size: int) -> KeptInversion | None:
        """What is known of a base's inversion at a size."""
        known = base.known if isinstance(base, KeyedLowFidelity) else None
        size = size if self.passes.consulted else LOW
        return known if known is not None and len(known.high) == size else None

    def _high(
        self, bases: list[LowFidelity], flows: list[Flow], known: list[KeptInversion | None], carried: bool, size: int
    ) -> Iterator[Array]:
        """The renders at a size that are still to be made, one after the other."""
        count = (2 if self.passes.consulted else 1) * self.batch(size)
        engine = self.passes.high(count, size)
        if engine is None:  # the low images are all that can be had
            yield from (base.low[1] for base in bases)
            return
        inputs = self._inputs(bases, flows, known, carried)
        for *parts, used in batches(count, *map(rows, zip(*inputs, strict=True))):
            self._check()
            high = engine(*parts)[0]
            yield from (high[i] for i in range(used))

    def _inputs(
        self, bases: list[LowFidelity], flows: list[Flow], known: list[KeptInversion | None], carried: bool
    ) -> Iterator[tuple[Array, ...]]:
        """What each render that is still to be made takes, one after the other."""
        for base, flow, found in zip(bases, flows, known, strict=True):
            features, *rest = self.high_inputs(base, flow, carried)
            if found is None and features[0] is None:  # it is known at another size only
                features = next(self._low([base.codes[0]]))[0], features[1]
            renders = list(zip(features, *rest, strict=True))
            yield from renders[-1:] if found else renders
