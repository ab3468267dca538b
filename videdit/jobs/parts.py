"""Clips whose pictures change their size or layout midway, as joined recordings do: each part becomes an output.

One output cannot hold them: few players, and no editing program, take a change of size within a file. Scaling the parts
to one size would change pixels that nobody asked to change.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from videdit.errors import PicturesChange, UsageError
from videdit.jobs.batch_ledger import BatchLedger
from videdit.jobs.plan import Clip
from videdit.jobs.segment_store import handing_over
from videdit.media.image_sequence import is_sequence
from videdit.tracks.selection import by_number

log = logging.getLogger(__name__)


def can_be_cut(clip: Clip, change: PicturesChange) -> bool:
    """Whether the parts mean what the job says of the whole: numbers of shots and faces and a box are of one of them.

    Also False where times do not tell the parts apart.
    """
    job, at = clip.job, change.at
    if job.scenes or job.box or by_number((job.faces, *job.per_face)):
        return False
    return at is not None and (job.start or 0.0) < at and (job.end is None or at < job.end)


def cut(whole: Clip, rest: Clip, change: PicturesChange, number: int) -> list[Clip]:
    """What of a clip is before its pictures change, and what is after that. Says so in a line.

    Args:
        whole: the clip as it was planned.
        rest: what of it is left to cut; at first it is `whole`.
        change: where that changes.
        number: the first of the two parts is this one, counted from 1.

    Raises:
        UsageError: a file that is not to be replaced is where a part goes.
    """
    parts = [_part(whole, rest, number, end=change.at), _part(whole, rest, number + 1, start=change.at)]
    first, second = parts
    for part in parts:
        if part.status not in ("render", "done"):
            there = f"; the rest alone: --start {change.at:g} -o {second.output}" if second.status == "render" else ""
            raise UsageError(part.status + there)
    log.warning(
        "%s, and no file can hold both: it becomes %s up to there and %s from there",
        str(change).partition(";")[0],
        first.output,
        second.output,
    )
    return parts


def _part(whole: Clip, rest: Clip, number: int, **span: float | None) -> Clip:
    job = rest.job.model_copy(update=span)
    files: dict[str, Any] = {
        name: _numbered(path, number)
        for name in ("output", "alpha", "compare", "debug", "crops")
        if (path := getattr(whole, name)) is not None
    }
    may_replace = job.overwrite or handing_over(files["output"], whole.source, job)
    done = None
    if whole.state is not None and not job.overwrite:
        ledger = BatchLedger(whole.state)
        done = ledger.done(whole.source, files["output"], job)
        # An earlier run may have made it of less: only when it is read is known that what is left changes once more.
        may_replace = may_replace or ledger.owns(files["output"])
    part = replace(whole, job=job, replace=may_replace, **files)
    return replace(part, status=done or str(part.obstacle() or "render"))


def _numbered(path: Path, number: int) -> Path:
    """ "out.mp4" -> "out_part2.mp4", "out_%04d.png" -> "out_part2_%04d.png"."""
    if is_sequence(path):
        return path.with_name(re.sub(r"_?%0?\d*d", rf"_part{number}_\g<0>", path.name).replace("__", "_"))
    return path.with_name(f"{path.stem}_part{number}{path.suffix}")
