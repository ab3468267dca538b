"""Rendering one piece in the process of an engine's worker, with networks that stay loaded, and its end in words."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from videdit.farm.execution import TaskRunner
from videdit.farm.failures import in_words

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
