"""Errors that a user may see. Each is one clear line: what is wrong, and what to do.

Exit codes: 0 done, 1 failed, 2 usage, 3 no face found, 4 part of a batch failed, 130 interrupted.
"""

from __future__ import annotations


class VideditError(Exception):
    """Something went wrong that the user can understand; ``exit_code`` is what the command returns."""

    exit_code = 1


class UsageError(VideditError):
    """The user's words make no sense: an unknown edit, a bad config, an impossible combination."""

    exit_code = 2


class NoFaceError(VideditError):
    """The clip holds no face that can be edited."""

    exit_code = 3


class PartialFailure(VideditError):
    """Some clips of a batch failed, the others are done."""

    exit_code = 4


class MediaError(VideditError):
    """A file cannot be read, decoded, encoded or written."""


class WeightsError(VideditError):
    """A weight file is missing, damaged or not what the manifest says."""


class Cancelled(VideditError):
    """The user stopped the run (Ctrl-C, SIGTERM, or the cancel event of the API)."""

    exit_code = 130
