"""What each piece of the frame pipeline is good for: clips edited with one piece after the other left out.

    python scripts/ablation.py CLIP... --edit smile=1.5 --frames 60

The first row is the pipeline as it is, the last one the plain method frame by frame, with none of the pieces; the
figures are those of `videdit eval video`, the mean of the clips. The clips are kept in --out, for eyes.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from videdit.datatypes import Crop, Rendering
from videdit.evaluation.card import end_of
from videdit.evaluation.clips import evaluate_clips
from videdit.evaluation.panel import Panel
from videdit.faces.detector import FaceDetector
from videdit.imaging import temporal_average
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.pipeline.executor import Stage
from videdit.rendering.render_chain import Chain
from videdit.rendering.renderer import Renderer
from videdit.stages.average_changes import AverageChanges
from videdit.stages.invert_edit import InvertEdit
from videdit.stages.parse_faces import ParseFaces
from videdit.stages.transfer_detail import TransferDetail

AT_ONCE = 1e-6  # seconds: a sigma that reaches no neighbour


def unsteadied(stages: list[Stage]) -> None:
    """Without averaging changes over time."""
    stages[:] = [stage for stage in stages if not isinstance(stage, AverageChanges)]


def unsmoothed(stages: list[Stage]) -> None:
    """Without smoothing codes and flows over time."""
    for stage in of(InvertEdit, stages):
        stage.code_sigma = stage.flow_sigma = AT_ONCE


def consulted(stages: list[Stage]) -> None:
    """With ADA and the consultation encoder, whatever the edit."""
    for stage in of(InvertEdit, stages):
        stage.inverter = stage.inverter.consulting(True)


def unaligned(stages: list[Stage]) -> None:
    """With them, and without pre-aligning distortion maps."""
    consulted(stages)
    for stage in of(InvertEdit, stages):
        stage.prealigner.kind = "none"


def unparsed(stages: list[Stage]) -> None:
    """Without the parser's masks."""
    stages[:] = [stage for stage in stages if not isinstance(stage, ParseFaces)]


def ungraded(stages: list[Stage]) -> None:
    """Without matching the renders' colours to the footage's."""
    change_by(stages, lambda pixels, crop, rendering, *_: pixels.change(replace(crop, parts=None), rendering))


def unreturned(stages: list[Stage]) -> None:
    """Without detail return: the generator's picture alone."""

    def generated(_: Any, crop: Crop, rendering: Rendering, *_regions: Any) -> np.ndarray:
        return (rendering.edit - (crop.image.astype(np.float32) / 127.5 - 1)).astype(np.float16)

    change_by(stages, generated)


def unbounded(_: list[Stage]) -> None:
    """Without the bounds that a mean change is kept within."""
    temporal_average.MARGIN = 10.0


def plain(stages: list[Stage]) -> None:
    """Without all of it: frame by frame, what the networks give."""
    for without in (unsteadied, unsmoothed, unaligned, unparsed, unreturned):
        without(stages)


PIECES: dict[str, Callable[[list[Stage]], None]] = {
    "all of it": lambda stages: None,
    "no steadiness": unsteadied,
    "steadiness without bounds": unbounded,
    "codes and flow of each frame alone": unsmoothed,
    "with consultation": consulted,
    "and the distortion map left to ADA": unaligned,
    "masks by the mesh, no grading": unparsed,
    "no grading": ungraded,
    "no detail return": unreturned,
    "frame by frame, none of these": plain,
}


def of(kind: type[Any], stages: Sequence[Stage]) -> list[Any]:
    """The stages of one kind."""
    return [stage for stage in stages if isinstance(stage, kind)]


def change_by(stages: Sequence[Stage], function: Callable[..., np.ndarray]) -> None:
    """Let the detail stage make its changes by another function of (pixels, crop, rendering, regions)."""
    for stage in of(TransferDetail, stages):
        other = copy.copy(stage.pixels)
        other.change = partial(function, stage.pixels)
        stage.pixels = other


class Ablated(Renderer):
    """A renderer that leaves something out."""

    without: Callable[[list[Stage]], None]

    def chain(self, *args: Any, **options: Any) -> Chain:
        """The chain of stages that :class:`Renderer` makes, without the piece."""
        chain = super().chain(*args, **options)
        type(self).without(chain.stages)
        return chain


def main() -> None:
    """Render each clip with and without each piece, and print what it costs."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n\n")[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--edit", default="smile=1.5", help="(%(default)s)")
    parser.add_argument("--frames", type=int, default=60, help="the first of each clip (%(default)s)")
    parser.add_argument("--every", type=int, default=4, help="look at every n-th frame (%(default)s)")
    parser.add_argument("--only", action="append", choices=tuple(PIECES), help="repeatable; default: all")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"), help="(%(default)s)")
    args = parser.parse_args()
    panel, detector, renderer, margin = Panel("cpu"), FaceDetector("cpu"), Ablated(), temporal_average.MARGIN
    print("| pipeline | happy | age | identity | TL-ID | TG-ID | warp error / source's | worst | seam |")
    print("|---|---|---|---|---|---|---|---|---|")
    for number, name in enumerate(args.only or PIECES):
        Ablated.without = staticmethod(PIECES[name])
        folder = args.out / f"{number}_{name.replace(' ', '_').replace(',', '')}"
        folder.mkdir(parents=True, exist_ok=True)
        pairs = []
        for source in args.clips:
            output = folder / f"{source.stem}.mp4"
            words: dict[str, Any] = {"input": str(source), "output": str(output), "edit": args.edit}
            words |= {"end": end_of(source, args.frames), "overwrite": True, "resume": False}
            job = RenderJob.model_validate(words)
            renderer.render(make_plan([job]).clips[0])
            pairs.append((source, output))
        temporal_average.MARGIN = margin
        rows = evaluate_clips(panel, detector, pairs, args.every, args.frames).rows
        of_clips = rows[: len(pairs)]
        mean = {key: np.mean([float(row[key] or 0) for row in of_clips]) for key in of_clips[0] if key != "clip"}
        worst = max(float(row["warp"] or 0) for row in of_clips)
        figures = [mean[key] for key in ("happy after", "age after", "identity", "TL-ID", "TG-ID", "warp")]
        cells = [f"{value:.3f}" for value in (*figures, worst, mean["seam"])]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
