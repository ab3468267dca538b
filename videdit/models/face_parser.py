"""Face parsing: which pixel of an aligned crop is skin, hair, lips, glasses, ... or none of a face.

The first five stages of EfficientNet-Lite0 (strides 2 to 16), their norms folded in, a context block that sees the
whole face, and a light top-down decoder (FPN, Lin et al., 2017) to stride 4, whose head gives four pixels each; these
are refined beside the picture itself, for eyes and brows are a few pixels high.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.efficientnet_lite import WIDTHS, EfficientNetLite0, fold_norms
from videdit.models.face_parts import CLASSES, PARTS
from videdit.models.shapes import assert_shape

_TRUNK_STAGES = 5
_CONTEXT = 128
_REFINE = 32
_CALM = 0.1  # brings the trunk's features to about unit size
_DECODER = (96, 80, 64)  # widths at strides 16, 8, 4


class FaceParser(nn.Module):
    """Crops [B, 3, H, W] RGB in [-1, 1] -> logits [B, 19, H, W]; made for 256 px, sides are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = fold_norms(EfficientNetLite0(_TRUNK_STAGES))
        fine, *coarse = WIDTHS[:4]  # 16, then 24, 40, 112
        taps = (coarse[2], coarse[1], coarse[0] + 4 * fine)  # strides 16, 8, 4
        self.context = nn.Sequential(
            nn.Conv2d(taps[0], _CONTEXT, 3, 2, 1), nn.ReLU(), nn.Conv2d(_CONTEXT, _CONTEXT, 3, 1, 1), nn.ReLU()
        )
        self.scene = nn.Conv2d(_CONTEXT, _CONTEXT, 1)  # of the whole crop's average
        above = (_CONTEXT, *_DECODER[:-1])
        self.lateral = nn.ModuleList(nn.Conv2d(tap, width, 1) for tap, width in zip(taps, _DECODER, strict=True))
        self.carry = nn.ModuleList(nn.Conv2d(a, width, 1) for a, width in zip(above, _DECODER, strict=True))
        self.merge = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in _DECODER)
        self.classify = nn.Conv2d(_DECODER[-1], 4 * len(CLASSES), 1)
        self.refine = nn.Sequential(
            nn.Conv2d(len(CLASSES) + fine + 12, _REFINE, 3, padding=1), nn.ReLU(),
            nn.Conv2d(_REFINE, _REFINE, 3, padding=1), nn.ReLU(),
            nn.Conv2d(_REFINE, len(CLASSES), 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W] -> logits [B, 19, H, W] in the order of CLASSES, enlarged from half the size."""
        return F.interpolate(self.coarse(x), size=x.shape[-2:], mode="bilinear", align_corners=False)

    def coarse(self, x: Tensor) -> Tensor:
        """Logits at half the size, [B, 19, H / 2, W / 2]: what the network says before they are enlarged."""
        assert_shape(("B", 3, "H", "W"), x=x)
        fine, at4, at8, at16 = (_CALM * tap for tap in self.trunk(x))
        at4 = torch.cat((at4, F.pixel_unshuffle(fine, 2)), 1)  # thin things show at stride 2
        y = self.context(at16)  # [B, 128, H / 32, W / 32]
        y = y + self.scene(y.mean((2, 3), keepdim=True))
        for tap, lateral, carry, merge in zip((at16, at8, at4), self.lateral, self.carry, self.merge, strict=True):
            # 1x1 before enlarging: the same result for a quarter of the work
            up = F.interpolate(carry(y), size=tap.shape[-2:], mode="bilinear", align_corners=False)
            y = F.relu(lateral(tap) + up)
            y = F.relu(y + merge(y))
        logits = F.pixel_shuffle(self.classify(y), 2)  # [B, 19, H / 2, W / 2]
        return logits + self.refine(torch.cat((_CALM * logits, fine, F.pixel_unshuffle(x, 2)), 1))


class PartParser(nn.Module):
    """Crops [N, 3, 256, 256] in [-1, 1] -> how likely each of PARTS is at each place, [N, 9, 128, 128]."""

    sums: Tensor

    def __init__(self, net: FaceParser) -> None:
        """net: trained; its classes are added up to parts."""
        super().__init__()
        self.net = net
        sums = torch.tensor([[float(name in names) for name in CLASSES] for names in PARTS.values()])
        self.register_buffer("sums", sums[:, :, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, 3, 256, 256] -> [N, 9, 128, 128] in 0..1, nine numbers a place that add up to 1."""
        assert_shape(("N", 3, 256, 256), x=x)
        return nn.functional.conv2d(self.net.coarse(x).softmax(1), self.sums)
