"""`videdit farm`: the segments of a plan, rendered by an engine, and joined."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from videdit.argument_parser import Parser
from videdit.cli.plan import join_and_tell
from videdit.terminal import complain, say

ENGINES = ("local", "ray", "slurm", "openjd")


def main(words: Sequence[str]) -> int:
    """The command. Raises PlanError: segments have failed."""
    parser = Parser(
        "videdit farm",
        description="Render the segments of a plan that are missing, on an engine, and write the output.",
    )
    parser.add_argument("plan", type=Path, metavar="PLAN", help="folder that videdit plan has made")
    parser.add_argument(
        "--engine", choices=ENGINES, default="local", help="who renders (default: local, processes of this machine)"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes or actors at once (default: 1)")
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="address of a running Ray cluster (default: start one on this machine)"
    )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="where the networks run, in place of the planned one: auto, cpu, cuda or cuda:N",
    )
    parser.add_argument(
        "--join",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write the output when all segments are there (default: on)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    parser.add_argument(
        "--script", type=Path, metavar="FILE", help="only write what slurm or openjd would run into this file"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each segment")
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    args = parser.parse_args(words)

    from videdit.farm.engines.base import Ended
    from videdit.farm.engines.choose import engine_of
    from videdit.farm.shot import render_shot

    if args.script:
        return write_script(args)

    def tell(ended: Ended, done: int, total: int) -> None:
        if args.json:
            values = {"segment": ended.piece.number, "error": ended.error, "seconds": round(ended.seconds, 3)}
            print(json.dumps(values | {"done": done, "of": total}), flush=True)
        elif ended.error:
            complain(f"segment {ended.piece.number}: {ended.error}")
        else:
            say(f"segment {ended.piece.number}: {ended.seconds:.1f} s, {done} of {total}")

    engine = engine_of(args.engine, workers=args.workers, device=args.device, address=args.address)
    try:
        render_shot(args.plan, engine, tell)
    finally:
        engine.close()
    if args.join:
        join_and_tell(args)
    return 0


def write_script(args: argparse.Namespace) -> int:
    """Write the array script of slurm, or the job template of openjd."""
    from videdit.errors import UsageError
    from videdit.farm.engines import openjd, slurm
    from videdit.jobs.shot_plan import read_plan
    from videdit.storage.outputs import put_text

    plan = read_plan(args.plan)
    if args.engine == "slurm":
        text = slurm.SCRIPT
        how = f"VIDEDIT_PLAN={args.plan.resolve()} sbatch --array=0-{len(plan.segments) - 1} {args.script}"
    elif args.engine == "openjd":
        text = json.dumps(openjd.template(plan), indent=1) + "\n"
        how = f"openjd run {args.script} --step Join --run-dependencies -p PlanFolder={args.plan.resolve()}"
    else:
        raise UsageError("--script is of engines slurm and openjd")
    put_text(args.script, text, args.overwrite)
    say(f"{args.script}; next: {how}")
    return 0
