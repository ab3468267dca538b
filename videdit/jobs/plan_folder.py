"""The folder of a plan, as the stages that write segments and join them know folders of segments."""

from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path

import psutil

from videdit.jobs.segment_store import Segments, SegmentStart, Span
from videdit.jobs.shot_plan import ShotPlan
from videdit.media.encode.segments import sync_folder
from videdit.media.failures import writing
from videdit.storage.outputs import temporary_name


class OneSegment(Segments):
    """A folder for a single segment of a plan."""

    def __init__(self, folder: Path, plan: ShotPlan, index: int) -> None:
        """folder: of this segment's files. index: its number in the plan, from 0."""
        super().__init__(folder)
        self.span: Span | None = plan.span(index)
        self.crops, self.frames_most = plan.crops, plan.frames_most
        self._start = plan.segments[index].place

    @property
    def next(self) -> SegmentStart | None:
        """The segment to write."""
        return self._start

    @property
    def complete(self) -> bool:
        """Never: what is here is not joined here."""
        return False


class AllSegments(Segments):
    """The folder of a plan of which every segment is there; what is joined grows beside the output."""

    def __init__(self, folder: Path, output: Path) -> None:
        """folder: of the plan. output: beside which the joined file grows, under a hidden name."""
        super().__init__(folder)
        self._output = output
        self._handed_over = folder / "handed-over"

    def handing_over(self) -> bool:
        """Whether a joiner was stopped while the files took their names: those that are there are the plan's own."""
        return self._handed_over.exists()

    def begin_commit(self) -> None:
        """Leave a mark in the folder, on disk before this returns. Raises MediaError: it cannot be written."""
        with writing(self.folder):
            self._handed_over.touch()
            sync_folder(self.folder)

    def take_back(self) -> None:
        """Remove the mark."""
        self._handed_over.unlink(missing_ok=True)

    def unjoined(self, suffix: str, part: str = "") -> Path:
        """A new hidden name beside the output, whatever the part."""
        return temporary_name(self._output.with_name(f"{self._output.stem}{suffix}"))


def sweep(folder: Path) -> None:
    """Remove what killed processes of this machine have left in a plan's folder."""
    name = re.compile(rf"\.work-\d{{6}}-{re.escape(socket.gethostname())}-(\d+)-[0-9a-f]+")
    for left in folder.glob(".work-*"):
        match = name.fullmatch(left.name)
        if match and not psutil.pid_exists(int(match[1])):
            shutil.rmtree(left, ignore_errors=True)
