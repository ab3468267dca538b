"""`videdit jobs` and `videdit work`: how the queue stands, and the work on it."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from videdit.argument_parser import Parser, job_number, positive_seconds, priority
from videdit.cli.submit import queue_file
from videdit.errors import PartialFailure, UsageError
from videdit.terminal import say


def jobs(words: Sequence[str]) -> int:
    """`videdit jobs [ACTION]`; without one they are listed."""
    if not words or words[0] not in (*ACTIONS, "-h", "--help"):
        action = next((i for i, word in enumerate(words) if word in ACTIONS), None)  # options may come before it
        rest = words if action is None else [*words[:action], *words[action + 1 :]]
        words = ["list" if action is None else words[action], *rest]
    args = build_parser().parse_args(words)

    from videdit.farm.queue import Queue

    with Queue(known_queue(args.queue)) as queue:
        return args.run(queue, args)


def build_parser() -> argparse.ArgumentParser:
    """The words that `videdit jobs` understands."""
    common = Parser(add_help=False)
    common.add_argument("--queue", type=Path, metavar="FILE", help="file of the queue (default: the user's)")
    common.add_argument("--json", action="store_true", help="print JSON")
    common.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    parser = Parser("videdit jobs", description="Show the jobs of the queue (also without ACTION), and change them.")
    commands = parser.add_subparsers(required=True, metavar="ACTION")

    def command(name: str, run: Callable[..., int], what: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[common], help=what)
        sub.set_defaults(run=run)
        return sub

    listing = command("list", list_jobs, "list the jobs that are not over, the next one first")
    listing.add_argument("--all", action="store_true", help="also jobs that are done, failed or cancelled")
    command("show", show, "show one job with its tasks").add_argument("id", type=job_number, metavar="ID", help=_ID)
    log = command("log", show_log, "print the log of a job, or of one of its segments")
    log.add_argument("id", type=job_number, metavar="ID", help=_ID)
    log.add_argument("segment", type=int, nargs="?", metavar="SEGMENT", help="number of a segment, from 0")
    for name, what in VERBS.items():
        sub = command(name, change, what)
        sub.add_argument("ids", type=job_number, nargs="+", metavar="ID", help=_ID)
        sub.set_defaults(verb=name)
        if name == "pause":
            sub.add_argument("--now", action="store_true", help="also stop what is being rendered now")
    moving = command("move", move, "move a job to the front of its priority, or as the options say")
    moving.add_argument("id", type=job_number, metavar="ID", help=_ID)
    moving.add_argument("--priority", type=priority, metavar="N", help="give it this priority; higher comes first")
    moving.add_argument("--before", type=job_number, metavar="ID", help="put it right before this job")
    pruning = command("prune", prune, "remove jobs that are over, and their logs")
    pruning.add_argument(
        "--older",
        type=positive_seconds,
        default=0.0,
        metavar="SECONDS",
        help="only those that ended so many seconds ago (default: all)",
    )
    pruning.add_argument(
        "--done", action="store_true", help="only jobs that are done; default: also failed and cancelled ones"
    )
    return parser


VERBS = {
    "pause": "start nothing more of these jobs; what is being rendered is finished",
    "resume": "go on with paused jobs",
    "cancel": "give jobs up at once",
    "retry": "render again what failed, and only that",
}
SHOWN = ("id", "state", "priority", "source", "output", "frames", "faces", "error", "command_error") + (
    ("waits_for", "held_up_by", "plan", "logs")
)
_ID = "number of a job, as videdit jobs list shows it"
ACTIONS = ("list", "show", "log", *VERBS, "move", "prune")


def known_queue(named: Path | None) -> Path:
    """The file of the queue. Raises UsageError: one is named that is not there; nobody would put jobs into it."""
    if named and not named.exists():
        raise UsageError(f"there is no queue {named}; videdit submit makes one")
    return queue_file(named)


def list_jobs(queue: Any, args: argparse.Namespace) -> int:
    """`videdit jobs list`."""
    from videdit.farm import admin
    from videdit.farm.schema import PAUSED, RUNNING, WAITING

    found = admin.jobs(queue, () if args.all or args.json else (WAITING, RUNNING, PAUSED))
    if args.json:
        print(json.dumps(found, indent=1))
        return 0
    if found:
        say(f"{'id':>5} {'state':9} {'prio':>4} {'segments':>9} {'left':>7}  source -> output")
    for job in found:
        left = "" if job["seconds_left"] is None else _clock(job["seconds_left"])
        parts = f"{job['segments_done']}/{job['segments']}" if job["segments"] else ""
        waits = f"  (after {', '.join(map(str, job['waits_for']))})" if job["waits_for"] else ""
        if held := ", ".join(map(str, job["held_up_by"])):
            waits = f"  (after {held}: videdit jobs retry {held.replace(',', '')})"
        error = f"  ({job['error']})" if job["error"] else ""
        error += f"  (its command: {job['command_error']})" if job["command_error"] else ""
        error += "  (its worker is silent; the next videdit work goes on there)" if job["silent"] else ""
        say(
            f"{job['id']:5} {job['state']:9} {job['priority']:4} {parts:>9} {left:>7}  "
            f"{job['source']} -> {job['upload'] or job['output']}{waits}{error}"
        )
    tally = admin.tally(queue)
    say(", ".join(f"{number} {state}" for state, number in tally.items()) or "no job")
    return 0


def show(queue: Any, args: argparse.Namespace) -> int:
    """`videdit jobs show ID`."""
    from videdit.farm import admin

    job = admin.job(queue, args.id)
    if args.json:
        print(json.dumps(job, indent=1))
        return 0
    for name in SHOWN:
        if job[name] not in (None, []):
            say(f"{name.replace('_', ' ')}: {job[name]}")
    say("settings: " + json.dumps(job["settings"]))
    for task in job["tasks"]:
        name = f"segment {task['number']}" if task["kind"] == "segment" else task["kind"]
        frames = f", {task['frames_done']} of {task['frames']} frames" if task["frames"] else ""
        took = f", {task['seconds']:.1f} s" if task["seconds"] else ""
        by = f" by {task['worker']}" if task["state"] == "running" else ""
        error = f": {task['error']}" if task["error"] else ""
        say(f"  {name}: {task['state']}{by}{frames}{took}{error}")
    return 0


def show_log(queue: Any, args: argparse.Namespace) -> int:
    """`videdit jobs log ID [SEGMENT]`."""
    from videdit.farm import admin

    words = admin.log_words(queue, args.id, args.segment)
    print(json.dumps({"id": args.id, "log": words})) if args.json else say(words)
    return 0


def change(queue: Any, args: argparse.Namespace) -> int:
    """`videdit jobs pause|resume|cancel|retry ID...`."""
    from videdit.farm import admin

    verbs: dict[str, Callable[..., None]] = {"resume": admin.resume, "cancel": admin.cancel, "retry": admin.retry}
    if args.verb == "pause":
        admin.pause(queue, args.ids, args.now)
    else:
        verbs[args.verb](queue, args.ids)
    return _tell(queue, args, args.ids)


def move(queue: Any, args: argparse.Namespace) -> int:
    """`videdit jobs move ID`."""
    from videdit.farm import admin

    if args.before is not None and args.priority is not None:
        raise UsageError("--before also gives a job the priority of that other; leave --priority out")
    admin.move(queue, args.id, priority=args.priority, before=args.before)
    return _tell(queue, args, [args.id])


def prune(queue: Any, args: argparse.Namespace) -> int:
    """`videdit jobs prune`."""
    from videdit import paths
    from videdit.farm import admin, staging
    from videdit.farm.schema import DONE, OVER

    staging.sweep(paths.state_dir() / "staging")
    numbers = admin.prune(queue, args.older, (DONE,) if args.done else OVER)
    print(json.dumps({"forgotten": numbers})) if args.json else say(f"{len(numbers)} jobs are forgotten")
    return 0


def _tell(queue: Any, args: argparse.Namespace, numbers: Sequence[int]) -> int:
    from videdit.farm import admin

    found = [admin.job(queue, number) for number in numbers]
    if args.json:
        print(json.dumps([{name: job[name] for name in ("id", "state", "priority")} for job in found]))
    else:
        for job in found:
            say(f"job {job['id']}: {job['state']}, priority {job['priority']}")
    return 0


def work(words: Sequence[str]) -> int:
    """`videdit work`: until Ctrl-C, or until nothing is left. Raises PartialFailure: jobs have failed meanwhile."""
    parser = Parser(
        "videdit work",
        description="Render the jobs of the queue. Several may run at once, on one machine or on several GPUs.",
    )
    parser.add_argument("--queue", type=Path, metavar="FILE", help="file of the queue (default: the user's)")
    parser.add_argument(
        "--until-empty", action="store_true", help="end when no job is left (default: wait for more until Ctrl-C)"
    )
    parser.add_argument(
        "--device", metavar="NAME", help="where the networks run, in place of what jobs name: auto, cpu, cuda or cuda:N"
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray", "slurm", "openjd"),
        help="who renders segments of long clips (default: this process)",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="segments that --engine renders at once (default: 1)"
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="address of a running Ray cluster (default: start one on this machine)"
    )
    parser.add_argument(
        "--lease",
        type=positive_seconds,
        default=60.0,
        metavar="SECONDS",
        help="seconds of silence after which a worker counts as dead (default: 60)",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each task that ended")
    parser.add_argument("--quiet", "-q", action="store_true", help="print only what fails")
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    args = parser.parse_args(words)
    if not args.engine and (args.workers != 1 or args.address):
        option = "--address" if args.address else "--workers"
        raise UsageError(f"{option} is of --engine; of one that renders by itself start as many as the machine bears")

    from videdit.engine.devices import resolve_device
    from videdit.farm.queue import Queue
    from videdit.farm.worker import Worker

    if args.device and not args.address and args.engine != "slurm":
        resolve_device(args.device)  # of this machine: else one job after the other would fail at it

    failed = 0
    with contextlib.ExitStack() as stack:
        queue = stack.enter_context(Queue(known_queue(args.queue)))
        worker = Worker(queue, lease=args.lease, device=args.device)
        if args.engine:
            from videdit.farm.dispatcher import Dispatcher
            from videdit.farm.engines.choose import engine_of

            engine = engine_of(args.engine, workers=args.workers, device=args.device, address=args.address)
            stack.callback(engine.close)
            worker = Dispatcher(queue, engine, lease=args.lease, device=args.device)
        for outcome in worker.work(args.until_empty, time.sleep):
            failed += outcome.state == "failed"
            if args.json:
                print(json.dumps(outcome.as_dict()), flush=True)
            elif not args.quiet or outcome.state == "failed":
                frames = f", {outcome.frames} frames" if outcome.frames else ""
                said = f": {outcome.said}" if outcome.said else ""
                name = f"segment {outcome.task.number}" if outcome.task.kind == "segment" else outcome.task.kind
                say(f"job {outcome.task.job} {name}: {outcome.state}{frames}, {outcome.seconds:.1f} s{said}")
    if failed:
        raise PartialFailure(f"{failed} failed; videdit jobs list --all says which, videdit jobs retry ID tries again")
    return 0


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
