"""`videdit bench latency`: how long one waits for a first picture, for the next one, and for commands that do little.

Commands are run as such, each in a process of its own; the rest in one session, as a program would have it. Wall time
is what a person waits; processor time, of all cores together, says how much of it was work.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from videdit.argument_parser import Parser
from videdit.errors import MediaError, UsageError
from videdit.rendering.job_clips import clip_of
from videdit.rendering.session import Session
from videdit.rendering.window_preview import rendered_pair
from videdit.storage.outputs import scratch

RUNS = 5
_STRENGTHS = (1.0, 0.8, 0.6, 0.4, 0.2)  # of recommended ones; the first is also that of the exact tier


def main(words: Sequence[str]) -> int:
    """Run the bench and print its table as it grows."""
    parser = Parser(
        "videdit bench latency",
        description="Time how long one waits for a first preview, for the next one, and for commands that do little.",
        allow_abbrev=False,
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="a video in which a face is seen")
    parser.add_argument(
        "--edit", default="smile", metavar="NAME", help="the edit whose strength moves (default: smile)"
    )
    parser.add_argument(
        "--method", default="auto", metavar="NAME", help="how faces are edited: student, hfgi or auto (default)"
    )
    parser.add_argument(
        "--at", default=1.0, type=float, metavar="SECONDS", help="time of the frame in seconds (default: 1)"
    )
    parser.add_argument(
        "--sizes", default="256,512", metavar="PX,PX", help="sizes of the face crop in pixels (default: 256,512)"
    )
    parser.add_argument(
        "--exact", action="store_true", help="also time exact previews, beside a render of the surroundings"
    )
    parser.add_argument(
        "--runs",
        default=RUNS,
        type=int,
        metavar="N",
        help="runs of each command, of which the median is shown (default: 5)",
    )
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    args = parser.parse_args(words)
    try:
        sizes = [int(word) for word in args.sizes.split(",")]
    except ValueError:
        raise UsageError(f"--sizes {args.sizes}: write sizes of crops, like 256,512") from None
    if not args.clip.is_file():
        raise UsageError(f"the clip {args.clip} does not exist")
    print(f"{'':52}{'wall s':>8}{'cpu s':>8}", flush=True)
    for line in bench(args.clip.resolve(), args.edit, args.method, args.at, sizes, args.exact, max(1, args.runs)):
        print(line, flush=True)
    return 0


def bench(
    clip: Path, edit: str, method: str, at: float, sizes: Sequence[int], exact: bool, runs: int = RUNS
) -> Iterator[str]:
    """The table, line by line. Raises MediaError: a command failed."""
    render = [str(clip), "--edit", edit, "--method", method]
    with scratch() as folder:
        out = ["-o", f"{folder}/out.mp4", "--overwrite"]
        commands = {
            f"--preview {at:g} --draft": [*render, *out, "--preview", f"{at:g}", "--draft"],
            f"--edit {edit}=0 (nothing to do)": [str(clip), "--edit", f"{edit}=0", *out],
            "faces": ["faces", str(clip), "--sheet", f"{folder}/faces.png", "--overwrite"],
            "--dry-run": [*render, *out, "--dry-run"],
        }
        for name, words in commands.items():
            _command(words)  # graphs are compiled, faces found, a face's time measured
            yield _line(f"videdit ... {name}", [_command(words) for _ in range(runs)])
    for size in sizes:
        with Session() as session:
            yield from _previews(session, clip, {"edit": edit, "method": method, "size": size}, at, exact)


def _previews(session: Session, clip: Path, words: dict, at: float, exact: bool) -> Iterator[str]:
    name, recommended = words["edit"], recommended_of(words["edit"])

    def ask(share: float, tier: str, time: float = at) -> Callable[[], object]:
        job = clip_of(words | {"input": str(clip), "edit": f"{name}={share * recommended:.4g}"}).job
        return lambda: session.preview(job, time, tier=tier)  # type: ignore[arg-type]

    size = words["size"]
    yield _line(f"{size} px: first draft of a session", [_timed(ask(1.0, "draft"))])
    ask(0.9, "draft")()
    yield _line(f"{size} px: draft, another strength", [_timed(ask(share, "draft")) for share in _STRENGTHS])
    if exact:
        old = clip_of(words | {"input": str(clip)})
        info = session.source(old).info
        yield _line(f"{size} px: exact, first", [_timed(ask(1.0, "exact"))])
        yield _line(f"{size} px: exact, another strength", [_timed(ask(0.5, "exact"))])
        step = 1 / float(info.fps)
        yield _line(f"{size} px: exact, the next frame", [_timed(ask(0.5, "exact", at + step))])
        render = session.renderer()
        yield _line(
            f"{size} px: by a render of the surroundings", [_timed(lambda: rendered_pair(render, old, info, at))]
        )


def recommended_of(edit: str) -> float:
    """The strength that an edit is recommended at."""
    from videdit.edits.parse import find

    return find(edit).recommended


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall, processor) seconds."""
    begun, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - cpu


def _command(words: Sequence[str]) -> tuple[float, float]:
    """The same of a command. Raises MediaError: it failed."""
    before, begun = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "videdit", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    seconds, after = time.perf_counter() - begun, os.times()
    if done.returncode:
        raise MediaError(f"videdit {' '.join(words)}: {done.stderr.strip()}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used


def _line(name: str, runs: Sequence[tuple[float, float]]) -> str:
    """A row: medians."""
    wall, cpu = (statistics.median(values) for values in zip(*runs, strict=True))
    return f"{name:52}{wall:8.2f}{cpu:8.2f}" + (f"  (of {len(runs)})" if len(runs) > 1 else "")
