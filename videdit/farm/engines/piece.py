"""Doing one piece in the process of an engine's worker, with networks that stay loaded, and its end in words."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from videdit.farm.engines.base import Ended
from videdit.farm.execution import TaskRunner
from videdit.farm.failures import in_words
from videdit.farm.tasks import Piece

log = logging.getLogger(__name__)

LINES = 1000  # of a log, at most


class PieceRenderer:
    """Does pieces, one after the other. What goes wrong is told, not raised: engines carry words, not tracebacks."""

    def __init__(self, device: str | None = None) -> None:
        """device: in place of the one that was planned."""
        self._runner = TaskRunner(device)
        logging.getLogger("videdit").setLevel(logging.DEBUG)  # as commands have it; who asked gets the lines

    @property
    def frames_done(self) -> int:
        """Of what is being rendered."""
        return self._runner.frames_done

    def do(self, piece: Piece, cancel: threading.Event | None = None) -> Ended:
        """Do a piece, and tell how it ended and what was logged meanwhile."""
        begun = time.monotonic()
        lines = _Lines()
        root = logging.getLogger()
        root.addHandler(lines)
        try:
            told = self._runner.run(piece, cancel)
        except Exception as error:
            log.debug("where", exc_info=True)
            said, code, again, spent = in_words(error)
            return Ended(piece, said, code, again, time.monotonic() - begun, log=lines.text, spent=spent)
        finally:
            root.removeHandler(lines)
        return Ended(piece, seconds=time.monotonic() - begun, told=told, log=lines.text)


class _Lines(logging.Handler):
    """Keeps the last lines."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=LINES)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))
