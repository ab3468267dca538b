"""What a run tells its user: progress while it works, a summary and report.json when it is done."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from videdit.errors import MediaError, UsageError
from videdit.pipeline.executor import StageStats
from videdit.storage.outputs import is_special, put_text
from videdit.terminal import is_terminal, plain

_MOST_BYTES = 64 << 20  # of a report


def busiest(stats: Sequence[StageStats]) -> str:
    """The stage that has worked most so far: the one the others wait for."""
    return max(stats, key=lambda stage: stage.busy).name


class Progress:
    """Tells nothing: ``--progress none``. The others override what they have to say."""

    def clip(self, number: int, of: int) -> None:
        """The clip that begins next is so many of so many."""

    def start(self, name: str, frames: int | None) -> None:
        """A clip of about `frames` frames begins."""

    def look(self, stats: Sequence[StageStats]) -> None:
        """Called a few times a second while faces are looked for, before anything is rendered."""

    def update(self, stats: Sequence[StageStats]) -> None:
        """Called a few times a second while it runs."""

    def end(self, status: str, detail: dict[str, Any] | None = None) -> None:
        """It is over: "done", "failed", "skipped" or "interrupted"."""


class Hopeful:
    """A stream that may have gone, with its terminal or from the start: what cannot be said is not."""

    def __init__(self, stream: TextIO | None) -> None:
        """stream: None: there never was one."""
        self.stream = stream

    def write(self, words: str) -> int:
        """The number of characters, written or not, as of any text stream."""
        if self.stream is not None:
            with contextlib.suppress(OSError, ValueError):
                return self.stream.write(words)
        return len(words)

    def flush(self) -> None:
        """Nothing is raised where the stream has gone."""
        if self.stream is not None:
            with contextlib.suppress(OSError, ValueError):
                self.stream.flush()


class BarProgress(Progress):
    """One bar a clip on a terminal, first for the look at it, then for its rendering: both move from the beginning on.

    Frames, time that it took and that is left, what it does.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        """stream: by default stderr."""
        self.stream = Hopeful(stream or sys.stderr)
        self.bar: tqdm | None = None
        self.position = ""
        self.frames: int | None = None
        self._rendering, self._drawn = False, 0.0

    def clip(self, number: int, of: int) -> None:
        """The next bar begins with "clip 2 of 7"."""
        self.position = f"clip {number} of {of}: "

    def start(self, name: str, frames: int | None) -> None:
        """Draw a new bar; frames: None: how many there are is not known, and neither is the time left."""
        name = plain(name)
        self.frames, self._rendering = frames, False
        columns, rows = shutil.get_terminal_size()  # 80 x 24 where a terminal says 0, and tqdm would draw nothing
        self.bar = tqdm(
            total=frames,
            desc=self.position + (name if len(name) <= 20 else f"{name[:17]}..."),
            unit=" frames",
            file=self.stream,
            ncols=columns,
            nrows=rows,
            leave=False,
            bar_format="{desc} |{bar}| {n_fmt}/{total_fmt}, {elapsed}, {remaining} left{postfix}",
        )
        self.bar.set_postfix_str("begins")

    def look(self, stats: Sequence[StageStats]) -> None:
        """Move the bar by the frames that were looked at."""
        if self.bar is not None:
            self._show("looks for faces", stats[-1].packets)

    def update(self, stats: Sequence[StageStats]) -> None:
        """Move the bar by the frames that are out; the first call begins it anew."""
        if self.bar is None:
            return
        if not self._rendering:
            self._rendering, self._drawn = True, 0.0
            self.bar.set_postfix_str("", refresh=False)
            self.bar.reset(self.frames)
        self._show(f"busy: {busiest(stats)}", stats[-1].packets)

    def _show(self, doing: str, frames: int) -> None:
        """Where it stands; the clock goes on while no frame does (networks are compiled for seconds)."""
        assert self.bar is not None
        self.bar.set_postfix_str(doing, refresh=False)
        self.bar.update(frames - self.bar.n)
        now = time.monotonic()
        if now - self._drawn > 0.5:
            self._drawn = now
            self.bar.refresh()

    def end(self, status: str, detail: dict[str, Any] | None = None) -> None:
        """Remove the bar; how it ended the summary says."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class JsonProgress(Progress):
    """One JSON object a line, for machines: events start, look and progress (twice a second), end."""

    def __init__(
        self, stream: TextIO = sys.stdout, every: float = 0.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """stream: gets whole lines, flushed. every: seconds between two events. clock: seconds, never going back."""
        self.stream, self.every, self.clock = stream, every, clock
        self.name, self.frames = "", None  # type: str, int | None
        self.position: dict[str, int] = {}
        self.begun = self.last = 0.0
        self.first: tuple[float, int] | None = None  # when the first frames came out, and how many

    def clip(self, number: int, of: int) -> None:
        """The next ``start`` says ``number`` and ``clips``."""
        self.position = {"number": number, "clips": of}

    def start(self, name: str, frames: int | None) -> None:
        """{"event": "start", "frames": of about so many, or null}."""
        self.name, self.frames = name, frames
        self.begun = self.last = self.clock()
        self.first = None
        self._say(event="start", frames=frames, **self.position)

    def look(self, stats: Sequence[StageStats]) -> None:
        """{"event": "look", "frame": done so far, "frames"}, where the last event is long enough ago."""
        self.begun = now = self.clock()  # frames a second are of what comes after
        if now - self.last >= self.every:
            self.last = now
            self._say(event="look", frame=stats[-1].packets, frames=self.frames)

    def update(self, stats: Sequence[StageStats]) -> None:
        """{"event": "progress", "frame", "frames", "fps", "eta": seconds or null, "busiest": a stage}, the same."""
        now = self.clock()
        if now - self.last < self.every:
            return
        self.last = now
        done, seconds = stats[-1].packets, now - self.begun
        if done and self.first is None:
            self.first = now, done
        self._say(
            event="progress",
            frame=done,
            frames=self.frames,
            fps=round(done / seconds, 3),
            eta=self._eta(now, done),
            busiest=busiest(stats),
        )

    def _eta(self, now: float, done: int) -> float | None:
        """Seconds left at the rate since the first frame: what compiling the networks took does not come again."""
        if self.first is None or done == self.first[1] or not self.frames:
            return None
        begun, already = self.first
        return round(max(0, self.frames - done) * (now - begun) / (done - already), 1)

    def end(self, status: str, detail: dict[str, Any] | None = None) -> None:
        """{"event": "end", "status", and what `detail` holds}."""
        self._say(event="end", status=status, **(detail or {}))

    def _say(self, **values: Any) -> None:
        print(json.dumps({"clip": self.name} | values), file=self.stream, flush=True)


@dataclass(frozen=True)
class Moment:
    """How far a run is."""

    phase: str  # "look": faces are looked for; "render"
    done: int  # frames
    frames: int | None  # of all, where the file tells
    seconds: float  # since it began

    @property
    def share(self) -> float | None:
        """The part of the phase that is done, 0..1; None where nobody knows of how much."""
        return min(1.0, self.done / self.frames) if self.frames else None


class CallbackProgress(Progress):
    """Tells a program: calls a function with a :class:`Moment`, a few times a second, in the thread that waits."""

    def __init__(self, tell: Callable[[Moment], None]) -> None:
        """tell: should be quick, for nothing else is told while it works."""
        self.tell, self.phase, self.begun = tell, "look", time.monotonic()
        self.frames: int | None = None

    def start(self, name: str, frames: int | None) -> None:
        """Tells of the look, 0 frames done."""
        self.frames, self.phase, self.begun = frames, "look", time.monotonic()
        self._say(0)

    def look(self, stats: Sequence[StageStats]) -> None:
        """Tells how many frames were looked at."""
        self._say(stats[-1].packets)

    def update(self, stats: Sequence[StageStats]) -> None:
        """Tells how many frames are out."""
        self.phase = "render"
        self._say(stats[-1].packets)

    def end(self, status: str, detail: dict[str, Any] | None = None) -> None:
        """Tells that all are out, if it is done; of a failure the caller hears by the exception."""
        if status == "done" and self.frames:
            self._say(self.frames)

    def _say(self, done: int) -> None:
        self.tell(Moment(self.phase, done, self.frames, time.monotonic() - self.begun))


def make_progress(kind: str) -> Progress:
    """ "bar", "jsonl", "none", or "auto": a bar on a terminal, else nothing."""
    if kind == "auto":
        kind = "bar" if is_terminal(sys.stderr) else "none"
    return {"bar": BarProgress, "jsonl": JsonProgress}.get(kind, Progress)()


def check_report(path: Path, overwrite: bool) -> bool:
    """Whether a report may take the place of what is at `path`: that is a report too, or `overwrite` says so.

    Raises:
        UsageError: it can never be written there, or something else is there.
    """
    if not path.parent.is_dir():
        raise UsageError(f"cannot write the report {path}: there is no folder {path.parent}")
    if is_special(path):
        raise UsageError(f"cannot write the report {path}: it is a device, a pipe or a socket, not a file")
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write the report {path}: {'it is a folder' if path.is_dir() else 'no permission'}")
    if not path.exists():
        return overwrite
    with contextlib.suppress(OSError, ValueError, RecursionError):
        there = json.loads(path.read_text(encoding="utf-8")) if 0 < path.stat().st_size < _MOST_BYTES else None
        overwrite |= isinstance(there, dict) and {"videdit", "clips"} <= there.keys()
    if not overwrite:
        raise UsageError(f"{path} exists and is no report of an earlier run; pass --overwrite to replace it")
    return True


def write_report(path: Path, values: dict[str, Any], replace: bool = False) -> None:
    """Write report.json. replace: a file that is there (:func:`check_report`).

    Raises:
        MediaError: it cannot be written.
    """
    try:
        put_text(path, json.dumps(values, indent=2) + "\n", replace)
    except OSError as error:
        raise MediaError(f"cannot write the report {path}: {error.strerror}") from None
