"""``videdit eval``: the figures of the model card and of the networks beside it, each a table and a sheet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from videdit.cli.eval_arguments import FEW, PARTS, build_parser, span
from videdit.errors import UsageError
from videdit.evaluation.report import Evaluation

if TYPE_CHECKING:
    from videdit.hfgi.inverter import Inverter


def main(argv: Sequence[str] | None = None) -> int:
    """Run one evaluation. Raises VideditError with what is wrong."""
    args = build_parser().parse_args(argv)
    if args.part == "card":
        run_card(args)
        return 0
    result = RUNS[args.part](args)
    if args.beside:
        result.put_beside(args.beside)
    print(result)
    if args.json:
        result.write_json(args.json)
    if args.sheet and result.sheet is not None:
        from videdit.evaluation.sheet import write_sheet

        write_sheet(args.sheet, result.sheet)
    return 0


def load_inverter(args: argparse.Namespace) -> Inverter:
    """The networks that the words name; HFGI as released computes in float32 unless it is told otherwise.

    Raises WeightsError: they are not here; what to do is said.
    """
    from videdit.hfgi.inverter import Inverter

    exact = args.precision == "auto" and getattr(args, "method", None) == "plain"
    precision = "fp32" if exact else args.precision
    return Inverter.load(args.profile, args.device, precision, checkpoint=tuple(getattr(args, "checkpoint", ())))


def run_inversion(args: argparse.Namespace) -> Evaluation:
    """`eval inversion`: how well faces come back from their codes."""
    if args.tune < 0:
        raise UsageError("--tune is a number of steps")
    from videdit.evaluation.panel import Panel
    from videdit.evaluation.stills import evaluate_inversion, load_faces

    faces = load_faces(args.faces, args.range)
    inverter = load_inverter(args)
    return evaluate_inversion(inverter, Panel(inverter.device), faces, args.tune)


def run_edit(args: argparse.Namespace) -> Evaluation:
    """`eval edit`: what edits do to faces, and their attribute leakage."""
    from videdit.edits import catalogue, parse_edits
    from videdit.evaluation.panel import Panel
    from videdit.evaluation.stills import evaluate_edits, load_faces
    from videdit.hfgi.student import StudentEditor

    words = args.edit or [name for name, info in catalogue().items() if info.source is None]
    if not words:
        raise UsageError("no edits ship with this installation; name one with --edit")
    edits = [edit for word in words for edit in parse_edits(word)]
    faces = load_faces(args.faces, args.range)
    inverter = load_inverter(args)
    student = StudentEditor(inverter.pixels) if args.method == "student" else None
    plain = args.method == "plain"
    return evaluate_edits(
        inverter, Panel(inverter.device), faces, edits, student, plain, args.prealign, args.consultation
    )


def run_parser(args: argparse.Namespace) -> Evaluation:
    """`eval parser`: the parser against masks drawn by hand."""
    from videdit.evaluation.parsing import evaluate_parser, load_masks
    from videdit.evaluation.stills import load_faces
    from videdit.faces.parser import CropParser

    faces = load_faces(args.faces, args.range)
    masks = load_masks(args.masks or args.faces.parent / "masks", args.range)
    return evaluate_parser(CropParser.load(args.device, args.precision, 1, args.weights), faces, masks)


def run_restorer(args: argparse.Namespace) -> Evaluation:
    """`eval restorer`: what a restorer brings back of faces that were worn down."""
    from videdit.evaluation.panel import Panel
    from videdit.evaluation.restoration import evaluate_restorer
    from videdit.evaluation.stills import load_faces
    from videdit.restoration.restorer import CropRestorer, small_network

    faces = load_faces(args.faces, args.range)
    restorer = CropRestorer(small_network(args.weights), args.device, args.precision)
    return evaluate_restorer(restorer, Panel(restorer.device), faces)


def run_compare(args: argparse.Namespace) -> Evaluation:
    """``videdit eval compare``."""
    if min(args.steps, args.tune_steps, args.domain_steps) < 1 or min(args.pivot_steps, args.clip_steps) < 0:
        raise UsageError("--steps, --tune-steps and --domain-steps are at least 1")
    from videdit.edits import parse_edits
    from videdit.evaluation.compare import PAPERS, Counts, Optimisers, differentiable, evaluate_compare
    from videdit.evaluation.panel import Panel
    from videdit.evaluation.stills import load_faces
    from videdit.hfgi.kept_optimisation import Kept

    faces, edits = load_faces(args.faces, args.range), parse_edits(args.edit) if args.edit else ()
    inverter = load_inverter(args)
    counts = (
        PAPERS
        if args.papers
        else Counts(args.steps, args.pivot_steps, args.tune_steps, args.domain_steps, args.clip_steps)
    )
    kept = Kept(args.keep) if args.keep else None
    optimisers = Optimisers(*differentiable(inverter), counts, inverter.pixels.precision == "bf16", kept)
    return evaluate_compare(inverter, Panel(inverter.device), faces, optimisers, edits)


def run_prealign(args: argparse.Namespace) -> Evaluation:
    """`eval prealign`: the ways of aligning distortion maps, on faces that turn."""
    if args.samples < 1:
        raise UsageError("--samples is at least 1")
    from dataclasses import replace

    from videdit.edits import parse_edits
    from videdit.evaluation.panel import Panel
    from videdit.evaluation.turned import evaluate_prealign
    from videdit.hfgi.population import sample_codes

    edits = [replace(edit, strength=sign * edit.strength) for edit in parse_edits(args.edit) for sign in (1, -1)]
    inverter = load_inverter(args)
    codes = sample_codes(args.samples, seed=11)[:, None].repeat(inverter.profile.layers, 1)
    return evaluate_prealign(inverter, Panel(inverter.device), codes, edits)


def run_information(args: argparse.Namespace) -> Evaluation:
    """`eval information`: mutual information along a training."""
    from videdit.engine.devices import resolve_device
    from videdit.evaluation.information import evaluate_information
    from videdit.evaluation.stills import load_faces

    return evaluate_information(args.snapshots, load_faces(args.faces, args.range), resolve_device(args.device))


def run_video(args: argparse.Namespace) -> Evaluation:
    """`eval video`: an edited clip against its source."""
    if len(args.clips) % 2:
        raise UsageError("clips come in pairs: SOURCE EDITED SOURCE EDITED ...")
    if args.every < 1 or (args.frames is not None and args.frames < 1):
        raise UsageError("--every and --frames are at least 1")
    if args.mattes and len(args.mattes) != len(args.clips) // 2:
        raise UsageError(f"there are {len(args.clips) // 2} pairs of clips and {len(args.mattes)} mattes")
    from videdit.engine.devices import resolve_device
    from videdit.evaluation.clips import evaluate_clips
    from videdit.evaluation.panel import Panel
    from videdit.faces.detector import FaceDetector

    device = resolve_device(args.device)
    pairs = list(zip(args.clips[::2], args.clips[1::2], strict=True))
    return evaluate_clips(Panel(device), FaceDetector(device), pairs, args.every, args.frames, args.mattes)


def run_card(args: argparse.Namespace) -> None:
    """Evaluate part after part and put each table into the card as soon as it is there."""
    from videdit.evaluation.card import edited_clips, put_table

    for part in args.only or PARTS:
        if part == "video":
            sources = sorted(args.clips.glob("*.mp4"))
            if not sources:
                print(f"no clips in {args.clips}: the table of clips stays as it is", file=sys.stderr)
                continue
            args.clips = edited_clips(sources, args.edited, args.frames)
        if part == "compare":
            args.range = span(FEW)
        if part == "prealign":
            args.edit = "yaw=15"
        result = RUNS[part](args)
        print(result)
        put_table(args.card, part, result.rows)


RUNS: dict[str, Callable[[argparse.Namespace], Evaluation]] = {
    "inversion": run_inversion,
    "edit": run_edit,
    "video": run_video,
    "parser": run_parser,
    "restorer": run_restorer,
    "compare": run_compare,
    "prealign": run_prealign,
    "information": run_information,
}
