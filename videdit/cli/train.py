"""Train the embedded models, and let better ones ship."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from videdit import paths
from videdit.argument_parser import Parser
from videdit.errors import Cancelled, VideditError
from videdit.terminal import complain
from videdit.training.common import prepare
from videdit.training.promote import add_options as add_promotion
from videdit.training.recipe import RECIPES, read_recipe, recipe_module

DESCRIPTION = """\
Train the networks that ship, and let better ones take their place.

  %(prog)s pack
      makes packs of the training data
  %(prog)s encoder --config configs/train/encoder.yaml --time-budget 25m
      trains by a recipe
  %(prog)s promote encoder --candidate runs/encoder/encoder.safetensors
      lets the trained weights ship if they are better

A recipe stops at its time budget and writes weights, checkpoint, log, curves
and sheets into --out; --resume goes on from there. Only promote touches
weights/."""


def main(argv: list[str] | None = None) -> int:
    """`python -m videdit.train`; the exit code."""
    try:
        options = build_parser().parse_args(argv)
        options.run(options)
    except VideditError as error:
        complain(f"videdit: {error}")
        return error.exit_code
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The commands: one a recipe, and what is around them."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser("videdit train", description=DESCRIPTION, formatter_class=raw)
    commands = parser.add_subparsers(dest="recipe", required=True, metavar="RECIPE|COMMAND")
    common = Parser(add_help=False)
    common.add_argument(
        "--data", type=Path, default=Path("runs/data"), metavar="DIR", help="folder of the packs (default: %(default)s)"
    )
    common.add_argument(
        "--device", default="auto", metavar="NAME", help="where the networks run: auto (default), cpu, cuda or cuda:N"
    )
    common.add_argument("--threads", type=int, metavar="N", help="processor cores to use (default: torch's choice)")
    for name, what in RECIPES.items():
        recipe = commands.add_parser(name, parents=[common], help=what)
        add_training(recipe)
        recipe.set_defaults(run=run_recipe)
    pack = commands.add_parser("pack", parents=[common], help="make the packs of training data")
    pack.add_argument(
        "--shared",
        type=Path,
        default=Path("../shared/data"),
        metavar="DIR",
        help="folder of the raw data (default: %(default)s)",
    )
    pack.add_argument("--travel", type=Path, metavar="TAR", help="only write faces and masks into one small file")
    pack.add_argument(
        "--quality",
        type=int,
        default=75,
        metavar="N",
        help="JPEG quality of the pictures of --travel, 1 to 100 (default: %(default)s)",
    )
    pack.add_argument("--faces", type=Path, metavar="TAR", help="take the faces from a file of --travel")
    pack.add_argument(
        "--samples", type=positive, metavar="N", help="draw so many samples of the generator, rather than read them"
    )
    pack.add_argument("--images", type=Path, metavar="DIR", help="only make a pack of the pictures in this folder")
    pack.add_argument(
        "--pack",
        metavar="NAME",
        help="name of the pack of --images: ffhq256.npy (aligned faces; default) or cars192.npy (cars, 4:3)",
    )
    pack.set_defaults(run=run_pack)
    curves = commands.add_parser("curves", help="draw a log's learning curves")
    curves.add_argument("log", type=Path, metavar="LOG", help="log.jsonl of a training")
    curves.add_argument("out", type=Path, metavar="PNG", help="the picture to write")
    curves.set_defaults(run=run_curves)
    promote = commands.add_parser("promote", help="let trained weights ship if they are better than those that do")
    add_promotion(promote)
    promote.set_defaults(run=run_promote)
    return parser


def add_training(parser: argparse.ArgumentParser) -> None:
    """The options that every recipe has."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the recipe's YAML, e.g. configs/train/encoder.yaml"
    )
    parser.add_argument(
        "--set", type=pair, action="append", metavar="KEY=VALUE", help="change a value of the recipe, repeatable"
    )
    parser.add_argument(
        "--time-budget",
        type=duration,
        default="25m",
        metavar="DURATION",
        help="wall time, e.g. 90s, 25m (default), 1.5h",
    )
    parser.add_argument(
        "--max-steps", type=positive, metavar="N", help="stop after so many steps (default: when the time is up)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write into (default: runs/<recipe>)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, if there is one")
    parser.add_argument(
        "--validate-every",
        type=duration,
        default="4m",
        metavar="DURATION",
        help="time between validations (default: 4m)",
    )
    parser.add_argument(
        "--snapshot-every", type=positive, metavar="STEPS", help="also keep the weights every so many steps"
    )
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--initial", type=Path, metavar="FILE", help="weights to start from (default: those that ship)")
    start.add_argument("--fresh", action="store_true", help="start from random weights")
    parser.add_argument(
        "--encoder",
        type=Path,
        metavar="FILE",
        help="weights of the encoder, for networks that build on it (default: those that ship)",
    )
    parser.add_argument("--eager", action="store_true", help="do not compile the networks: quicker for a few steps")


