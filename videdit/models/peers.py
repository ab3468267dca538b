"""Networks that others edit or restore faces with, plainly from their papers: `videdit bench peers` times them.

Only their shapes are theirs, the numbers in them are of chance: they show nothing, and take as long as the real ones.
Where a network has StyleGAN2's convolutions these are in the form of :mod:`videdit.models.stylegan2`, which engines run
faster than a kernel an image, so that nothing is won over a slow formulation.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models import e4e, hfgi_released, stylegan2
from videdit.models.passes import ConsultationPass, LowFidelityPass, PlainPass
from videdit.models.shapes import assert_shape

FFHQ = (512, 512, 512, 512, 512, 256, 128, 64, 32)  # channels of StyleGAN2's features of 4, 8, ... 1024 px


def enlarged(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, 2H, 2W], bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class ReleasedHfgi(nn.Module):
    """HFGI (Wang et al., CVPR 2022) as released for FFHQ: the e4e encoder and three passes of the 1024 px generator."""

    def __init__(self) -> None:
        super().__init__()
        generator = stylegan2.Synthesis(FFHQ)
        self.encoder = e4e.E4eEncoder(generator.num_layers)
        consult = hfgi_released.Alignment(), hfgi_released.Consultation()
        self.edit = PlainPass(LowFidelityPass(generator), ConsultationPass(generator, *consult, generator.size))
        self.delta = nn.Parameter(torch.zeros(1, 1, stylegan2.W_DIM))  # the edit, in all layers of the code

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, 256, 256] in [-1, 1] -> [B, 1024, 1024, 3]."""
        codes = self.encoder(x)
        return self.edit(x, codes, codes + self.delta)


class ReagingUNet(nn.Module):
    """A U-Net of the size of FRAN's (Zoss et al., "Production-Ready Face Re-Aging for Visual Effects", 2022).

    Its widths are those of the first U-Net (Ronneberger et al., MICCAI 2015), 31 million parameters; pooling is blurred
    (Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019). It predicts what is added to the crop.
    """

    kernel: Tensor

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512, 1024)) -> None:
        """widths: channels at the whole size, a half, a quarter, ..."""
        super().__init__()
        self.enter = _two_convolutions(5, widths[0])
        self.down = nn.ModuleList(_two_convolutions(a, b) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairwise(widths))
        self.join = nn.ModuleList(_two_convolutions(2 * a, a) for a in widths[:-1])
        self.leave = nn.Conv2d(widths[0], 3, 1)
        taps = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", torch.outer(taps, taps)[None, None], persistent=False)

    def forward(self, x: Tensor, ages: Tensor) -> Tensor:
        """x [B, 3, H, W], sides multiples of 16; ages [B, 2, 1, 1], now and wanted -> [B, 3, H, W]."""
        assert_shape(("B", 3, "H", "W"), x=x)
        y = self.enter(torch.cat((x, ages.expand(-1, -1, *x.shape[2:])), dim=1))
        kept = [y]
        for convolutions in self.down:
            y = convolutions(self._pooled(y))
            kept.append(y)
        for i in reversed(range(len(self.up))):
            y = self.join[i](torch.cat((kept[i], self.up[i](y)), dim=1))
        return x + self.leave(y)

    def _pooled(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(x, 2, stride=1)  # [B, C, H - 1, W - 1]
        channels = x.shape[1]
        return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.kernel.repeat(channels, 1, 1, 1), stride=2, groups=channels)


