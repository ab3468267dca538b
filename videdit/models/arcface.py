"""ArcFace's IR-SE50 recogniser (Deng et al., CVPR 2019), whose embeddings say who a face is: HFGI's identity of faces.

Attributes are called as in the file that pSp, e4e and HFGI train with (model_ir_se50.pth).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.e4e import UNITS, Bottleneck
from videdit.models.shapes import assert_shape

WIDTHS = (64, 64, 128, 256, 512)
FACE = (slice(35, 223), slice(32, 220))  # rows and columns of an aligned picture of 256 px that show the face
SIZE = 112


class ArcFace(nn.Module):
    """Aligned pictures [B, 3, 256, 256] RGB in [-1, 1] -> embeddings [B, 512] of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.PReLU(WIDTHS[0])
        )
        units = [
            Bottleneck(width if i else before, width, 1 if i else 2, width // 16)
            for before, width, count in zip(WIDTHS, WIDTHS[1:], UNITS, strict=False)
            for i in range(count)
        ]
        self.body = nn.Sequential(*units)
        flat = WIDTHS[-1] * (SIZE // 16) ** 2
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(WIDTHS[-1]), nn.Dropout(0.6), nn.Flatten(), nn.Linear(flat, 512), nn.BatchNorm1d(512)
        )

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, 256, 256] in [-1, 1]: of it the rows and columns FACE are seen, averaged to 112 px."""
        assert_shape(("B", 3, 256, 256), x=x)
        x = F.adaptive_avg_pool2d(x[:, :, FACE[0], FACE[1]], SIZE)
        return F.normalize(self.output_layer(self.body(self.input_layer(x))), dim=1)
