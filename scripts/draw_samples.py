"""Draw people who do not exist, aligned as FFHQ's are: what docs/paper.md shows.

python scripts/draw_samples.py 4 runs/samples [--seed 21]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import torch

from videdit.hfgi.loader import load_generator
from videdit.hfgi.population import sample_codes


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, help="people")
    parser.add_argument("folder", type=Path, help="where 00.png, 01.png, ... go, 512 px")
    parser.add_argument("--seed", type=int, default=21, help="of their codes (%(default)s)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    _, generator = load_generator()
    codes = torch.from_numpy(sample_codes(options.count, options.seed))[:, None].expand(-1, generator.num_layers, -1)
    for i, code in enumerate(codes):
        with torch.inference_mode():
            image = generator(code[None], size=512)[0].permute(1, 2, 0).clamp(-1, 1).numpy()
        cv2.imwrite(str(options.folder / f"{i:02}.png"), (image[:, :, ::-1] * 127.5 + 127.5).round().astype("uint8"))


if __name__ == "__main__":
    main()
