"""The packets that are copied, in the order of the source, each with a time where one can be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
from av.video.stream import VideoStream

from videdit.media.headers import frame_rate
from videdit.media.untimed import times_before

_MOST = 64  # packets among which the first with a time is looked for


def packets(source: av.container.InputContainer, indices: Iterable[int]) -> Iterator[av.Packet]:
    """What streams of these numbers hold; what is damaged is passed over, and so are the marks of their ends.

    FFmpeg drops what a Matroska file says of times before 0. A muxer takes no packet without one, so the first packets
    of a video that have none wait for the first that has one, and are set one before the other.
    """
    streams = [source.streams[index] for index in indices]
    waiting: dict[int, list[av.Packet]] = {stream.index: [] for stream in streams if isinstance(stream, VideoStream)}
    while True:
        try:
            for packet in source.demux(streams):
                timed = packet.dts is not None or packet.pts is not None
                if not timed and not packet.size:
                    continue
                held = waiting.get(packet.stream.index)
                if held is not None and not timed and len(held) < _MOST:
                    held.append(packet)
                    continue
                if held is not None:
                    del waiting[packet.stream.index]
                    yield from _before(packet, held)
                yield packet
        except av.InvalidDataError:
            continue
        for held in waiting.values():
            yield from held
        return


def _before(packet: av.Packet, held: list[av.Packet]) -> list[av.Packet]:
    stamp, stream = packet.dts if packet.dts is not None else packet.pts, packet.stream
    if stamp is not None and packet.time_base and isinstance(stream, VideoStream):
        times = times_before(stamp, len(held), frame_rate(stream), packet.time_base)
        for one, time in zip(held, times, strict=True):
            one.pts = one.dts = time
    return held
