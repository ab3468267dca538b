#!/usr/bin/env python3
"""Measure how the cost of a render grows with pixels, faces and length, and draw docs/speed.png.

Usage:

    python scripts/speed_plot.py [--seconds 0.4] [--draw docs/speed.png]

The clips are made of examples/portrait.mp4, resized or put side by side, so that all show the same face. Told is
processor time, of all cores together, which the load of the machine hardly changes; where a line is flat, the cost is
in proportion to frames, or faces.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from videdit.cli.bench import elsewhere
from videdit.evaluation.plot import Series, draw_plots
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.rendering.renderer import Renderer
from videdit.storage.outputs import written_whole

ROOT = Path(__file__).resolve().parents[1]
HEIGHTS = (360, 720, 1080, 2160)
TILE = (640, 360)  # px of one of four people
SIZE = 256  # px of the edited face, the same for all


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.4, help="length of the clips of pixels and of faces")
    parser.add_argument("--draw", type=Path, default=ROOT / "docs" / "speed.png")
    args = parser.parse_args()
    source = list(pictures(ROOT / "examples" / "portrait.mp4"))
    frames = round(args.seconds * 25)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; processor seconds, all cores together")
        bench(source[:4], lambda picture: picture)  # networks are compiled
        pixels, faces, length = [], [], []
        for height in HEIGHTS:
            size = (height * 16 // 9, height)
            spent, _ = bench(source[:frames], lambda picture, size=size: resized(picture, size))
            pixels.append((size[0] * size[1] / 1e6, spent / frames))
            print(f"{size[0]}x{height}: {spent / frames:.2f} a frame", flush=True)
        for count in (1, 2, 3, 4):
            spent, edited = bench(source[:frames], lambda picture, count=count: side_by_side(picture, count))
            faces.append((count, spent / max(edited, 1)))
            print(f"{count} faces at 1280x720: {spent / max(edited, 1):.2f} a face, {edited} edited", flush=True)
        for count in (frames, 2 * frames, 4 * frames):
            spent, _ = bench(source[:count], lambda picture: picture)
            length.append((count / 25, spent / count))
            print(f"{count} frames at 1280x720: {spent / count:.2f} a frame", flush=True)
        print(f"load {os.getloadavg()[0]:.1f}")
    draw(pixels, faces, length, args.draw)


Points = list[tuple[float, float]]


def draw(pixels: Points, faces: Points, length: Points, to: Path) -> None:
    """Three plots side by side, each from zero."""
    plots = [
        ("processor s a frame, by pixels", pixels, "million pixels a frame, one face"),
        ("processor s a face, by faces", faces, "faces in a frame of 1280x720"),
        ("processor s a frame, by length", length, "seconds of the clip, one face"),
    ]
    drawn = [draw_plots([(title, [series(points)])], words, from_zero=True) for title, points, words in plots]
    with written_whole(to) as file:
        file.write_bytes(cv2.imencode(".png", np.hstack(drawn)[:, :, ::-1])[1].tobytes())


def series(points: Points) -> Series:
    """Points of a plot."""
    x, y = np.array(points).T
    return Series("standard, 256 px", x, y)


class Bench:
    """Renders clips with networks that stay loaded."""

    def __init__(self, folder: Path) -> None:
        """folder: for clips and what becomes of them."""
        self.folder, self.renderer, self.count = folder, Renderer(), 0

    def __call__(self, source: list[np.ndarray], change: Callable[[np.ndarray], np.ndarray]) -> tuple[float, int]:
        """(processor seconds, faces edited) of a clip of changed pictures, the first look included."""
        self.count += 1
        clip = write(self.folder / f"{self.count}.mp4", map(change, source))
        words = {"input": str(clip), "edit": "smile", "size": SIZE, "faces": "all", "cache": False}
        (planned,) = make_plan([RenderJob.model_validate(words)]).clips
        begun = time.process_time()
        result = self.renderer.render(elsewhere(planned, self.folder / f"out{self.count}"))
        return time.process_time() - begun, result.faces


def pictures(clip: Path) -> Iterator[np.ndarray]:
    """All pictures of a clip, uint8 [H, W, 3] RGB."""
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture in another size (width, height)."""
    smaller = size[0] < picture.shape[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def side_by_side(picture: np.ndarray, count: int) -> np.ndarray:
    """Up to four small copies of a picture in one of 1280x720, the rest grey."""
    canvas, tile = np.full((2 * TILE[1], 2 * TILE[0], 3), 128, np.uint8), resized(picture, TILE)
    for i in range(count):
        top, left = i // 2 * TILE[1], i % 2 * TILE[0]
        canvas[top : top + TILE[1], left : left + TILE[0]] = tile
    return canvas


def write(path: Path, frames: Iterator[np.ndarray]) -> Path:
    """A clip of 25 pictures a second."""
    with av.open(str(path), "w") as container:
        stream = None
        for picture in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "16", "preset": "veryfast"})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        assert stream is not None
        container.mux(stream.encode())
    return path


if __name__ == "__main__":
    main()
