"""Everything of a file that is not the edited video: carried over packet by packet, or its loss said aloud.

The policy, for each stream and target container:

* audio, subtitles, data, attachments, cover pictures and further videos are copied where the container takes them
  (:mod:`videdit.media.encode.fit`), else encoded anew if that was asked for (:mod:`videdit.media.encode.transcode`),
  else dropped with a warning;
* a QuickTime timecode track is not copied: the muxer makes it anew from the "timecode" tag, which is kept;
* a chapter text track is not copied either: chapters are;
* tags, languages, titles and dispositions are kept, except those that describe the old encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream

from videdit.media import ebml
from videdit.media.encode import acm, priming
from videdit.media.encode.copied_packets import packets
from videdit.media.encode.fit import declare, obstacle
from videdit.media.encode.transcode import Sound, Text, coder
from videdit.media.info import MediaInfo
from videdit.media.open import CLOCK_RESET, open_input
from videdit.media.tags import describe_stream, kept_tags

if TYPE_CHECKING:
    from av.container.core import Chapter

_NO_TEXT = b"\0\0"  # what MP4 keeps between two subtitles; its muxer makes these itself
_FAR = Fraction(60)  # seconds: a trim that begins later than this is sought, not read up to
_SEEK_MARGIN = 30  # seconds before it, so that a subtitle already on screen is not missed


class StreamCopier:
    """Copies the streams beside the video from the source into an output, in step with the video.

    ``add_streams`` declares them, ``start`` sets what becomes 0, ``copy_until`` moves packets up to a time and
    ``finish`` the rest. Times are seconds on the source's clock.
    """

    def __init__(
        self, info: MediaInfo, output: av.container.OutputContainer, container: str, transcode: bool = False
    ) -> None:
        """transcode: whether streams that do not fit are encoded anew."""
        self.warnings: list[str] = []
        self._transcode = transcode
        self._coders: dict[int, Sound | Text] = {}
        self._info = info
        self._output = output
        self._container = container
        self._edits = container in ("mp4", "mov")  # these have edit lists
        self._source = open_input(info.path, info.fps)
        self._targets: dict[int, av.stream.Stream] = {}
        self._last_dts: dict[int, int] = {}
        self._clocks: dict[int, tuple[int, int]] = {}  # what is added to a stream's times; where its last packet ends
        self._packets: Iterator[av.Packet] | None = None
        self._pending: av.Packet | None = None
        self._origin: Fraction | None = None
        self._end: Fraction | None = None
        self._disordered: set[int] = set()
        self._delays: dict[int, int | None] = {}  # what sound that begins before 0 is moved by; None: not seen yet
        self.changes: dict[str, ebml.Change] = {}  # what tracks of a Matroska file say once it is closed

    def close(self) -> None:
        """Let go of the source."""
        self._packets = None
        self._source.close()

    @property
    def tags(self) -> dict[str, str]:
        """The source's own tags."""
        return kept_tags(self._source.metadata)

    def add_streams(self, add_video: Callable[[av.stream.Stream], None], alone: bool = False) -> None:
        """Declare the output's streams in the source's order; ``add_video`` declares the edited one in its place.

        alone: all others are left out, without a word.
        """
        for stream in self._source.streams:
            if stream.index == self._info.video_index:
                add_video(stream)
                continue
            if alone:
                stream.discard = av.stream.Discard.all
                continue
            if self._container == "matroska" and stream.disposition & av.stream.Disposition.attached_pic:
                self._attach(stream)
                continue
            reason = obstacle(stream, self._container, bool(self._source.chapters()))
            if reason is None:
                target = declare(self._output, stream, self._container)
                describe_stream(stream, target)
                self._targets[stream.index] = target
                if priming.may_be(stream, self._info.container, self._container):
                    self._delays[stream.index] = None
                    title = target.metadata.get("title")
                    self.rename(target, priming.change(title, priming.MOST))
                    self.changes[_token(target)] = priming.change(title, Fraction(0))  # until a packet says otherwise
                continue
            if reason and self._container == "matroska" and self._add_windows_sound(stream):
                continue
            if reason and self._transcode and (made := coder(stream, self._output, self._container)):
                describe_stream(stream, made.target)
                self._coders[stream.index], self._targets[stream.index] = made, made.target
                self.warnings.append(f"{_name(stream)} becomes {made.codec}: {reason}")
                continue
            stream.discard = av.stream.Discard.all
            if reason:
                if stream.type in ("audio", "subtitle") and not self._transcode:
                    other = "to keep it)" in reason
                    reason = (
                        reason.removesuffix(")") + ", or add --transcode)" if other else f"{reason}; try --transcode"
                    )
                self.warnings.append(f"{_name(stream)} is left out: {reason}")
        self._source.streams[self._info.video_index].discard = av.stream.Discard.all

    def _add_windows_sound(self, stream: av.stream.Stream) -> bool:
        """Declare sound that Matroska holds though PyAV says that it does not; see :mod:`videdit.media.encode.acm`."""
        if not isinstance(stream, AudioStream) or not (header := acm.header(stream)):
            return False
        target = self._output.add_mux_stream(acm.STAND_IN, rate=stream.rate or 48000)
        target.time_base = stream.time_base
        describe_stream(stream, target)
        self.rename(target, acm.change(header, target.metadata.get("title")))
        self._targets[stream.index] = target
        return True

    def rename(self, target: av.stream.Stream, change: ebml.Change) -> None:
        """Note what a track of a Matroska file is to say of itself once the file is closed."""
        token = _token(target)
        target.metadata["title"] = ebml.placeholder(token, change.room)
        self.changes[token] = change

    def _attach(self, stream: av.stream.Stream) -> None:
        """A cover picture is an attachment in Matroska: its one packet is the file."""
        stream.discard = av.stream.Discard.all
        kind = stream.codec_context.codec.canonical_name if stream.codec_context else "mjpeg"
        suffix, mime = {"png": ("png", "image/png"), "bmp": ("bmp", "image/bmp")}.get(kind, ("jpg", "image/jpeg"))
        with open_input(self._info.path, self._info.fps) as source:
            data = next((bytes(p) for p in source.demux(source.streams[stream.index]) if p.size), None)
        if data is None:
            self.warnings.append(f"{_name(stream)} is left out: it is empty")
            return
        name = stream.metadata.get("filename") or f"cover.{suffix}"
        self._output.add_attachment(name, stream.metadata.get("mimetype") or mime, data)

    def start(self, origin: Fraction | None, end: Fraction | None) -> None:
        """Set the span, once the first video frame is known, and copy the chapters in it.

        origin: what becomes 0 in the output; None leaves every time as it is. end: no chapter goes beyond it.
        """
        self._origin, self._end = origin, end
        self._output.set_chapters(self._chapters())
        if origin is not None and origin > _FAR:
            self._source.seek(int((origin - _SEEK_MARGIN) * av.time_base))
        if self._targets:
            self._packets = packets(self._source, self._targets)

    def copy_until(self, time: Fraction) -> None:
        """Move the packets that come before ``time`` (seconds, source clock) to the output."""
        self._copy(time)

    def finish(self, end: Fraction | None = None) -> None:
        """Move all that is left; of a trimmed clip what begins before ``end``."""
        self._end = end
        self._copy(None)
        for made in self._coders.values():
            for packet in made(None):
                self._output.mux_one(packet)

    def _copy(self, time: Fraction | None) -> None:
        while self._packets is not None:
            if self._pending is None:
                self._pending = next(self._packets, None)
                if self._pending is None:
                    self._packets = None
                    return
                self._go_on(self._pending)
            packet = self._pending
            begin = _time(packet)
            if time is not None and begin is not None and begin > time:
                return
            self._pending = None
            self._mux(packet)

    def _go_on(self, packet: av.Packet) -> None:
        """Where a recording's clock is set back, let a stream's times go on from where they were."""
        index, unit, length = packet.stream.index, packet.time_base, packet.duration or 0
        if packet.dts is None or unit is None:
            return
        offset, end = self._clocks.get(index, (0, packet.dts))
        # Of sound, packets never lie within each other for long: what seems so is a short piece that was put behind.
        short = packet.stream.type == "audio" and length > 0 and end - packet.dts - offset > 2 * length
        if short or (end - packet.dts - offset) * unit > CLOCK_RESET:
            offset = end - packet.dts
            self.warnings.append(f"the clock of {_name(packet.stream)} is set back; its times go on from there")
        packet.dts += offset
        packet.pts = packet.pts + offset if packet.pts is not None else None
        self._clocks[index] = offset, packet.dts + length

    def _mux(self, packet: av.Packet) -> None:
        stream = packet.stream
        target = self._targets[stream.index]
        if not self._place(packet) or (self._edits and stream.type == "subtitle" and bytes(packet) == _NO_TEXT):
            return
        if made := self._coders.get(stream.index):
            for encoded in made(packet):
                self._output.mux_one(encoded)
            return
        last = self._last_dts.get(stream.index)
        if packet.dts is not None:
            if last is not None and packet.dts <= last:  # broken recordings run backwards; muxers refuse that
                if stream.index not in self._disordered:
                    self._disordered.add(stream.index)
                    self.warnings.append(f"{_name(stream)} has times that run backwards; they are set right")
                packet.dts = last + 1
                packet.pts = max(packet.pts if packet.pts is not None else packet.dts, packet.dts)
            if last is not None and not packet.duration and stream.type == "audio":
                packet.duration = packet.dts - last  # in MP4 the last packet would be of no length, and not be played
            self._last_dts[stream.index] = packet.dts
        packet.stream = target
        self._output.mux_one(packet)

    def _place(self, packet: av.Packet) -> bool:
        """Shift a packet to the output's clock; False if it lies outside of the span."""
        unit = packet.time_base
        if packet.pts is None or unit is None:
            return True
        begin, length = packet.pts * unit, (packet.duration or 0) * unit
        origin = self._origin
        if self._end is not None and begin >= self._end:
            return False
        if origin is not None:
            if begin + length <= origin and begin < origin:
                return False
            shift = round(origin / unit)
            packet.pts -= shift
            packet.dts = packet.dts - shift if packet.dts is not None else None
        elif delay := self._delay(packet):
            packet.pts += delay
            packet.dts = packet.dts + delay if packet.dts is not None else None
        if packet.pts < 0 and not self._may_precede(packet.stream):
            # A decoder's run-in before the start would push everything else back. Of a video all that follows needs it.
            if packet.pts + (packet.duration or 0) <= 0 and packet.stream.type != "video":
                return False
            packet.duration = max(0, (packet.duration or 0) + packet.pts)
            packet.pts = packet.dts = 0
        return True

    def _delay(self, packet: av.Packet) -> int:
        """What all packets of a stream are moved by, so that none is before 0; the track then says so."""
        index, unit = packet.stream.index, packet.time_base
        if (delay := self._delays.get(index, 0)) is None:
            delay = self._delays[index] = priming.of_packet(packet)
            if delay and unit:
                token = _token(self._targets[index])
                self.changes[token] = priming.change(self.changes[token].title, delay * unit)
        return delay

    def _may_precede(self, stream: av.stream.Stream) -> bool:
        """Whether packets may begin before 0: players skip that part, told by an edit list or the codec's delay."""
        if stream.type != "audio" or self._edits:
            return self._edits and stream.type != "subtitle"
        delayed = self._info.container in ("matroska", "webm") or stream.codec_context.codec.canonical_name == "opus"
        return delayed and self._origin is None

    def _chapters(self) -> list[Chapter]:
        kept: list[Chapter] = []
        for chapter in self._source.chapters():
            unit = chapter["time_base"] or Fraction(1, 1000)
            begin, end = chapter["start"] * unit, chapter["end"] * unit
            if self._end is not None:
                end = min(end, self._end)
            begin = max(begin, self._origin) if self._origin is not None else begin
            if begin >= end:
                continue
            shift = self._origin or 0
            chapter["start"], chapter["end"] = round((begin - shift) / unit), round((end - shift) / unit)
            kept.append(chapter)
        return kept


def _time(packet: av.Packet) -> Fraction | None:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return None if stamp is None or packet.time_base is None else stamp * packet.time_base


def _token(target: av.stream.Stream) -> str:
    """How the title of a track begins that says more once the file is closed."""
    return f"videdit-{target.index}."


def _name(stream: av.stream.Stream) -> str:
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else getattr(stream, "name", None)
    return f"{stream.type} stream {stream.index} ({codec or 'unknown'})"
