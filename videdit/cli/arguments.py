"""The options of rendering, as the command line has them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from videdit._version import __version__
from videdit.argument_parser import Parser, read
from videdit.errors import UsageError

EPILOG = """\
examples:
  %(prog)s in.mp4 --edit smile                  writes in_smile.mp4
  %(prog)s in.mp4 --edit smile=1.5,age=20       several, with strengths: in_smile+1.5+age+20.mp4
  %(prog)s clips/ --edit age=20 -o out/          a folder: goes on where it stopped
  %(prog)s --config configs/jobs/example.yaml   render jobs
commands beside rendering: videdit faces, bench, direction, doctor, eval, sheet, train, weights, schema (--help: more)
many jobs, many machines: videdit submit, jobs, work, watch, plan, segment, join, farm
exit codes: 0 done, 1 failed, 2 usage, 3 no face, 4 part of a batch failed, 130 interrupted
"""


def render_parser() -> Parser:
    """The options of rendering. Those that a job file knows too have no default here: the job's own apply."""
    parser = Parser(
        prog="videdit" if Path(sys.argv[0]).stem == "videdit" else "run_video.py",
        description="Edit the faces in video and leave the rest of the clip exactly as it was.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"videdit {__version__}")

    what = parser.add_argument_group("what")
    what.add_argument("input", nargs="*", metavar="INPUT", help="videos, pictures, folders, globs or shot_%%04d.png")
    what.add_argument(
        *("--edit", "-e"),
        action="add",
        metavar="EDITS",
        help="smile, age=-15, several: smile=1.5,age=20, over time: smile=0@0s,2@1.5s; given again it adds to these",
    )
    what.add_argument("--list-edits", action="store_true", help="show all edits with their ranges, and stop")
    what.add_argument("--edits-dir", type=Path, metavar="DIR", help="folder of your own directions, each file an edit")
    what.add_argument(
        "--config", type=Path, action="add", metavar="FILE", help="YAML file(s) of render jobs; options here win"
    )
    what.add_argument(
        "--faces", metavar="WHICH", help="largest (default), all, left, numbers of videdit faces (0,2), or a picture"
    )
    what.add_argument("--fps", metavar="RATE", help="frames a second of numbered pictures (default: 25)")
    what.add_argument("--video-track", metavar="N|LANG", help="which of several videos in a file: 2, eng (default: 1)")
    what.add_argument("--start", metavar="TIME", help="cut: seconds or h:mm:ss")
    what.add_argument("--end", metavar="TIME", help="cut: seconds or h:mm:ss")
    what.add_argument("--scenes", action="add", metavar="LIST", help="edit only these shots: 1,3 or 2-4 (default: all)")

    out = parser.add_argument_group("output")
    out.add_argument(
        "--output", "-o", metavar="OUT", help="file, folder or template with {stem} {edit} {strength} {ext}"
    )
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
    out.add_argument("--pix-fmt", metavar="NAME", help="yuv420p, yuv422p10le, gbrp, ... (default: the source's)")
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
    how.add_argument("--method", metavar="NAME", help="student or hfgi; auto (default): what looks best for the edits")
    how.add_argument("--tune", metavar="STEPS", help="tune the generator to each clip first: 30 steps are minutes")
    how.add_argument(
        "--checkpoint", action="add", metavar="FILE", help="networks of profile hfgi-ffhq or hfgi-car: your file(s)"
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
    tell.add_argument(
        "--preview", action="add", metavar="TIMES", help="write PNGs of single frames, before and after: 3,0:00:07.5"
    )
    tell.add_argument(
        "--draft", action="store_true", help="with --preview: each frame by itself, in an instant, nothing smoothed"
    )
    tell.add_argument(
        "--sweep",
        metavar="EDIT=A..B",
        help="with --preview: the frame under several strengths, on one sheet: age=-15..30, age=-15..30:7 for seven",
    )
    tell.add_argument("--dry-run", action="store_true", help="show what would be done, and stop")
    tell.add_argument("--bench", action="store_true", help="measure the render: see videdit bench")
    tell.add_argument("--progress", choices=("auto", "bar", "jsonl", "none"), default="auto", help="default: auto")
    tell.add_argument("--quiet", "-q", action="store_true", help="say nothing unless it fails")
    tell.add_argument(
        "--verbose",
        "-v",
        action="store_true",
        help="also how long each stage has worked; with --list-edits, what is known of directions",
    )
    tell.add_argument("--report", type=Path, metavar="FILE", help="write a JSON report of the run")
    tell.add_argument("--log", type=Path, metavar="FILE", help="write a detailed log")
    tell.add_argument("--debug", action="store_true", help="show where a failure comes from")
    return parser


def use_edits_dir(options: dict[str, Any]) -> None:
    """Take --edits-dir out of the options: the folder's directions are edits from here on. Raises UsageError."""
    if folder := options.pop("edits_dir", None):
        if not folder.is_dir():
            raise UsageError(f"the folder {folder} of --edits-dir does not exist")
        os.environ["VIDEDIT_EDITS"] = str(folder)


def jobs_of(options: dict[str, Any]) -> list[Any]:
    """The command line's words as RenderJobs.

    Raises:
        UsageError: one line for each word that makes no sense.
    """
    config, inputs = options.pop("config", None), options.pop("input", [])
    from pydantic import ValidationError

    from videdit.jobs.job_file import explain, load_jobs
    from videdit.jobs.render_job import RenderJob

    if config is not None:
        if inputs:
            raise UsageError("--config brings its own inputs; name either inputs or a job file")
        return [job for file in config for job in load_jobs(file, options)]
    if not inputs:
        raise UsageError("name an input: a video, a picture, a folder or a glob")
    if "edit" not in options:
        raise UsageError("say what to change, for example --edit smile (see --list-edits)")
    try:
        return [RenderJob(input=inputs, **options)]
    except ValidationError as error:
        raise UsageError("\n".join(message for _, message in explain(error))) from None


# Options of rendering that are not of a job.
_TELLING = ("list_edits", "preview", "dry_run", "bench", "progress", "quiet", "verbose", "report", "log", "debug")


def submitted_jobs(words: Sequence[str], output: str | None = None) -> list[Any]:
    """The jobs that a rendering's words mean, where it is not done here and now.

    A single input that is a YAML file is a job file. output: in place of --output.

    Raises:
        UsageError: one line for each word that makes no sense.
    """
    options = read(render_parser(), words)
    use_edits_dir(options)
    for name in _TELLING:
        if options.pop(name, None) not in (None, False, "auto"):
            raise UsageError(f"--{name.replace('_', '-')} is of a rendering that is done here and now; leave it out")
    inputs = options.get("input", [])
    if len(inputs) == 1 and Path(inputs[0]).suffix.lower() in (".yaml", ".yml"):
        options = options | {"config": [Path(inputs[0])], "input": []}
    if output is not None:
        options["output"] = output
    return jobs_of(options)
