"""read: a stretch of a clip.

What steadies faces, bridges losses and chooses a crop's size looks back to the beginning of the shot, but at faces
only, never at a picture (:class:`videdit.stages.assign_faces.TablePass`): whoever renders the last segment of a long
shot need not decode the shot.
"""

from __future__ import annotations

from collections.abc import Iterator

from videdit.datatypes import Frame
from videdit.stages.decode import Decode


class ReadSpan:
    """Hands on frames up to the last that counts."""

    name = "decode"

    def __init__(self, decode: Decode, last: int) -> None:
        """decode: reads from the first frame that counts. last: the pts of the last one."""
        self.decode, self.last = decode, last

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames of ``decode`` up to the one whose pts is ``last``, whatever comes in."""
        for frame in self.decode(frames):
            assert frame.pts is not None
            if frame.pts > self.last:
                return
            yield frame
