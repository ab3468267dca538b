"""Train HFGI for faces, to the paper's letter: see :mod:`videdit.training.hfgi_released`."""

from __future__ import annotations

from videdit.training import hfgi_released
from videdit.training.hfgi_released import Recipe

__all__ = ["Recipe", "Training"]


class Training(hfgi_released.Training):
    """Faces [256, 256], 18 codes, StyleGAN2 FFHQ 1024; identity by ArcFace."""

    file = "hfgi_ffhq.safetensors"
