"""What every training recipe shares: the frozen generator, the log, and images on disk."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from videdit.models.mobile_stylegan import Mapping, Synthesis

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


def load_generator(device: str | torch.device = "cpu") -> tuple[Mapping, Synthesis]:
    """The embedded generator, frozen, in eval mode, float32."""
    mapping, synthesis = Mapping(), Synthesis()
    mapping.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS / "generator_mapping.safetensors").items()})
    state = {}
    for part in ("low", "high", "head256"):
        path = WEIGHTS / f"generator_{part}.safetensors"
        if path.exists() or part != "head256":  # the head is trained from here
            state.update(load_file(path))
    synthesis.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
    return (
        mapping.eval().requires_grad_(False).to(device),
        synthesis.eval().requires_grad_(False).to(device),
    )


class Log:
    """One JSON line an entry in out/log.jsonl, and the same on the screen."""

    def __init__(self, out: Path):
        out.mkdir(parents=True, exist_ok=True)
        self.path = out / "log.jsonl"
        self.start = time.monotonic()

    def write(self, **values: float) -> None:
        entry = {"seconds": round(time.monotonic() - self.start, 1), **{k: round(v, 5) for k, v in values.items()}}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        print(" ".join(f"{k}={v:g}" for k, v in entry.items()), flush=True)
