"""Engines that hand pieces to a program of the studio's own; what has become of them is read from the plan's folder."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path

from videdit.errors import VideditError
from videdit.farm.engines.base import Ended
from videdit.farm.failures import Failure, in_words
from videdit.farm.schema import SEGMENT
from videdit.farm.tasks import Piece
from videdit.jobs.shot_plan import ShotPlan, check_source, check_versions, read_plan, read_report

LOOK = 0.5  # seconds between two looks at a folder


class CommandEngine(ABC):
    """What such engines share: pieces are gathered, handed on together, and looked for where they will appear."""

    slots = 10_000
    kinds = frozenset({SEGMENT})
    far = True

    def __init__(self) -> None:
        """Nothing is handed on yet, and no program is started."""
        self._gathered: list[Piece] = []
        self._handed: dict[Piece, float] = {}  # and when
        self._plans: dict[Path, ShotPlan] = {}

    def submit(self, piece: Piece) -> None:
        """Note a piece; the next poll hands it on."""
        if piece.folder not in self._plans:
            self._plans[piece.folder] = read_plan(piece.folder)
        self._gathered.append(piece)

    def poll(self, seconds: float) -> list[Ended]:
        """What has appeared, or failed, within so many seconds."""
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            for folder in dict.fromkeys(piece.folder for piece in gathered):
                self.hand_on(folder, sorted(piece.number for piece in gathered if piece.folder == folder))
            self._handed |= dict.fromkeys(gathered, time.monotonic())
        deadline = time.monotonic() + seconds
        while not (ended := self._ended()) and time.monotonic() < deadline:
            time.sleep(min(LOOK, seconds))
        return ended

    def progress(self) -> dict[Piece, int]:
        """Nothing is known before a segment is there."""
        return {}

    def cancel(self, piece: Piece | None = None) -> None:
        """Forget pieces, and stop them."""
        dropped = [other for other in (*self._gathered, *self._handed) if piece in (None, other)]
        self._gathered = [other for other in self._gathered if other not in dropped]
        handed = [other for other in dropped if self._handed.pop(other, None) is not None]
        if handed:
            self.stop(handed)

    def close(self) -> None:
        """Stop everything."""
        self.cancel()

    def _ended(self) -> list[Ended]:
        lost = self.lost() if self._handed else {}  # before what is there is looked at: it may end in between
        ended = []
        for piece, begun in list(self._handed.items()):
            report = read_report(piece.folder, self._plans[piece.folder], piece.number)
            if report is not None:
                ended.append(Ended(piece, seconds=report.seconds, told={"frames": report.frames}))
            elif piece in lost:
                failure = self._hopeless(piece) or Failure(lost[piece], 1, True)
                ended.append(Ended(piece, *failure[:3], time.monotonic() - begun))
        for end in ended:
            del self._handed[end.piece]
        return ended

    def _hopeless(self, piece: Piece) -> Failure | None:
        """Why nobody can render a plan any more, as :func:`in_words` has it: its source is another, say."""
        try:
            plan = read_plan(piece.folder)
            check_versions(plan)
            check_source(plan, plan.clip().source)
        except VideditError as error:
            found = in_words(error)
            return None if found.again else found
        return None

    @abstractmethod
    def hand_on(self, folder: Path, numbers: list[int]) -> None:
        """Have segments of a plan rendered. Raises VideditError: they cannot be."""

    @abstractmethod
    def lost(self) -> dict[Piece, str]:
        """The pieces that nobody works on any more, rendered or not, with what to say of those that are not."""

    @abstractmethod
    def stop(self, pieces: list[Piece]) -> None:
        """Have nobody work on pieces that were handed on, if that is to be had."""


def last_words(log: Path) -> str:
    """The last line of a log, with a colon before it; nothing where there is none."""
    try:
        lines = log.read_text("utf-8", "replace").split("\n")
    except OSError:
        return ""
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {line[:200]}" if line else ""
