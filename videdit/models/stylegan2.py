"""StyleGAN2, config F (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020).

The generator of the published HFGI networks: 1024 px for faces (FFHQ), 512 for cars. It is inference's form of the
published one: every layer takes its own code (W+), noise is frozen, and all that does not depend on the code is folded
into constants when a checkpoint is converted (:func:`converted`). Modulation scales the features and not the kernel
(their section 2.2 in the order that convolves once for a whole batch): one dense convolution with a kernel that never
changes, which engines pack once, instead of one group and one kernel an image.

Kernels have unit norm per output channel and styles a largest element of 1, so that neither fp16 nor bf16 can overflow
whatever the checkpoint's scale: demodulation cancels both factors.

The forward pass is cut where HFGI needs it, as in :mod:`videdit.models.mobile_stylegan`.
"""

from __future__ import annotations

from collections import abc

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.datatypes import LOW
from videdit.models.shapes import assert_shape

W_DIM = 512
FUSION_BLOCK = 3  # the 64x64 block, where HFGI consults
EPSILON = 1e-8
GAIN = 2**0.5  # of every leaky ReLU


class Mapping(nn.Module):
    """z [B, 512] ~ N(0, I) -> w [B, 512]."""

    def __init__(self, num_layers: int = 8):
        """num_layers: 8 in all that were published."""
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(W_DIM, W_DIM) for _ in range(num_layers))

    def forward(self, z: Tensor) -> Tensor:
        """z [B, 512] -> w [B, 512]; the length of z does not matter."""
        assert_shape(("B", W_DIM), z=z)
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2) * GAIN
        return x


class StyledConv(nn.Module):
    """Modulated and demodulated 3x3 convolution, frozen noise, bias, leaky ReLU; twice the size where `up`."""

    def __init__(self, in_channels: int, out_channels: int, size: int, up: bool = False):
        """size: of the output, in pixels."""
        super().__init__()
        self.up = up
        self.modulation = nn.Linear(W_DIM, in_channels)
        # Transposed convolutions keep their kernels the other way round.
        shape = (in_channels, out_channels, 3, 3) if up else (out_channels, in_channels, 3, 3)
        self.weight = nn.Parameter(torch.zeros(shape))
        self.energy = nn.Parameter(torch.zeros(out_channels, in_channels))  # squares of the kernel, summed over 3x3
        self.noise = nn.Parameter(torch.zeros(1, 1, size, size))
        self.bias = nn.Parameter(torch.zeros(1, out_channels, 1, 1))
        self.blur = Blur(out_channels) if up else nn.Identity()

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B, C_in, H, W], w [B, 512] -> [B, C_out, H, W], or [B, C_out, 2H, 2W]"""
        style = self.modulation(w)  # [B, C_in]
        style = style / (style.abs().amax(dim=1, keepdim=True) + EPSILON)
        # Elementwise and not as a matrix product, so that it is never rounded to half precision.
        energy: Tensor = self.energy
        if self.weight.requires_grad:  # a generator that is tuned: its kernels change
            energy = self.weight.square().sum((2, 3))
            energy = energy.transpose(0, 1) if self.up else energy
        demodulation = GAIN * torch.rsqrt((style.square()[:, None] * energy).sum(dim=2) + EPSILON)  # [B, C_out]
        x = x * style[:, :, None, None]
        x = F.conv_transpose2d(x, self.weight, stride=2) if self.up else F.conv2d(x, self.weight, padding=1)
        x = self.blur(x) * demodulation[:, :, None, None]
        return F.leaky_relu(x + self.noise + self.bias, 0.2)


class Blur(nn.Module):
    """The low-pass [1, 3, 3, 1] after a transposed convolution: [B, C, 2H+1, 2W+1] -> [B, C, 2H, 2W]."""

    kernel: Tensor

    def __init__(self, channels: int):
        """channels: C."""
        super().__init__()
        # Sums to 2 a side, since every second sample of what is blurred is zero. On the CPU even while a module is made
        # without memory, to be filled from a file: this is in no file.
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device="cpu") / 4
        self.register_buffer("kernel", torch.outer(taps, taps).repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, 2H+1, 2W+1] -> [B, C, 2H, 2W]."""
        return F.conv2d(x, self.kernel, padding=1, groups=self.kernel.shape[0])


