"""A file's packets through a decoder: frames in the order in which they come out, across what is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

import av

from videdit.errors import MediaError
from videdit.media.decode.hwaccel import accelerator
from videdit.media.decode.lost import DroppedFrameDetector
from videdit.media.decode.pixel_shape import PixelShape
from videdit.media.info import MediaInfo
from videdit.media.open import MAX_PIXELS, decoder_of, edited_video, open_input
from videdit.media.untimed import timed

_MAX_READ_ERRORS = 200  # in a row, without a packet between them: the rest of the file is gone
# Containers that know where to find a time. In others a place is only guessed, and times may have to be made up from
# the beginning on: they are read up to a pts that has to be met exactly.
_INDEXED = ("mp4", "mov", "matroska", "webm")
_SEEK_STEPS = (0.0, 2.0, 10.0)  # seconds before the start at which to look for a key frame, before reading it all

# A frame and the times of those that were lost before it; without a frame at the end.
Decoded = tuple[av.VideoFrame | None, list[int]]


class Decoder:
    """The edited video of a file, decoded from any place on; one iteration at a time.

    info: the file. threads: of the decoder. device: where to decode, as
    :func:`videdit.media.decode.hwaccel.choose_decoder` says. ``errors`` counts the packets that could not be decoded,
    ``untimed`` the first frames that had no time; ``shape`` is what is seen of the pixels' shape.
    """

    def __init__(self, info: MediaInfo, threads: int, device: str | None) -> None:
        """Nothing is opened yet."""
        self.errors = self.untimed = 0
        self.shape = PixelShape()
        self._info, self._threads, self._device = info, threads, device
        self._container: av.container.InputContainer | None = None

    def close(self) -> None:
        """Let go of the file. An iteration that is under way ends with the next frame."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def frames(self, first: int | None, meet: bool) -> Iterator[Decoded]:
        """Decoded frames, beginning with the first of the file or, to save time, with a key frame at or before it.

        Args:
            first: pts from which on frames are wanted; None: all.
            meet: it is the pts of a frame, to be met exactly.

        Raises:
            MediaError: the file stops being readable, or the device fails.
        """
        if first is None or (meet and self._info.container not in _INDEXED):
            yield from self._from_the_beginning()
            return
        for back in _SEEK_STEPS:
            target = first - units(back, self._info)
            if target <= self._info.start_pts:
                break
            frames = self._decode(target)
            found = next(frames, None)
            frame = found[0] if found else None
            # Frames are sought by decoding time: the key frame found may be shown after the one that is wanted.
            if found is not None and frame is not None and frame.pts is not None and frame.pts <= first:
                yield found
                yield from frames
                return
        yield from self._from_the_beginning()

    def _from_the_beginning(self) -> Iterator[Decoded]:
        def told(count: int) -> None:
            self.untimed = count

        return timed(self._decode(None), itemgetter(0), self._info.fps, self._info.time_base, told)

    def _open(self) -> tuple[av.container.InputContainer, av.video.stream.VideoStream, av.VideoCodecContext]:
        self.close()
        device = accelerator(self._device) if self._device else None
        self._container = container = open_input(self._info.path, self._info.fps, device)
        stream = edited_video(container, self._info.video_index)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = av.stream.Discard.all
        context = decoder_of(stream)
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_type = "AUTO"
        context.thread_count = self._threads
        self.errors = 0
        return container, stream, context

    def _decode(self, target: int | None) -> Iterator[Decoded]:
        container, stream, context = self._open()
        if target is not None:
            try:
                container.seek(target, stream=stream)
            except av.FFmpegError:  # a format that cannot seek: read it from the beginning
                container, stream, context = self._open()
        lost, self.shape = DroppedFrameDetector(), PixelShape()
        for packet in self._packets(container, stream):
            lost.packet(packet)
            try:
                for frame in context.decode(packet):
                    self.shape.see(context.sample_aspect_ratio, frame.pts)
                    yield frame, lost.before(frame.pts) if frame.pts is not None else []
            except av.FFmpegError as error:
                self._failed(error)
                lost.error()
        while True:  # frames still in the decoder; an error among them must not cost those behind it
            try:
                for frame in context.decode(None):
                    self.shape.see(context.sample_aspect_ratio, frame.pts)
                    yield frame, lost.before(frame.pts) if frame.pts is not None else []
            except av.EOFError:
                break
            except av.FFmpegError as error:
                self._failed(error)
                lost.error()
                if self.errors > 10 * _MAX_READ_ERRORS:
                    break
        if rest := lost.before(None):
            yield None, rest

    def _failed(self, error: av.FFmpegError) -> None:
        """Count a packet that cannot be decoded, unless it is the machine that fails."""
        self.errors += 1
        if isinstance(error, MemoryError):
            raise error
        if self._device:
            raise MediaError(f"{self._device} failed to decode {self._info.path}; run again with --decoder cpu")

    def _packets(
        self, container: av.container.InputContainer, stream: av.video.stream.VideoStream
    ) -> Iterator[av.Packet]:
        """Packets with data, across places where the container is damaged."""
        failures = 0
        while failures < _MAX_READ_ERRORS:
            try:
                for packet in container.demux(stream):
                    if packet.size:
                        failures = 0
                        yield packet
                return
            except av.InvalidDataError:
                failures += 1
                self.errors += 1
            except (av.FFmpegError, OSError) as error:
                reason = getattr(error, "strerror", None) or error
                raise MediaError(f"{self._info.path} stopped being readable: {reason}") from None


def units(seconds: float | None, info: MediaInfo) -> int:
    """Seconds in pts units of the clip, rounded to the nearest."""
    return round((seconds or 0) / info.time_base)
