"""The judges: frozen networks that score aligned faces. Differentiable, so that they can also train.

All take NCHW float RGB in [-1, 1], FFHQ-aligned crops (:mod:`videdit.geometry.ffhq_align`) of any size, compute in
float32 and keep their weights fixed. ``videdit weights fetch judges`` puts the weights into :func:`judges_dir`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.evaluation import judge_networks
from videdit.weights.judges import load_judge

EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
FACE_API_MEAN = (122.782, 117.001, 104.298)  # RGB


class Judge(nn.Module):
    """A frozen network that looks at a square of the aligned crop.

    The crop is resized to ``whole`` pixels and a square of ``size`` cut out of it, its corner at ``corner`` (x, y): the
    same part of the face at any size of crop.
    """

    whole: int
    size: int
    corner: tuple[int, int]

    def __init__(self, net: nn.Module, name: str) -> None:
        """net: made for this judge's weights. name: of their file, see :func:`videdit.weights.judges.load_judge`."""
        super().__init__()
        self.net = net
        self.net.load_state_dict(load_judge(name))
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Judge:
        """Stays in evaluation, whatever `mode`: a judge that is part of a training does not learn."""
        return super().train(False)  # a judge does not learn

    def cut(self, x: Tensor) -> Tensor:
        """[B, 3, S, S] -> [B, 3, size, size] float32, antialiased, pixel centres at +0.5 (align_corners=False)."""
        x = F.interpolate(x.float(), (self.whole, self.whole), mode="bilinear", align_corners=False, antialias=True)
        left, top = self.corner
        return x[:, :, top : top + self.size, left : left + self.size]


class FaceRes(Judge):
    """Identity, age and gender. {"embedding": [B, 1024] unit norm, "age": [B] years, "female": [B] 0..1}."""

    whole, size, corner = 288, 224, (32, 40)

    def __init__(self) -> None:
        super().__init__(judge_networks.FaceResNet(), "faceres")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """x [B, 3, S, S] in [-1, 1] -> the dict above, float32."""
        with torch.autocast(x.device.type, enabled=False):
            mean = torch.tensor(IMAGENET_MEAN_BGR, device=x.device).view(1, 3, 1, 1)
            features, age, man = self.net((self.cut(x).flip(1) + 1) * 127.5 - mean)
        years = torch.arange(100, device=x.device, dtype=torch.float32)
        return {
            "embedding": F.normalize(features, dim=1),
            "age": age.softmax(1) @ years,
            "female": torch.sigmoid(-man),
        }


class MobileFace(Judge):
    """Identity: [B, 256] unit norm."""

    whole, size, corner = 152, 112, (20, 20)

    def __init__(self) -> None:
        super().__init__(judge_networks.MobileFaceNet(), "mobileface")

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, S, S] in [-1, 1] -> [B, 256] float32; a cosine of two is how alike two people are."""
        with torch.autocast(x.device.type, enabled=False):
            return F.normalize(self.net(self.cut(x)), dim=1)


class ExpressionJudge(Judge):
    """Seven expressions, logits [B, 7] in the order of ``EXPRESSIONS``."""

    whole, size, corner = 160, 112, (24, 36)

    def __init__(self) -> None:
        super().__init__(judge_networks.ExpressionNet(), "expression")

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, S, S] in [-1, 1] -> [B, 7] float32, before any softmax."""
        with torch.autocast(x.device.type, enabled=False):
            return self.net(face_api_input(self.cut(x)))

    def happy(self, x: Tensor) -> Tensor:
        """The smile score: probability of "happy", [B]."""
        return self(x).softmax(1)[:, EXPRESSIONS.index("happy")]


class AgeGender(Judge):
    """A second opinion on age and gender. {"age": [B] years, "female": [B] 0..1}."""

    whole, size, corner = 168, 112, (28, 44)

    def __init__(self) -> None:
        super().__init__(judge_networks.AgeGenderNet(), "age_gender")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """x [B, 3, S, S] in [-1, 1] -> the dict above, float32."""
        with torch.autocast(x.device.type, enabled=False):
            age, gender = self.net(face_api_input(self.cut(x)))
        return {"age": age, "female": gender.softmax(1)[:, 1]}


def face_api_input(x: Tensor) -> Tensor:
    """[-1, 1] -> (0..255 minus the mean) / 255."""
    mean = torch.tensor(FACE_API_MEAN, device=x.device).view(1, 3, 1, 1)
    return ((x + 1) * 127.5 - mean) / 255
