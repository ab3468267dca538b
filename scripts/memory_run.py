"""Does a long clip need more memory than a short one? `python scripts/memory_run.py` renders both and compares peaks.

Each is a moving background with one face at its beginning, rendered by the command in a process of its own; what counts
is the most that the process had resident. A small --memory makes both fill their queues at once, so that their length
is what is compared.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def make(path: Path, frames: int, faces: int, width: int, height: int) -> None:
    """A clip of `frames` frames, 25 a second; in the first `faces` one of the faces of the tests drifts by."""
    face = cv2.imread(str(ROOT / "tests" / "data" / "faces.jpg"))[:, :256, ::-1]
    side = round(0.8 * height)
    face = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[: 2 * height, : 2 * width].astype(np.float32)
    waves = [60 + 40 * np.sin(x / 37 + i) + 30 * np.cos(y / 23 - i) for i in range(3)]
    scene = np.stack(waves, -1).astype(np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "18"})
        assert isinstance(stream, av.video.stream.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(frames):
            left, top = i // 2 % width, i // 3 % height
            picture = scene[top : top + height, left : left + width].copy()
            if i < faces:
                corner = (width - side) // 2 + i // 4
                picture[(height - side) // 2 :][:side, corner : corner + side] = face
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(stream.encode(frame.reformat(format="yuv420p")))
        out.mux(stream.encode(None))


def peak(source: Path, output: Path, memory: str) -> tuple[int, float]:
    """(most bytes that rendering had resident, seconds it took)"""
    words = [sys.executable, ROOT / "run_video.py", source, "-o", output, "--edit", "smile", "--preset", "ultrafast"]
    start = time.monotonic()
    process = subprocess.Popen([*map(str, words), "--memory", memory, "--overwrite", "--progress", "none"])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"rendering {source} failed")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), time.monotonic() - start


def main() -> int:
    """Render a short and a long clip and compare their peaks of memory; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs=2, default=(500, 10000), metavar=("SHORT", "LONG"))
    parser.add_argument("--faces", type=int, default=50, help="frames with a face")
    parser.add_argument("--size", type=int, nargs=2, default=(320, 180), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--memory", default="16M", help="as of the command")
    words = parser.parse_args()
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for frames in words.frames:
            source = Path(folder, f"{frames}.mp4")
            make(source, frames, words.faces, *words.size)
            most, seconds = peak(source, Path(folder, f"{frames}_out.mp4"), words.memory)
            peaks.append(most)
            print(f"{frames} frames: peak {most / 2**20:.0f} MiB, {seconds:.0f} s", flush=True)
    growth = peaks[1] / peaks[0] - 1
    print(f"the long clip needs {growth:+.1%} of the short one's memory")
    return 0 if growth < 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
