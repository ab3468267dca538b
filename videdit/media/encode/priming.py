"""Sound that begins before 0: what a decoder needs to get going, and nobody hears.

In MP4 an edit list says so. In Matroska every time is counted from where the decoder begins, and CodecDelay says by how
much that is early. FFmpeg's muxer, driven by its binding, writes none for the sound of an MP4: it would shift all of
the file, video and all.
"""

from __future__ import annotations

from fractions import Fraction

import av
from av.audio.stream import AudioStream

from videdit.media import ebml

# Seconds; HE-AAC has 0.1. More than this is sound that was cut off, of which no decoder needs all.
MOST = Fraction(1, 5)


def may_be(stream: av.stream.Stream, source: str, container: str) -> bool:
    """Whether a stream of one container may need it told in another."""
    return isinstance(stream, AudioStream) and source in ("mp4", "mov") and container == "matroska"


def of_packet(packet: av.Packet) -> int:
    """By how much sound begins before 0, in units of its clock, by its first packet; 0 where that is not told."""
    if packet.pts is None or packet.time_base is None or not 0 < -packet.pts * packet.time_base <= MOST:
        return 0
    return -packet.pts


def change(title: str | None, seconds: Fraction) -> ebml.Change:
    """What a track is to say of itself."""
    return ebml.Change(title, {}, [(ebml.CODEC_DELAY, ebml.number(round(seconds * 10**9)))] if seconds else [])
