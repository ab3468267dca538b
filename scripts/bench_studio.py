#!/usr/bin/env python3
"""How long a page of the studio waits: opens a clip as a browser does, and prints a table.

Usage:

    python scripts/bench_studio.py [CLIP] [--size 256] [--rounds 5]

CLIP is examples/portrait.mp4 by default. Times are seconds as a page sees them, from request to the last byte: the
least, the median and the most. The load of the machine is printed with them.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Start a studio, ask, print, and end it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", type=Path, default=ROOT / "examples" / "portrait.mp4")
    parser.add_argument("--size", type=int, default=256, help="pixels at which a face is rendered")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(shutil.copy(args.clip, folder))
        words = ["studio", str(clip), "--no-browser", "--port", "0", "--state", f"{folder}/state"]
        studio = subprocess.Popen([sys.executable, "-m", "videdit", *words], stdout=subprocess.PIPE, text=True)
        try:
            assert studio.stdout is not None
            address, token = re.search(r"(http://\S+)/\?token=(\S+)", studio.stdout.readline()).groups()  # type: ignore[union-attr]
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=f"{address}/api/", headers=headers, timeout=1800) as client:
                ask(client, f"0/{clip.name}", args.size, args.rounds)
        finally:
            studio.terminate()


def ask(client: httpx.Client, clip: str, size: int, rounds: int) -> None:
    """Everything a page asks for while an edit is chosen."""

    def preview(strength: float, at: float, tier: str) -> None:
        document = {
            "targets": [{"who": "largest", "edits": {"smile": {"strength": strength}}}],
            "settings": {"size": size},
        }
        words = {"clip": clip, "document": document, "time": at, "tier": tier, "viewer": "bench"}
        client.post("preview", json=words | ({"side": 960} if tier == "draft" else {})).raise_for_status()

    def frame(at: float) -> None:
        client.get("frame", params={"clip": clip, "time": at, "side": 960}).raise_for_status()

    print(f"smile at {size} px, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    tell("open the clip", lambda _: client.get("clip", params={"clip": clip}).raise_for_status(), 1)
    tell("a frame", lambda i: frame(1 + 0.04 * i), rounds)
    tell("the first draft of all (networks load)", lambda _: preview(1.0, 1.0, "draft"), 1)
    tell("a draft of another frame", lambda i: preview(1.0, 1.2 + 0.2 * i, "draft"), rounds)
    tell("a draft while the slider moves", lambda i: preview(1.1 + 0.1 * i, 1.0, "draft"), rounds)
    tell("the first exact frame of all", lambda _: preview(1.0, 1.0, "exact"), 1)
    tell("an exact frame at another strength", lambda i: preview(1.1 + 0.1 * i, 1.0, "exact"), max(1, rounds // 2))
    tell("an exact frame that was made before", lambda _: preview(1.0, 1.0, "exact"), rounds)


def tell(what: str, work: Callable[[int], object], rounds: int) -> None:
    """Do it so often, and print how long it took."""
    taken = []
    for i in range(rounds):
        begun = time.perf_counter()
        work(i)
        taken.append(time.perf_counter() - begun)
    spread = f"{min(taken):7.2f} {statistics.median(taken):7.2f} {max(taken):7.2f}"
    print(f"{what:40} {spread}", flush=True)


if __name__ == "__main__":
    main()