def run_recipe(options: argparse.Namespace) -> None:
    """Train by a recipe until its time or its steps are up."""
    module = recipe_module(options.recipe)
    recipe = read_recipe(module.Recipe, options.config, dict(options.set or ()))
    out = options.out or Path("runs") / options.recipe
    if hasattr(module, "run"):  # not trained in steps
        module.run(recipe, out, options)
        return
    import torch

    from videdit.training.loop import Budget, train
    from videdit.training.training import Setup

    device = prepare(options.device, options.threads)
    torch.manual_seed(recipe.seed)
    weights = paths.weights_dir()
    shipped = weights / module.Training.file
    initial = options.initial or (shipped if shipped.exists() and not options.fresh else None)
    setup = Setup(options.data, device, initial, options.encoder or weights / "encoder.safetensors", options.eager)
    stop = stop_on_signals()
    budget = Budget(options.time_budget, options.max_steps, options.validate_every, stop=stop)
    budget.snapshot_every = options.snapshot_every or 0
    train(options.recipe, module.Training(recipe, setup), out, budget, options.resume)
    if stop.is_set():
        raise Cancelled(f"stopped; the checkpoint is in {out}, --resume goes on from it")


def run_promote(options: argparse.Namespace) -> None:
    """Put candidate weights into weights/ if they are better."""
    from videdit.training import promote

    promote.run(options)


def run_curves(options: argparse.Namespace) -> None:
    """Draw the learning curves of a log."""
    from videdit.evaluation.sheet import write_sheet
    from videdit.training.curves import draw_curves
    from videdit.training.log import read_log

    write_sheet(options.out, draw_curves(read_log(options.log)))


def run_pack(options: argparse.Namespace) -> None:
    """Make the packs that trainings read."""
    from videdit.training.data import pack_bank, pack_faces
    from videdit.training.masks import pack_masks
    from videdit.training.packs import draw_bank, read_travel, write_travel

    faces, masks = options.data / "real256.npy", options.data / "masks256.npy"
    bank = (options.data / "bank256.npy", options.data / "bank_codes.npy")
    if options.images:
        from videdit.training.data import pack_pictures

        pack_pictures(options.images, options.data / (options.pack or "ffhq256.npy"))
        return
    if options.travel:
        write_travel(faces, options.travel, options.quality, masks)
        return
    device = prepare(options.device, options.threads)
    options.data.mkdir(parents=True, exist_ok=True)
    if options.faces:
        read_travel(options.faces, faces, masks)
    else:
        pack_faces(options.shared / "celebamask_hq_1000" / "images", faces)
        pack_masks(options.shared / "celebamask_hq_1000" / "masks", masks)
    if options.samples:
        draw_bank(options.samples, *bank, device)
    else:
        pack_bank(options.shared / "mobile_bank", *bank)


def stop_on_signals() -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM: the step that is running is finished and kept. The second ends at once."""
    stop = threading.Event()

    def heard(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, heard)
    return stop


def duration(text: str) -> float:
    """ "90", "90s", "25m", "1.5h" -> seconds"""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text)
    if not match or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r}: write a time as 90s, 25m or 1.5h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def pair(text: str) -> tuple[str, str]:
    """ "lr=1e-4" -> ("lr", "1e-4")"""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r}: write KEY=VALUE")
    return key, value


def positive(text: str) -> int:
    """A count of one or more, from the command line."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no count")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