def _two_convolutions(in_channels: int, out_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [nn.Conv2d(channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels), nn.ReLU()]
    return nn.Sequential(*layers)


class Gfpgan(nn.Module):
    """GFPGAN (Wang et al., CVPR 2021) in the form of its versions 1.2 to 1.4, for 512 px.

    A U-Net gives a code a layer and, for each size, scale and shift of half of the features of a StyleGAN2 (spatial
    feature transform), which here enlarges by bilinear interpolation before its convolutions.
    """

    CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64)  # of the generator's features of 4, 8, ... 512 px

    def __init__(self) -> None:
        super().__init__()
        own = [channels // 2 for channels in self.CHANNELS]  # of the U-Net, at the same sizes
        self.layers = 2 * len(own)
        self.enter = nn.Conv2d(3, own[-1], 1)
        self.down = nn.ModuleList(_Resized(b, a, 0.5) for a, b in reversed(list(pairwise(own))))
        self.bottom = nn.Conv2d(own[0], own[0], 3, padding=1)
        self.codes = nn.Linear(own[0] * 16, self.layers * stylegan2.W_DIM)
        self.up = nn.ModuleList(_Resized(a, b, 2.0) for a, b in pairwise(own))
        self.scale, self.shift = (nn.ModuleList(map(_condition, own[1:])) for _ in range(2))
        self.constant = nn.Parameter(torch.zeros(1, self.CHANNELS[0], 4, 4))
        self.conv, self.to_image = stylegan2.StyledConv(512, 512, 4), stylegan2.ToImage(512)
        self.blocks = nn.ModuleList(_Enlarging(a, b, 8 * 2**i) for i, (a, b) in enumerate(pairwise(self.CHANNELS)))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, 512, 512] in [-1, 1] -> same."""
        assert_shape(("B", 3, 512, 512), x=x)
        y = F.leaky_relu(self.enter(x), 0.2)
        kept = []
        for down in self.down:
            y = down(y)
            kept.append(y)
        y = F.leaky_relu(self.bottom(y), 0.2)
        codes = self.codes(y.flatten(1)).reshape(-1, self.layers, stylegan2.W_DIM)
        conditions = []
        for i, up in enumerate(self.up):
            y = up(y + kept[-1 - i])
            conditions.append((self.scale[i](y), self.shift[i](y)))
        features = self.conv(self.constant.expand(len(x), -1, -1, -1), codes[:, 0])
        image = self.to_image(features, codes[:, 1])
        for i, (block, condition) in enumerate(zip(self.blocks, conditions, strict=True)):
            features, image = block(features, image, codes[:, 2 * i + 1 : 2 * i + 4], condition)
        return image


class _Resized(nn.Module):
    """GFPGAN's residual block, which halves or doubles the size."""

    def __init__(self, in_channels: int, out_channels: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.first = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.second = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C_in, H, W] -> [B, C_out, H * scale, W * scale]."""
        y = self._resized(F.leaky_relu(self.first(x), 0.2))
        return F.leaky_relu(self.second(y), 0.2) + self.skip(self._resized(x))

    def _resized(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


def _condition(channels: int) -> nn.Sequential:
    """What makes a scale, or a shift, of the U-Net's features."""
    first, last = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
    return nn.Sequential(first, nn.LeakyReLU(0.2), last)


class _Enlarging(nn.Module):
    """A block of GFPGAN's generator: twice the size, then two styled convolutions, the first one's half conditioned."""

    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__()
        self.conv1 = stylegan2.StyledConv(in_channels, out_channels, size)
        self.conv2 = stylegan2.StyledConv(out_channels, out_channels, size)
        self.to_image = stylegan2.ToImage(out_channels)

    def forward(
        self, x: Tensor, image: Tensor, codes: Tensor, condition: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """x [B, C_in, H, W], image [B, 3, H, W], codes [B, 3, 512] -> both at twice the size."""
        x = self.conv1(enlarged(x), codes[:, 0])
        same, changed = x.chunk(2, dim=1)
        x = self.conv2(torch.cat((same, changed * condition[0] + condition[1]), dim=1), codes[:, 1])
        return x, enlarged(image) + self.to_image(x, codes[:, 2])


class RealEsrgan(nn.Module):
    """Real-ESRGAN's x4plus (Wang et al., ICCVW 2021): the RRDBNet of ESRGAN (Wang et al., ECCVW 2018), 23 blocks."""

    def __init__(self, blocks: int = 23, channels: int = 64, growth: int = 32) -> None:
        """channels: of the trunk. growth: that each dense layer adds."""
        super().__init__()
        self.enter = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(_ResidualInResidual(channels, growth) for _ in range(blocks)))
        self.after = nn.Conv2d(channels, channels, 3, padding=1)
        self.up = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.fine, self.leave = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W] -> [B, 3, 4H, 4W]."""
        assert_shape(("B", 3, "H", "W"), x=x)
        y = self.enter(x)
        y = y + self.after(self.body(y))
        for up in self.up:
            y = F.leaky_relu(up(F.interpolate(y, scale_factor=2.0, mode="nearest")), 0.2)
        return self.leave(F.leaky_relu(self.fine(y), 0.2))


class _ResidualInResidual(nn.Module):
    """RRDB: three dense blocks, each a fifth of which is added, and so of all three."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_Dense(channels, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> same."""
        return x + 0.2 * self.blocks(x)


class _Dense(nn.Module):
    """Five convolutions, each of which sees what all before it made."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        widths = [growth] * 4 + [channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(channels + i * growth, width, 3, padding=1) for i, width in enumerate(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> same."""
        known = [x]
        for layer in self.layers[:-1]:
            known.append(F.leaky_relu(layer(torch.cat(known, dim=1)), 0.2))
        return x + 0.2 * self.layers[-1](torch.cat(known, dim=1))


@torch.no_grad()
def of_chance(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network for inference, its weights drawn so that what goes through it keeps about its size."""
    chance = torch.Generator().manual_seed(seed)
    for name, value in network.named_parameters():
        if name.endswith("energy"):  # of a styled convolution, read only: its kernels' squares
            value.fill_(1 / value.shape[1])
        elif value.dim() > 1:
            value.copy_(torch.randn(value.shape, generator=chance) * value[0].numel() ** -0.5)
    return network.eval().requires_grad_(False)
