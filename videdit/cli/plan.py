"""`videdit plan`, `segment` and `join`: one shot on many machines that see the same files."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from videdit.argument_parser import Parser, positive_seconds
from videdit.cli.arguments import submitted_jobs
from videdit.errors import UsageError
from videdit.terminal import say


def plan(words: Sequence[str]) -> int:
    """`videdit plan CLIP --edit ... -o shot.plan`. Raises what :func:`videdit.rendering.planning.plan_shot` raises."""
    own = Parser("videdit plan", add_help=False, allow_abbrev=False)
    own.add_argument(
        "-o",
        "--output",
        "--plan",
        dest="plan",
        type=Path,
        required=True,
        metavar="PLAN",
        help="folder to write the plan into",
    )
    own.add_argument("--result", metavar="OUT", help="output of the clip (default: beside the input)")
    own.add_argument(
        "--segment-seconds",
        type=positive_seconds,
        metavar="SECONDS",
        help="length of a segment in seconds (default: as a render cuts long clips)",
    )
    own.add_argument("--json", action="store_true", help="print the plan as JSON")
    if not words or {"-h", "--help"} & set(words):
        parser = Parser(
            "videdit plan",
            description="Look at a clip once and lay out its segments. Any machine that sees the files renders them: "
            "videdit segment PLAN K; videdit join PLAN writes the output. The options of a render are taken too "
            "(videdit --help).",
            parents=[own],
        )
        parser.print_help()
        return 0 if words else UsageError.exit_code
    args, rest = own.parse_known_args(words)
    clip = one_clip(rest, args.result)

    from videdit.rendering.planning import plan_shot

    made = plan_shot(clip, args.plan, args.segment_seconds, overwrite=clip.job.overwrite)
    if args.json:
        print(json.dumps({"plan": str(args.plan), "id": made.id} | asdict(made), indent=1))
    else:
        say(f"{args.plan}: {made.frames} frames in {len(made.segments)} segments, -> {clip.output}")
        for segment in made.segments:
            say(
                f"  segment {segment.index}: {segment.start:.2f} to {segment.end:.2f} s, shot {segment.scene + 1}, "
                f"{segment.frames} frames, {segment.faces} faces, reads {segment.before:.2f} s before and "
                f"{segment.after:.2f} s after"
            )
    return 0


def segment(words: Sequence[str]) -> int:
    """`videdit segment PLAN K...`."""
    parser = Parser("videdit segment", description="Render segments of a plan. What is rendered already stays.")
    parser.add_argument("plan", type=Path, metavar="PLAN", help="folder that videdit plan has made")
    parser.add_argument("numbers", type=int, nargs="+", metavar="K", help="numbers of segments, from 0")
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="where the networks run, in place of the planned one: auto, cpu, cuda or cuda:N",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each segment")
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    args = parser.parse_args(words)

    from videdit.jobs.shot_plan import read_plan
    from videdit.rendering.planned_segments import render_segment
    from videdit.rendering.progress import Progress, make_progress
    from videdit.rendering.renderer import Renderer

    read_plan(args.plan)
    renderer = Renderer(Progress() if args.json else make_progress("auto"))
    for number in args.numbers:
        report = render_segment(args.plan, number, renderer, device=args.device)
        if args.json:
            print(json.dumps(asdict(report)), flush=True)
        else:
            say(f"segment {number}: {report.frames} frames, {report.faces} faces, {report.seconds:.1f} s")
    return 0


def join(words: Sequence[str]) -> int:
    """`videdit join PLAN`."""
    parser = Parser("videdit join", description="Write the output of a plan whose segments are all rendered.")
    parser.add_argument("plan", type=Path, metavar="PLAN", help="folder that videdit plan has made")
    parser.add_argument("--check", action="store_true", help="only print which segments are missing or damaged")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    args = parser.parse_args(words)

    from videdit.jobs.shot_plan import missing, read_plan

    if args.check:
        made = read_plan(args.plan)
        wrong = missing(args.plan, made)
        if args.json:
            print(json.dumps({"segments": len(made.segments), "wrong": wrong}))
        else:
            for number, why in wrong.items():
                say(f"segment {number} {why}")
            say(f"{len(made.segments) - len(wrong)} of {len(made.segments)} segments are there")
        return 1 if wrong else 0
    join_and_tell(args)
    return 0


def join_and_tell(args: argparse.Namespace) -> None:
    """Join the segments of ``args.plan`` and say what came of it, by ``args.overwrite`` and ``args.json``."""
    from videdit.rendering.planned_segments import join_shot

    result = join_shot(args.plan, overwrite=args.overwrite)
    if args.json:
        print(json.dumps(result.as_dict()))
    else:
        say(result.summary())


def one_clip(words: Sequence[str], output: str | None) -> Any:
    """The one clip that the words mean. Raises UsageError: they mean none, or several."""
    from videdit.jobs.plan import make_plan

    made = make_plan(submitted_jobs(words, output))
    if len(made.clips) != 1 or made.clips[0].state is not None:
        raise UsageError("a plan is of one clip; `videdit submit` takes folders and lists of jobs")
    return made.clips[0]
