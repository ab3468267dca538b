"""One opened encoder: frames in, packets out with the source's exact times."""

from __future__ import annotations

from collections.abc import Callable

import av

from videdit.datatypes import Frame, Picture
from videdit.media.encode.codecs import VideoEncoder, configure
from videdit.media.encode.convert import convert
from videdit.media.encode.ffmpeg_process import ExternalEncoder
from videdit.media.info import MediaInfo
from videdit.media.pixel_formats import pack
from videdit.threads import ordinary_priority

Encode = Callable[[av.VideoFrame | None], list[av.Packet]]

_GLOBAL_HEADER = 0x400000  # AV_CODEC_FLAG_GLOBAL_HEADER: every container we write keeps the headers out of the packets


class FrameEncoder:
    """Turns frames into packets in decoding order. ``pts``, ``dts`` and ``duration`` are in units of the source's time.

    encode: an encoder's own function, e.g. ``stream.encode`` of a stream that was set up by ``set_up``.
    """

    def __init__(self, encode: Encode, info: MediaInfo, encoder: VideoEncoder) -> None:
        """info: the source, for times and shape. encoder: what was chosen, for its pixel format and options."""
        self.frames = 0
        self.end_pts = 0  # where the last frame ends, on the source's clock
        self._encode, self._info, self._encoder = encode, info, encoder
        self._shape = encoder.shape or info  # as it is encoded
        self._durations: dict[int, int] = {}
        self._last_pts: int | None = None

    def encode(self, frame: Frame, origin: int = 0) -> list[av.Packet]:
        """The packets that are ready after one more frame; frames come in presentation order.

        origin: the pts of the source that becomes 0.

        Raises:
            ValueError: the frame's time is not after the last one's, or its planes are not laid out as the source's.
        """
        assert frame.pts is not None
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise ValueError(f"frame {frame.index} with pts {frame.pts} comes after one with {self._last_pts}")
        packed = self._pack(frame.picture)
        self._last_pts = frame.pts
        duration = frame.coded.duration or self._info.frame_step
        self.end_pts = frame.pts + duration
        packed.pts, packed.time_base = frame.pts - origin, self._info.time_base
        self._durations[packed.pts] = packed.duration = duration
        self.frames += 1
        return self._timed(self._encode(packed))

    def flush(self) -> list[av.Packet]:
        """The packets that the encoder still holds."""
        packets = self._encode(None)
        for packet in packets if self.frames <= 2 else ():
            packet.dts = packet.pts  # x265 leaves it to chance where so few frames pass through
        return self._timed(packets)

    def _timed(self, packets: list[av.Packet]) -> list[av.Packet]:
        for packet in packets:
            assert packet.pts is not None
            # Encoders that reorder frames lose their durations; the last one's is the end of the clip.
            packet.duration = self._durations.pop(packet.pts, self._info.frame_step)
            packet.dts = packet.pts if packet.dts is None else packet.dts
        return packets

    def _pack(self, picture: Picture) -> av.VideoFrame:
        encoder, info = self._encoder, self._info
        if picture.pix_fmt != info.planar or (picture.width, picture.height) != (info.width, info.height):
            raise ValueError(f"a {picture.width}x{picture.height} {picture.pix_fmt} picture in a clip of {info.planar}")
        shape = self._shape
        if shape is not info:
            picture = convert(picture, shape)
        planes = picture.planes if encoder.planar == shape.planar else picture.planes[:-1]
        packed = pack(planes, encoder.planar, encoder.pix_fmt)
        color_range, primaries, transfer, matrix = shape.color_tags
        packed.color_range = color_range or (2 if shape.color.full_range else 0)
        packed.color_primaries, packed.color_trc, packed.colorspace = primaries, transfer, matrix
        return packed


def set_up(context: av.VideoCodecContext, info: MediaInfo, encoder: VideoEncoder, threads: int) -> None:
    """Give an encoder that is not open yet its picture and everything about it."""
    context.width, context.height, context.pix_fmt = info.width, info.height, encoder.pix_fmt
    configure(context, encoder.shape or info, threads)


def stand_alone(info: MediaInfo, encoder: VideoEncoder, threads: int) -> av.VideoCodecContext | ExternalEncoder:
    """The same encoder without a container; its packets and headers are those it would make for a file."""
    if encoder.external is not None:
        return ExternalEncoder(encoder.external)
    context = av.CodecContext.create(encoder.name, "w")
    assert isinstance(context, av.VideoCodecContext)
    set_up(context, info, encoder, threads)
    context.flags |= _GLOBAL_HEADER
    context.options = dict(encoder.options)
    with ordinary_priority():
        context.open()
    return context
