"""Which failures are worth another try, as those of storage are, and which are the same each time."""

from __future__ import annotations

import errno
import sqlite3

import av
import pytest

from videdit.errors import (
    AwayError,
    BusyError,
    MediaError,
    NoFaceError,
    OutOfMemoryError,
    RefusedInput,
    UsageError,
    VideditError,
    WeightsError,
    may_pass,
)


def of(kind: type[Exception], beneath: Exception | None) -> Exception:
    """An error that was raised where another was caught, as commands tell it: from None."""
    try:
        if beneath is not None:
            raise beneath
    except Exception:
        try:
            raise kind("it went wrong") from None
        except Exception as error:
            return error
    return kind("it went wrong")


@pytest.mark.parametrize(
    "error, passes",
    [
        (of(MediaError, OSError(errno.EIO, "Input/output error")), True),
        (of(MediaError, OSError(errno.ESTALE, "Stale file handle")), True),
        (of(MediaError, OSError(errno.ENOSPC, "No space left on device")), True),
        (of(MediaError, OSError(errno.ENOENT, "No such file or directory")), False),
        (of(MediaError, PermissionError(errno.EACCES, "Permission denied")), False),
        (of(MediaError, av.error.InvalidDataError(1, "Invalid data found")), False),
        (of(MediaError, None), False),
        (of(WeightsError, FileNotFoundError(errno.ENOENT, "No such file")), False),
        (of(WeightsError, OSError(errno.EIO, "Input/output error")), True),
        (of(VideditError, sqlite3.OperationalError("database is locked")), True),
        (of(UsageError, OSError(errno.EIO, "Input/output error")), False),
        (NoFaceError("nobody"), False),
        (RefusedInput("cut off"), False),
        (OutOfMemoryError("out of memory"), True),
        (BusyError("another run is writing it"), True),
        (AwayError("the folder is not there"), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (RuntimeError("a driver"), True),
        (KeyError("a fault of ours"), False),
        (ValueError("a fault of ours"), False),
    ],
    ids=repr,
)
def test_what_may_pass_is_what_the_machine_says_and_not_what_is_asked(error, passes):
    assert may_pass(error) == passes


def test_what_may_pass_is_seen_through_errors_of_errors():
    assert may_pass(of(WeightsError, of(MediaError, OSError(errno.EIO, "Input/output error"))))
    assert not may_pass(of(WeightsError, of(RefusedInput, OSError(errno.EIO, "Input/output error"))))
