"""The command line: `python run_video.py in.mp4 --edit smile`, or `videdit ...` once installed.

Exit codes: 0 done, 1 failed, 2 usage, 3 no face found, 4 part of a batch failed, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import videdit
from videdit import interrupt
from videdit.errors import UsageError, VideditError

EPILOG = """\
examples:
  %(prog)s in.mp4 --edit smile                  writes in_smile.mp4
  %(prog)s in.mp4 --edit smile=1.5,age=-1       several edits, with strengths
  %(prog)s clips/ --edit age=2 -o out/          a folder: goes on where it stopped
  %(prog)s --config configs/jobs/example.yaml   render jobs
commands beside rendering: videdit faces, bench, direction, doctor, eval, sheet, train, weights, schema (--help: more)
exit codes: 0 done, 1 failed, 2 usage, 3 no face, 4 part of a batch failed, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. For the process's main thread: it takes over Ctrl-C and SIGTERM."""
    interrupt.install()
    code = run(sys.argv[1:] if argv is None else argv)
    if code == interrupt.EXIT_CODE:
        interrupt.leave(code)
    return code


def run(argv: Sequence[str]) -> int:
    """:func:`main` without the signals: every failure a user can meet becomes one line on stderr and a code."""
    debug = "--debug" in argv
    try:
        command = commands().get(argv[0]) if argv else None
        return command(argv[1:]) if command else render_command(argv)
    except KeyboardInterrupt:
        return fail("interrupted; nothing half-written is left", interrupt.EXIT_CODE)
    except BrokenPipeError:  # `videdit ... | head`: what is still to be flushed goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except VideditError as error:
        if debug:
            raise
        return fail(str(error), error.exit_code)
    except Exception as error:
        if debug:
            raise
        detail = " ".join(str(error).split())
        return fail(f"unexpected {type(error).__name__}: {detail} (--debug shows where)", 1)


def commands() -> dict[str, Callable[[Sequence[str]], int]]:
    """The first word of the command line; anything else is rendered. A file of such a name is called ./train."""
    return {
        "render": render_command,
        "bench": bench_command,
        "direction": direction_command,
        "doctor": doctor_command,
        "eval": eval_command,
        "faces": faces_command,
        "train": train_command,
        "sheet": sheet_command,
        "weights": weights_command,
        "schema": schema_command,
    }


def fail(message: str, code: int) -> int:
    # File names and tags are other people's words: they must not steer the terminal.
    plain = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in message)
    print(f"videdit: {plain}", file=sys.stderr)
    return code


