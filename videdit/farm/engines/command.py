"""Engines that hand pieces to a program of the studio's own; what has become of them is read from the plan's folder."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path

from videdit.farm.engines.base import Ended, Piece
from videdit.jobs.shot_plan import ShotPlan, read_plan, read_report

LOOK = 0.5  # seconds between two looks at a folder


class CommandEngine(ABC):
    """What such engines share: pieces are gathered, handed on together, and looked for where they will appear."""

    slots = 10_000

    def __init__(self) -> None:
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

    def _ended(self) -> list[Ended]:
        failed = self.failed()
        ended = []
        for piece, begun in list(self._handed.items()):
            report = read_report(piece.folder, self._plans[piece.folder], piece.number)
            if report is not None:
                ended.append(Ended(piece, seconds=report.seconds))
            elif piece.folder in failed:
                ended.append(Ended(piece, failed[piece.folder], 1, True, time.monotonic() - begun))
        for end in ended:
            del self._handed[end.piece]
        return ended

    @abstractmethod
    def hand_on(self, folder: Path, numbers: list[int]) -> None:
        """Have segments of a plan rendered. Raises VideditError: they cannot be."""

    @abstractmethod
    def failed(self) -> dict[Path, str]:
        """The plans of which no more is being rendered, with the reason."""
