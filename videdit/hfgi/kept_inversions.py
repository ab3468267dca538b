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
    high: Array | None = None  # Y0 [S, S, 3] float32, where it is consulted

    @property
    def nbytes(self) -> int:
        """Bytes of both pictures, on the host or on a device."""
        return self.low.nbytes + (0 if self.high is None else self.high.nbytes)


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

    def before_pass(self) -> None:
        """Ask whether anybody waits."""
        self._check()

    def each_low_fidelity(
        self, crops: list[Array], codes: Array, edited: Array, sizes: list[int]
    ) -> Iterator[LowFidelity]:
        """As :meth:`Inverter.each_low_fidelity`; where an inversion is known only the edit is rendered."""
        keys = [
            (hashlib.blake2b(crop.tobytes() + code.tobytes(), digest_size=16).digest(),)
            for crop, code in zip(crops, codes, strict=True)
        ]
        known = [self._get(key) for key in keys]
        if not self.passes.consulted:
            lows = [found and found.low for found in known]
            made_alone = self.alone(crops, stack((codes, edited), axis=1), sizes, lows)
            for key, found, base in zip(keys, known, made_alone, strict=True):
                if found is None:
                    self._put(key, KeptInversion(base.low[0].copy()))  # a copy: both share their memory
                yield base
            return
        both = list(zip(codes, edited, strict=True))
        made = self._low([code for found, pair in zip(known, both, strict=True) for code in pair[bool(found) :]])
        for crop, key, found, pair in zip(crops, keys, known, both, strict=True):
            before = (None, found.low) if found else next(made)
            trunk, low = zip(before, next(made), strict=True)
            yield KeyedLowFidelity(self.source(crop), pair, stack(low), trunk, key=key, known=found)

    def _low(self, codes: list[Array]) -> Iterator[tuple[Array, Array]]:
        """(features float16, low image) of codes [L, 512]."""
        count = 2 * self.batch(LOW)
        for part, used in batches(count, stack(codes)):
            self.before_pass()
            trunk, low = self.passes.low(count)(part)
            trunk = half(trunk)
            yield from ((trunk[i], low[i]) for i in range(used))

    def each_high_fidelity(
        self, bases: list[LowFidelity], flows: list[Flow], size: int, carried: bool = True
    ) -> Iterator[Rendering]:
        """As :meth:`Inverter.each_high_fidelity`; where an inversion is known only the edit is rendered."""
        if not self.passes.consulted:
            yield from super().each_high_fidelity(bases, flows, size, carried)
            return
        known = [self._known(base, size) for base in bases]
        made = self._high(bases, flows, known, carried, size)
        for base, flow, found in zip(bases, flows, known, strict=True):
            inversion = next(made) if found is None else found
            if found is None and isinstance(base, KeyedLowFidelity):
                # Copies: all pictures of a pass share their memory.
                self._put(base.key, KeptInversion(base.low[0].copy(), inversion.copy()))
            yield Rendering(base.low[0], base.low[1], flow, inversion, next(made))

    def _known(self, base: LowFidelity, size: int) -> Array | None:
        """Y0 of a base at a size [S, S, 3], where it is known."""
        known = base.known.high if isinstance(base, KeyedLowFidelity) and base.known else None
        return known if known is not None and len(known) == size else None

    def _high(
        self, bases: list[LowFidelity], flows: list[Flow], known: list[Array | None], carried: bool, size: int
    ) -> Iterator[Array]:
        """The renders at a size that are still to be made, one after the other."""
        count = 2 * self.batch(size)
        engine = self.passes.high(count, size)
        inputs = self._inputs(bases, flows, known, carried)
        for *parts, used in batches(count, *map(rows, zip(*inputs, strict=True))):
            self.before_pass()
            high = engine(*parts)[0]
            yield from (high[i] for i in range(used))

    def _inputs(
        self, bases: list[LowFidelity], flows: list[Flow], known: list[Array | None], carried: bool
    ) -> Iterator[tuple[Array, ...]]:
        """What each render that is still to be made takes, one after the other."""
        for base, flow, found in zip(bases, flows, known, strict=True):
            trunk, *rest = self.high_inputs(base, flow, carried)
            if found is None and trunk[0] is None:  # it is known at another size only
                trunk = next(self._low([base.codes[0]]))[0], trunk[1]
            renders = list(zip(trunk, *rest, strict=True))
            yield from renders if found is None else renders[-1:]
