"""The 468-point face mesh of MediaPipe: a plain net of depthwise blocks (BlazeFace style), rebuilt in torch.

The weights are those of face_landmark.tflite (see weights/MODEL_CARD.md); scripts/convert_face_nets.py maps them.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models.shapes import assert_shape
from videdit.models.sizes import MESH_INPUT, MESH_POINTS


class Block(nn.Module):
    """Depthwise 3x3, pointwise 1x1, added to the input; ``down`` halves the size and may widen the channels."""

    def __init__(self, c_in: int, c_out: int, down: bool = False) -> None:
        """c_in, c_out: channels in and out; c_out is not less than c_in."""
        super().__init__()
        self.down = down
        self.widen = c_out - c_in
        self.depthwise = nn.Conv2d(c_in, c_in, 3, stride=2 if down else 1, padding=0 if down else 1, groups=c_in)
        self.pointwise = nn.Conv2d(c_in, c_out, 1)
        self.act = nn.PReLU(c_out)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, c_in, H, W] -> [N, c_out, H, W] (or H/2, W/2)."""
        y = x
        if self.down:
            y = F.pad(x, (0, 1, 0, 1))  # TensorFlow's SAME at stride 2 pads right and below only
            x = F.max_pool2d(x, 2)
        if self.widen:
            x = F.pad(x, (0, 0, 0, 0, 0, self.widen))
        return self.act(x + self.pointwise(self.depthwise(y)))


def _squeeze(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, 1), nn.PReLU(c_out)]


class FaceMesh(nn.Module):
    """Dense landmarks of the one face that fills the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)
        self.act = nn.PReLU(16)
        blocks: list[nn.Module] = [Block(16, 16), Block(16, 16)]
        for c_in, c_out in ((16, 32), (32, 64), (64, 128), (128, 128)):  # 96 px -> 48 -> 24 -> 12 -> 6
            blocks += [Block(c_in, c_out, down=True), Block(c_out, c_out), Block(c_out, c_out)]
        self.trunk = nn.Sequential(*blocks)
        self.presence = nn.Sequential(
            Block(128, 128, down=True), *_squeeze(128, 32), Block(32, 32), nn.Conv2d(32, 1, 3)
        )
        self.points = nn.Sequential(
            Block(128, 128, down=True),
            Block(128, 128),
            Block(128, 128),
            *_squeeze(128, 32),
            Block(32, 32),
            nn.Conv2d(32, 3 * MESH_POINTS, 3),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [N, 3, 192, 192] RGB in [-1, 1] -> points [N, 468, 3], presence [N].

        Points are (x, y, z) in pixels of the input, pixel centres at +0.5; z grows away from the camera, in the same
        unit. Presence is the probability, 0..1, that there is a face.
        """
        assert_shape(("N", 3, MESH_INPUT, MESH_INPUT), x=x)
        x = F.pad(x * 0.5 + 0.5, (0, 1, 0, 1))  # the net was trained on [0, 1]
        x = self.trunk(self.act(self.stem(x)))  # [N, 128, 6, 6]
        points = self.points(x).reshape(-1, MESH_POINTS, 3)
        return points, self.presence(x).reshape(-1).sigmoid()
