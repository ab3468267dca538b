"""Clips whose pixels change their shape midway, as a broadcast does that goes from 4:3 to 16:9 at one size."""

from __future__ import annotations

from fractions import Fraction


class PixelShape:
    """What the decoder says of it with every frame. Frames in its queue may be told with those after them."""

    def __init__(self) -> None:
        """One a decoder."""
        self.now: Fraction | None = None  # width / height of a pixel; None: not said
        self.changes: list[tuple[int | None, Fraction, Fraction]] = []  # (pts, before, after)

    def see(self, shape: Fraction | None, pts: int | None) -> None:
        """What the decoder says as it gives the frame at `pts`."""
        if not shape or shape == self.now:
            return
        if self.now is not None:
            self.changes.append((pts, self.now, shape))
        self.now = shape

    def words(self, start_pts: int, time_base: Fraction, first: int | None, shape: Fraction) -> str | None:
        """What the user should hear; None where nothing changes in what is read.

        first: the pts to begin at, None for the beginning; shape: the one there. What is decoded on the way to it may
        have had others.
        """
        changes = self.changes
        if first is not None:
            before_it = [
                i for i, (pts, _, now) in enumerate(changes) if pts is not None and pts < first and now == shape
            ]
            changes = changes[max(before_it, default=-1) + 1 :]
        if not changes:
            return None
        pts, before, after = changes[0]
        at = "midway"
        if pts is not None:
            seconds = f"{max(0.0, float((pts - start_pts) * time_base)):.3g}"
            at = f"at about {seconds} s"
        shapes = f"from {before.numerator}:{before.denominator} to {after.numerator}:{after.denominator}"
        how = "all of the output has the first; edit the parts one by one, with --end and --start"
        return f"its pixels change their shape {shapes} {at}: {how}"
