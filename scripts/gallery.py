"""Render every edit on every clip, and lay the results side by side for eyes to judge.

    python scripts/gallery.py CLIPS... --out runs/gallery                 # all edits that ship, one second of each clip
    python scripts/gallery.py CLIPS... --edit smile --edit age=-8 --method student

For each clip it writes one sheet an edit (rows: source and edit; columns: moments of the clip, cut to the face), a
slice through time beside it (one line of pixels of each frame, stacked: flicker shows as stripes), and ``index.html``
to leaf through them. ``figures.json`` has, for each, how much fine detail is left where the picture changed: 1 is as
sharp as the source.
"""

from __future__ import annotations

import argparse
import html
import json
import sys
from pathlib import Path

import cv2
import numpy as np

from videdit import edit_video
from videdit.edits.catalogue import shipped
from videdit.errors import VideditError
from videdit.evaluation.sheet import contact_sheet, write_sheet
from videdit.media.color import picture_to_rgb
from videdit.media.decode.read import VideoReader
from videdit.media.probe import probe

TILE = 320  # pixels of a moment on a sheet
MOMENTS = 5
NOISE = 6  # code values of 255 that an encoder may add; beyond them a pixel has changed
LINES = (0.42, 0.62)  # of the cut's height: eyes and mouth


def main(argv: list[str] | None = None) -> int:
    """Render the edits on the clips and write sheets, slices and a page; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--edit", action="append", help="e.g. smile or age=-8; default: all, both ways")
    parser.add_argument("--out", type=Path, default=Path("runs/gallery"), help="folder (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each clip (default: %(default)s)")
    parser.add_argument("--method", default="auto", help="auto, student or hfgi")
    args = parser.parse_args(argv)
    figures: dict[str, dict[str, float]] = {}
    for clip in args.clips:
        for edit in args.edit or every_edit():
            name = f"{clip.stem}__{edit.replace('=', '')}"
            target = args.out / "clips" / f"{name}.mp4"
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                edit_video(clip, target, edit=edit, end=args.seconds, crf=8, method=args.method, overwrite=True)
                figures[name] = compare(clip, target, args.out / name)
            except VideditError as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            print(name, figures[name], flush=True)
            (args.out / "figures.json").write_text(json.dumps(figures, indent=1))
            (args.out / "index.html").write_text(page(list(figures), figures), encoding="utf-8")
    return 0 if figures else 1


def every_edit() -> list[str]:
    """Every edit that ships at its recommended strength, and at the lower end of its range."""
    return [words for name, info in shipped().items() for words in (name, f"{name}={info.range[0]:g}")]


def compare(source: Path, edited: Path, out: Path) -> dict[str, float]:
    """Write OUT.png and OUT_slices.png of a clip and its edit; the share of fine detail that is left, by median."""
    after = frames(edited)
    before = frames(source, len(after))
    masks = [changed(*pair) for pair in zip(before, after, strict=True)]
    left, top, side = box(masks)
    moments = np.linspace(0, len(after) - 1, MOMENTS).round().astype(int)
    rows = [[cut(clip[i], left, top, side) for i in moments] for clip in (before, after)]
    sheet = contact_sheet(rows, [f"frame {i}" for i in moments], TILE)
    write_sheet(out.with_name(f"{out.name}.png"), sheet)
    slices = [
        np.vstack([cut(frame, left, top, side)[int(TILE * share)][None].repeat(3, 0) for frame in clip])
        for share in LINES
        for clip in (before, after)
    ]
    write_sheet(out.with_name(f"{out.name}_slices.png"), np.hstack(slices))
    kept = [
        float(np.sqrt(fine(b)[mask].mean() / max(fine(a)[mask].mean(), 1e-6)))
        for a, b, mask in zip(before, after, masks, strict=True)
        if mask.sum() > 200
    ]
    share = float(np.mean([mask.mean() for mask in masks]))
    return {"changed": round(share, 4), "detail": round(float(np.median(kept or [1.0])), 3)}


def frames(path: Path, count: int | None = None) -> list[np.ndarray]:
    """The first frames of a clip, [H, W, 3] uint8 RGB."""
    with VideoReader(probe(path)) as reader:
        return [picture_to_rgb(frame.picture) for frame, _ in zip(reader, range(count or 10**6), strict=False)]


def changed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two pictures differ by more than an encoder's noise, bool [H, W]."""
    difference = cv2.GaussianBlur(cv2.absdiff(one, other).max(-1), (0, 0), 2)
    return cv2.morphologyEx(difference, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > NOISE


def fine(image: np.ndarray) -> np.ndarray:
    """Energy of what is finer than about three pixels, [H, W]."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.square(grey - cv2.GaussianBlur(grey, (0, 0), 1.2))


def box(masks: list[np.ndarray]) -> tuple[int, int, int]:
    """A square around all that changed, with room around it: left, top, side."""
    ys, xs = np.nonzero(np.logical_or.reduce(masks))
    height, width = masks[0].shape
    if not len(xs):
        return (width - min(height, width)) // 2, (height - min(height, width)) // 2, min(height, width)
    (x0, x1), (y0, y1) = np.percentile(xs, (1, 99)), np.percentile(ys, (1, 99))
    side = int(1.6 * max(x1 - x0, y1 - y0, 64))
    return int((x0 + x1 - side) / 2), int((y0 + y1 - side) / 2), side


def cut(image: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A square of a picture at the size of a tile; beyond the picture its border goes on."""
    scale = TILE / side
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(image, matrix, (TILE, TILE), flags=how, borderMode=cv2.BORDER_REPLICATE)


def page(names: list[str], figures: dict[str, dict[str, float]]) -> str:
    """The page to leaf through: plain HTML, nothing from elsewhere."""
    parts = [
        f"<h2>{html.escape(name)}</h2><p>{html.escape(json.dumps(figures[name]))}</p>"
        f'<img src="{html.escape(name)}.png" loading="lazy"><br>'
        f'<img src="{html.escape(name)}_slices.png" loading="lazy">'
        f'<br><video src="clips/{html.escape(name)}.mp4" controls loop muted width="640"></video>'
        for name in names
    ]
    style = "body{background:#222;color:#ddd;font:14px sans-serif;margin:2em}img,video{max-width:100%}"
    return f'<!doctype html><meta charset="utf-8"><title>gallery</title><style>{style}</style>{"".join(parts)}'


if __name__ == "__main__":
    sys.exit(main())
