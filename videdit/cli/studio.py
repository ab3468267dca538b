"""`videdit studio`: a page in the browser in which edits are chosen by looking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videdit import shutdown
from videdit.argument_parser import Parser, read
from videdit.errors import UsageError
from videdit.jobs.field_types import parse_bytes


def main(words: Sequence[str]) -> int:
    """The command. Raises UsageError: words that make no sense, or the extra `studio` is not installed."""
    parser = Parser(
        "videdit studio",
        description="Open a page in the browser: see the clip, move a slider, see the face. Files stay where they lie; "
        "the page sees the folders named here and nothing else.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "places", nargs="*", type=Path, metavar="FILE|FOLDER", help="clips and folders (default: the current folder)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    parser.add_argument("--port", type=int, metavar="N", help="port of the page (default: 8420, or one that is free)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on (default: 127.0.0.1); with another one other machines can connect",
    )
    parser.add_argument("--state", type=Path, metavar="DIR", help="folder of the render queue (default: the user's)")
    parser.add_argument(
        "--memory", default="1G", metavar="SIZE", help="memory for recent clips, e.g. 500M or 1G (default: 1G)"
    )
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    options = read(parser, words)
    try:
        parse_bytes(options["memory"])
    except ValueError as error:
        raise UsageError(f"--memory: {error}") from None
    port = options["port"]
    if port is not None and not 0 <= port < 1 << 16:
        raise UsageError(f"there is no port {port}")
    try:
        from videdit.studio.serve import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "anyio"):
            raise
        raise UsageError('the studio takes starlette and uvicorn: pip install "videdit[studio]"') from None
    serve(
        options["places"],
        host=options["host"],
        port=port,
        browser=not options["no_browser"],
        folder=options["state"],
        memory=options["memory"],
    )
    return (
        shutdown.EXIT_CODE
    )  # it ends by Ctrl-C, and at once: tearing down networks that are being made would abort it
