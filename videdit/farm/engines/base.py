"""What an engine is: it takes pieces of work, tells which have ended, and gives up what is not wanted any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from videdit.farm.schema import JOIN, PLAN, RENDER, SEGMENT
from videdit.farm.tasks import Piece

ALL_KINDS = frozenset({PLAN, SEGMENT, JOIN, RENDER})


@dataclass(frozen=True)
class Ended:
    """A piece that nobody works on any more. ``error``: None if it is done; ``again``: it may go right yet."""

    piece: Piece
    error: str | None = None
    exit_code: int = 0
    again: bool = False
    seconds: float = 0.0
    told: dict[str, Any] = field(default_factory=dict)  # what TaskRunner.run gives
    log: str = ""  # what was logged meanwhile
    spent: bool = True  # a try, see Failure


class Engine(Protocol):
    """Does pieces somewhere. Used by one thread."""

    slots: int  # pieces that are worth having in flight at once
    kinds: frozenset[str]  # of pieces that it takes; all others are done by who has the engine
    far: bool  # whether machines may work for it that do not see this one's disks

    def submit(self, piece: Piece) -> None:
        """Begin, or have it begun. Raises VideditError: it cannot be."""

    def poll(self, seconds: float) -> list[Ended]:
        """What has ended since the last call; waits for something to, so many seconds at most."""

    def progress(self) -> dict[Piece, int]:
        """Frames that are done of pieces, as far as that is known; it may be some seconds old."""

    def cancel(self, piece: Piece | None = None) -> None:
        """Stop a piece, or all of them, and leave nothing of it; nothing more is told of it."""

    def close(self) -> None:
        """Stop everything and let go of workers, or of the cluster."""
