"""Codes as the generator's population has them."""

from __future__ import annotations

import numpy as np
import torch

from videdit.hfgi.loader import load_generator


def sample_codes(count: int, seed: int) -> np.ndarray:
    """Codes [count, 512] of the generator's population, truncated by a psi between 0.5 and 1."""
    mapping, _ = load_generator()
    rng = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        w = mapping(torch.randn(count, 512, generator=rng))
        mean = mapping(torch.randn(4096, 512, generator=rng)).mean(0)
        psi = 0.5 + 0.5 * torch.rand(count, 1, generator=rng)
        return (mean + psi * (w - mean)).numpy()
