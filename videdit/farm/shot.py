"""One plan, rendered by an engine: all segments that are not there yet, each tried again a few times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from videdit.errors import UsageError, VideditError
from videdit.farm.engines.base import Ended, Engine
from videdit.farm.tasks import ATTEMPTS, Piece
from videdit.jobs.shot_plan import PlanError, missing, read_plan

WAIT = 1.0  # seconds for which an engine is asked at a time


def render_shot(folder: Path, engine: Engine, tell: Callable[[Ended, int, int], None] | None = None) -> int:
    """Render the segments of a plan that are missing or damaged, and give their number.

    Args:
        folder: of the plan.
        engine: who renders; it is not closed.
        tell: hears of each piece that has ended, of how many there are and of how many there are to be.

    Raises:
        UsageError: there is no such plan, or a segment cannot be rendered for what the user said.
        PlanError: segments have failed too often; the first of them is named. What was rendered stays.
    """
    plan = read_plan(folder)
    left = [Piece(folder, number) for number in missing(folder, plan)]
    total, tries = len(left), dict.fromkeys(left, 0)
    flying: set[Piece] = set()
    done = 0
    try:
        while left or flying:
            while left and len(flying) < engine.slots:
                piece = left.pop(0)
                tries[piece] += 1
                engine.submit(piece)
                flying.add(piece)
            for ended in engine.poll(WAIT):
                flying.discard(ended.piece)
                done += ended.error is None
                if tell:
                    tell(ended, done, total)
                if ended.error is None:
                    continue
                if not ended.again or tries[ended.piece] >= ATTEMPTS:
                    raise _failure(folder, ended)
                left.append(ended.piece)
    except BaseException:
        engine.cancel()
        raise
    return total


def _failure(folder: Path, ended: Ended) -> VideditError:
    said = f"segment {ended.piece.number} of {folder} failed: {ended.error}"
    return UsageError(said) if ended.exit_code == UsageError.exit_code else PlanError(said)
