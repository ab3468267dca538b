"""Rendering one piece in the process of an engine's worker, with networks that stay loaded, and its end in words."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from videdit.errors import Cancelled, NoFaceError, UsageError, VideditError, machine_failure
from videdit.farm.execution import TaskRunner

log = logging.getLogger(__name__)

Answer = tuple[str | None, int, bool, float]  # error, exit code, whether it may go right next time, seconds


class PieceRenderer:
    """Renders pieces, one after the other. What goes wrong is told, not raised: engines carry words, not tracebacks."""

    def __init__(self, device: str | None = None) -> None:
        """device: in place of the one that was planned."""
        self._runner = TaskRunner(device)

    def render(self, folder: str, number: int, cancel: threading.Event | None = None) -> Answer:
        """Render a segment of a plan."""
        begun = time.monotonic()
        try:
            self._runner.segment(Path(folder), number, cancel)
        except Exception as error:
            log.debug("where", exc_info=True)
            said, code, again = in_words(error)
            return said, code, again, time.monotonic() - begun
        return None, 0, False, time.monotonic() - begun


def in_words(error: Exception) -> tuple[str, int, bool]:
    """What went wrong: one line, its exit code, and whether it may go right the next time."""
    known = error if isinstance(error, VideditError) else machine_failure(error)
    if known is None:
        return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}", 1, True
    hopeless = isinstance(known, UsageError | NoFaceError | Cancelled) or known.exit_code != 1
    return str(known), known.exit_code, not hopeless
