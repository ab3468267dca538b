"""The golden numbers of narrow networks in the published layout: tests/golden/published.npz.

    python scripts/make_published_golden.py

Run it only while the whole networks are at parity with the published ones (tests/golden/test_published.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "golden")]

import published  # noqa: E402
import test_published  # noqa: E402


def main() -> None:
    """Write tests/golden/published.npz."""
    state = published.checkpoint()["state_dict"]
    random = np.random.default_rng(0)
    ramp = np.linspace(-0.8, 0.8, 8, dtype=np.float32)
    x = np.kron(random.uniform(-0.5, 0.5, (1, 3, 8, 8)), np.ones((32, 32))) + np.kron(ramp, np.ones(32)) * 0.3
    given = {
        "x": x.astype(np.float16),
        "z": random.standard_normal((1, 512)).astype(np.float32),
        "w_delta": (0.2 * random.standard_normal((1, 18, 512))).astype(np.float16),
    }
    tensors = {name: torch.from_numpy(value.astype(np.float32)) for name, value in given.items()}
    with torch.inference_mode():
        found = test_published.chain(test_published.networks_of(state, published.NARROW, narrow=True), tensors)
    small = {name: (v if v.dim() < 4 else F.adaptive_avg_pool2d(v, 8)).numpy() for name, v in found.items()}
    np.savez_compressed(ROOT / "tests" / "golden" / "published.npz", **given, **small)
    print({name: (value.shape, float(value.std())) for name, value in small.items()})


if __name__ == "__main__":
    main()
