"""``videdit eval``: the figures of the model card and of the networks beside it, each a table and a sheet."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from videdit import paths
from videdit.argument_parser import Parser
from videdit.errors import UsageError
from videdit.evaluation.report import Evaluation

if TYPE_CHECKING:
    from videdit.hfgi.inverter import Inverter

PARTS = ("inversion", "edit", "video", "parser", "restorer", "compare", "prealign")  # of the model card
VALIDATION, FEW = "950:1000", "950:954"  # faces; few where each takes minutes


def main(argv: Sequence[str] | None = None) -> int:
    """Run one evaluation. Raises VideditError with what is wrong."""
    args = build_parser().parse_args(argv)
    result: Evaluation | None = args.run(args)
    if result is None:
        return 0
    if args.beside:
        result.put_beside(args.beside)
    print(result)
    if args.json:
        result.write_json(args.json)
    if args.sheet and result.sheet is not None:
        from videdit.evaluation.sheet import write_sheet

        write_sheet(args.sheet, result.sheet)
    return 0


def build_parser() -> Parser:
    """The words that ``videdit eval`` understands."""
    parser = Parser(
        "videdit eval",
        description="Measure inversion, edits, edited clips, and the networks beside them.",
        epilog="The networks that judge are fetched once: videdit weights fetch judges.",
    )
    commands = parser.add_subparsers(required=True, metavar="PART")
    common = Parser(add_help=False)
    common.add_argument("--device", default="auto", help="cpu, cuda or auto (default)")
    common.add_argument("--debug", action="store_true", help="show where a failure comes from")
    written = Parser(add_help=False)
    written.add_argument("--sheet", type=Path, help="write a contact sheet, a PNG")
    written.add_argument("--json", type=Path, help="write the table as JSON")
    written.add_argument("--beside", type=Path, metavar="JSON", help="show an earlier evaluation's rows beside")
    faces = faces_options(common, VALIDATION)
    stills, few = (Parser(add_help=False, parents=[p]) for p in (faces, faces_options(common, FEW)))
    for part in (stills, few):
        part.add_argument("--profile", default="mobile", help="model profile (%(default)s)")
        part.add_argument("--checkpoint", nargs="+", default=[], metavar="FILE", help="its networks, in files of yours")

    inversion = commands.add_parser("inversion", parents=[stills, written], help="what of a face its inversion keeps")
    inversion.add_argument("--tune", type=int, default=0, metavar="STEPS", help="and by generators tuned to each face")
    inversion.set_defaults(run=run_inversion)
    edit = commands.add_parser("edit", parents=[stills, written], help="what edits change, and what they drag along")
    edit.add_argument("--edit", action="append", metavar="NAME[=STRENGTH]", help="repeatable; default: all that ship")
    methods, kinds = ("hfgi", "student", "plain"), ("flow", "landmarks", "auto", "none")
    edit.add_argument("--method", choices=methods, default="hfgi", help="how; plain: HFGI as released (%(default)s)")
    edit.add_argument("--prealign", choices=kinds, default="flow", help="of method hfgi, before ADA (%(default)s)")
    edit.set_defaults(run=run_edit)
    video = commands.add_parser("video", parents=[common, written], help="an edited clip beside its source")
    video.add_argument("clips", nargs="+", type=Path, metavar="SOURCE EDITED", help="pairs of clips")
    video.add_argument("--every", type=int, default=4, help="look at every n-th frame (%(default)s)")
    video.add_argument("--frames", type=int, help="look at so many frames of the source (default: all)")
    video.add_argument("--mattes", nargs="+", type=Path, help="of --alpha-out, one a pair: where seams are looked for")
    video.set_defaults(run=run_video)
    parser_part = commands.add_parser("parser", parents=[faces, written], help="face parsing against real masks")
    parser_part.add_argument("--masks", type=Path, help="folder of CelebAMask-HQ's masks (default: beside the faces)")
    parser_part.add_argument("--weights", type=Path, help="other weights than those that ship")
    parser_part.set_defaults(run=run_parser)
    restorer = commands.add_parser("restorer", parents=[faces, written], help="face restoration beside bicubic")
    restorer.add_argument("--weights", type=Path, help="other weights than those that ship")
    restorer.set_defaults(run=run_restorer)
    compare = commands.add_parser("compare", parents=[few, written], help="our inversion beside optimisation, timed")
    compare.add_argument("--steps", type=int, default=200, help="of latent optimisation (%(default)s; its paper: 5000)")
    compare.add_argument("--tune-steps", type=int, default=80, help="of pivotal tuning (%(default)s; its paper: 350)")
    compare.add_argument(
        "--pivot-steps", type=int, default=0, help="to find its pivot (0: the encoder's; its paper: 450)"
    )
    compare.add_argument(
        "--domain-steps", type=int, default=100, help="of in-domain inversion (%(default)s, its paper's)"
    )
    compare.add_argument(
        "--papers", action="store_true", help="all of these as their papers have them: hours a face on a CPU"
    )
    compare.add_argument("--clip-steps", type=int, default=40, help="of ours tuned as to a clip (%(default)s; 0: not)")
    compare.add_argument("--edit", default="smile", metavar="EDITS", help="of each inversion (%(default)s)")
    compare.set_defaults(run=run_compare)
    turned = commands.add_parser("prealign", parents=[common, written], help="strong edits of samples beside the truth")
    turned.add_argument("--edit", default="yaw=15", metavar="EDITS", help="each both ways (%(default)s)")
    turned.add_argument("--samples", type=int, default=10, help="people of the generator (%(default)s)")
    turned.add_argument("--profile", default="mobile", help="model profile (%(default)s)")
    turned.add_argument("--checkpoint", nargs="+", default=[], metavar="FILE", help="its networks, in files of yours")
    turned.add_argument("--precision", default="auto", help="fp32, bf16 or auto (default)")
    turned.set_defaults(run=run_prealign)
    information = commands.add_parser(
        "information", parents=[faces, written], help="I(X;Y) and I(Y;X^) over a training"
    )
    information.add_argument("snapshots", type=Path, help="folder of weights, made by videdit train --snapshot-every")
    information.set_defaults(run=run_information)
    card = commands.add_parser("card", parents=[stills], help="every table of the model card, made anew in it")
    card.add_argument("--only", action="append", choices=PARTS, help="repeatable; default: all")
    card.add_argument("--card", type=Path, default=paths.weights_dir() / "MODEL_CARD.md", help="(%(default)s)")
    card.add_argument("--clips", type=Path, default=default_clips(), help="folder of source clips (%(default)s)")
    card.add_argument("--edited", type=Path, default=Path("runs/card"), help="folder of the edited ones (%(default)s)")
    defaults = compare.parse_args([])
    card.set_defaults(run=run_card, tune=0, every=4, frames=40, edit=None, masks=None, mattes=None, weights=None)
    card.set_defaults(method="hfgi", prealign="flow", pivot_steps=0, domain_steps=100, clip_steps=40, papers=False)
    card.set_defaults(steps=defaults.steps, tune_steps=defaults.tune_steps, samples=10)
    return parser


def faces_options(common: Parser, which: str) -> Parser:
    """The options of what looks at aligned faces."""
    faces = Parser(add_help=False, parents=[common])
    faces.add_argument("--faces", type=Path, default=default_faces(), help="folder of aligned faces (%(default)s)")
    faces.add_argument("--range", type=span, default=span(which), help=f"which of them, by name ({which})")
    faces.add_argument("--precision", default="auto", help="fp32, bf16 or auto (default)")
    return faces


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
    """`eval edit`: what edits do to faces, and what they drag along."""
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
    return evaluate_edits(inverter, Panel(inverter.device), faces, edits, student, plain, args.prealign)


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

    faces, edits = load_faces(args.faces, args.range), parse_edits(args.edit) if args.edit else ()
    inverter = load_inverter(args)
    counts = (
        PAPERS
        if args.papers
        else Counts(args.steps, args.pivot_steps, args.tune_steps, args.domain_steps, args.clip_steps)
    )
    optimisers = Optimisers(*differentiable(inverter), counts, inverter.pixels.precision == "bf16")
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
        result = {
            "inversion": run_inversion,
            "edit": run_edit,
            "video": run_video,
            "parser": run_parser,
            "restorer": run_restorer,
            "compare": run_compare,
            "prealign": run_prealign,
        }[part](args)
        print(result)
        put_table(args.card, part, result.rows)


def span(words: str) -> slice:
    """ "950:1000" -> slice(950, 1000)."""
    try:
        first, last = words.split(":")
        return slice(int(first) if first else None, int(last) if last else None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{words!r} is not a range like 950:1000") from None


def default_faces() -> Path:
    """The validation faces in the folder of shared data."""
    return shared_data() / "celebamask_hq_1000" / "images"


def default_clips() -> Path:
    """The clips in the folder of shared data."""
    return shared_data() / "clips"


def shared_data() -> Path:
    """The folder of data for evaluations, in the one that $VIDEDIT_SHARED names or that lies beside the checkout."""
    shared = os.environ.get("VIDEDIT_SHARED") or Path(__file__).resolve().parents[2].parent / "shared"
    return Path(shared) / "data"
