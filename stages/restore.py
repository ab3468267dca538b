"""restore: crops -> crops in which a face restoration model has repaired what compression and blur destroyed."""

from __future__ import annotations

from collections.abc import Iterator

from videdit.errors import UsageError
from videdit.packets import Frame

KINDS = ("none",)


class Restore:
    """Hands crops on as they are with kind "none", the only kind there is so far."""

    name = "restore"

    def __init__(self, kind: str = "none") -> None:
        """Raises UsageError for an unknown kind."""
        if kind not in KINDS:
            raise UsageError(f"unknown restoration {kind!r}; there is: {', '.join(KINDS)}")
        self.kind = kind

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        yield from frames
