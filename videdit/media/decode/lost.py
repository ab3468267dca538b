"""Frames that a damaged packet has cost: found by the times of packets that no frame came out of."""

from __future__ import annotations

import av

_WATCHED = 64  # frames after an error in which another may be missing because of it


class DroppedFrameDetector:
    """Told of every packet, error and frame of a decoder, in order.

    Only around an error do packets without a frame count: some codecs have packets that show nothing.
    """

    def __init__(self) -> None:
        """One a decoder."""
        self._waiting: set[int] = set()
        self._watched = 0

    def packet(self, packet: av.Packet) -> None:
        """A packet went into the decoder; one without a pts cannot be missed."""
        if packet.pts is not None:
            self._waiting.add(packet.pts)

    def error(self) -> None:
        """The decoder has refused a packet."""
        self._watched = _WATCHED

    def before(self, pts: int | None) -> list[int]:
        """The times, in order, of frames that should have come before the one at `pts`; None: there are no more."""
        gone = sorted(time for time in self._waiting if pts is None or time <= pts)
        self._waiting.difference_update(gone)
        if not self._watched:
            return []
        self._watched -= 1
        return [time for time in gone if time != pts]
