"""Words for people: no name of a file steers their terminal, and no stream that cannot say it stops a run."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from typing import Any, TextIO

unsaid: list[OSError] = []  # what kept words from a file that stdout is sent to: they are missing there


def plain(words: str) -> str:
    """The words without control codes, turned text and broken letters; lines stay."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in words)


def say(words: object, stream: TextIO | None = None) -> None:
    """Print a line on a stream, by default stdout, in the letters that it has.

    A stream that was closed, or never was there, hears nothing. Raises BrokenPipeError: whoever listened has gone.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:
        return
    coding = getattr(stream, "encoding", None) or "utf-8"
    told = plain(str(words)).encode(coding, "backslashreplace").decode(coding)
    with contextlib.suppress(ValueError):  # closed
        try:
            print(told, file=stream, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:  # its terminal has gone, or the disk is full
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                unsaid.append(error)


def complain(words: object) -> None:
    """Say a line on stderr, if there is one."""
    if sys.stderr is not None:
        with contextlib.suppress(BrokenPipeError):
            say(words, sys.stderr)


class Complaints(logging.Handler):
    """Log records as lines on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record, as its formatter has it; a stderr that is gone is no error."""
        complain(self.format(record))


def occupy() -> None:
    """Put something in the places of standard streams that were closed before we began.

    Else the next file that is opened, an output perhaps, gets the number of stderr, and with it what native code has to
    say.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)


def all_said() -> bool:
    """Whether all words have reached the file or pipe that stdout is."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except ValueError:  # closed
        pass
    except OSError as error:
        unsaid.append(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left would fail once more when Python ends
    return not unsaid


def is_terminal(stream: Any) -> bool:
    """Whether somebody may be looking at a stream."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False
