"""The command line: `python run_video.py in.mp4 --edit smile`, or `videdit ...` once installed.

Exit codes: 0 done, 1 failed, 2 usage, 3 no face found, 4 part of a batch failed, 130 interrupted.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import logging
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from videdit import shutdown
from videdit._version import __version__
from videdit.argument_parser import Parser, read
from videdit.cli.arguments import jobs_of, render_parser, use_edits_dir
from videdit.cli.logs import set_up_logging
from videdit.errors import UsageError, VideditError
from videdit.terminal import all_said, complain, occupy, say, unsaid

log = logging.getLogger("videdit.cli.main")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. For the process's main thread: it takes over Ctrl-C and its like."""
    occupy()
    shutdown.install()
    logging.captureWarnings(True)  # what libraries warn of is for the log
    try:
        code = run(sys.argv[1:] if argv is None else argv)
    except SystemExit as done:  # --help
        code = int(done.code or 0)
    if not all_said() and code == 0:
        code = fail(f"what this prints is lost: {unsaid[0].strerror}", 1)
    if code == shutdown.EXIT_CODE:
        shutdown.leave(code)
    return code


# Commands that live in modules of their own, by their first word: module of videdit.cli, function.
ELSEWHERE = {
    name: (name, "main") for name in ("direction", "eval", "faces", "farm", "sheet", "studio", "train", "weights")
}
ELSEWHERE |= {name: ("plan", name) for name in ("plan", "segment", "join")}
ELSEWHERE |= {name: ("submit", name) for name in ("submit", "watch")}
ELSEWHERE |= {name: ("queue", name) for name in ("jobs", "work")}


def run(argv: Sequence[str]) -> int:
    """:func:`main` without the signals: every failure a user can meet becomes one line on stderr and a code."""
    debug = "--debug" in argv
    set_up_logging(None, False)
    try:
        command = commands().get(argv[0]) if argv else None
        return command(argv[1:]) if command else render_command(argv)
    except KeyboardInterrupt:
        log.info("interrupted")
        return fail(shutdown.WORDS, shutdown.EXIT_CODE)
    except BrokenPipeError:  # `videdit ... | head`: what is still to be flushed goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except VideditError as error:
        log.info("failed: %s", error)
        log.debug("where", exc_info=True)
        if debug:
            raise
        return fail(str(error), error.exit_code)
    except Exception as error:
        log.info("failed: %r", error, exc_info=True)
        if debug:
            raise
        if isinstance(error, FileNotFoundError) and _nowhere():
            return fail("the folder one is in has been deleted; change to one that is there", 1)
        detail = " ".join(str(error).split())
        return fail(f"unexpected {type(error).__name__}: {detail} (--debug shows where)", 1)


def _nowhere() -> bool:
    """Whether the folder that the process is in is gone, so that a name without a folder means nothing."""
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def commands() -> Mapping[str, Callable[[Sequence[str]], int]]:
    """The first word of the command line; anything else is rendered. A file of such a name is called ./train."""
    return {
        "render": render_command,
        "bench": bench_command,
        "doctor": doctor_command,
        "schema": schema_command,
        "help": help_command,
    } | {name: functools.partial(elsewhere, *place) for name, place in ELSEWHERE.items()}


def elsewhere(module: str, function: str, words: Sequence[str]) -> int:
    """A command of a module of its own, which is imported only now; the exit code."""
    return getattr(importlib.import_module(f"videdit.cli.{module}"), function)(list(words))


def fail(message: str, code: int) -> int:
    """Say what went wrong, in a line; returns the exit code."""
    complain(f"videdit: {message}")
    return code


