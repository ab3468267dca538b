#!/usr/bin/env python3
"""How long a page of the studio waits: opens a clip as a browser does, and prints a table.

Usage:

    python scripts/bench_studio.py [CLIP] [--size 256] [--rounds 5] [--drafts]

CLIP is examples/portrait.mp4 by default. Times are seconds as a page sees them, from request to the last byte: the
least, the median and the most. The load of the machine is printed with them, and where the system tells it the CPU
seconds that the studio spent, which the load does not change. With Playwright and a Chromium a slider is then dragged
on the page itself, and each part of the way from the hand to the screen is told.
"""

from __future__ import annotations

import argparse
import contextlib
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
    parser.add_argument("--drafts", action="store_true", help="leave out exact frames, each of which is a short render")
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
                ask(client, studio.pid, f"0/{clip.name}", args.size, args.rounds, not args.drafts)
            with contextlib.suppress(ImportError):
                drag(f"{address}/?token={token}#0%2F{clip.name}", studio.pid, args.rounds)
        finally:
            studio.terminate()


def ask(client: httpx.Client, pid: int, clip: str, size: int, rounds: int, exact: bool) -> None:
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

    def measured(what: str, work: Callable[[int], object], rounds: int) -> None:
        taken, before = [], cpu(pid)
        for i in range(rounds):
            begun = time.perf_counter()
            work(i)
            taken.append(time.perf_counter() - begun)
        tell(what, taken, None if before is None else ((cpu(pid) or 0) - before) / rounds)

    print(f"smile at {size} px, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':40} {'least':>7} {'median':>7} {'most':>7} {'CPU':>7}")
    measured("open the clip", lambda _: client.get("clip", params={"clip": clip}).raise_for_status(), 1)
    measured("a frame", lambda i: frame(1 + 0.04 * i), rounds)
    measured("the first draft of all (networks load)", lambda _: preview(1.0, 1.0, "draft"), 1)
    measured("a draft of another frame", lambda i: preview(1.0, 1.2 + 0.2 * i, "draft"), rounds)
    measured("a draft while the slider moves", lambda i: preview(1.1 + 0.1 * i, 1.0, "draft"), rounds)
    if not exact:
        return
    measured("the first exact frame of all", lambda _: preview(1.0, 1.0, "exact"), 1)
    measured("an exact frame at another strength", lambda i: preview(1.1 + 0.1 * i, 1.0, "exact"), max(1, rounds // 2))
    measured("an exact frame that was made before", lambda _: preview(1.0, 1.0, "exact"), rounds)


def drag(address: str, pid: int, rounds: int) -> None:
    """Drag a slider of the page, and tell each part of the way to the screen. Raises ImportError: no Playwright."""
    from playwright.sync_api import sync_playwright

    browser_file = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser_file is None:
        return
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(1_800_000)
        page.goto(address)
        page.wait_for_selector(".person")
        slider = page.locator("input[type=range][aria-label^='smile:']")
        box = slider.bounding_box()
        assert box is not None
        count = "performance.getEntriesByName('draft').length"
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
        page.mouse.down()
        before, made, step = cpu(pid), 0, 0
        while made < rounds + 2:  # the first ones are of another frame
            step += 1
            page.mouse.move(box["x"] + box["width"] * (0.5 + 0.002 * step), box["y"] + box["height"] / 2)
            page.wait_for_timeout(50)
            if made < 2 <= page.evaluate(count):
                before = cpu(pid)
            made = page.evaluate(count)
        spent = None if before is None else ((cpu(pid) or 0) - before) / (made - 2)
        page.mouse.up()
        found = page.evaluate(
            "performance.getEntriesByName('draft').slice(2).map((m) => ({all: m.duration, ...m.detail}))"
        )
        browser.close()
    print("a slider dragged on the page: of each draft")
    tell("  from the request to the screen", [each["all"] / 1000 for each in found], spent)
    for name in ("edit", "encode", "all"):
        parts = [float(re.search(rf"\b{name};dur=([\d.]+)", each["server"])[1]) / 1000 for each in found]  # type: ignore[index]
        tell(f"  in the studio: {name}", parts)
    tell("  waiting for the answer", [each["answer"] / 1000 for each in found])
    tell("  reading it", [each["read"] / 1000 for each in found])
    tell("  decoding the picture", [each["decode"] / 1000 for each in found])
    rest = [(each["all"] - each["answer"] - each["read"] - each["decode"]) / 1000 for each in found]
    tell("  painting it", rest)
    print(f"  {statistics.median(each['bytes'] for each in found) / 1000:.0f} kB each")


def tell(what: str, taken: list[float], spent: float | None = None) -> None:
    """Print how long something took, in seconds."""
    words = f"{min(taken):7.3f} {statistics.median(taken):7.3f} {max(taken):7.3f}"
    print(f"{what:40} {words}" + ("" if spent is None else f" {spent:7.3f}"), flush=True)


def cpu(pid: int) -> float | None:
    """CPU seconds that a process has spent so far; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
