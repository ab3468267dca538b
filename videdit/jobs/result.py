"""What one render did."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from videdit.pipeline.executor import StageStats


@dataclass(frozen=True)
class RenderResult:
    """What one render did."""

    source: Path
    output: Path
    frames: int  # of the output
    faces: int  # edited, summed over frames
    seconds: float  # wall time, networks already loaded
    stages: list[StageStats] = field(default_factory=list)
    look: float = 0.0  # seconds of these that the first look at the clip took
    done_before: int = 0  # frames that an earlier, interrupted run had finished
    method: str = ""  # how faces were edited: "student" or "hfgi"; "" where none was
    consulted: bool = False  # whether ADA and the consultation encoder conditioned the generator
    rendered: float | None = None  # how many of the faces the networks saw, 0..1 (see `quality`); None: all
    restoration: str = ""  # which faces were restored by what, in words; "" where none was asked for
    # who was edited when: videdit.tracks.account.Account.faces
    people: list[dict[str, Any]] = field(default_factory=list)
    # when faces were seen and left alone, for which way up they are could not be told
    unclear: list[dict[str, float]] = field(default_factory=list)
    told: tuple[str, ...] = ()  # the same in words, and what else is to be said
    beside: tuple[Path, ...] = ()  # files that were written beside the output

    @property
    def speed(self) -> float:
        """Frames that were rendered in a second, the whole pipeline included: not the clip's own rate."""
        return (self.frames - self.done_before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def fps(self) -> float:
        """The older name of :attr:`speed`, which is no frame rate of a clip. Reading it warns."""
        warnings.warn("RenderResult.fps is called speed now", DeprecationWarning, stacklevel=2)
        return self.speed

    def summary(self, verbose: bool = False) -> str:
        """What was done, for people: a line, and one for each thing more. verbose: with the time of each stage."""
        speed = f" ({self.speed:.2f} frames a second)" if self.frames > 1 else ""
        lines = [f"{self.output}: {count(self.frames, 'frame')} in {self.seconds:.1f} s{speed}"]
        lines += self.told
        if self.restoration:
            lines.append(f"restoration: {self.restoration}")
        if self.beside:
            lines.append(f"also written: {', '.join(map(str, self.beside))}")
        if verbose and self.method:
            lines.append(f"method: {self.method}{', with consultation' if self.consulted else ''}")
        if verbose and self.rendered is not None:
            lines.append(f"the networks saw {100 * self.rendered:.0f} % of the faces; between, changes were carried")
        if verbose:
            lines.append("seconds a stage: " + ", ".join(f"{stage.name} {stage.busy:.1f}" for stage in self.stages))
        return "\n  ".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for report.json."""
        return {
            "source": str(self.source),
            "output": str(self.output),
            "frames": self.frames,
            "faces": self.faces,
            "done_before": self.done_before,
            "method": self.method,
            "consulted": self.consulted,
            "rendered": None if self.rendered is None else round(self.rendered, 3),
            "restoration": self.restoration,
            "seconds": round(self.seconds, 3),
            "look": round(self.look, 3),
            "speed": round(self.speed, 3),
            "fps": round(self.speed, 3),  # the older name
            "people": self.people,
            "unclear": self.unclear,
            "told": list(self.told),
            "beside": list(map(str, self.beside)),
            "stages": [
                {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(stage).items()}
                for stage in self.stages
            ],
        }


def count(number: int, noun: str) -> str:
    """ "1 frame", "2 frames"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
