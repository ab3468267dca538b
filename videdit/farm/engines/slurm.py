"""Engine `slurm`: one array job for the segments of a plan, by a script that needs only environment variables."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from videdit.errors import UsageError, VideditError
from videdit.farm.engines.command import CommandEngine, last_words
from videdit.farm.tasks import Piece
from videdit.storage.outputs import put_text

SCRIPT = """#!/bin/bash
#SBATCH --job-name=videdit
#SBATCH --requeue
#SBATCH --open-mode=append
# Renders one segment of a plan. Wanted: VIDEDIT_PLAN, the plan's folder as nodes see it, and SLURM_ARRAY_TASK_ID, the
# number of the segment. Optional: VIDEDIT_COMMAND (default: videdit), VIDEDIT_DEVICE.
# A segment that is there already is not rendered again, so the job may be requeued at any time.
#   VIDEDIT_PLAN=/shared/shot.plan sbatch --export=ALL --array=0-41%8 segment.sbatch
set -eu
: "${VIDEDIT_PLAN:?set it to the folder of the plan}"
: "${SLURM_ARRAY_TASK_ID:?run this as an array job}"
command=${VIDEDIT_COMMAND:-videdit}
exec $command segment "$VIDEDIT_PLAN" "$SLURM_ARRAY_TASK_ID" ${VIDEDIT_DEVICE:+--device "$VIDEDIT_DEVICE"}
"""


class SlurmEngine(CommandEngine):
    """Submits array jobs with sbatch, and cancels them with scancel."""

    def __init__(self, workers: int = 0, device: str | None = None) -> None:
        """workers: segments at once, 0 or 1 for as many as the cluster gives. Raises UsageError: there is no sbatch."""
        super().__init__()
        if not shutil.which("sbatch"):
            raise UsageError("engine slurm needs sbatch; `videdit farm PLAN --script FILE` writes what it would submit")
        self._most, self._device = workers, device
        self._jobs: dict[Piece, str] = {}  # and the array job that it is an element of

    def hand_on(self, folder: Path, numbers: list[int]) -> None:
        """Submit one array job."""
        script = folder / "segment.sbatch"
        put_text(script, SCRIPT, replace=True)
        exported = f"ALL,VIDEDIT_PLAN={folder.resolve()}"
        if self._device:
            exported += f",VIDEDIT_DEVICE={self._device}"
        words = ["sbatch", "--parsable", f"--array={array(numbers, self._most)}", f"--export={exported}"]
        words += [f"--output={folder / 'slurm-%a.log'}", str(script)]
        job = (_run(words) or "").split(";")[0].strip()
        self._jobs |= {Piece(folder, number): job for number in numbers}

    def lost(self) -> dict[Piece, str]:
        """The pieces whose elements are not in Slurm's queue any more. Where Slurm does not answer, none is."""
        lost = {}
        for job in set(self._jobs.values()):
            # One element a line, by its number. Slurm forgets jobs some minutes after their end.
            there = _run(["squeue", "--noheader", "--array", "--format=%K", "--jobs", job], otherwise="Invalid job id")
            if there is None:
                continue
            elements = {int(word) for word in there.split() if word.isdigit()}
            for piece in [piece for piece, its in self._jobs.items() if its == job and piece.number not in elements]:
                del self._jobs[piece]
                said = last_words(piece.folder / f"slurm-{piece.number}.log")
                lost[piece] = f"element {piece.number} of Slurm's job {job} has ended without it{said}"
        return lost

    def stop(self, pieces: list[Piece]) -> None:
        """Cancel elements of array jobs."""
        elements = [f"{job}_{piece.number}" for piece in pieces if (job := self._jobs.pop(piece, None))]
        if elements:
            _run(["scancel", *elements], otherwise="")


def array(numbers: Sequence[int], most: int = 0) -> str:
    """Numbers as Slurm writes them: "0-3,7%2"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    words = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
    return f"{words}%{most}" if most > 1 else words


def _run(words: list[str], otherwise: str | None = None) -> str | None:
    """What a program says.

    Args:
        words: the program and its arguments.
        otherwise: how it may fail: then it has said nothing. For any other failure None is the answer.

    Raises:
        VideditError: it cannot be run; or it failed, and nothing is said of how it may.
    """
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise VideditError(f"{words[0]} cannot be run: {error.strerror}") from None
    if not done.returncode:
        return done.stdout
    if otherwise is None:
        raise VideditError(f"{words[0]} failed: {' '.join(done.stderr.split())[:300]}")
    return "" if otherwise in done.stderr else None
