"""`videdit submit` and `videdit watch`: clips into the queue."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from videdit.argument_parser import Parser, job_number, positive_seconds, priority
from videdit.cli.arguments import submitted_jobs
from videdit.errors import MediaError, PartialFailure, SettingsError, UsageError
from videdit.terminal import complain, say


def submit(words: Sequence[str]) -> int:
    """`videdit submit CLIP|FOLDER|JOB.yaml --edit ...`. Raises UsageError: they make no sense."""
    own = queue_options("videdit submit")
    own.add_argument(
        "--after", type=job_number, action="append", default=[], metavar="ID", help="begin when this job is done"
    )
    if shown_help(own, words, "Put clips into the queue, which `videdit work` renders."):
        return 0 if words else UsageError.exit_code
    args, rest = own.parse_known_args(words)

    from videdit.farm import hooks, staging
    from videdit.farm.queue import Queue
    from videdit.jobs.plan import make_plan

    if any(map(staging.is_remote, rest)):
        return submit_remote(rest, args)
    plan = make_plan(submitted_jobs(rest))
    passed = [(clip, clip.status) for clip in plan.clips if clip.status != "render"]
    wanted, refused = looked_at([clip for clip in plan.clips if clip.status == "render"], several=len(plan.clips) > 1)
    passed += refused
    on_done, on_fail = hooks.parse(args.on_done), hooks.parse(args.on_fail)
    with Queue(queue_file(args.queue)) as queue:
        numbers = put(queue, wanted, args, on_done, on_fail, args.after)
    if args.json:
        jobs = [
            {"id": number, "source": str(clip.source), "output": str(clip.output)}
            for number, clip in zip(numbers, wanted, strict=True)
        ]
        left = [{"source": str(clip.source), "why": why} for clip, why in passed]
        print(json.dumps({"jobs": jobs, "left_out": left}, indent=1))
        return PartialFailure.exit_code if refused else 0
    for number, clip in zip(numbers, wanted, strict=True):
        say(f"job {number}: {clip.source} -> {clip.output}")
    for clip, why in passed:
        say(f"left out: {clip.source}: {why}")
    return PartialFailure.exit_code if refused else 0


def submit_remote(words: Sequence[str], args: argparse.Namespace) -> int:
    """`videdit submit s3://...`: copies of the sources are fetched now, outputs are sent when they are done.

    A copy that was cut off stays, and the same command goes on with it.
    """
    import shutil

    from videdit import paths
    from videdit.cli.arguments import render_parser
    from videdit.farm import staging
    from videdit.farm.queue import Queue

    options = vars(render_parser().parse_args(words))
    inputs, output = options.get("input", []), options.get("output")
    if not all(map(staging.is_remote, inputs)) or not output or not staging.is_remote(output):
        raise UsageError("with files elsewhere both are URLs, inputs and -o: s3://bucket/in.mp4 -o s3://bucket/out.mp4")
    sources = [found for url in inputs for found in staging.found(url)]
    if len(sources) > 1 and not output.endswith("/"):
        raise UsageError(f"{output} is one file, but there are {len(sources)} inputs; name a folder, with / at its end")
    rest = [word for word in words if word not in inputs]
    at = next(i for i, word in enumerate(rest) if word == output or word.endswith(f"={output}"))
    told = []
    with Queue(queue_file(args.queue)) as queue:
        for url in sources:
            folder = staging.place(paths.state_dir() / "staging", url, output)
            queue.check_copy(folder)
            try:
                told.append(_submit_copy(queue, url, folder, output, rest, at, args))
            except UsageError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    if args.json:
        print(json.dumps({"jobs": told, "left_out": []}, indent=1))
    else:
        for job in told:
            say(f"job {job['id']}: {job['source']} -> {job['output']}")
    return 0


def _submit_copy(
    queue: Any, url: str, folder: Path, output: str, rest: Sequence[str], at: int, args: argparse.Namespace
) -> dict[str, Any]:
    """Fetch one source into a folder and submit it. rest: the words without inputs; at: which of them is the output."""
    from videdit.farm import hooks, staging
    from videdit.jobs.plan import make_plan

    source = staging.fetch(url, folder / "in")
    (folder / "out").mkdir(exist_ok=True)
    target = folder / "out" / ("" if output.endswith("/") else output.rpartition("/")[2])
    here = [*rest[:at], rest[at].removesuffix(output) + str(target), *rest[at + 1 :]]
    (clip,) = make_plan(submitted_jobs([str(source), *here])).clips
    upload = output + clip.output.name if output.endswith("/") else output
    if staging.exists(upload) and not clip.job.overwrite:
        raise UsageError(f"{upload} exists already; pass --overwrite to replace it, or choose another with -o")
    commands = hooks.parse(args.on_done), hooks.parse(args.on_fail)
    looked_at([clip])
    (number,) = put(queue, [clip], args, *commands, args.after, staged=folder, upload=upload)
    return {"id": number, "source": url, "output": upload}


def watch(words: Sequence[str]) -> int:
    """`videdit watch FOLDER --edit ... -o OUT`: until Ctrl-C."""
    own = queue_options("videdit watch")
    own.add_argument("folder", type=Path, metavar="FOLDER", help="folder where clips arrive")
    own.add_argument("--done-to", type=Path, metavar="DIR", help="folder to move sources to when their job is done")
    own.add_argument(
        "--settle",
        type=positive_seconds,
        default=10.0,
        metavar="SECONDS",
        help="take a file when it has not changed for so many seconds (default: 10)",
    )
    own.add_argument(
        "--once",
        action="store_true",
        help="take what is there, wait for files that still grow, and end (default: watch until Ctrl-C)",
    )
    if shown_help(own, words, "Put into the queue what arrives in a folder, once it has stopped growing."):
        return 0 if words else UsageError.exit_code
    args, rest = own.parse_known_args(words)

    from videdit.farm import hooks
    from videdit.farm.queue import Queue
    from videdit.farm.watch import Watch
    from videdit.jobs.plan import make_plan

    if not args.folder.is_dir():
        raise UsageError(f"there is no folder {args.folder} to watch")
    on_done, on_fail = hooks.parse(args.on_done), hooks.parse(args.on_fail)
    submitted_jobs([str(args.folder), *rest])  # so that what is wrong with the words is said now
    with Queue(queue_file(args.queue)) as queue:

        def take(file: Path) -> list[int]:
            clips = make_plan(submitted_jobs([str(file), *rest])).clips
            good, _ = looked_at([clip for clip in clips if clip.status == "render"])
            return put(queue, good, args, on_done, on_fail, ())

        for event in Watch(args.folder, queue, take, args.settle, args.done_to).events(args.once):
            if args.json:
                print(json.dumps(event.as_dict()), flush=True)
            else:
                (complain if event.kind == "refused" else say)(event)
    return 0


def looked_at(clips: Sequence[Any], several: bool = False) -> tuple[list[Any], list[tuple[Any, str]]]:
    """The clips that can be rendered as their jobs say where they say, and of several the others, with what is wrong.

    Nobody need find that out in the night; folders are made when they are written to.

    Raises:
        MediaError: of several none is left, or the one is none of these.
    """
    from videdit.media.decode.start import probe_from
    from videdit.rendering.checks import check, check_folders

    good: list[Any] = []
    refused: list[tuple[Any, str]] = []
    for clip in clips:
        try:
            cautions = check(clip, probe_from(clip.source, clip.job.fps, clip.job.start, clip.job.video_track))
            try:
                check_folders(clip, make=False)
            except MediaError as error:
                raise SettingsError(str(error)) from None
        except MediaError as error:
            if not several or (clip is clips[-1] and not good):
                raise
            refused.append((clip, str(error)))
            continue
        good.append(clip)
        for caution in cautions:
            complain(f"videdit: {caution}")
    return good, refused


def put(
    queue: Any,
    clips: Sequence[Any],
    args: argparse.Namespace,
    on_done: Any,
    on_fail: Any,
    after: Sequence[int],
    **more: Any,
) -> list[int]:
    """Submit clips, which were looked at, as the options say."""
    from videdit.jobs.clip_record import absolute

    return queue.submit(
        [absolute(clip) for clip in clips],
        priority=args.priority,
        after=after,
        seconds=args.segment_seconds,
        on_done=on_done,
        on_fail=on_fail,
        **more,
    )


def queue_options(name: str) -> Parser:
    """Options of what puts clips into the queue; all others are of rendering."""
    own = Parser(name, add_help=False, allow_abbrev=False)
    own.add_argument("--queue", type=Path, metavar="FILE", help="file of the queue (default: the user's)")
    own.add_argument("--priority", type=priority, default=0, metavar="N", help="higher comes first (default: 0)")
    own.add_argument(
        "--segment-seconds",
        type=positive_seconds,
        metavar="SECONDS",
        help="length of a segment in seconds (default: as a render cuts long clips)",
    )
    own.add_argument(
        "--on-done",
        metavar="CMD",
        help="command to run when a job is done; {id}, {state}, {source} and {output} are filled in",
    )
    own.add_argument("--on-fail", metavar="CMD", help="command to run when a job has failed, or no face was found")
    own.add_argument("--json", action="store_true", help="print what was submitted as JSON")
    return own


def shown_help(own: Parser, words: Sequence[str], what: str) -> bool:
    """Whether help was asked for, or nothing was said, and help was given."""
    if words and not {"-h", "--help"} & set(words):
        return False
    parser = Parser(
        own.prog,
        parents=[own],
        description=f"{what} The options of a render are taken too (videdit --help).",
    )
    parser.print_help(sys.stdout)
    return True


def queue_file(named: Path | None) -> Path:
    """Where the queue is."""
    from videdit import paths

    return named or paths.state_dir() / "queue.sqlite"
