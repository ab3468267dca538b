"""Render tests/data/faces.jpg: two people who do not exist, 256 px each, side by side, from the embedded generator.

python scripts/make_test_faces.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from videdit.models.mobile_stylegan import NUM_LAYERS, Mapping, Synthesis
from videdit.weights import load_state

SEEDS = (3, 6)
OUT = Path(__file__).resolve().parent.parent / "tests/data/faces.jpg"


@torch.inference_mode()
def main() -> None:
    """Write the faces that tests are run on."""
    mapping, synthesis = Mapping().eval(), Synthesis().eval()
    mapping.load_state_dict(load_state("generator_mapping"))
    names = ("generator_low", "generator_high", "generator_head256")
    synthesis.load_state_dict({k: v for name in names for k, v in load_state(name).items()})
    mean = mapping(torch.randn(4096, 512, generator=torch.Generator().manual_seed(0))).mean(0)
    noise = torch.cat([torch.randn(1, 512, generator=torch.Generator().manual_seed(seed)) for seed in SEEDS])
    codes = mean + 0.7 * (mapping(noise) - mean)
    images = synthesis(codes[:, None].expand(-1, NUM_LAYERS, -1), size=512)
    row = np.concatenate(list(images.permute(0, 2, 3, 1).numpy()), axis=1)  # [512, 1024, 3] in [-1, 1]
    rgb = np.clip(row * 127.5 + 127.5, 0, 255).round().astype(np.uint8)
    rgb = cv2.resize(rgb, (256 * len(SEEDS), 256), interpolation=cv2.INTER_AREA)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(OUT), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    main()
