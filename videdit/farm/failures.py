"""What went wrong with a task, in words, and whether it is worth another try."""

from __future__ import annotations

from videdit.errors import Cancelled, NoFaceError, RefusedInput, UsageError, VideditError, machine_failure


def in_words(error: Exception) -> tuple[str, int, bool]:
    """What went wrong: one line, its exit code, and whether it may go right the next time."""
    known = error if isinstance(error, VideditError) else machine_failure(error)
    if known is None:
        return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}", 1, True
    hopeless = isinstance(known, UsageError | NoFaceError | RefusedInput | Cancelled) or known.exit_code != 1
    return str(known), known.exit_code, not hopeless