def render_parser() -> argparse.ArgumentParser:
    """The options of rendering. Those that a job file knows too have no default here: the job's own apply."""
    parser = argparse.ArgumentParser(
        prog="videdit" if Path(sys.argv[0]).stem == "videdit" else "run_video.py",
        description="Edit the faces in video and leave the rest of the clip exactly as it was.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"videdit {videdit.__version__}")

    what = parser.add_argument_group("what")
    what.add_argument("input", nargs="*", metavar="INPUT", help="videos, pictures, folders, globs or shot_%%04d.png")
    what.add_argument(
        "--edit", "-e", metavar="EDITS", help="smile, age=-2, several: smile=1.5,age=-1, over time: smile=0@0s,2@1.5s"
    )
    what.add_argument("--list-edits", action="store_true", help="show all edits with their ranges, and stop")
    what.add_argument("--edits-dir", type=Path, metavar="DIR", help="folder of your own directions, each file an edit")
    what.add_argument("--config", type=Path, metavar="FILE", help="YAML file of render jobs; options here win over it")
    what.add_argument(
        "--faces", metavar="WHICH", help="largest (default), all, left, numbers of videdit faces (0,2), or a picture"
    )
    what.add_argument("--fps", metavar="RATE", help="frames a second of numbered pictures (default: 25)")
    what.add_argument("--start", metavar="TIME", help="cut: seconds or h:mm:ss")
    what.add_argument("--end", metavar="TIME", help="cut: seconds or h:mm:ss")
    what.add_argument("--scenes", metavar="LIST", help="edit only these shots: 1,3 or 2-4 (default: all)")

    out = parser.add_argument_group("output")
    out.add_argument("--output", "-o", metavar="OUT", help="file, folder or template with {stem} {edit} {ext}")
    out.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    out.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, help="go on with long clips where a run stopped (default)"
    )
    out.add_argument("--keep-unedited", action="store_true", help="write clips without a face too, unedited")
    out.add_argument(
        "--codec",
        help="h264, hevc, av1, vp9, prores, ffv1, or an encoder such as hevc_nvenc (default: the source's family)",
    )
    out.add_argument(
        "--encoder-backend", metavar="NAME", help="pyav (default), or ffmpeg: the encoders of your ffmpeg program"
    )
    out.add_argument("--crf", help="quality: lower is better and larger")
    out.add_argument("--preset", help="speed preset of the encoder")
    out.add_argument("--lossless", action="store_true", help="encode without any loss")
    out.add_argument("--transcode", action="store_true", help="encode sound and text anew that OUT cannot hold")
    out.add_argument("--alpha-out", metavar="OUT", help="also write the edit's matte in grey (a file or a folder)")
    out.add_argument(
        "--compare",
        nargs="?",
        const="side",
        metavar="KIND",
        help="also write OUT_compare: source and edit by side (default), or under a moving wipe",
    )
    out.add_argument("--debug-video", action="store_true", help="also write OUT_debug: tracks, landmarks, masks drawn")
    out.add_argument("--mark", metavar="WORDS", help='draw words in a corner of every frame: "AI-edited"')
    out.add_argument("--sign", metavar="CERTS", help="sign C2PA content credentials into the output (PEM file)")
    out.add_argument("--sign-key", metavar="KEY", help="the private key of the first certificate (PEM file)")
    out.add_argument("--sidecar", action="store_true", help="write OUT.json that says what was done")

    how = parser.add_argument_group("how")
    how.add_argument(
        "--cache", action=argparse.BooleanOptionalAction, help="keep what is found for another edit (default)"
    )
    how.add_argument("--analysis", metavar="DIR", help="where that is kept (default: the user's cache)")
    how.add_argument("--profile", metavar="NAME", help="model profile (default: mobile)")
    how.add_argument("--tune", metavar="STEPS", help="tune the generator to each clip first: 30 steps are minutes")
    how.add_argument(
        "--checkpoint", action="append", metavar="FILE", help="networks of profile hfgi-ffhq or hfgi-car: your file(s)"
    )
    how.add_argument("--box", metavar="X,Y,W,H", help="where the car is, for profile hfgi-car (default: everywhere)")
    how.add_argument("--size", metavar="PX", help="auto (default), 256, 512 or 1024 pixels a face")
    how.add_argument("--prealign", metavar="KIND", help="of turned heads: auto (default), landmarks, flow or none")
    how.add_argument("--detector", metavar="KIND", help="what finds faces: mtcnn (default) or insightface[:PACK]")
    how.add_argument(
        "--restore", metavar="KIND", help="face restoration: auto (default), none, small, gfpgan or realesrgan"
    )
    how.add_argument("--restore-strength", metavar="0..1", help="how much of the restoration is kept (default: 1)")
    how.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda or cuda:N")
    how.add_argument("--precision", metavar="KIND", help="auto (default), fp32 or bf16")
    how.add_argument("--batch", metavar="N", help="crops a network pass (default: auto)")
    how.add_argument("--decoder", metavar="NAME", help="cpu (default), auto, cuda, vaapi, videotoolbox, ...")
    how.add_argument("--memory", metavar="SIZE", help="what frames in flight may hold, e.g. 1G")

    tell = parser.add_argument_group("telling")
    tell.add_argument("--preview", metavar="TIMES", help="write PNGs of single frames, before and after: 3,0:00:07.5")
    tell.add_argument("--dry-run", action="store_true", help="show what would be done, and stop")
    tell.add_argument("--bench", action="store_true", help="measure the render: see videdit bench")
    tell.add_argument("--progress", choices=("auto", "bar", "jsonl", "none"), default="auto", help="default: auto")
    tell.add_argument("--quiet", "-q", action="store_true", help="say nothing unless it fails")
    tell.add_argument("--report", type=Path, metavar="FILE", help="write a JSON report of the run")
    tell.add_argument("--log", type=Path, metavar="FILE", help="write a detailed log")
    tell.add_argument("--debug", action="store_true", help="show where a failure comes from")
    return parser


def render_command(words: Sequence[str]) -> int:
    parser = render_parser()
    options = vars(parser.parse_args(words))
    if folder := options.pop("edits_dir", None):
        if not folder.is_dir():
            raise UsageError(f"the folder {folder} of --edits-dir does not exist")
        os.environ["VIDEDIT_EDITS"] = str(folder)
    if options.pop("list_edits", False):
        from videdit.edits import catalogue_table

        print(catalogue_table())
        return 0
    if not words:
        parser.print_help()
        return UsageError.exit_code
    options.pop("debug", False)
    quiet = options.pop("quiet", False)
    dry_run, bench = options.pop("dry_run", False), options.pop("bench", False)
    progress, report_file = options.pop("progress"), options.pop("report", None)
    set_up_logging(options.pop("log", None), quiet)
    preview = options.pop("preview", None)
    jobs = jobs_of(options)

    from videdit.edits import cautions, parse_edits
    from videdit.plan import make_plan

    for caution in dict.fromkeys(said for job in jobs for said in cautions(parse_edits(job.edit))):
        logging.getLogger("videdit").warning(caution)
    if preview is not None:
        preview_jobs(jobs, preview, quiet)
        return 0
    plan = make_plan(jobs)
    if dry_run:
        from videdit.dryrun import describe

        for line in describe(plan):
            print(line, flush=True)
        return 0
    if bench:
        from videdit.bench import bench_clip

        print(bench_clip(plan.clips[0]))
        return 0
    return render_plan(plan, "none" if quiet and progress == "auto" else progress, quiet, report_file)


