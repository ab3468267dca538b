"""MobileStyleGAN, FFHQ 1024 (Belousov, "MobileStyleGAN", 2021): the generator of the `mobile` profile.

A distilled StyleGAN2 whose W space is StyleGAN2-FFHQ's own. Convolutions are depthwise separable, demodulation is
folded into the kernels, upsampling is an inverse Haar wavelet transform. Inference and training of small parts around
it only: noise is frozen.

The forward pass is cut where HFGI needs it: :meth:`Synthesis.trunk` is everything that depends on the code alone, up
to the first convolution of the 64x64 block; :meth:`Synthesis.render` consults (scale and shift, HFGI eq. 5) and goes on
to the wanted size.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.shapes import assert_shape

W_DIM = 512
NUM_LAYERS = 18  # length of a W+ code, as in StyleGAN2 1024
BLOCK_CHANNELS = (512, 512, 512, 512, 256, 128, 64)  # output channels of block i, whose output is 8 * 2**i pixels
GROUP = 16  # channels of an upsampling's output that are made together
HEAD_BLOCK = 4  # the 128x128 block, on whose features the head at 256 px stands
FUSION_BLOCK = 3  # the 64x64 block, where HFGI consults


class InverseHaar(nn.Module):
    """[B, 4C, H, W], C low-band channels, then (lh, hl, hh) of each channel -> [B, C, 2H, 2W].

    One transposed convolution of stride 2, most of whose numbers are zero: sums and differences of slices of channels
    are a hundredth of the arithmetic, but take a CPU several times as long, since every slice is copied. Where the
    bands of GROUP channels lie beside each other (:func:`grouped`), it falls apart into groups, which leaves out most
    of the zeros.
    """

    kernel: Tensor

    def __init__(self, channels: int, picture: bool = False):
        """channels: C, of the output. picture: it is one, and autocast may not round it to bfloat16."""
        super().__init__()
        self.picture, self.groups = picture, 1
        # bands (low, lh, hl, hh) of a channel -> its pixels (row 0: left, right; row 1: left, right)
        signs = torch.tensor([[1.0, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])
        kernel = torch.zeros(4 * channels, channels, 2, 2)
        c = torch.arange(channels)
        for band, rows in enumerate((c, *(channels + 3 * c + i for i in range(3)))):
            kernel[rows, c] = 0.5 * signs[band].reshape(2, 2)
        self.register_buffer("kernel", kernel, persistent=False)

    def group(self) -> Tensor:
        """From now on take channels in groups; returns which of the channels [4C] comes where."""
        channels = self.kernel.shape[1]
        c = torch.arange(channels).split(GROUP)
        order = torch.cat([torch.cat((part, *(channels + 3 * part + i for i in range(3)))) for part in c])
        rows = self.kernel[order].split(4 * GROUP)
        self.kernel = torch.cat([part[:, i * GROUP : (i + 1) * GROUP] for i, part in enumerate(rows)])
        self.groups = len(c)
        return order

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 4C, H, W] -> [B, C, 2H, 2W]."""
        if not self.picture:
            return F.conv_transpose2d(x, self.kernel, stride=2, groups=self.groups)
        with torch.autocast(x.device.type, enabled=False):
            return F.conv_transpose2d(x.to(self.kernel.dtype), self.kernel, stride=2)


def grouped(generator: Synthesis) -> Synthesis:
    """A copy of a generator that upsamples in groups of channels: the same pictures in less time on a CPU.

    What makes the channels of an upsampling makes them in its order, and so does what else reads them. The copy is for
    inference: its weights are not those of the published layout.
    """
    generator = copy.deepcopy(generator)
    blocks: list[Block] = list(generator.blocks)  # type: ignore[arg-type]
    makers = [generator.conv, *(block.conv2 for block in blocks)]
    with torch.no_grad():
        for i, (maker, block) in enumerate(zip(makers, blocks, strict=False)):
            order = block.up.group()
            maker.weight.data, maker.bias.data = maker.weight[order], maker.bias[:, order]
            _reorder(block.up_modulation, order)
            if i == HEAD_BLOCK + 1:
                _reorder(generator.head256.modulation, order)
                for layer in (generator.head256.reduce, generator.head256.skip):
                    layer.weight.data = layer.weight[:, order]
    return generator


def _reorder(layer: nn.Linear, order: Tensor) -> None:
    layer.weight.data, layer.bias.data = layer.weight[order], layer.bias[order]


