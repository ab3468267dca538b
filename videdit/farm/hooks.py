"""Commands that are run when a job has ended: --on-done and --on-fail. No shell sees them."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
from collections.abc import Sequence

from videdit.errors import UsageError
from videdit.farm.tasks import Task

log = logging.getLogger(__name__)

SECONDS = 600.0  # that a command may take
_MOST = 4000  # letters of what it says that are kept


def parse(words: str | None) -> tuple[str, ...]:
    """The words of a command. Raises UsageError: a quotation mark is missing."""
    try:
        return tuple(shlex.split(words or ""))
    except ValueError as error:
        raise UsageError(f"the command {words!r} cannot be read: {error}") from None


def filled(command: Sequence[str], task: Task) -> list[str]:
    """The command with {id}, {state}, {source} and {output} replaced in each of its words, and nothing else."""
    values = {"{id}": str(task.job), "{state}": task.job_state}
    values |= {"{source}": str(task.clip.source), "{output}": str(task.clip.output)}
    words = []
    for word in command:
        for name, value in values.items():
            word = word.replace(name, value)
        words.append(word)
    return words


def run(task: Task) -> str | None:
    """Run a job's command, and tell what went wrong.

    It hears of the job in VIDEDIT_JOB, VIDEDIT_STATE, VIDEDIT_SOURCE, VIDEDIT_OUTPUT and VIDEDIT_ERROR. What it says
    goes into the log.
    """
    words = filled(task.command, task)
    told = {"JOB": str(task.job), "STATE": task.job_state, "ERROR": task.why}
    told |= {"SOURCE": str(task.clip.source), "OUTPUT": str(task.clip.output)}
    environment = os.environ | {f"VIDEDIT_{name}": value for name, value in told.items()}
    log.info("runs %s", shlex.join(words))
    try:
        done = subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{words[0]} took more than {SECONDS:g} s and was ended"
    except (OSError, ValueError) as error:
        return f"{words[0]} cannot be run: {getattr(error, 'strerror', None) or error}"
    log.info("it said: %s", done.stdout[:_MOST].decode("utf-8", "replace").rstrip())
    return f"{words[0]} ended with exit code {done.returncode}" if done.returncode else None