class ToImage(nn.Module):
    """Modulated 1x1 convolution to RGB, without demodulation: [B, C, H, W] -> [B, 3, H, W]."""

    def __init__(self, in_channels: int):
        """in_channels: C."""
        super().__init__()
        self.modulation = nn.Linear(W_DIM, in_channels)
        self.weight = nn.Parameter(torch.zeros(3, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B, C, H, W], w [B, 512] -> [B, 3, H, W]."""
        return F.conv2d(x * self.modulation(w)[:, :, None, None], self.weight) + self.bias


class Block(nn.Module):
    """Two styled convolutions, the first to twice the size, and what the second adds to the image."""

    def __init__(self, in_channels: int, out_channels: int, size: int):
        """size: of the output, in pixels: twice the input's."""
        super().__init__()
        self.conv1 = StyledConv(in_channels, out_channels, size, up=True)
        self.conv2 = StyledConv(out_channels, out_channels, size)
        self.to_image = ToImage(out_channels)


class Synthesis(nn.Module):
    """W+ code -> image.

    Codes are [B, L, 512], L = 18 for 1024 px: layer 0 styles the 4x4 convolution; block i uses layer 2i+1 and 2i+2 for
    its convolutions and 2i+3 for its share of the image. Images are [B, 3, S, S], in [-1, 1] and a little beyond.
    """

    def __init__(self, channels: abc.Sequence[int]):
        """channels: of the features of 4, 8, 16, ... px."""
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(1, channels[0], 4, 4))
        self.conv = StyledConv(channels[0], channels[0], 4)
        self.to_image = ToImage(channels[0])
        sizes = [8 * 2**i for i in range(len(channels) - 1)]
        self.blocks = nn.ModuleList(map(Block, channels[:-1], channels[1:], sizes))
        self.size = sizes[-1]
        self.num_layers = 2 * len(channels)
        self.fusion_channels = channels[FUSION_BLOCK + 1]
        self.trunk_channels = self.fusion_channels + 3

    def trunk(self, codes: Tensor) -> Tensor:
        """codes [B, L, 512] -> [B, C + 3, 64, 64]: features after the fusion block's first convolution, and the image
        so far at that size."""
        assert_shape(("B", self.num_layers, W_DIM), codes=codes)
        x = self.conv(self.constant.expand(codes.shape[0], -1, -1, -1), codes[:, 0])
        image = self.to_image(x, codes[:, 1])
        for i in range(FUSION_BLOCK):
            x = self.blocks[i].conv1(x, codes[:, 2 * i + 1])
            x, image = self._finish(i, x, upsampled(image), codes)
        x = self.blocks[FUSION_BLOCK].conv1(x, codes[:, 2 * FUSION_BLOCK + 1])
        return torch.cat((x, upsampled(image)), dim=1)

    def whole(self, trunk: Tensor, codes: Tensor, condition: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """The rest of the way from :meth:`trunk` to the image [B, 3, S, S] at the generator's own size.

        condition: (scale, shift), each [B, C, 64, 64]; the features become ``f * (1 + scale) + shift`` (HFGI, eq. 5).
        """
        assert_shape(("B", self.trunk_channels, 64, 64), trunk=trunk)
        x, image = trunk[:, :-3], trunk[:, -3:]
        if condition is not None:
            scale, shift = condition
            assert_shape(("B", self.fusion_channels, 64, 64), features=x, scale=scale, shift=shift)
            x = x * (1.0 + scale) + shift
        x, image = self._finish(FUSION_BLOCK, x, image, codes)
        for i in range(FUSION_BLOCK + 1, len(self.blocks)):
            x = self.blocks[i].conv1(x, codes[:, 2 * i + 1])
            x, image = self._finish(i, x, upsampled(image), codes)
        return image

    def render(
        self, trunk: Tensor, codes: Tensor, condition: tuple[Tensor, Tensor] | None = None, size: int = 1024
    ) -> Tensor:
        """As :meth:`whole`, then averaged down to `size`, which divides the generator's own."""
        return self._averaged(self.whole(trunk, codes, condition), size)

    def _averaged(self, image: Tensor, size: int) -> Tensor:
        return image if size == self.size else F.avg_pool2d(image, self.size // size)

    def images(self, codes: Tensor, size: int) -> tuple[Tensor, ...]:
        """codes [B, L, 512] -> :meth:`low`, and :meth:`render` of a size above 256, of one way to the whole image."""
        image = self.whole(self.trunk(codes), codes)
        return (_low(image), self._averaged(image, size)) if size > LOW else (_low(image),)

    def low(self, trunk: Tensor, codes: Tensor) -> Tensor:
        """The image [B, 3, 256, 256] in [-1, 1] that the other networks of HFGI are made for: clamped, and sampled
        bilinearly without a low-pass, as they were trained."""
        return _low(self.whole(trunk, codes))

    def forward(self, codes: Tensor, condition: tuple[Tensor, Tensor] | None = None, size: int | None = None) -> Tensor:
        """Codes [B, L, 512] -> images [B, 3, S, S]: of the generator's own size, or averaged down to `size`.

        condition: as of :meth:`whole`.
        """
        return self.render(self.trunk(codes), codes, condition, size or self.size)

    def _finish(self, i: int, x: Tensor, image: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Block i from its second convolution on: (features, image so far)."""
        x = self.blocks[i].conv2(x, codes[:, 2 * i + 2])
        return x, image + self.blocks[i].to_image(x, codes[:, 2 * i + 3])


def upsampled(image: Tensor) -> Tensor:
    """[B, 3, H, W] -> [B, 3, 2H, 2W] by [1, 3, 3, 1]: bilinear, half-pixel centres, with zeros beyond the border."""
    return F.interpolate(F.pad(image, (1, 1, 1, 1)), scale_factor=2.0, mode="bilinear")[:, :, 2:-2, 2:-2]


def _low(image: Tensor) -> Tensor:
    """What of an image [B, 3, S, S] the other networks look at, [B, 3, 256, 256] in [-1, 1]."""
    return F.interpolate(image.clamp(-1, 1), size=(LOW, LOW), mode="bilinear", align_corners=False)


def channels_of(state: abc.Mapping[str, Tensor]) -> list[int]:
    """What :class:`Synthesis` is made with, by the shapes of a published generator's tensors."""
    first = state["conv1.conv.weight"].shape[1]
    blocks = sum(key.startswith("to_rgbs.") and key.endswith(".conv.weight") for key in state)
    return [first, *(state[f"convs.{2 * i}.conv.weight"].shape[1] for i in range(blocks))]


def converted(state: abc.Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a published generator -> those of :class:`Synthesis`, in its shapes.

    state: in the layout of rosinality's stylegan2-pytorch, noise buffers included, from which e4e and HFGI have theirs.
    Learning rates are equalised there, so every weight gets its scale here; gains of the leaky ReLU are folded into
    what goes through it. Raises KeyError for what is missing.
    """
    new = {"constant": state["input.input"]}
    blocks = len(channels_of(state)) - 1
    new |= _styled(state, "conv1", 0, "conv", False) | _to_image(state, "to_rgb1", "to_image")
    for i in range(blocks):
        for k, up in ((1, True), (2, False)):
            index = 2 * i + k
            new |= _styled(state, f"convs.{index - 1}", index, f"blocks.{i}.conv{k}", up)
        new |= _to_image(state, f"to_rgbs.{i}", f"blocks.{i}.to_image")
    return new


def noises_of(generator: Synthesis) -> dict[str, Tensor]:
    """The frozen noise of each layer, [1, 1, S, S], by its parameter's name."""
    return {name: value for name, value in generator.named_parameters() if name.endswith(".noise")}


def noise_strengths(state: abc.Mapping[str, Tensor]) -> dict[str, float]:
    """What normal numbers of its shape are multiplied with to be new noise, by the names of :func:`noises_of`.

    state: as of :func:`converted`. Raises KeyError for what is missing.
    """
    names = {"conv.noise": "conv1"}
    for i in range(len(channels_of(state)) - 1):
        names |= {f"blocks.{i}.conv{k}.noise": f"convs.{2 * i + k - 1}" for k in (1, 2)}
    return {new: float(state[f"{old}.noise.weight"]) * GAIN for new, old in names.items()}


def converted_mapping(state: abc.Mapping[str, Tensor], lr: float = 0.01) -> dict[str, Tensor]:
    """The same for :class:`Mapping`, in its shapes; lr: its learning rate relative to the others', as published."""
    new = {}
    for i in range(8):
        weight = state[f"style.{i + 1}.weight"]
        new[f"layers.{i}.weight"] = weight * (lr * weight.shape[1] ** -0.5)
        new[f"layers.{i}.bias"] = state[f"style.{i + 1}.bias"] * lr
    return new


def _styled(state: abc.Mapping[str, Tensor], old: str, noise: int, new: str, up: bool) -> dict[str, Tensor]:
    weight = state[f"{old}.conv.weight"][0]  # [C_out, C_in, 3, 3]
    norm = weight.square().sum((1, 2, 3), keepdim=True).sqrt()
    weight = weight / norm.clamp_min(EPSILON)
    return _modulation(state, old, new) | {
        f"{new}.weight": (weight.transpose(0, 1) if up else weight).contiguous(),
        f"{new}.energy": weight.square().sum((2, 3)),
        f"{new}.noise": state[f"noises.noise_{noise}"] * state[f"{old}.noise.weight"] * GAIN,
        f"{new}.bias": state[f"{old}.activate.bias"].reshape(1, -1, 1, 1) * GAIN,
    }


def _to_image(state: abc.Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    weight = state[f"{old}.conv.weight"][0]  # [3, C, 1, 1]
    scaled = {f"{new}.weight": weight * weight.shape[1] ** -0.5, f"{new}.bias": state[f"{old}.bias"]}
    return _modulation(state, old, new) | scaled


def _modulation(state: abc.Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    weight = state[f"{old}.conv.modulation.weight"]
    return {
        f"{new}.modulation.weight": weight * weight.shape[1] ** -0.5,
        f"{new}.modulation.bias": state[f"{old}.conv.modulation.bias"],
    }
