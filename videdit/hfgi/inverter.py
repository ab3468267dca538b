"""HFGI on batches of crops (Wang et al., "High-Fidelity GAN Inversion for Image Attribute Editing", CVPR 2022).

Steps 1 to 7 of the method, in the paper's words: basic inversion, distortion map, edit, adaptive distortion alignment
(ADA), consultation, fusion. The inversion and the edit go side by side through two compiled graphs, one up to the low
images, one from the distortion maps on; between them the distortion map is carried to where the edited face is:

    w  = E0(x)                                 codes, :meth:`Inverter.encode`
    Xo = G(w),  Xe = G(w + delta)              low fidelity, at 256 px
    D  = x - Xo                                what the code lost
    D' = V * warp(D, F)                        F, V: the flow from Xe to Xo (videdit.imaging.optical_flow)
    c0 = Ec(ADA(D, Xo)),  c1 = Ec(ADA(D', Xe)) conditions at the 64x64 block
    Y0 = G(w, c0),  Y1 = G(w + delta, c1)      high fidelity, at the size the crop needs

Detail return (:mod:`videdit.imaging.detail_transfer`) goes on from Y0, Y1, Xo and Xe. What it gives back of the source
is more than a condition of 64x64 holds, and the condition holds an edit back: with the networks that ship, people look
older and mouths better where nothing is consulted (docs/looks.md), for half the work. So an inverter may leave steps 5
and 6 out; then Y1 = G(w + delta), which at 256 px is Xe, and there is no Y0 but Xo.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from videdit.datatypes import LOW, Array, Flow, Rendering
from videdit.engine.devices import resolve_device
from videdit.errors import UsageError, WeightsError
from videdit.hfgi.compiled_passes import CompiledPasses
from videdit.hfgi.engines import Engines
from videdit.hfgi.profile import Profile, load_profile
from videdit.imaging.arrays import batches, half, join, rows, stack
from videdit.imaging.pixels import Pixels
from videdit.models.sizes import W_DIM

if TYPE_CHECKING:
    from torch import Tensor, nn

    from videdit.hfgi.loader import Networks
    from videdit.models.passes import Synthesis

SIZES = (256, 512, 1024)


@dataclass(frozen=True, slots=True)
class LowFidelity:
    """A crop and its edit at low fidelity: what the distortion map and the flow are made of."""

    source: Array  # x [256, 256, 3] float32 in [-1, 1]
    codes: Array  # w and edited w, [2, L, 512]
    low: Array  # Xo and Xe, [2, 256, 256, 3] float32
    trunk: Array | None = None  # features of both where the consultation goes on, [2, C, 64, 64] float16
    edit: Array | None = None  # Y1 [S, S, 3] float32 where nothing is consulted


class Inverter:
    """A profile's networks, compiled for this machine; arrays are those of its `pixels`.

    Batches are of a fixed size; the last one is padded, so that every network is compiled for one shape only.
    """

    def __init__(self, profile: Profile, pixels: Pixels, batch: int | None = None, consulted: bool = True):
        """Load what has no known hash; what ships is only verified, and loaded where a graph has to be made.

        Args:
            profile: which networks.
            pixels: where crops and results are; its device and precision are the networks'.
            batch: crops a pass; None: what suits device and size, see :meth:`batch`.
            consulted: whether ADA and the consultation encoder have their say (steps 5 and 6).

        Raises:
            WeightsError: a file is missing, damaged or not in the published layout.
        """
        self.profile, self.pixels = profile, pixels
        self._batch = batch
        self.passes = CompiledPasses(Engines(profile, pixels), consulted)

    @classmethod
    def load(
        cls,
        profile: str = "mobile",
        device: str = "auto",
        precision: str = "auto",
        batch: int | None = None,
        checkpoint: tuple[str, ...] = (),
        consulted: bool = True,
    ) -> Inverter:
        """An inverter of faces that takes and gives numpy arrays, wherever its networks run.

        Weights are loaded and verified now; networks are compiled at their first use. checkpoint: files of a published
        profile's networks, instead of those that are installed.

        Raises:
            WeightsError: a file is missing or not what the manifest says.
            UsageError: no such profile or device, or a profile of something else.
        """
        from videdit.imaging.host import HostPixels

        found = load_profile(profile, checkpoint)
        if found.subject != "face":
            raise UsageError(f"profile {profile} is of a {found.subject}, and this needs faces")
        return cls(found, HostPixels(resolve_device(device), precision), batch, consulted)

    @property
    def generator(self) -> Synthesis:
        """The generator that all passes go through. Not to be changed: see :meth:`with_generator`."""
        return self.networks().generator

    def networks(self) -> Networks:
        """The networks themselves: of what ships they are built when something first needs more than their graphs."""
        return self.passes.engines.networks()

    @property
    def mean_code(self) -> Tensor:
        """The mean code [L, 512] that the encoder's are relative to."""
        return self.networks().encoder.get_buffer("mean")

    @property
    def basic_encoder(self) -> nn.Module:
        """The basic encoder, pictures [B, 3, 256, 256] -> codes. Not to be changed."""
        return self.networks().encoder

    def with_generator(self, state: dict[str, Tensor]) -> Inverter:
        """The same with a generator of this state (:mod:`videdit.rendering.tuning_pass`); only the encoder's engine is
        shared."""
        other = copy.copy(self)
        other.passes = self.passes.with_generator(state)
        return other

    def consulting(self, consulted: bool) -> Inverter:
        """The same, with the same networks, that consults or does not."""
        if consulted == self.passes.consulted:
            return self
        other = copy.copy(self)
        other.passes = replace(self.passes, consulted=consulted)
        return other

    @property
    def device(self) -> str:
        """Where the networks run: "cpu", "cuda", "cuda:1"."""
        return self.pixels.device

    def batch(self, size: int) -> int:
        """Crops a pass at a crop size: on a CPU more than a few only cost memory."""
        if self._batch:
            return self._batch
        if self.passes.engines.heavy:
            return 8 if self.device.startswith("cuda") else 1
        if self.device.startswith("cuda"):
            return {256: 32, 512: 16, 1024: 8}[size]
        return {256: 4, 512: 2, 1024: 1}[size]

    def at_once(self, size: int) -> int:
        """Crops of a size that are best given at once: those that fill a pass."""
        return self.batch(size)

    def encode(self, crops: list[Array], count: int | None = None) -> Array:
        """Step 1. Crops [S, S, 3] uint8 RGB of any size -> codes [N, L, 512] float32. count: crops a pass."""
        count = count or self.batch(LOW)
        engine = self.passes.encoder(count)
        x = stack([self.pixels.network_input(crop) for crop in crops])
        return join([engine(part)[0][:used] for part, used in batches(count, x)])

    def high_inputs(self, base: LowFidelity, flow: Flow, carried: bool = True) -> tuple[Array, ...]:
        """What :meth:`CompiledPasses.high` takes of a crop: of its inversion and of its edit, each [2, ...].

        carried: False leaves all of the alignment to ADA.
        """
        assert base.trunk is not None
        distortion = base.source - base.low[0]
        maps = stack((distortion, self.pixels.warp_distortion_map(distortion, flow) if carried else distortion))
        return base.trunk, base.codes, maps, base.low

    def low_fidelity(self, crops: list[Array], codes: Array, edited: Array, size: int = LOW) -> list[LowFidelity]:
        """Steps 2 to 4. Crops [S, S, 3] uint8 RGB, and codes before and after the edit, [N, L, 512].

        size: of the renderings that :meth:`high_fidelity` is to make of them.
        """
        return list(self.each_low_fidelity(crops, codes, edited, [size] * len(crops)))

    def each_low_fidelity(
        self, crops: list[Array], codes: Array, edited: Array, sizes: list[int]
    ) -> Iterator[LowFidelity]:
        """The same one by one, each as soon as it is there. Crops [S, S, 3], codes and edited [N, L, 512]."""
        layers = self.passes.engines.layers
        assert codes.shape == edited.shape == (len(crops), layers, W_DIM), (codes.shape, edited.shape)
        both = stack((codes, edited), axis=1)  # [N, 2, L, 512]
        if not self.passes.consulted:
            yield from self.alone(crops, both, sizes, [None] * len(crops))
            return
        rest = zip(crops, both, strict=True)
        count = self.batch(LOW)
        engine = self.passes.low(2 * count)
        for part, used in batches(count, both):
            trunk, low = engine(part.reshape(-1, layers, W_DIM))
            trunk = half(trunk)
            for i in range(used):
                crop, codes_of_both = next(rest)
                pair = slice(2 * i, 2 * i + 2)
                yield LowFidelity(self.source(crop), codes_of_both, low[pair], trunk[pair])

    def alone(
        self, crops: list[Array], both: Array, sizes: list[int], known: Sequence[Array | None]
    ) -> Iterator[LowFidelity]:
        """Steps 2, 4 and 7 where nothing is consulted.

        both: codes before and after the edit, [N, 2, L, 512]. known: the inversions' images [256, 256, 3] that are
        there already.
        """
        missing = [low is None for low in known]
        codes = [code for pair, new in zip(both, missing, strict=True) for code in (pair if new else pair[1:])]
        wanted = [each for size, new in zip(sizes, missing, strict=True) for each in ((LOW, size) if new else (size,))]
        images = iter(self.images(stack(codes), wanted))
        for crop, pair, inversion in zip(crops, both, known, strict=True):
            before = next(images)[0] if inversion is None else inversion
            low, edit = next(images)
            yield LowFidelity(self.source(crop), pair, stack((before, low)), edit=edit)

    def source(self, crop: Array) -> Array:
        """x [256, 256, 3] of a crop [S, S, 3] uint8."""
        return self.pixels.network_input(crop).swapaxes(0, 1).swapaxes(1, 2)

    def images(self, codes: Array, sizes: list[int]) -> list[tuple[Array, Array]]:
        """What is rendered of codes [N, L, 512] where nothing is consulted.

        sizes: of each, 256, 512 or 1024. Returns of each its image [256, 256, 3], and that of its size, float32.
        """
        found: dict[int, tuple[Array, Array]] = {}
        for size in sorted(set(sizes)):
            own = [i for i, other in enumerate(sizes) if other == size]
            count, places = self.batch(size), iter(own)
            engine = self.passes.images(count, size)
            for part, used in batches(count, codes[own]):
                self.before_pass()
                made = engine(part)
                found |= {next(places): (made[0][i], made[-1][i]) for i in range(used)}
        return [found[i] for i in range(len(sizes))]

    def before_pass(self) -> None:
        """Called before each pass that somebody may not want any more."""

    def high_fidelity(
        self, bases: list[LowFidelity], flows: list[Flow], size: int, carried: bool = True
    ) -> list[Rendering]:
        """Steps 5 to 7 at a size of 256, 512 or 1024, the distortion map carried along by the flows first.

        carried: False leaves all of the alignment to ADA.
        """
        return list(self.each_high_fidelity(bases, flows, size, carried))

    def each_high_fidelity(
        self, bases: list[LowFidelity], flows: list[Flow], size: int, carried: bool = True
    ) -> Iterator[Rendering]:
        """The same one by one, each as soon as it is there."""
        pairs = zip(bases, flows, strict=True)
        if not self.passes.consulted:
            yield from (rendering_alone(base, flow, size) for base, flow in pairs)
            return
        count = self.batch(size)
        engine = self.passes.high(2 * count, size)
        inputs = [self.high_inputs(base, flow, carried) for base, flow in zip(bases, flows, strict=True)]
        for *parts, used in batches(count, *map(rows, zip(*inputs, strict=True))):
            merged = (part.reshape(-1, *part.shape[2:]) for part in parts)  # [count, 2, ...] -> [2 count, ...]
            high = engine(*merged)[0]
            for i in range(used):
                base, flow = next(pairs)
                yield Rendering(base.low[0], base.low[1], flow, high[2 * i], high[2 * i + 1])

    def aligned(self, bases: list[LowFidelity], flows: list[Flow], carried: bool = True) -> list[Array]:
        """Step 5 alone: the distortion maps aligned to the edits, each [256, 256, 3] in about [-2, 2].

        carried: as of :meth:`high_fidelity`.

        Raises:
            WeightsError: the profile's weights hold no ADA.
        """
        if self.networks().alignment is None:
            raise WeightsError(f"the weights of profile {self.profile.name} hold no ADA; install hfgi_ffhq")
        count = self.batch(LOW)
        engine = self.passes.alignment(count)
        maps = [base.source - base.low[0] for base in bases]
        if carried:
            maps = [self.pixels.warp_distortion_map(*pair) for pair in zip(maps, flows, strict=True)]
        inputs = [stack(images).swapaxes(2, 3).swapaxes(1, 2) for images in (maps, [base.low[1] for base in bases])]
        parts = [engine(*pair)[0][:used] for *pair, used in batches(count, *inputs)]
        return [image.swapaxes(0, 1).swapaxes(1, 2) for part in parts for image in part]

    def plain(self, crops: list[Array], codes: Array, edited: Array, size: int) -> list[Array]:
        """What the release computes of crops: nothing but the edit, and no part of it rounded between two passes.

        crops: [S, S, 3] uint8 RGB. codes, edited: [N, L, 512]. size: 256, 512 or 1024. -> images [size, size, 3],
        about [-1, 1].
        """
        count = self.batch(size)
        engine = self.passes.plain(count, size)
        x = stack([self.pixels.network_input(crop) for crop in crops])
        return [image for *parts, used in batches(count, x, codes, edited) for image in engine(*parts)[0][:used]]

    def render(self, crops: list[Array], codes: Array, edited: Array, size: int) -> list[Rendering]:
        """Steps 2 to 7 for crops that are not frames of a clip.

        crops: [S, S, 3] uint8 RGB. codes, edited: [N, L, 512], before and after the edit. size: 256, 512 or 1024.
        """
        bases = self.low_fidelity(crops, codes, edited, size)
        return self.high_fidelity(bases, self.pixels.flows([base.low for base in bases]), size)


def rendering_alone(base: LowFidelity, flow: Flow, size: int) -> Rendering:
    """The rendering of a crop where nothing is consulted: of its inversion there is Xo alone."""
    assert base.edit is not None
    assert base.edit.shape[0] == size, f"low fidelity was made for {base.edit.shape[0]} px, not for {size}"
    return Rendering(base.low[0], base.low[1], flow, base.low[0], base.edit)
