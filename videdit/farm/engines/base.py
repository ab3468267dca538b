"""What an engine is: it takes pieces of work, tells which have ended, and gives up what is not wanted any more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Piece:
    """A segment of a plan; whoever renders it sees the plan's folder under this path."""

    folder: Path
    number: int


@dataclass(frozen=True)
class Ended:
    """A piece that nobody works on any more. ``error``: None if it is rendered; ``again``: it may go right yet."""

    piece: Piece
    error: str | None = None
    exit_code: int = 0
    again: bool = False
    seconds: float = 0.0


class Engine(Protocol):
    """Renders pieces somewhere. Used by one thread."""

    slots: int  # pieces that are worth having in flight at once

    def submit(self, piece: Piece) -> None:
        """Begin, or have it begun. Raises VideditError: it cannot be."""

    def poll(self, seconds: float) -> list[Ended]:
        """What has ended since the last call; waits for something to, so many seconds at most."""

    def cancel(self, piece: Piece | None = None) -> None:
        """Stop a piece, or all of them, and leave nothing of it; nothing more is told of it."""

    def close(self) -> None:
        """Stop everything and let go of workers, or of the cluster."""
