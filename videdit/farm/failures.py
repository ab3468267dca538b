"""What went wrong with a task, in words, and whether it is worth another try."""

from __future__ import annotations

from typing import NamedTuple

from videdit.errors import BusyError, VideditError, machine_failure, may_pass


class Failure(NamedTuple):
    """What went wrong: one line, its exit code, whether it may go right the next time, and whether that was a try."""

    said: str
    exit_code: int
    again: bool
    spent: bool = True  # a try; none is spent on waiting for another run, however long that takes


def in_words(error: Exception) -> Failure:
    """What went wrong."""
    known = error if isinstance(error, VideditError) else machine_failure(error)
    if known is None:
        said = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
        return Failure(said, 1, may_pass(error))
    return Failure(str(known), known.exit_code, may_pass(known), not isinstance(known, BusyError))
