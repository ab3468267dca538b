"""What is said on stderr, and the file of --log."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from pathlib import Path

from videdit.errors import UsageError
from videdit.terminal import Complaints, complain


def set_up_logging(file: Path | None, quiet: bool) -> None:
    """Our warnings to stderr as one line each, everything to `file`, what other libraries say too."""
    logger, root = logging.getLogger("videdit"), logging.getLogger()
    for old in (*logger.handlers, *(handler for handler in root.handlers if isinstance(handler, LogFile))):
        logger.removeHandler(old)
        root.removeHandler(old)
        old.close()
    if not root.handlers:  # else Python would say on stderr what nobody listens to
        root.addHandler(logging.NullHandler())
    logger.setLevel(logging.DEBUG)
    words = Complaints()
    words.setLevel(logging.ERROR if quiet else logging.WARNING)
    words.setFormatter(logging.Formatter("videdit: %(message)s"))
    logger.addHandler(words)
    if file is not None:
        root.addHandler(log_handler(file))


class LogFile(logging.FileHandler):
    """The file of --log. Where its disk is full it ends, which is said once: the clip goes on."""

    _lost = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, as long as there is room."""
        if not self._lost:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name for it
        """Called by logging where a record could not be written; Python's own way is a traceback on stderr."""
        error = sys.exc_info()[1]
        self._lost = True
        complain(f"videdit: the log {self.baseFilename} ends here: {getattr(error, 'strerror', None) or error}")

    def close(self) -> None:
        """Close the file; what it could not take is lost already."""
        with contextlib.suppress(OSError):
            super().close()


def log_handler(file: Path) -> logging.Handler:
    """What writes a log; an earlier one is replaced, anything else is not.

    Raises:
        UsageError: it cannot be written there, or is called like a clip.
    """
    from videdit.jobs.output_names import IMAGES, VIDEOS

    if file.suffix.lower() in IMAGES | VIDEOS:
        raise UsageError(f"a log is text, and {file} is called like a clip or picture; name it like {file.stem}.log")
    try:
        if file.exists() and file.stat().st_size:
            with file.open("rb") as there:
                if not re.match(rb"\d{4}-\d\d-\d\d [\d:,]+ INFO MainThread videdit", there.read(200)):
                    raise UsageError(f"{file} exists and is no log of an earlier run; choose another with --log")
        handler = LogFile(file, mode="w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"cannot write the log {file}: {error.strerror}") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
    return handler
