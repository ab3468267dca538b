"""A perceptual distance on EfficientNet-Lite0's features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.efficientnet_lite import EfficientNetLite0


class PerceptualFeatures(nn.Module):
    """Frozen features: NCHW RGB in [-1, 1] of any size -> five maps at strides 2 to 32."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        """state: of ``videdit.weights.judges.load_judge("efficientnet_lite0")``."""
        super().__init__()
        self.net = EfficientNetLite0()
        self.net.load_state_dict(state, strict=False)  # batch counters are not stored
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> PerceptualFeatures:
        """Stays in evaluation, whatever `mode`."""
        return super().train(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x [B, 3, H, W] in [-1, 1] -> five maps, finest first; float32 under autocast too."""
        with torch.autocast(x.device.type, enabled=False):
            return self.net(x.float())

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Perceptual distance of two batches, [B]: 0 for equal pictures, comparable across sizes near 256 px."""
        return feature_distance(self(a), self(b))


def feature_distance(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """Mean over levels of the squared distance between features of unit length along channels, [B], in 0..4."""
    levels = [
        (F.normalize(x, dim=1) - F.normalize(y, dim=1)).square().sum(1).mean((1, 2)) for x, y in zip(a, b, strict=True)
    ]
    return torch.stack(levels).mean(0)
