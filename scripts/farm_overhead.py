"""What the queue and an engine cost: whole commands, against one plain run of the same clip on the same cores.

For each length of a clip the plain command renders it, then a worker of a queue with an engine ("none": without); all
in one run and in turns, so that whatever else the machine does meets all of them. Of several clips (`--clips`) each has
a plain command of its own, and the queue has them all. Counted are the processor's seconds of a command with all its
processes, also those that Ray starts apart (they become this process's children), and wall time. Cores are those that
this process may use (`taskset`).

    python scripts/farm_overhead.py examples/portrait.mp4 --seconds 3 6 12 --repeat 3
    python scripts/farm_overhead.py examples/portrait.mp4 --seconds 3 --clips 4
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import psutil

_LOOK = 0.5  # seconds: looking is work too
COMMAND = [sys.executable, "-m", "videdit"]
_SUBREAPER = 36  # prctl's PR_SET_CHILD_SUBREAPER: processes whose parents end become ours
PARTS = ("commands", "actors", "ray")
EDIT = ["--edit", "smile", "--size", "256"]


def to_and_fro(source: Path, target: Path, seconds: float, width: int = 640) -> Path:
    """A clip that is played forwards and backwards until it is long enough, so that it has no cut."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        picture = old.streams.video[0]
        stream = new.add_stream("libx264", rate=picture.average_rate)
        stream.width, stream.height = width, round(width * picture.height / picture.width / 2) * 2
        frames = [frame.reformat(stream.width, stream.height, "yuv420p") for frame in old.decode(picture)]
        course = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
        for number in range(round(seconds * float(picture.average_rate))):
            frame = frames[course[number % len(course)]]
            frame.pts, frame.time_base = number, 1 / picture.average_rate
            new.mux(stream.encode(frame))
        new.mux(stream.encode(None))
    return target


class Watch(threading.Thread):
    """Adds up what all processes below this one use of the processor: also of those that are not waited for."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._over = threading.Event()
        self._used: dict[psutil.Process, tuple[str, float]] = {}

    def run(self) -> None:
        """Look again and again; of a process counts what it had used when it was last seen."""
        me = psutil.Process()
        while not self._over.wait(_LOOK):
            for one in me.children(recursive=True):
                with contextlib.suppress(psutil.Error, KeyError):
                    times, words = one.cpu_times(), one.cmdline()
                    part = _part(words) if words else self._used[one][0]  # one that has just ended has none
                    self._used[one] = part, times.user + times.system

    def end(self) -> Counter[str]:
        """Seconds of the processor, by part."""
        self._over.set()
        self.join()
        seconds: Counter[str] = Counter()
        for part, used in self._used.values():
            seconds[part] += used
        return seconds


def _part(words: list[str]) -> str:
    """What a process is: an actor, a command of ours with its processes, or a part of Ray's own."""
    if words and words[0].startswith("ray::_Renderer"):
        return "actors"
    if "videdit" in words:
        return "commands"
    return "ray" if any("ray" in word.split("/") or word.startswith("ray::") for word in words) else "commands"


def measured(*commands: Sequence[str]) -> dict[str, float]:
    """Run commands one after the other, and wait for all that they have started."""
    watch, begun = Watch(), time.monotonic()
    watch.start()
    for words in commands:
        subprocess.run([*COMMAND, *words], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    wall = time.monotonic() - begun
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    used = watch.end()
    return {"cpu": round(used.total(), 2), "wall": round(wall, 2)} | {part: round(used[part], 2) for part in PARTS}


def main() -> None:
    """Measure, and print a line of JSON for each length, number of clips and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, nargs="+", default=[3, 6, 12], help="lengths of the clip")
    parser.add_argument("--clips", type=int, nargs="+", default=[1], help="so many clips of that length")
    parser.add_argument(
        "--segments", type=int, nargs="+", default=[0], help="in so many segments each; 0: as the plain command does"
    )
    parser.add_argument("--engines", nargs="+", default=["ray"])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1, help="of which the median is told")
    args = parser.parse_args()
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["VIDEDIT_CACHE"] = str(_own_cache(folder))
        for seconds in args.seconds:
            clips = [to_and_fro(args.clip, folder / "in0.mp4", seconds)]
            clips += [shutil.copy(clips[0], folder / f"in{number}.mp4") for number in range(1, max(args.clips))]
            for number in args.clips:
                _compare(clips[:number], folder, seconds, args)


def _compare(clips: list[Path], folder: Path, seconds: float, args: argparse.Namespace) -> None:
    """Render clips in every way, and print a line for each."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(args.repeat):
        for how, commands in _ways(clips, folder, seconds, args).items():
            found.setdefault(how, []).append(measured(*commands))
            print(how, found[how][-1], file=sys.stderr, flush=True)
    plain = _median(found["plain"])
    for how, times in found.items():
        told: dict[str, Any] = {"seconds": seconds, "clips": len(clips), "how": how} | _median(times)
        told |= {f"{kind}_over": round(100 * (told[kind] / plain[kind] - 1), 1) for kind in ("cpu", "wall")}
        print(json.dumps(told), flush=True)


def _ways(clips: list[Path], folder: Path, seconds: float, args: argparse.Namespace) -> dict[str, list[list[str]]]:
    """The commands of each way to render clips."""
    how = [*EDIT, "--overwrite", "--no-cache"]
    ways = {"plain": [[str(clip), *how, "-o", str(folder / "plain" / clip.name)] for clip in clips]}
    queue = ["--queue", str(folder / "queue.sqlite")]
    for engine in args.engines:
        for segments in args.segments:
            words = ["submit", *map(str, clips), *how, *queue, "-o", f"{folder / engine}/"]
            words += ["--segment-seconds", str(seconds / segments)] if segments else []
            with_engine = [] if engine == "none" else ["--engine", engine, "--workers", str(args.workers)]
            name = f"queue, engine {engine}" + (f", {segments} segments" if segments else "")
            ways[name] = [words, ["work", "--until-empty", *queue, *with_engine]]
    return ways


def _own_cache(folder: Path) -> Path:
    """A cache in which nothing is known of the clip; compiled networks are the user's."""
    from videdit.paths import cache_dir

    own = folder / "cache"
    own.mkdir()
    (own / "graphs").symlink_to(cache_dir() / "graphs")
    return own


def _median(times: list[dict[str, float]]) -> dict[str, float]:
    return {kind: round(statistics.median(one[kind] for one in times), 2) for kind in times[0]}


if __name__ == "__main__":
    main()
