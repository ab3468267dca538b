"""Engine `slurm`: one array job for the segments of a plan, by a script that needs only environment variables."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from videdit.errors import UsageError, VideditError
from videdit.farm.engines.base import Piece
from videdit.farm.engines.command import CommandEngine

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
        self._jobs: dict[str, Path] = {}

    def hand_on(self, folder: Path, numbers: list[int]) -> None:
        """Submit one array job."""
        script = folder / "segment.sbatch"
        script.write_text(SCRIPT, encoding="utf-8")
        exported = f"ALL,VIDEDIT_PLAN={folder.resolve()}"
        if self._device:
            exported += f",VIDEDIT_DEVICE={self._device}"
        words = ["sbatch", "--parsable", f"--array={array(numbers, self._most)}", f"--export={exported}"]
        words += [f"--output={folder / 'slurm-%a.log'}", str(script)]
        self._jobs[_run(words).split(";")[0].strip()] = folder

    def failed(self) -> dict[Path, str]:
        """The plans whose array jobs are not in the queue any more."""
        over = {}
        for number, folder in list(self._jobs.items()):
            if not _run(["squeue", "--noheader", "--jobs", number], quiet=True).strip():
                del self._jobs[number]
                over[folder] = f"Slurm's job {number} has ended without it; see {folder / 'slurm-*.log'}"
        return over

    def cancel(self, piece: Piece | None = None) -> None:
        """Cancel elements of array jobs."""
        for number, folder in self._jobs.items():
            if piece is None:
                _run(["scancel", number], quiet=True)
            elif folder == piece.folder:
                _run(["scancel", f"{number}_{piece.number}"], quiet=True)
        if piece is None:
            self._handed.clear()
            self._gathered.clear()
        self._handed.pop(piece, None) if piece else None

    def close(self) -> None:
        """Cancel what is left."""
        self.cancel()


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


def _run(words: list[str], quiet: bool = False) -> str:
    """What a program says. Raises VideditError: it failed, unless `quiet`."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise VideditError(f"{words[0]} cannot be run: {error.strerror}") from None
    if done.returncode and not quiet:
        raise VideditError(f"{words[0]} failed: {' '.join(done.stderr.split())[:300]}")
    return done.stdout
