"""What stands where an output is to go: a file, a folder, the source itself."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from videdit.errors import UsageError
from videdit.media import image_sequence
from videdit.media.image_sequence import is_sequence
from videdit.paths import real
from videdit.storage.outputs import is_special


@dataclass(frozen=True)
class Obstacle:
    """Why a file cannot be written now, and what helps; its words are one line."""

    problem: str
    advice: str = ""  # what takes it out of the way; empty where nothing does that is safe
    elsewhere: str = ""  # how to go around it, for who may still choose where the output goes

    def __str__(self) -> str:
        """All of it, for who names the output."""
        return self._line(", or ".join(filter(None, (self.advice, self.elsewhere))))

    @property
    def in_place(self) -> str:
        """For who finds the output named already, as a plan's is."""
        return self._line(self.advice)

    def _line(self, advice: str) -> str:
        return f"{self.problem}; {advice}" if advice else self.problem


def at_file(source: Path, output: Path, replace: bool) -> Obstacle | None:
    """What stands where a file or numbered pictures go. replace: a file there may be replaced.

    Raises:
        UsageError: it is the source.
    """
    same = output.exists() and source.exists() and output.samefile(source)
    if same or (is_sequence(output) and is_sequence(source) and _meet(source, output)):
        raise UsageError(f"the output {output} is the input itself; choose another with -o")
    if output.is_dir():
        return Obstacle(f"the output {output} is a folder")
    if is_special(output):
        return Obstacle(f"{output} is a device, a pipe or a socket, not a file", elsewhere="choose another with -o")
    if (os.path.lexists(output) or (is_sequence(output) and _any(output))) and not replace:
        return Obstacle(f"{output} exists already", "pass --overwrite to replace it", "choose another with -o")
    return None


def at_crops(folder: Path, replace: bool) -> Obstacle | None:
    """What stands where the folder of crops goes. replace: a folder of crops there may be replaced."""
    if not os.path.lexists(folder):
        return None
    if not only_crops(folder):
        return Obstacle(f"{folder} exists already, and holds more than crops", elsewhere="choose another folder")
    if not replace:
        return Obstacle(f"{folder} exists already", "pass --overwrite to replace that folder", "choose another")
    return None


def only_crops(folder: Path) -> bool:
    """Whether a folder holds nothing but what --crops-out writes: one of other files is never replaced."""
    try:
        return all(re.fullmatch(r"\d{6,}_-?\d+_(crop|result)\.png", name) for name in os.listdir(folder))
    except OSError:  # it is no folder
        return False


def _meet(source: Path, output: Path) -> bool:
    """Whether pictures of one pattern are also of another, as s_1000.png is of s_%d.png and s_%04d.png."""
    try:
        there = image_sequence.existing(source)
        found = {real(file) for file in there.values()}
    except OSError:
        return False
    return any(real(image_sequence.picture(output, number)) in found for number in there)


def _any(pattern: Path) -> bool:
    """Whether a picture of a pattern is there."""
    try:
        return bool(image_sequence.existing(pattern))
    except OSError:
        return False
