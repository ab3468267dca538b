"""Errors that a user may see. Each is one clear line: what is wrong, and what to do.

Exit codes: 0 done, 1 failed, 2 usage, 3 no face found, 4 part of a batch failed, 130 interrupted.
"""

from __future__ import annotations

import errno
import re


class VideditError(Exception):
    """Something went wrong that the user can understand; ``exit_code`` is what the command returns.

    may_pass: whether the same may go well some seconds later; None: as what lies beneath it (:func:`may_pass`).
    """

    exit_code = 1
    may_pass: bool | None = None


class UsageError(VideditError):
    """The user's words make no sense: an unknown edit, a bad config, an impossible combination."""

    exit_code = 2
    may_pass = False


class BusyError(UsageError):
    """Another run is at work on it now."""

    may_pass = True


class NoFaceError(VideditError):
    """The clip holds no face that can be edited."""

    exit_code = 3
    may_pass = False


class PartialFailure(VideditError):
    """Some clips of a batch failed, the others are done."""

    exit_code = 4


class MediaError(VideditError):
    """A file cannot be read, decoded, encoded or written."""


class AwayError(MediaError):
    """What a file needs is not there now, and may be in a while: its storage, its folder, room on the disk."""

    may_pass = True


class SettingsError(MediaError):
    """The user's words make no sense for this file: an unknown codec, a time beyond its end."""

    exit_code = 2
    may_pass = False


class RefusedInput(MediaError):
    """A file is damaged, or holds what cannot be edited: another try ends as this one did, unless the file changes."""

    may_pass = False


class PicturesChange(RefusedInput):
    """The pictures of a clip change their size or layout on the way.

    at: seconds from its first frame, whole milliseconds; None where times do not tell the parts apart.
    """

    def __init__(self, message: str, at: float | None) -> None:
        """message: the one line that the user sees. at: see above."""
        super().__init__(message)
        self.at = at


class WeightsError(VideditError):
    """A weight file is missing, damaged or not what the manifest says."""


class UnknownWeightsError(WeightsError):
    """The user's words name weights, or a file of them, that there are not."""

    exit_code = 2


class OutOfMemoryError(VideditError):
    """The machine, or its GPU, has less memory than the job takes."""

    may_pass = True


class DeviceError(VideditError):
    """The GPU failed while it was working."""

    may_pass = True


class Cancelled(VideditError):
    """The user stopped the run (Ctrl-C, SIGTERM, or the cancel event of the API)."""

    exit_code = 130
    may_pass = False


class Superseded(VideditError):
    """A preview gave way to a newer one of the same viewer: its picture would be out of date."""


# CUDA, then PyTorch on a CPU, OpenCV, and OpenVINO, which has two ways to say it.
_NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|Insufficient memory|bad_alloc|Failed to allocate \d+ bytes",
    re.IGNORECASE,
)


# What a system says of files that are the same a moment later, and faults of a program, which are too.
_STAYS = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EACCES, errno.EPERM, errno.EROFS} | (
    {errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EFBIG, errno.ENOEXEC}
)
_FAULTS = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError)


def may_pass(error: BaseException) -> bool:
    """Whether the same may go well some seconds later: storage comes back, memory is free again, a driver recovers.

    Of an error that does not say so itself what it was made of does; one that was made of nothing stays.
    """
    beneath: BaseException | None = error
    while isinstance(beneath, VideditError):
        if beneath.may_pass is not None:
            return beneath.may_pass
        beneath = beneath.__cause__ or beneath.__context__
    if beneath is None or isinstance(beneath, _FAULTS):  # ValueError: FFmpeg's "invalid data" is one too
        return False
    return getattr(beneath, "errno", None) not in _STAYS


def machine_failure(error: BaseException) -> VideditError | None:
    """What Python, PyTorch or OpenCV say when the machine fails, in our words; None for any other error."""
    words = " ".join(str(error).split())
    # By name: torch need not be imported to tell its errors.
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if named or _NO_MEMORY.search(words):
        return OutOfMemoryError("out of memory; try --batch 1, a smaller --memory or --size 256")
    if type(error).__name__ == "AcceleratorError" or "CUDA error" in words:
        return DeviceError(f"the GPU failed ({words[:100]}); run the same command again, or with --device cpu")
    return None
