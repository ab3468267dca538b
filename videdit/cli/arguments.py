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
from videdit.jobs.field_types import Option
from videdit.jobs.render_job import RenderJob

EPILOG = """\
examples:
  %(prog)s in.mp4 --edit smile
      writes in_smile.mp4
  %(prog)s in.mp4 --edit smile=1.5,age=15
      several edits, with strengths: in_smile+1.5+age+15.mp4
  %(prog)s clips/ --edit age=15 -o out/
      a folder; run again, it goes on where it stopped
  %(prog)s --config configs/jobs/example.yaml
      render jobs of a file

other commands (each has --help):
  videdit studio         a page in your browser: move a slider, see the face
  videdit faces          who is in a clip, with the numbers that --faces takes
  videdit doctor         whether this machine and installation are all right
  videdit weights        networks: list, fetch, import, verify
  videdit bench          how fast a render is here, stage by stage
  videdit direction      learn an edit of your own from two folders of pictures
  videdit schema         print the JSON schema of job files
  videdit submit, watch  put clips, or what arrives in a folder, into a queue
  videdit work, jobs     render the queue; see and change it
  videdit plan, segment, join, farm
                         one clip on many machines
  videdit eval, sheet, train
                         measure, draw figures, train the networks

more about every option: docs/edits.md, docs/people.md, docs/media.md
exit codes: 0 done, 1 failed, 2 usage, 3 no face found, 4 part of a batch
failed, 130 interrupted
"""


def render_parser() -> Parser:
    """The options of rendering. Those that a job file knows too have no default here: the job's own apply."""
    parser = Parser(
        usage="%(prog)s INPUT ... --edit EDITS [options]",
        prog="run_video.py" if Path(sys.argv[0]).stem == "run_video" else "videdit",
        description="Edit the faces in video and leave the rest of the clip exactly as it was.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"videdit {__version__}")

    titles = {"what": "what to edit", "output": "what to write", "how": "how to render"}
    groups = {name: parser.add_argument_group(title) for name, title in titles.items()}
    for name, field in RenderJob.model_fields.items():
        for option in field.metadata:
            if isinstance(option, Option):
                add_option(groups[option.group], name, option, field.description or "", field.default)
    what = groups["what"]
    what.add_argument("--list-edits", action="store_true", help="list all edits with units and ranges, and exit")
    what.add_argument(
        "--edits-dir", type=Path, metavar="DIR", help="folder of your own edits; default: ~/.config/videdit/edits"
    )
    what.add_argument(
        "--config",
        type=Path,
        action="add",
        metavar="FILE",
        help="YAML file of render jobs, repeatable; options given here win",
    )

    tell = parser.add_argument_group("what to show")
    tell.add_argument(
        "--preview",
        action="add",
        metavar="TIMES",
        help="write PNGs of single frames, before and after, at times in seconds or h:mm:ss: 3,0:00:07.5",
    )
    tell.add_argument(
        "--draft", action="store_true", help="with --preview: each frame by itself, within a second, nothing smoothed"
    )
    tell.add_argument(
        "--sweep",
        metavar="EDIT=A..B",
        help="with --preview: the frame under five strengths, on one sheet: age=-15..30; under seven: age=-15..30:7",
    )
    tell.add_argument("--dry-run", action="store_true", help="show what would be done and how long it takes, and exit")
    tell.add_argument("--bench", action="store_true", help="write no output, tell how long each stage takes")
    tell.add_argument(
        "--progress",
        choices=("auto", "bar", "jsonl", "none"),
        default="auto",
        help="how progress is shown: bar, jsonl (JSON lines on stdout), none, or auto (default): a bar on a terminal",
    )
    tell.add_argument("--quiet", "-q", action="store_true", help="print nothing unless it fails")
    tell.add_argument(
        "--verbose",
        "-v",
        action="store_true",
        help="also print how long each stage took; with --list-edits, how each edit was measured",
    )
    tell.add_argument("--report", type=Path, metavar="FILE", help="write a JSON report of the run")
    tell.add_argument("--log", type=Path, metavar="FILE", help="write a detailed log")
    tell.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    return parser


def add_option(group: argparse._ArgumentGroup, name: str, option: Option, description: str, default: object) -> None:
    """The option of a job's field, in the field's own words."""
    words = description if description[1:2].isupper() else description[:1].lower() + description[1:]
    words = words.removesuffix(".").replace("`", "")
    if isinstance(default, str | float) and default and default is not True and "default" not in words:
        words += f" (default: {default})"
    if option.positional:
        group.add_argument(name, nargs="*", metavar=option.value, help=words.replace("%", "%%"))
        return
    how: dict[str, Any] = {"metavar": option.value, "help": words.replace("%", "%%")}
    if option.value is None:
        how = {"action": argparse.BooleanOptionalAction if default else "store_true", "help": how["help"]}
    elif option.repeated:
        how["action"] = "add"
    elif option.bare:
        how |= {"nargs": "?", "const": option.bare}
    group.add_argument("--" + name.replace("_", "-"), *filter(None, [option.short]), **how)


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
_TELLING = (
    "list_edits",
    "preview",
    "sweep",
    "draft",
    "dry_run",
    "bench",
    "progress",
    "quiet",
    "verbose",
    "report",
    "log",
    "debug",
)


def submitted_jobs(words: Sequence[str], output: str | None = None) -> list[Any]:
    """The jobs that a rendering's words mean, where it is not done here and now.

    A single input that is a YAML file is a job file. output: in place of --output.

    Raises:
        UsageError: one line for each word that makes no sense.
    """
    options = read(render_parser(), words)
    if options.pop("edits_dir", None):
        raise UsageError(
            "--edits-dir is not known to who renders it later: "
            "name the direction's file in --edit, or set VIDEDIT_EDITS for everyone"
        )
    for name in _TELLING:
        if options.pop(name, None) not in (None, False, "auto"):
            raise UsageError(f"--{name.replace('_', '-')} is of a rendering that is done here and now; leave it out")
    inputs = options.get("input", [])
    if len(inputs) == 1 and Path(inputs[0]).suffix.lower() in (".yaml", ".yml"):
        options = options | {"config": [Path(inputs[0])], "input": []}
    if output is not None:
        options["output"] = output
    return jobs_of(options)