class Mapping(nn.Module):
    """z [B, 512] ~ N(0, I) -> w [B, 512]."""

    def __init__(self, num_layers: int = 8):
        """num_layers: 8 in all that were published."""
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(W_DIM, W_DIM) for _ in range(num_layers))

    def forward(self, z: Tensor) -> Tensor:
        """z [B, 512] -> w [B, 512]; the length of z does not matter."""
        assert_shape(("B", W_DIM), z=z)
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2) * 2**0.5
        return x


class MobileStyledConv(nn.Module):
    """Modulate, depthwise 3x3, pointwise 1x1 (or one full 3x3), add frozen noise and bias, leaky ReLU 0.2."""

    def __init__(self, in_channels: int, out_channels: int, size: int, separable: bool = True):
        """size: pixels, of the noise. separable: depthwise and pointwise, not one full 3x3."""
        super().__init__()
        self.scale = (in_channels * 9) ** -0.5
        self.modulation = nn.Linear(W_DIM, in_channels)
        if separable:
            self.depthwise: nn.Parameter | None = nn.Parameter(torch.zeros(in_channels, 1, 3, 3))
            self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 1, 1))
        else:
            self.depthwise = None
            self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 3, 3))
        self.noise = nn.Parameter(torch.zeros(1, 1, size, size))
        self.bias = nn.Parameter(torch.zeros(1, out_channels, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B, C_in, H, W], w [B, 512] -> [B, C_out, H, W]"""
        x = x * (self.modulation(w) * self.scale)[:, :, None, None]
        if self.depthwise is not None:
            x = F.conv2d(x, self.depthwise, padding=1, groups=x.shape[1])
            x = F.conv2d(x, self.weight)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        return F.leaky_relu(x + self.noise + self.bias, 0.2)


class Block(nn.Module):
    """Haar upsampling and two styled convolutions: [B, C_in, S/2, S/2] -> [B, C_out, S, S]."""

    def __init__(self, in_channels: int, out_channels: int, size: int):
        """size: S, pixels of the output. in_channels: a multiple of 4, for four bands."""
        super().__init__()
        self.up_modulation = nn.Linear(W_DIM, in_channels)
        self.up = InverseHaar(in_channels // 4)
        self.conv1 = MobileStyledConv(in_channels // 4, out_channels, size)
        self.conv2 = MobileStyledConv(out_channels, out_channels, size)

    def first(self, x: Tensor, w: Tensor) -> Tensor:
        """Upsampling and the first convolution, both styled by w [B, 512]."""
        return self.conv1(self.up(x * self.up_modulation(w)[:, :, None, None]), w)


class ToImage(nn.Module):
    """The wavelet output of the last block: features [B, 64, 512, 512] -> bands [B, 12, 512, 512]."""

    def __init__(self, in_channels: int = 64):
        """in_channels: of the features."""
        super().__init__()
        self.scale = in_channels**-0.5
        self.modulation = nn.Linear(W_DIM, in_channels)
        self.weight = nn.Parameter(torch.zeros(12, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, 12, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B, C, H, W], w [B, 512] -> bands [B, 12, H, W] as :class:`InverseHaar` takes them."""
        return F.conv2d(x * (self.modulation(w) * self.scale)[:, :, None, None], self.weight) + self.bias


class Head256(nn.Module):
    """A 256 px output fitted on block 4's features [B, 256, 128, 128], so that most passes can stop there.

    Not part of MobileStyleGAN: trained here to equal the area-downsampled 1024 px picture
    (``videdit.training.head256``).
    """

    def __init__(self, in_channels: int = 256, hidden: int = 48):
        """in_channels: of the features. hidden: of the convolutions, which one 1x1 goes past."""
        super().__init__()
        self.modulation = nn.Linear(W_DIM, in_channels)
        self.reduce = nn.Conv2d(in_channels, hidden, 1)
        self.mix = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.out = nn.Conv2d(hidden, 12, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, 12, 1)
        self.up = InverseHaar(3, picture=True)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B, 256, 128, 128], w [B, 512] -> image [B, 3, 256, 256]"""
        x = x * (1.0 + self.modulation(w))[:, :, None, None]
        h = F.leaky_relu(self.reduce(x), 0.2)
        h = F.leaky_relu(self.mix(h), 0.2)
        return self.up(self.out(h) + self.skip(x))


class Synthesis(nn.Module):
    """W+ code -> image.

    Codes are [B, 18, 512]: layer 0 styles the 4x4 convolution; block i uses layer 2i+1 (upsampling and conv1) and
    2i+2 (conv2); the output layer uses the one after its block. Images are [B, 3, S, S] in [-1, 1], a little beyond
    in places.
    """

    num_layers, trunk_channels = NUM_LAYERS, BLOCK_CHANNELS[FUSION_BLOCK]

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(1, 512, 4, 4))
        self.conv = MobileStyledConv(512, 512, 4, separable=False)
        channels = (512, *BLOCK_CHANNELS)
        self.blocks = nn.ModuleList(Block(channels[i], channels[i + 1], 8 * 2**i) for i in range(len(BLOCK_CHANNELS)))
        self.to_image = ToImage(BLOCK_CHANNELS[-1])
        self.up = InverseHaar(3, picture=True)
        self.head256 = Head256(BLOCK_CHANNELS[4])

    def trunk(self, codes: Tensor) -> Tensor:
        """codes [B, 18, 512] -> features [B, 512, 64, 64] after the fusion block's first convolution."""
        assert_shape(("B", NUM_LAYERS, W_DIM), codes=codes)
        x = self.conv(self.constant.expand(codes.shape[0], -1, -1, -1), codes[:, 0])
        for i in range(FUSION_BLOCK):
            x = self.blocks[i].first(x, codes[:, 2 * i + 1])
            x = self.blocks[i].conv2(x, codes[:, 2 * i + 2])
        return self.blocks[FUSION_BLOCK].first(x, codes[:, 2 * FUSION_BLOCK + 1])

    def features128(self, trunk: Tensor, codes: Tensor, condition: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """trunk [B, 512, 64, 64] -> block 4's features [B, 256, 128, 128].

        condition: (scale, shift), each [B, 512, 64, 64]; the features become ``f * (1 + scale) + shift``.
        """
        x = trunk
        assert_shape(("B", self.trunk_channels, 64, 64), trunk=trunk)
        if condition is not None:
            scale, shift = condition
            assert_shape(("B", self.trunk_channels, 64, 64), trunk=trunk, scale=scale, shift=shift)
            x = x * (1.0 + scale) + shift
        x = self.blocks[FUSION_BLOCK].conv2(x, codes[:, 2 * FUSION_BLOCK + 2])
        x = self.blocks[4].first(x, codes[:, 9])
        return self.blocks[4].conv2(x, codes[:, 10])

    def render(
        self, trunk: Tensor, codes: Tensor, condition: tuple[Tensor, Tensor] | None = None, size: int = 1024
    ) -> Tensor:
        """The rest of the way from :meth:`trunk` to the image [B, 3, size, size]; size is 256, 512 or 1024.

        512 is the low band of the output wavelet (exactly the area-downsampled 1024), 256 the fitted head.
        """
        return self.image(self.features128(trunk, codes, condition), codes, size)

    def images(self, codes: Tensor, size: int) -> tuple[Tensor, ...]:
        """codes [B, 18, 512] -> :meth:`low`, and :meth:`render` of a larger size, that share their first half."""
        features = self.features128(self.trunk(codes), codes)
        return tuple(self.image(features, codes, each) for each in sorted({256, size}))

    def image(self, features: Tensor, codes: Tensor, size: int) -> Tensor:
        """The rest of the way from :meth:`features128` to the image [B, 3, size, size]; size is 256, 512 or 1024."""
        x = features
        if size == 256:
            return self.head256(x, codes[:, 11])
        for i in (5, 6):
            x = self.blocks[i].first(x, codes[:, 2 * i + 1])
            x = self.blocks[i].conv2(x, codes[:, 2 * i + 2])
        bands = self.to_image(x, codes[:, 15])
        if size == 512:
            return bands[:, :3] * 0.5
        assert size == 1024, f"size is 256, 512 or 1024, not {size}"
        return self.up(bands)

    def low(self, trunk: Tensor, codes: Tensor) -> Tensor:
        """The image [B, 3, 256, 256] without conditions that the other networks look at."""
        return self.render(trunk, codes, size=256)

    def forward(self, codes: Tensor, size: int = 1024) -> Tensor:
        """codes [B, 18, 512] -> images [B, 3, size, size]; size is 256, 512 or 1024."""
        return self.render(self.trunk(codes), codes, size=size)
