"""Work through a plan clip by clip: go on after a failure, remember what is done, tell it at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from videdit.errors import Cancelled, NoFaceError, PartialFailure, PicturesChange, UsageError, VideditError
from videdit.jobs.batch_ledger import NO_FACE, BatchLedger
from videdit.jobs.parts import can_be_cut, cut
from videdit.jobs.plan import Clip, Plan
from videdit.jobs.result import RenderResult, count

log = logging.getLogger(__name__)

SKIPPED = {"done": "done already and unchanged", NO_FACE: "no face, as found before"}  # by a clip's status


@dataclass(frozen=True)
class ClipOutcome:
    """How one clip ended: "done" (with a result), "skipped" or "failed" (with a reason)."""

    clip: Clip
    status: str
    reason: str = ""
    result: RenderResult | None = None
    number: int = 1  # which clip of the plan it is, or is a part of

    def as_dict(self) -> dict[str, Any]:
        """Plain values for report.json."""
        if self.result is not None:
            return {"status": self.status} | self.result.as_dict()
        return {
            "status": self.status,
            "reason": self.reason,
            "source": str(self.clip.source),
            "output": str(self.clip.output),
        }


def run_plan(
    plan: Plan, render: Callable[[Clip], RenderResult], begins: Callable[[int, int], None] | None = None
) -> Iterator[ClipOutcome]:
    """Render every clip that needs it, in order, yielding each outcome as soon as it is there.

    begins: hears which clip of how many begins.

    A clip whose pictures change on the way has an outcome for each part. In a batch a failure becomes an outcome; that
    of a single file is raised as it is. Interruption always is.
    """
    for path, reason in plan.passed_over:
        log.info("%s: passed over, %s", path, reason)
    for hint in plan.hints:
        log.warning("%s", hint)
    if plan.left_out:
        log.warning("passed over: %s", plan.left_out)
    for number, clip in enumerate(plan.clips, 1):
        if begins and plan.batch:
            begins(number, len(plan.clips))
        for outcome in _run_clip(clip, render, plan.batch):
            yield replace(outcome, number=number)


def _run_clip(clip: Clip, render: Callable[[Clip], RenderResult], batch: bool) -> Iterator[ClipOutcome]:
    """In a batch a failure becomes an outcome."""
    try:
        yield from _run_parts(clip, render)
    except Cancelled:
        raise
    except NoFaceError as error:
        if not batch:
            raise
        _remember(clip, NO_FACE)
        yield ClipOutcome(clip, "skipped", str(error))
    except Exception as error:
        if not batch:
            raise
        log.debug("%s failed", clip.source, exc_info=True)
        known = isinstance(error, VideditError)
        yield ClipOutcome(clip, "failed", str(error) if known else f"unexpected {type(error).__name__}: {error}")


def _run_parts(clip: Clip, render: Callable[[Clip], RenderResult]) -> Iterator[ClipOutcome]:
    """A clip in one piece, or in parts where its pictures change on the way. Raises what stops it."""
    pending, cuts = [clip], 0
    faceless: list[tuple[Clip, NoFaceError]] = []
    while pending:
        part = pending.pop(0)
        if part.status in SKIPPED:
            yield ClipOutcome(part, "skipped", SKIPPED[part.status])
            continue
        if part.status != "render":
            raise UsageError(part.status)
        try:
            result = render(part)
        except PicturesChange as change:
            if pending or not can_be_cut(part, change):
                raise
            cuts += 1
            pending = cut(clip, part, change, cuts)
        except NoFaceError as error:
            if part is clip:
                raise
            faceless.append((part, error))
        else:
            _remember(part, "done")
            yield ClipOutcome(part, "done", result=result)
    if len(faceless) == cuts + 1:
        raise faceless[0][1]
    for part, _ in faceless:  # the others were written, so that all of the clip is there
        result = render(replace(part, job=part.job.model_copy(update={"keep_unedited": True})))
        _remember(part, "done")
        yield ClipOutcome(part, "done", result=result)


def _remember(clip: Clip, result: str) -> None:
    if clip.state is None:
        return
    try:
        BatchLedger(clip.state).record(clip.source, clip.output, clip.job, result=result)
    except OSError as error:
        log.warning("cannot remember what is done in %s: %s", clip.state, error.strerror)


def summary(outcomes: list[ClipOutcome], seconds: float) -> str:
    """The last words of a batch: how many of each, and every clip that failed with its reason."""
    tally = {status: [o for o in outcomes if o.status == status] for status in ("done", "skipped", "failed")}
    frames = sum(o.result.frames for o in tally["done"] if o.result)
    lines = [
        ", ".join(f"{len(found)} {status}" for status, found in tally.items())
        + f": {count(frames, 'frame')} in {seconds:.1f} s"
    ]
    lines += [f"  failed: {o.clip.source}: {o.reason}" for o in tally["failed"]]
    return "\n".join(lines)


def raise_if_failed(outcomes: list[ClipOutcome]) -> None:
    """Raise PartialFailure (exit code 4) if any clip failed."""
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    if failed:
        raise PartialFailure(f"{failed} of {count(len(outcomes), 'clip')} failed")


def report(outcomes: list[ClipOutcome], started: float, finished: bool, seconds: float) -> dict[str, Any]:
    """The whole run as plain values, for report.json.

    started: ``time.time()`` of its begin. seconds: how long it took, by a clock that nobody sets.
    """
    from videdit._version import __version__

    return {
        "videdit": __version__,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(seconds, 3),
        "finished": finished,
        "clips": [outcome.as_dict() | {"settings": outcome.clip.job.settings()} for outcome in outcomes],
    }
