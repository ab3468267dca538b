"""What is said on stderr, and the file of --log."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from videdit.errors import UsageError
from videdit.terminal import Complaints


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
    """The file of --log."""


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
