"""Face parsing: which pixel of an aligned crop is skin, hair, lips, glasses, ... or none of a face.

The first five stages of EfficientNet-Lite0 (strides 2 to 16), a context block that sees the whole face, and a light
top-down decoder (FPN, Lin et al., 2017) of separable convolutions to half the input's size.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.efficientnet_lite import WIDTHS, EfficientNetLite0, InvertedResidual, conv_bn

# CelebAMask-HQ's, in the order of its masks; left and right are the subject's.
CLASSES = (
    "background", "skin", "nose", "eyeglasses", "left_eye", "right_eye", "left_brow", "right_brow", "left_ear",
    "right_ear", "mouth", "upper_lip", "lower_lip", "hair", "hat", "earring", "necklace", "neck", "cloth",
)  # fmt: skip
MIRRORED = ((4, 5), (6, 7), (8, 9))  # classes that change places when a picture is flipped
# The 11 that nearly every face has: what a mean IoU is taken over. "mouth" is the mouth's interior.
COMMON = tuple(
    CLASSES.index(name)
    for name in (
        "skin", "nose", "left_eye", "right_eye", "left_brow", "right_brow", "mouth", "upper_lip", "lower_lip", "hair",
        "neck",
    )
)  # fmt: skip
INPUT_SIZE = 256
_TRUNK_STAGES = 5
_CONTEXT = 128
_DECODER = (96, 80, 64, 32)  # widths at strides 16, 8, 4, 2


class FaceParser(nn.Module):
    """Crops [B, 3, H, W] RGB in [-1, 1] -> logits [B, 19, H, W]; made for 256 px, sides are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0(_TRUNK_STAGES)
        taps = WIDTHS[3::-1]  # 112, 40, 24, 16: strides 16, 8, 4, 2
        self.context = nn.Sequential(
            InvertedResidual(taps[0], _CONTEXT, 5, 2, 3), InvertedResidual(_CONTEXT, _CONTEXT, 5, 1, 3)
        )
        self.scene = nn.Conv2d(_CONTEXT, _CONTEXT, 1)  # of the whole crop's average
        self.lateral = nn.ModuleList(conv_bn(tap, width, act=False) for tap, width in zip(taps, _DECODER, strict=True))
        above = (_CONTEXT, *_DECODER[:-1])
        self.carry = nn.ModuleList(conv_bn(a, width, act=False) for a, width in zip(above, _DECODER, strict=True))
        self.merge = nn.ModuleList(InvertedResidual(width, width, 3, 1, 2) for width in _DECODER)
        self.classify = nn.Conv2d(_DECODER[-1], len(CLASSES), 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        taps = self.trunk(x)[::-1]  # strides 16, 8, 4, 2
        y = self.context(taps[0])  # [B, 128, H / 32, W / 32]
        y = y + self.scene(y.mean((2, 3), keepdim=True))
        for tap, lateral, carry, merge in zip(taps, self.lateral, self.carry, self.merge, strict=True):
            # 1x1 before upsampling: the same result for a quarter of the work
            up = F.interpolate(carry(y), size=tap.shape[-2:], mode="bilinear", align_corners=False)
            y = merge(F.relu6(lateral(tap) + up))
        return F.interpolate(self.classify(y), size=size, mode="bilinear", align_corners=False)