def render_command(words: Sequence[str]) -> int:
    """`videdit CLIP --edit ...`; the exit code."""
    parser = render_parser()
    options = read(parser, words)
    use_edits_dir(options)
    if options.pop("list_edits", False):
        from videdit.edits import catalogue_table

        say(catalogue_table(verbose=options.pop("verbose", False)))
        return 0
    if not words:
        parser.print_help()
        return UsageError.exit_code
    options.pop("debug", False)
    quiet = options.pop("quiet", False)
    dry_run, bench = options.pop("dry_run", False), options.pop("bench", False)
    progress, report_file = options.pop("progress"), options.pop("report", None)
    verbose = options.pop("verbose", False)
    set_up_logging(options.pop("log", None), quiet)
    log.info("videdit %s, Python %s, %s", __version__, platform.python_version(), platform.platform())
    log.info("told: %s", shlex.join(words))
    preview = ",".join(options.pop("preview", [])) or None
    sweep, draft = options.pop("sweep", None), options.pop("draft", False)
    if preview is None and (sweep or draft):
        raise UsageError(f"--{'sweep' if sweep else 'draft'} is about previews: say at which time, with --preview 3")
    others = {"--dry-run": dry_run, "--bench": bench, "--report": report_file is not None}
    if preview is not None and any(others.values()):
        other = next(name for name, given in others.items() if given)
        raise UsageError(f"{other} is about renders; leave it out, or leave --preview out")
    if sweep:
        from videdit.cli.preview import with_sweep

        with_sweep(options, sweep)
    jobs = jobs_of(options)

    from videdit.edits import cautions
    from videdit.hfgi.profile import load_profile
    from videdit.jobs.plan import make_plan
    from videdit.paths import real

    subjects = [load_profile(job.profile, job.checkpoint).subject for job in jobs]
    told = (cautions(job.edits, subject) for job, subject in zip(jobs, subjects, strict=True))
    for caution in dict.fromkeys(itertools.chain.from_iterable(told)):
        logging.getLogger("videdit").warning(caution)
    if preview is not None:
        from videdit.cli import preview as command

        command.run(jobs, preview, sweep, draft, quiet)
        return 0
    if bench:  # what is written goes to a temporary folder, so that nothing stands in the way
        jobs = [job.model_copy(update={"overwrite": True}) for job in jobs]
    plan = make_plan(jobs)
    replace = False
    if report_file is not None:
        from videdit.rendering.progress import check_report

        replace = check_report(report_file, all(job.overwrite for job in jobs))
        if real(report_file) in {real(file) for clip in plan.clips for file in (clip.source, *clip.files)}:
            raise UsageError(f"the report {report_file} would be written over a clip's own file; choose another")
    if dry_run:
        from videdit.rendering.estimate import describe

        for line in describe(plan):
            say(line)
        return 0
    if bench:
        from videdit.cli.bench import bench_clip

        say(bench_clip(plan.clips[0]))
        return 0
    return render_plan(plan, "none" if quiet and progress == "auto" else progress, quiet, report_file, verbose, replace)


def render_plan(
    plan: Any, progress_kind: str, quiet: bool, report_file: Path | None, verbose: bool = False, replace: bool = False
) -> int:
    """Render what was planned. replace: a file that is where the report goes."""
    from videdit.jobs import batch
    from videdit.rendering.progress import make_progress, write_report
    from videdit.rendering.session import Session

    started, begun, outcomes, finished = time.time(), time.monotonic(), [], False
    # Machines read stdout when they asked for JSON lines: words for people then go to stderr.
    tell = complain if progress_kind == "jsonl" else say
    progress = make_progress(progress_kind)
    session = Session()

    def render(clip: Any) -> Any:
        return session.render(clip, progress=progress)

    try:
        for outcome in batch.run_plan(plan, render, progress.clip):
            head = f"clip {outcome.number} of {len(plan.clips)}: " if plan.batch else ""
            outcomes.append(outcome)
            log.info("%s: %s%s", outcome.clip.source, outcome.status, f", {outcome.reason}" if outcome.reason else "")
            if outcome.result is not None and not quiet:
                tell(head + outcome.result.summary(verbose))
            elif outcome.reason and not quiet:
                tell(f"{head}{outcome.clip.source}: {outcome.status}: {outcome.reason}")
        finished = True
    finally:
        if report_file is not None:
            write_report(report_file, batch.report(outcomes, started, finished, time.monotonic() - begun), replace)
    if plan.batch:
        if not quiet:
            tell(batch.summary(outcomes, time.monotonic() - begun))
        batch.raise_if_failed(outcomes)
    return 0


def bench_command(words: Sequence[str]) -> int:
    """`videdit bench`; the exit code."""
    if words[:1] == ["models"]:
        from videdit.cli import bench_models

        return bench_models.main(words[1:])
    if words[:1] == ["latency"]:
        from videdit.cli import bench_latency

        return bench_latency.main(words[1:])
    if words[:1] == ["peers"]:
        from videdit.cli import bench_peers

        return bench_peers.main(words[1:])
    if {"-h", "--help"} & set(words):
        parser = Parser(
            "videdit bench",
            usage="videdit bench INPUT --edit EDITS [options of a render]\n"
            "       videdit bench models | latency | peers [--help]",
            description="Render a clip, write no output, and tell how long each stage and each network took and how "
            "busy the machine was. The options are those of a render (videdit --help). videdit bench models times the "
            "networks alone, videdit bench latency how long one waits for a preview, videdit bench peers what a face "
            "takes in networks of others beside ours.",
        )
        parser.parse_args(["--help"])
    return render_command([*words, "--bench"])


def doctor_command(words: Sequence[str]) -> int:
    """`videdit doctor`; the exit code."""
    parser = Parser("videdit doctor", description="Check this machine and installation.")
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    parser.parse_args(words)
    from videdit.cli.doctor import examine

    healthy = True
    for check in examine():
        say(check)
        healthy &= check.good
    return 0 if healthy else 1


def help_command(words: Sequence[str]) -> int:
    """`videdit help`, or `videdit help faces`; the exit code."""
    if words and words[0] not in (*commands(), "-h", "--help"):
        raise UsageError(f"there is no command {words[0]}; videdit --help lists them")
    return run([*words, "--help"])


def schema_command(words: Sequence[str]) -> int:
    """`videdit schema`; the exit code."""
    parser = Parser("videdit schema", description="Print the JSON schema of job files.")
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    parser.parse_args(words)
    from videdit.jobs.job_file import job_schema

    print(job_schema(), end="")
    return 0
