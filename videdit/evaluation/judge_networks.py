"""The small networks that judge faces: identity, age, gender, expression. Torch only, no files.

They come from TensorFlow, so their strided convolutions pad as its 'SAME' does: more at the bottom and the right.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Pad [B, C, H, W] so that a convolution gives ceil(size / stride) pixels, the odd one at the end."""
    total = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:]]
    (top, left) = (t // 2 for t in total)
    return F.pad(x, (left, total[1] - left, top, total[0] - top), value=value)


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's 'SAME' padding."""

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C_in, H, W] -> [B, C_out, H / stride, W / stride], rounded up."""
        return super().forward(pad_same(x, self.kernel_size[0], self.stride[0]))


def same_conv(cin: int, cout: int, kernel: int = 3, stride: int = 1, groups: int = 1, bias: bool = True) -> SameConv:
    """A convolution padded as TensorFlow's "SAME" does."""
    return SameConv(cin, cout, kernel, stride, groups=groups, bias=bias)


class Separable(nn.Module):
    """Depthwise 3x3 without bias, then 1x1."""

    def __init__(self, cin: int, cout: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = same_conv(cin, cin, 3, stride, groups=cin, bias=False)
        self.pointwise = nn.Conv2d(cin, cout, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, cin, H, W] -> [B, cout, H / stride, W / stride], rounded up; no activation."""
        return self.pointwise(self.depthwise(x))


class FaceResNet(nn.Module):
    """MobileNetV1 on 224 px with heads for age and gender; its pooled features tell people apart."""

    widths = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    halves = (1, 3, 5, 11)  # the blocks that halve the picture

    def __init__(self) -> None:
        super().__init__()
        self.stem = same_conv(3, 32, 3, 2)
        blocks, cin = [], 32
        for i, cout in enumerate(self.widths):
            depthwise = same_conv(cin, cin, 3, 2 if i in self.halves else 1, groups=cin)
            blocks.append(nn.Sequential(depthwise, nn.ReLU6(), nn.Conv2d(cin, cout, 1), nn.ReLU6()))
            cin = cout
        self.blocks = nn.Sequential(*blocks)
        self.hidden = nn.Linear(1024, 256)
        self.age = nn.Linear(256, 100)
        self.gender = nn.Linear(256, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 3, 224, 224] BGR, 0..255 minus ImageNet's mean -> features [B, 1024], age [B, 100] and man [B] logits."""
        features = self.blocks(F.relu6(self.stem(x))).mean((2, 3))  # [B, 1024]
        hidden = F.relu(self.hidden(features))
        return features, self.age(hidden), self.gender(hidden)[:, 0]


class MobileFaceStage(nn.Module):
    """Halve the picture, then a residual of two depthwise convolutions."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(cin, cout, 1, bias=False)
        self.down = nn.Conv2d(cout, cout, 3, 2, 1, groups=cout, bias=False)
        self.conv1 = nn.Conv2d(cout, cout, 3, 1, 1, groups=cout, bias=False)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, groups=cout, bias=False)
        self.act0, self.act1, self.act2 = nn.PReLU(cout), nn.PReLU(cout), nn.PReLU(cout)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, cin, H, W] -> [B, cout, H / 2, W / 2]."""
        x = self.act0(self.down(self.expand(x)))
        return x + self.act2(self.conv2(self.act1(self.conv1(x))))


class MobileFaceNet(nn.Module):
    """A tiny face recogniser on 112 px: [B, 3, 112, 112] RGB in [-1, 1] -> [B, 256]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self.act = nn.PReLU(32)
        self.stages = nn.Sequential(*(MobileFaceStage(i, o) for i, o in ((32, 32), (32, 32), (32, 64), (64, 128))))
        self.dense = nn.Linear(2048, 256)

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings, not normalised."""
        x = self.stages(self.act(self.stem(x)))  # [B, 128, 4, 4]
        return self.dense(x.permute(0, 2, 3, 1).flatten(1))


class DenseBlock(nn.Module):
    """Four convolutions, each fed the sum of all before it."""

    def __init__(self, cin: int, cout: int, first: bool = False) -> None:
        """first: it begins with a full convolution, not a separable one."""
        super().__init__()
        self.conv0: nn.Module = same_conv(cin, cout, 3, 2) if first else Separable(cin, cout, 2)
        self.conv1, self.conv2, self.conv3 = (Separable(cout, cout) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, cin, H, W] -> [B, cout, H / 2, W / 2], at least 0."""
        total = F.relu(self.conv0(x))
        for conv in (self.conv1, self.conv2, self.conv3):
            total = total + conv(F.relu(total))
        return F.relu(total)


class ExpressionNet(nn.Module):
    """[B, 3, 112, 112], (RGB 0..255 - mean) / 255 -> logits [B, 7]."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            DenseBlock(3, 32, True), DenseBlock(32, 64), DenseBlock(64, 128), DenseBlock(128, 256)
        )
        self.fc = nn.Linear(256, 7)

    def forward(self, x: Tensor) -> Tensor:
        """Logits in the order of :data:`videdit.evaluation.judges.EXPRESSIONS`."""
        return self.fc(self.blocks(x).mean((2, 3)))


class Reduction(nn.Module):
    """Two separable convolutions and a max pool beside a strided 1x1."""

    def __init__(self, cin: int, cout: int, first: bool = False) -> None:
        """first: without the ReLU before its first convolution."""
        super().__init__()
        self.first = first
        self.conv0, self.conv1 = Separable(cin, cout), Separable(cout, cout)
        self.skip = nn.Conv2d(cin, cout, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, cin, H, W] -> [B, cout, H / 2, W / 2], rounded up."""
        y = self.conv1(F.relu(self.conv0(x if self.first else F.relu(x))))
        return F.max_pool2d(pad_same(y, 3, 2, -torch.inf), 3, 2) + self.skip(x)


class MainBlock(nn.Module):
    """A residual of three separable convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv0, self.conv1, self.conv2 = (Separable(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, width, H, W] -> same."""
        y = x
        for conv in (self.conv0, self.conv1, self.conv2):
            y = conv(F.relu(y))
        return x + y


class AgeGenderNet(nn.Module):
    """A small Xception. [B, 3, 112, 112], (RGB 0..255 - mean) / 255 -> age in years [B], (man, woman) logits [B, 2]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = same_conv(3, 32, 3, 2)
        self.blocks = nn.Sequential(
            Reduction(32, 64, True), Reduction(64, 128), MainBlock(128), MainBlock(128), Reduction(128, 256)
        )
        self.last = Separable(256, 512)
        self.age = nn.Linear(512, 1)
        self.gender = nn.Linear(512, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Years are not bounded; logits come before any softmax."""
        x = F.relu(self.last(self.blocks(F.relu(self.stem(x))))).mean((2, 3))  # [B, 512]
        return self.age(x)[:, 0], self.gender(x)
