"""Engine `openjd`: a plan as a job template of Open Job Description, which `openjd` and render managers run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from videdit.errors import UsageError
from videdit.farm.engines.command import CommandEngine
from videdit.farm.engines.slurm import array
from videdit.farm.tasks import Piece
from videdit.jobs.shot_plan import ShotPlan
from videdit.storage.outputs import put_text

TEMPLATE = "job.openjd.json"
_LOG = "openjd.log"
_NAME = 64  # letters of a job's name, at most


def template(plan: ShotPlan, numbers: list[int] | None = None, join: bool = True) -> dict[str, Any]:
    """The job template of a plan: a task for each segment, and a step that joins when all are done.

    The plan's folder is a parameter of the job, PlanFolder: defaults of paths have to be relative.

    Args:
        plan: what is in the folder.
        numbers: of the segments; None: all.
        join: whether the output is written too.
    """
    numbers = list(range(len(plan.segments))) if numbers is None else numbers
    name = f"videdit {Path(plan.clip_values['source']).stem}"[:_NAME]
    steps: list[dict[str, Any]] = [
        {
            "name": "Segments",
            "parameterSpace": {
                "taskParameterDefinitions": [{"name": "Segment", "type": "INT", "range": array(numbers)}]
            },
            "script": {"actions": {"onRun": _action("segment", "{{Task.Param.Segment}}")}},
        }
    ]
    if join:
        steps.append(
            {
                "name": "Join",
                "dependencies": [{"dependsOn": "Segments"}],
                "script": {"actions": {"onRun": _action("join")}},
            }
        )
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": "".join(letter if letter.isprintable() else "?" for letter in name),
        "parameterDefinitions": [
            {
                "name": "PlanFolder",
                "type": "PATH",
                "objectType": "DIRECTORY",
                "dataFlow": "INOUT",
                "description": "as those who run it see it",
            },
            {
                "name": "Python",
                "type": "STRING",
                "default": sys.executable,
                "description": "with videdit",
            },
        ],
        "steps": steps,
    }


def _action(command: str, *more: str) -> dict[str, Any]:
    return {"command": "{{Param.Python}}", "args": ["-m", "videdit", command, "{{RawParam.PlanFolder}}", *more]}


class OpenJobEngine(CommandEngine):
    """Runs templates with the `openjd` program on this machine."""

    def __init__(self, workers: int = 1, device: str | None = None) -> None:
        """Raises UsageError: there is no openjd, or a device is named, which a template has no word for."""
        super().__init__()
        here = Path(sys.executable).with_name("openjd")
        found = str(here) if here.exists() else shutil.which("openjd")
        if found is None:
            raise UsageError('engine openjd needs a package that is not here: pip install "openjd-cli"')
        if device is not None:
            raise UsageError("engine openjd renders on the planned device; leave --device out")
        self._program = found
        self._runs: dict[subprocess.Popen[bytes], list[Piece]] = {}

    def hand_on(self, folder: Path, numbers: list[int]) -> None:
        """Run the template for some segments."""
        file = folder / TEMPLATE
        put_text(file, json.dumps(template(self._plans[folder], numbers, join=False)), replace=True)
        words = [self._program, "run", str(file), "--step", "Segments", "-p", f"PlanFolder={folder.resolve()}"]
        with (folder / _LOG).open("ab") as log:
            run = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._runs[run] = [Piece(folder, number) for number in numbers]

    def lost(self) -> dict[Piece, str]:
        """The pieces whose runs have ended."""
        lost: dict[Piece, str] = {}
        for run, pieces in list(self._runs.items()):
            if (code := run.poll()) is not None:
                del self._runs[run]
                said = f"openjd has ended with exit code {code} without it; see {pieces[0].folder / _LOG}"
                lost |= dict.fromkeys(pieces, said)
        return lost

    def stop(self, pieces: list[Piece]) -> None:
        """End their runs; what else these had to do is handed on again."""
        for run, its in list(self._runs.items()):
            if not set(its).isdisjoint(pieces):
                run.terminate()
                run.wait()
                del self._runs[run]
                others = [piece for piece in its if self._handed.pop(piece, None) is not None]
                self._gathered += others
