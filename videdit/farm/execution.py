"""What a task does, with networks that stay loaded from one to the next: the farm's only door to rendering."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videdit.farm.schema import JOIN, PLAN, RENDER, SEGMENT
from videdit.farm.tasks import Piece
from videdit.jobs import clip_record
from videdit.jobs.plan import Clip

if TYPE_CHECKING:
    from videdit.jobs.shot_plan import SegmentReport, ShotPlan
    from videdit.rendering.session import Session


class TaskRunner:
    """Plans, renders and joins. Nothing heavy is imported before something is asked for."""

    def __init__(self, device: str | None = None, session: Session | None = None, progress: Any = None) -> None:
        """Plans, renders and joins.

        Args:
            device: in place of the one that jobs name.
            session: whose networks are used; by default one of its own.
            progress: a :class:`videdit.rendering.progress.Progress` that has ``frames``, those that are done.
        """
        from videdit.rendering.progress import Progress
        from videdit.rendering.session import Session

        class Counting(Progress):
            """Tells how many frames are done."""

            def __init__(self) -> None:
                self.frames = 0

            def start(self, name: str, frames: int | None) -> None:
                self.frames = 0

            def update(self, stats: Any) -> None:
                self.frames = stats[-1].packets

        self.device = device
        self._progress = progress or Counting()
        self._session = session or Session()
        self._renderer = self._session.renderer(self._progress)

    @property
    def frames_done(self) -> int:
        """Of what is being rendered."""
        return self._progress.frames

    def run(self, piece: Piece, cancel: threading.Event | None = None) -> dict[str, Any]:
        """Do a task, and tell of it in plain values.

        Of a plan these are its segments as (number, frames), none where the clip is rendered as one; of a segment
        its frames; of a join what is wrong with segments, by number, or else the result; of a render the result.
        """
        self._progress.frames = 0
        if piece.kind == SEGMENT:
            return {"frames": self.segment(piece.folder, piece.number, cancel).frames}
        clip = clip_record.from_values(json.loads(piece.clip))
        if piece.kind == PLAN:
            plan = self.plan(clip, piece.folder, piece.seconds, cancel)
            return {"segments": [(segment.index, segment.frames) for segment in plan.segments] if plan else []}
        if piece.again:
            sweep_lost(clip)
        if piece.kind == RENDER:
            return self.render(clip, cancel, again=piece.again)
        assert piece.kind == JOIN, piece.kind
        wrong = self.missing(piece.folder)
        return {"wrong": wrong} if wrong else self.join(clip, piece.folder, again=piece.again)

    def plan(
        self, clip: Clip, folder: Path, seconds: float | None, cancel: threading.Event | None = None
    ) -> ShotPlan | None:
        """Look at a clip and lay out its segments; None: it is rendered as one. seconds: how long they are."""
        from videdit.media.decode.start import probe_from
        from videdit.rendering.planning import not_in_segments, plan_shot
        from videdit.rendering.resuming import resumable

        info = probe_from(clip.source, clip.job.fps, clip.job.start, clip.job.video_track)
        if not_in_segments(clip, info) or (seconds is None and not resumable(clip, info)):
            return None
        folder.parent.mkdir(parents=True, exist_ok=True)
        return plan_shot(self._here(clip), folder, seconds, overwrite=True, renderer=self._renderer, cancel=cancel)

    def segment(self, folder: Path, number: int, cancel: threading.Event | None = None) -> SegmentReport:
        """Render a segment of a plan."""
        from videdit.rendering.planned_segments import render_segment

        return render_segment(folder, number, self._renderer, cancel, device=self.device)

    def join(self, clip: Clip, folder: Path, again: bool = False) -> dict[str, Any]:
        """Join the plan of a clip, and tell what was done. again: as of :meth:`render`."""
        from videdit.provenance.tags import is_edited
        from videdit.rendering.planned_segments import join_shot

        ours = again and clip.output.is_file() and is_edited(clip.output)
        return join_shot(folder, overwrite=ours).as_dict()

    def missing(self, folder: Path) -> dict[int, str]:
        """The segments of a plan that are not as they should be, with the reason."""
        from videdit.jobs.shot_plan import missing, read_plan

        return missing(folder, read_plan(folder))

    def render(self, clip: Clip, cancel: threading.Event | None = None, again: bool = False) -> dict[str, Any]:
        """Render a clip as the command does, and tell what was done.

        again: an earlier try was lost, maybe after it had written the output: that is then made anew.
        """
        from videdit.provenance.tags import is_edited

        if again and clip.output.is_file() and is_edited(clip.output):
            clip = replace(clip, replace=True)
        return self._renderer.render(self._here(clip), cancel).as_dict()

    def _here(self, clip: Clip) -> Clip:
        from videdit.rendering.planned_segments import on_device

        return on_device(clip, self.device)


def sweep_lost(clip: Clip) -> None:
    """Remove what an earlier try has left that was lost: it grew beside the outputs, and nobody goes on with it."""
    from videdit.media.encode.target import sweep

    for file in clip.files:
        sweep(file, older=0)


def remember(clip: Clip) -> None:
    """Note in the folder of a batch that a clip is done, so that the next run over that folder leaves it out."""
    from videdit.jobs.batch_ledger import BatchLedger

    if clip.state is not None:
        with contextlib.suppress(OSError):
            BatchLedger(clip.state).record(clip.source, clip.output, clip.job)
