"""What went wrong with a task, in words, and whether it is worth another try."""

from __future__ import annotations

from videdit.errors import VideditError, machine_failure, may_pass


def in_words(error: Exception) -> tuple[str, int, bool]:
    """What went wrong: one line, its exit code, and whether it may go right the next time."""
    known = error if isinstance(error, VideditError) else machine_failure(error)
    if known is None:
        return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}", 1, may_pass(error)
    return str(known), known.exit_code, may_pass(known)
