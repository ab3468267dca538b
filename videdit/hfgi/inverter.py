"""HFGI on batches of crops (Wang et al., "High-Fidelity GAN Inversion for Image Attribute Editing", CVPR 2022).

Steps 1 to 7 of the method, in the paper's words: basic inversion, distortion map, edit, adaptive distortion alignment
(ADA), consultation, fusion. The inversion and the edit go side by side through two compiled graphs, one up to the low
images, one from the distortion maps on; between them the distortion map is carried to where the edited face is:

    w  = E0(x)                                 codes, :meth:`Inverter.encode`
    Xo = G(w),  Xe = G(w + delta)              low fidelity, at 256 px
    D  = x - Xo                                what the code lost
    D' = V * warp(D, F)                        F, V: the motion from Xe to Xo (videdit.imaging.optical_flow)
    c0 = Ec(ADA(D, Xo)),  c1 = Ec(ADA(D', Xe)) conditions at the 64x64 block
    Y0 = G(w, c0),  Y1 = G(w + delta, c1)      high fidelity, at the size the crop needs

Detail return (:mod:`videdit.imaging.detail_transfer`) goes on from Y0, Y1, Xo and Xe.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.datatypes import LOW, Array, Motion, Rendering
from videdit.engine.devices import resolve_device
from videdit.errors import UsageError, WeightsError
from videdit.hfgi.loader import WHOLE, load_networks
from videdit.hfgi.profile import Profile, load_profile
from videdit.imaging.arrays import batches, half, join, stack
from videdit.imaging.pixels import Pixels
from videdit.models import mobile_stylegan, stylegan2

SIZES = (256, 512, 1024)
W_DIM = 512
Synthesis = mobile_stylegan.Synthesis | stylegan2.Synthesis


@dataclass(frozen=True, slots=True)
class Draft:
    """A crop and its edit at low fidelity: what the distortion map and the motion are made of."""

    source: Array  # x [256, 256, 3] float32 in [-1, 1]
    codes: Array  # w and edited w, [2, L, 512]
    trunk: Array  # the generator's features of both, [2, C, 64, 64] float16
    low: Array  # Xo and Xe, [2, 256, 256, 3] float32


class LowFidelityPass(nn.Module):
    """Steps 2 and 4: codes [N, L, 512] -> (trunk features [N, C, 64, 64], images [N, 256, 256, 3])."""

    def __init__(self, generator: Synthesis):
        super().__init__()
        self.generator = generator

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        trunk = self.generator.trunk(codes)
        return trunk, self.generator.low(trunk, codes).permute(0, 2, 3, 1)


class ConsultationPass(nn.Module):
    """Steps 5 to 7: trunk, codes, distortion maps and low images (NHWC) of N renders -> images [N, S, S, 3]."""

    def __init__(
        self,
        generator: Synthesis,
        alignment: nn.Module | None,
        consultation: nn.Module | None,
        size: int,
        rows: tuple[int, int] = WHOLE,
    ):
        """rows: of the maps at 256 px that show something; nothing is consulted in the others."""
        super().__init__()
        self.generator, self.alignment, self.consultation = generator, alignment, consultation
        self.size, self.rows = size, rows

    def forward(self, trunk: Tensor, codes: Tensor, distortion: Tensor, low: Tensor) -> Tensor:
        condition = None
        if self.alignment is not None and self.consultation is not None:
            seen = slice(*self.rows)
            aligned = self.alignment(distortion.permute(0, 3, 1, 2)[:, :, seen], low.permute(0, 3, 1, 2)[:, :, seen])
            scale, shift = self.consultation(aligned)  # [N, C, rows / 4, 64]
            if self.rows != WHOLE:
                above, below = self.rows[0] // 4, (LOW - self.rows[1]) // 4
                scale, shift = (F.pad(part, (0, 0, above, below)) for part in (scale, shift))
            condition = scale, shift
        return self.generator.render(trunk, codes, condition, size=self.size).permute(0, 2, 3, 1)


class Inverter:
    """A profile's networks, compiled for this machine; arrays are those of its `pixels`.

    Batches are of a fixed size; the last one is padded, so that every network is compiled for one shape only.
    """

    def __init__(self, profile: Profile, pixels: Pixels, batch: int | None = None):
        self.profile, self.pixels = profile, pixels
        self._batch = batch
        networks = load_networks(profile)
        self._generator, self._encoder = networks.generator, networks.encoder
        self._alignment, self._consultation = networks.alignment, networks.consultation
        self._rows, self._heavy = networks.rows, networks.heavy
        self._engines: dict[tuple, Callable[..., tuple[Array, ...]]] = {}
        self._compiling = threading.Lock()

    @classmethod
    def load(
        cls, profile: str = "mobile", device: str = "auto", precision: str = "auto", batch: int | None = None
    ) -> Inverter:
        """An inverter of faces that takes and gives numpy arrays, wherever its networks run.

        Weights are loaded and verified now; networks are compiled at their first use.

        Raises:
            WeightsError: a file is missing or not what the manifest says.
            UsageError: no such profile or device, or a profile of something else.
        """
        from videdit.imaging.host import HostPixels

        found = load_profile(profile)
        if found.subject != "face":
            raise UsageError(f"profile {profile} is of a {found.subject}, and this needs faces")
        return cls(found, HostPixels(resolve_device(device), precision), batch)

    @property
    def generator(self) -> Synthesis:
        """The generator that all passes go through. Not to be changed: see :meth:`with_generator`."""
        return self._generator

    def with_generator(self, state: dict[str, Tensor]) -> Inverter:
        """The same with a generator of this state (:mod:`videdit.rendering.tuning_pass`); only the encoder's engine is
        shared."""
        other = copy.copy(self)
        other._generator = copy.deepcopy(self._generator)
        other._generator.load_state_dict(state)
        other._generator.eval().requires_grad_(False)
        other._compiling = threading.Lock()
        other._engines = {name: engine for name, engine in self._engines.items() if "encode" in name}
        return other

    @property
    def device(self) -> str:
        return self.pixels.device

    def batch(self, size: int) -> int:
        """Crops a pass at a crop size: on a CPU more than a few only cost memory."""
        if self._batch:
            return self._batch
        if self._heavy:
            return 8 if self.device.startswith("cuda") else 1
        if self.device.startswith("cuda"):
            return {256: 32, 512: 16, 1024: 8}[size]
        return {256: 4, 512: 2, 1024: 1}[size]

    def encode(self, crops: list[Array], count: int | None = None) -> Array:
        """Step 1. Crops [S, S, 3] uint8 RGB of any size -> codes [N, L, 512] float32. count: crops a pass."""
        count = count or self.batch(LOW)
        example = (torch.zeros(count, 3, LOW, LOW),)
        engine = self._engine(("encode", count), lambda: (self._encoder, example))
        x = stack([self.pixels.network_input(crop) for crop in crops])
        return join([engine(part)[0][:used] for part, used in batches(count, x)])

    def low_pass(self, renders: int) -> Callable[..., tuple[Array, ...]]:
        """:class:`LowFidelityPass`, compiled for so many renders a pass."""
        layers = self._generator.num_layers
        return self._engine(
            ("low", renders), lambda: (LowFidelityPass(self._generator), (torch.zeros(renders, layers, W_DIM),))
        )

    def high_pass(self, renders: int, size: int) -> Callable[..., tuple[Array, ...]]:
        """:class:`ConsultationPass` at a size of 256, 512 or 1024, compiled for so many renders a pass."""

        def build() -> tuple[nn.Module, tuple[Tensor, ...]]:
            module = ConsultationPass(self._generator, self._alignment, self._consultation, size, self._rows)
            trunk = torch.zeros(renders, self._generator.trunk_channels, 64, 64)
            image = torch.zeros(renders, LOW, LOW, 3)
            return module, (trunk, torch.zeros(renders, self._generator.num_layers, W_DIM), image, image)

        return self._engine(("high", renders, size), build)

    def _engine(
        self, name: tuple, build: Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]
    ) -> Callable[..., tuple[Array, ...]]:
        """A compiled network, built at its first use: once, however many threads ask."""
        with self._compiling:
            if name not in self._engines:
                self._engines[name] = self.pixels.compile(*build())
            return self._engines[name]

    def draft(self, crops: list[Array], codes: Array, edited: Array) -> list[Draft]:
        """Steps 2 to 4. Crops [S, S, 3] uint8 RGB, and codes before and after the edit, [N, L, 512]."""
        layers = self._generator.num_layers
        assert codes.shape == edited.shape == (len(crops), layers, W_DIM), (codes.shape, edited.shape)
        count = self.batch(LOW)
        engine = self.low_pass(2 * count)
        drafts: list[Draft] = []
        for part, used in batches(count, stack((codes, edited), axis=1)):  # [count, 2, L, 512]
            trunk, low = engine(part.reshape(-1, layers, W_DIM))
            trunk = half(trunk)
            for i in range(used):
                source = self.pixels.network_input(crops[len(drafts)])  # [3, 256, 256]
                pair = slice(2 * i, 2 * i + 2)
                drafts.append(Draft(source.swapaxes(0, 1).swapaxes(1, 2), part[i], trunk[pair], low[pair]))
        return drafts

    def finish(self, drafts: list[Draft], motions: list[Motion], size: int, carried: bool = True) -> list[Rendering]:
        """Steps 5 to 7 at a size of 256, 512 or 1024, the distortion map carried along by the motions first.

        carried: False leaves all of the alignment to ADA.
        """
        count = self.batch(size)
        engine = self.high_pass(2 * count, size)
        inputs: list[list[Array]] = [[], [], [], []]
        for draft, motion in zip(drafts, motions, strict=True):
            distortion = draft.source - draft.low[0]
            maps = stack((distortion, self.pixels.carry(distortion, motion) if carried else distortion))
            for array, value in zip(inputs, (draft.trunk, draft.codes, maps, draft.low), strict=True):
                array.append(value)
        results: list[Rendering] = []
        for *parts, used in batches(count, *map(stack, inputs)):
            merged = (part.reshape(-1, *part.shape[2:]) for part in parts)  # [count, 2, ...] -> [2 count, ...]
            high = engine(*merged)[0]
            for i in range(used):
                draft, motion = drafts[len(results)], motions[len(results)]
                results.append(Rendering(draft.low[0], draft.low[1], motion, high[2 * i], high[2 * i + 1]))
        return results

    def aligned(self, drafts: list[Draft], motions: list[Motion]) -> list[Array]:
        """Step 5 alone: the distortion maps aligned to the edits, each [256, 256, 3] in about [-2, 2].

        Raises:
            WeightsError: the profile's weights hold no ADA.
        """
        if self._alignment is None:
            raise WeightsError(f"the weights of profile {self.profile.name} hold no ADA; install hfgi_ffhq")
        count = self.batch(LOW)
        alignment, image = self._alignment, torch.zeros(count, 3, LOW, LOW)
        engine = self._engine(("align",), lambda: (alignment, (image, image)))
        maps = [self.pixels.carry(d.source - d.low[0], m) for d, m in zip(drafts, motions, strict=True)]
        inputs = [stack(images).swapaxes(2, 3).swapaxes(1, 2) for images in (maps, [draft.low[1] for draft in drafts])]
        parts = [engine(*pair)[0][:used] for *pair, used in batches(count, *inputs)]
        return [image.swapaxes(0, 1).swapaxes(1, 2) for part in parts for image in part]

    def render(self, crops: list[Array], codes: Array, edited: Array, size: int) -> list[Rendering]:
        """Steps 2 to 7 for crops that are not frames of a clip.

        crops: [S, S, 3] uint8 RGB. codes, edited: [N, L, 512], before and after the edit. size: 256, 512 or 1024.
        """
        drafts = self.draft(crops, codes, edited)
        return self.finish(drafts, self.pixels.motions([draft.low for draft in drafts]), size)
