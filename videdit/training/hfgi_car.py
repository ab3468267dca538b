"""Train HFGI for cars, to the paper's letter: see :mod:`videdit.training.hfgi_released`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from videdit.models.resnet import ResNet50
from videdit.training import hfgi_released


@dataclass
class Recipe(hfgi_released.Recipe):
    """configs/train/hfgi_car.yaml."""

    identity: float = 0.5
    pack: str = "cars192.npy"


class Training(hfgi_released.Training):
    """Cars [192, 256], 16 codes, StyleGAN2 LSUN car 512, of whose rows 64 to 448 show something; identity by MoCo's
    ResNet-50."""

    file = "hfgi_car.safetensors"
    height = 192

    @staticmethod
    def recogniser_of() -> nn.Module:
        """MoCo's ResNet-50, still without weights."""
        return ResNet50()
