"""HFGI's steps as compiled networks, each for one pass of N crops or renders: see :mod:`videdit.hfgi.inverter`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from videdit.datatypes import LOW, Array
from videdit.engine.recipe import Halves, Shape
from videdit.hfgi.engines import Engines
from videdit.models.sizes import W_DIM

if TYPE_CHECKING:
    from torch import Tensor, nn

    from videdit.hfgi.loader import Networks
    from videdit.models.passes import Synthesis

Pass: TypeAlias = Callable[..., tuple[Array, ...]]


@dataclass(frozen=True)
class CompiledPasses:
    """The passes of a profile's networks; each is compiled when it is first asked for."""

    engines: Engines
    consulted: bool  # whether ADA and the consultation encoder have their say

    def with_generator(self, state: dict[str, Tensor]) -> CompiledPasses:
        """The same with a generator of this state; only the encoder's engine is shared."""
        return CompiledPasses(self.engines.with_generator(state), self.consulted)

    def encoder(self, count: int) -> Pass:
        """Step 1, crops [N, 3, 256, 256] -> codes [N, L, 512]."""
        return self.engines.compiled("Encoder", ("encode", count), lambda n: n.encoder, [(count, 3, LOW, LOW)])

    def low(self, renders: int) -> Pass:
        """Steps 2 and 4: codes [N, L, 512] -> (features [N, C, 64, 64] float16, images [N, 256, 256, 3])."""

        def build(networks: Networks) -> nn.Module:
            from videdit.models.passes import LowFidelityPass

            return LowFidelityPass(self._quick(networks.generator))

        key = ("low", renders)
        return self.engines.compiled("LowFidelityPass", key, build, [self._codes(renders)], Halves(outputs=(0,)))

    def high(self, renders: int, size: int) -> Pass:
        """Steps 5 to 7 at 256, 512 or 1024 px: features, codes, distortion maps, low images -> images [N, S, S, 3]."""

        def build(networks: Networks) -> nn.Module:
            from videdit.models.passes import ConsultationPass

            parts = self._quick(networks.generator), networks.alignment, networks.consultation
            return ConsultationPass(*parts, size, networks.rows)

        image = (renders, LOW, LOW, 3)
        shapes = [(renders, *self.engines.trunk), self._codes(renders), image, image]
        key = ("high", renders, size)
        return self.engines.compiled(f"ConsultationPass {size}", key, build, shapes, Halves(inputs=(0,)))

    def images(self, renders: int, size: int) -> Pass:
        """Steps 2, 4, 7 where nothing is consulted: codes -> images [N, 256, 256, 3] and, of larger S, [N, S, S, 3]."""

        def build(networks: Networks) -> nn.Module:
            from videdit.models.passes import ImagePass

            return ImagePass(self._quick(networks.generator), size)

        return self.engines.compiled(f"ImagePass {size}", ("image", renders, size), build, [self._codes(renders)])

    def prepare(self, renders: int, size: int | None = None) -> None:
        """Compile what so many renders take: their low images, or at a size what goes on from there."""
        if not self.consulted:
            self.images(renders, size or LOW)
        elif size:
            self.high(renders, size)
        else:
            self.low(renders)

    def plain(self, count: int, size: int) -> Pass:
        """Steps 2 to 7 of edits alone, in one network: crops and codes before and after -> images [N, S, S, 3]."""

        def build(networks: Networks) -> nn.Module:
            from videdit.models.passes import ConsultationPass, LowFidelityPass, PlainPass

            parts = networks.generator, networks.alignment, networks.consultation
            return PlainPass(LowFidelityPass(networks.generator), ConsultationPass(*parts, size, networks.rows))

        shapes = [(count, 3, LOW, LOW), self._codes(count), self._codes(count)]
        return self.engines.compiled(f"PlainPass {size}", ("plain", count, size), build, shapes)

    def alignment(self, count: int) -> Pass:
        """ADA alone: distortion maps and low images, each [N, 3, 256, 256] -> aligned maps."""
        return self.engines.compiled("Alignment", ("align", count), _alignment, [(count, 3, LOW, LOW)] * 2)

    def _codes(self, count: int) -> Shape:
        return (count, self.engines.layers, W_DIM)

    def _quick(self, generator: Synthesis) -> Synthesis:
        """The generator in the form that is the quickest here."""
        from videdit.models import mobile_stylegan

        if self.engines.pixels.device == "cpu" and isinstance(generator, mobile_stylegan.Synthesis):
            return mobile_stylegan.grouped(generator)
        return generator


def _alignment(networks: Networks) -> nn.Module:
    assert networks.alignment is not None
    return networks.alignment
