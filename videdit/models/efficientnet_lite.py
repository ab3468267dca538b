"""EfficientNet-Lite0: inverted residuals with ReLU6, no squeeze-and-excitation. Features to measure by, or a trunk.

State dict names are our own; ``videdit.evaluation.fetch_judges`` maps the ImageNet weights to them.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from videdit.models.shapes import assert_shape

# (repeats, kernel, stride of the first, expansion, width) of the seven stages
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
LEVELS = (0, 1, 2, 4, 6)  # the last stages at strides 2, 4, 8, 16, 32
WIDTHS = tuple(STAGES[i][4] for i in LEVELS)  # (16, 24, 40, 112, 320)


def conv_bn(cin: int, cout: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True) -> nn.Sequential:
    """Convolution, batch norm and, with `act`, ReLU6."""
    layers = [
        nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(cout, eps=1e-3, momentum=0.01),
    ]
    return nn.Sequential(*layers, nn.ReLU6()) if act else nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """1x1 up, depthwise, 1x1 down; a skip where shapes allow."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, expansion: int) -> None:
        """kernel, stride: of the depthwise convolution, which has `expansion` times `cin` channels."""
        super().__init__()
        mid = cin * expansion
        self.skip = stride == 1 and cin == cout
        self.expand = conv_bn(cin, mid) if expansion > 1 else nn.Identity()
        self.depthwise = conv_bn(mid, mid, kernel, stride, groups=mid)
        self.project = conv_bn(mid, cout, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, cin, H, W] -> [B, cout, H / stride, W / stride], rounded up."""
        y = self.project(self.depthwise(self.expand(x)))  # [B, cout, H / stride, W / stride]
        return x + y if self.skip else y


class EfficientNetLite0(nn.Module):
    """The trunk: [B, 3, H, W] RGB in [-1, 1] -> five maps at strides 2, 4, 8, 16 and 32 of ``WIDTHS`` channels.

    depth: how many of the seven stages to build; five give the first four maps, at a fifth of the weights.
    """

    def __init__(self, depth: int = len(STAGES)) -> None:
        super().__init__()
        self.stem = conv_bn(3, 32, 3, 2)
        stages, cin = [], 32
        for repeats, kernel, stride, expansion, cout in STAGES[:depth]:
            blocks = []
            for i in range(repeats):
                blocks.append(InvertedResidual(cin, cout, kernel, stride if i == 0 else 1, expansion))
                cin = cout
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x [B, 3, H, W] -> maps [B, C, H / s, W / s], the finest first."""
        assert_shape(("B", 3, "H", "W"), x=x)
        maps = []
        x = self.stem(x)
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in LEVELS:
                maps.append(x)
        return maps


def fold_norms(net: EfficientNetLite0) -> EfficientNetLite0:
    """Fold the norms into the convolutions before them, in place: the same function of fewer, faster layers."""
    for module in net.eval().modules():
        if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm2d):
            module[0] = fuse_conv_bn_eval(cast(nn.Conv2d, module[0]), module[1])
            module[1] = nn.Identity()
    return net