def preview_jobs(jobs: list[Any], times: str, quiet: bool) -> None:
    """`--preview`: no clip is written, so those that exist do not stand in the way."""
    from videdit.plan import make_plan
    from videdit.preview import parse_times, previews

    at, overwrite = parse_times(times), all(job.overwrite for job in jobs)
    for path in previews(make_plan([job.model_copy(update={"overwrite": True}) for job in jobs]), at, overwrite):
        if not quiet:
            print(path, flush=True)


def jobs_of(options: dict[str, Any]) -> list[Any]:
    """The command line's words as RenderJobs.

    Raises:
        UsageError: one line for each word that makes no sense.
    """
    config, inputs = options.pop("config", None), options.pop("input", [])
    from pydantic import ValidationError

    from videdit.config import RenderJob
    from videdit.jobfile import explain, load_jobs

    if config is not None:
        if inputs:
            raise UsageError("--config brings its own inputs; name either inputs or a job file")
        return load_jobs(config, options)
    if not inputs:
        raise UsageError("name an input: a video, a picture, a folder or a glob")
    if "edit" not in options:
        raise UsageError("say what to change, for example --edit smile (see --list-edits)")
    try:
        return [RenderJob(input=inputs, **options)]
    except ValidationError as error:
        raise UsageError("\n".join(message for _, message in explain(error))) from None


def render_plan(plan: Any, progress_kind: str, quiet: bool, report_file: Path | None) -> int:
    from videdit import batch
    from videdit.render import Renderer
    from videdit.report import make_progress, write_report

    started, outcomes, finished = time.time(), [], False
    # Machines read stdout when they asked for JSON lines: words for people then go to stderr.
    stream = sys.stderr if progress_kind == "jsonl" else sys.stdout
    renderer = Renderer(make_progress(progress_kind))
    try:
        for outcome in batch.run_plan(plan, renderer.render):
            outcomes.append(outcome)
            if outcome.result is not None and not quiet:
                print(outcome.result.summary(), file=stream, flush=True)
            elif outcome.reason and not quiet:
                print(f"{outcome.clip.source}: {outcome.status}: {outcome.reason}", file=stream, flush=True)
        finished = True
    finally:
        if report_file is not None:
            write_report(report_file, batch.report(outcomes, started, finished))
    if plan.batch:
        if not quiet:
            print(batch.summary(outcomes, time.time() - started), file=stream)
        batch.raise_if_failed(outcomes)
    return 0


def set_up_logging(file: Path | None, quiet: bool) -> None:
    """Warnings to stderr as one line each, everything to `file`."""
    logger = logging.getLogger("videdit")
    logger.handlers.clear()
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    words = logging.StreamHandler()
    words.setLevel(logging.ERROR if quiet else logging.WARNING)
    words.setFormatter(logging.Formatter("videdit: %(message)s"))
    logger.addHandler(words)
    if file is not None:
        try:
            handler = logging.FileHandler(file, mode="w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write the log {file}: {error.strerror}") from None
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
        logger.addHandler(handler)


def bench_command(words: Sequence[str]) -> int:
    if words[:1] == ["models"]:
        from videdit import bench_models

        return bench_models.main(words[1:])
    return render_command([*words, "--bench"])


def eval_command(words: Sequence[str]) -> int:
    from videdit.metrics import evaluate

    return evaluate.main(words)


def faces_command(words: Sequence[str]) -> int:
    from videdit import listing

    return listing.main(words)


def train_command(words: Sequence[str]) -> int:
    from videdit.train.__main__ import main as train

    return train(list(words))


def sheet_command(words: Sequence[str]) -> int:
    from videdit.metrics import plates

    return plates.main(words)


def direction_command(words: Sequence[str]) -> int:
    from videdit.edits import learn

    return learn.main(words)


def doctor_command(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("videdit doctor", description="Check this machine and installation.")
    parser.add_argument("--debug", action="store_true", help="show where a failure comes from")
    parser.parse_args(words)
    from videdit.doctor import examine

    healthy = True
    for check in examine():
        print(check, flush=True)
        healthy &= check.good
    return 0 if healthy else 1


def weights_command(words: Sequence[str]) -> int:
    from videdit.weights import command

    return command.main(words)


def schema_command(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("videdit schema", description="Print the JSON schema of job files.")
    parser.add_argument("--debug", action="store_true", help="show where a failure comes from")
    parser.parse_args(words)
    from videdit.jobfile import job_schema

    print(job_schema(), end="")
    return 0
