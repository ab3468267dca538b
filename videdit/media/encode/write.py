"""Frames into a file that is otherwise the source: same times, colours, rotation, sound, subtitles and tags."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av

from videdit.datatypes import Frame
from videdit.errors import MediaError
from videdit.media import boxes, ebml, orientation, viewing
from videdit.media.encode import alpha
from videdit.media.encode.choose import choose_encoder
from videdit.media.encode.codecs import EncodeSettings, VideoEncoder, tag
from videdit.media.encode.encoding import Encode, FrameEncoder, set_up
from videdit.media.encode.ffmpeg_process import External, ExternalEncoder
from videdit.media.encode.mux import StreamCopier
from videdit.media.encode.segments import SegmentWriter, headers_hash, joined
from videdit.media.encode.target import check_target, commit_file, container_for, sweep
from videdit.media.failures import writing
from videdit.media.info import MediaInfo
from videdit.media.tags import add_provenance, container_options, describe_stream
from videdit.storage.outputs import temporary_name
from videdit.threads import ordinary_priority

_LONGEST_NAME = 255  # bytes, of a track in QuickTime


class VideoWriter:
    """Encodes frames beside the source's other streams; nothing is at ``path`` before ``commit``.

    path: .mp4, .m4v, .mov, .mkv or .webm. info: the source, whose streams, times, colour, shape and tags are kept.
    start, end: as given to the ``VideoReader`` where the clip is trimmed: the output then begins at 0 and the sound is
    cut to match. metadata: tags to add (provenance).

    Use it as a context manager: it commits at the end of the block, and leaves nothing behind after an exception.
    ``warnings`` says what could not be kept; ``temporary`` is where the file grows, by default hidden beside ``path``.

    ``seal`` is called with the finished file before it takes its name, and may change it. alone: without the source's
    other streams. replace: what is at ``path`` by then; else it stays, and the new file goes.

    Frames are either given to ``write`` one by one, or were encoded before and are all taken by ``join``.

    Raises:
        MediaError: no such folder, not writable, disk full, the codec cannot hold the picture, output is the source.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        info: MediaInfo,
        settings: EncodeSettings | None = None,
        *,
        start: float | None = None,
        end: float | None = None,
        metadata: dict[str, str] | None = None,
        temporary: Path | None = None,
        seal: Callable[[Path], None] | None = None,
        alone: bool = False,
        replace: bool = False,
    ) -> None:
        self.path = Path(path)
        self.frames = 0
        self._info = info
        self._settings = settings or EncodeSettings()
        self._start, self._end, self._seal, self._replace = start, end, seal, replace
        self._container = container_for(self.path)
        check_target(self.path, info)
        sweep(self.path)
        self.encoder = choose_encoder(info, self._container, self._settings)
        self.warnings = list(self.encoder.warnings)
        self._origin = 0  # pts of the source that becomes 0
        self._begun = False
        self._end_pts = 0
        self._told: tuple[str, str, boxes.Said] | None = None  # what an MP4's video says once it is closed
        self._stream: av.video.stream.VideoStream | None = None
        self._frame_encoder: FrameEncoder | None = None
        self._external: ExternalEncoder | None = None
        self._copier: StreamCopier | None = None
        self._output: av.container.OutputContainer | None = None
        self.temporary = temporary or temporary_name(self.path)
        with self._cleaning_up():
            self._open(metadata or {}, alone)

    def _open(self, metadata: dict[str, str], alone: bool) -> None:
        # The options depend on the tags, and these on the source: look at it before the output exists.
        self._output = av.open(os.path.abspath(self.temporary), "w", format=self._container)
        self._copier = StreamCopier(self._info, self._output, self._container, self._settings.transcode)
        tags = add_provenance(self._copier.tags, metadata)
        self._output.container_options.update(container_options(self._info, self._container, tags))
        self._output.metadata.update(tags)
        self._copier.add_streams(self._add_video, alone)
        self.warnings += self._copier.warnings
        if self._container in ("matroska", "webm") and not _is_milliseconds(self._info):
            self.warnings.append(f"{self.path.suffix} keeps times in milliseconds: frame times are rounded to those")

    def _add_video(self, source: av.stream.Stream) -> None:
        assert self._output is not None
        info, encoder = self._info, self.encoder
        stream, encode = self._add_external(encoder.external) if encoder.external else self._add_own(encoder)
        context = stream.codec_context
        stream.time_base = info.time_base
        if encoder.family == "hevc" and self._container in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the only name under which Apple's players know it
        if info.display_matrix is not None:
            stream.set_display_matrix(info.display_matrix)
        elif info.rotation:
            stream.set_display_rotation(-info.rotation)
        describe_stream(source, stream)
        self._tell(stream)
        if alpha.is_beside(encoder.name, encoder.planar):
            stream.metadata.update(alpha.TAG)
        self._stream = stream
        self._frame_encoder = FrameEncoder(encode, info, encoder)

    def _tell(self, stream: av.video.stream.VideoStream) -> None:
        """Note what players are told of the picture where the muxer has no words for it; say what is not kept."""
        assert self._copier is not None
        info, size = self._info, (self._info.width, self._info.height)
        if self._container in ("matroska", "webm"):
            told, lost = viewing.for_matroska(info.viewing, size, info.sar)
            if told:
                change = ebml.Change(stream.metadata.get("title"), {ebml.VIDEO: told}, [])
                self._copier.rename(stream, change)
        else:
            said, lost = viewing.for_mp4(info.viewing, size)
            name = stream.metadata.get("handler_name") or "VideoHandler"
            if self._container == "mov" and len(name.encode()) + said.room > _LONGEST_NAME:
                lost = info.viewing.names
            elif said.room:
                token = f"videdit-{stream.index}."
                stream.metadata["handler_name"] = boxes.placeholder(token, name, said)
                self._told = (token, name, said)
        lost += orientation.lost_in(self._container, info.display_matrix)
        self.warnings += [f"{self._container} files, as written here, do not keep {name} of this clip" for name in lost]

    def _amend(self) -> None:
        """Say in the closed file what the muxer has no words for."""
        assert self._copier is not None
        try:
            if self._copier.changes:
                ebml.apply(self.temporary, self._copier.changes)
            if self._told:
                boxes.apply(self.temporary, *self._told)
        except ValueError as error:
            raise MediaError(f"cannot write {self.path}: {error}") from None

    def _add_own(self, encoder: VideoEncoder) -> tuple[av.video.stream.VideoStream, Encode]:
        """A stream of PyAV's own encoders."""
        assert self._output is not None
        stream = self._output.add_stream(encoder.name, rate=self._info.fps or 25, options=dict(encoder.options))
        assert isinstance(stream, av.video.stream.VideoStream)
        set_up(stream.codec_context, self._info, encoder, self._settings.threads)
        return stream, stream.encode

    def _add_external(self, external: External) -> tuple[av.video.stream.VideoStream, Encode]:
        """A stream for packets that are made elsewhere, and what makes them."""
        assert self._output is not None
        with external.template() as template:
            stream = self._output.add_stream_from_template(template, opaque=True)
        tag(stream.codec_context, self.encoder.shape or self._info)
        self._external = ExternalEncoder(external)
        make = self._external.encode

        def encode(frame: av.VideoFrame | None) -> list[av.Packet]:
            packets = make(frame)
            for packet in packets:
                packet.stream = stream
            return packets

        return stream, encode

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif self._output is not None:
            self.commit()

    def write(self, frame: Frame) -> None:
        """Encode one frame; they must come in presentation order, planes laid out as the source's."""
        assert self._frame_encoder is not None
        assert frame.pts is not None
        with self._cleaning_up():
            self._begin(frame.pts)
            self._mux(self._frame_encoder.encode(frame, self._origin))
            self.frames, self._end_pts = self._frame_encoder.frames, self._frame_encoder.end_pts

    def segment(self, path: Path) -> SegmentWriter:
        """A segment that ``join`` can take; it is written for itself, whatever becomes of this file."""
        return SegmentWriter(path, self._info, self.encoder, self._settings.threads)

    def join(self, segments: Sequence[Path], end_pts: int) -> None:
        """Take the packets of finished segments (:mod:`videdit.media.encode.segments`) in place of frames.

        end_pts: where the last frame ends, on the source's clock.
        """
        assert self._stream is not None
        with self._cleaning_up():
            for encoded in joined(segments):
                self._begin(encoded.pts)
                packet = av.Packet(encoded.data)
                alpha.put_beside(packet, encoded.beside)
                packet.pts, packet.dts = encoded.pts - self._origin, encoded.dts - self._origin
                packet.duration, packet.time_base = encoded.duration, self._info.time_base
                packet.is_keyframe = encoded.key
                packet.stream = self._stream
                self._mux([packet])
                self.frames += 1
            self._end_pts = end_pts

    def headers(self) -> str:
        """Write the file's beginning, and tell which packets fit it
        (:func:`videdit.media.encode.segments.headers_hash`)."""
        assert self._output is not None
        assert self._stream is not None
        with self._cleaning_up():
            self._output.start_encoding()
            return headers_hash(self._stream.codec_context.extradata)

    def _begin(self, first_pts: int) -> None:
        assert self._copier is not None
        if not self._begun:
            self._begun = True
            info = self._info
            # A recording whose clock has just wrapped begins before 0, where players show nothing.
            shifted = bool(self._start) or first_pts < 0
            self._origin = first_pts if shifted else 0
            if first_pts < 0 and not self._start:
                self.warnings.append(f"{info.path} begins before 0: all times are moved so that it begins there")
            end = info.start_pts * info.time_base + Fraction(self._end) if self._end is not None else None
            self._copier.start(self._origin * info.time_base if shifted else None, end)

    def _mux(self, packets: list[av.Packet]) -> None:
        assert self._output is not None
        assert self._copier is not None
        for packet in packets:
            assert packet.dts is not None
            self._copier.copy_until((packet.dts + self._origin) * self._info.time_base)
            self._output.mux_one(packet)

    def commit(self) -> None:
        """Flush the encoder, copy what is left, and put the finished file in its place."""
        if self._output is None or self._frame_encoder is None or self._copier is None:
            return
        with self._cleaning_up():
            if not self.frames:
                raise MediaError(f"no frame to write to {self.path}")
            if self._frame_encoder.frames:
                self._mux(self._frame_encoder.flush())
            self._copier.finish(self._end_pts * self._info.time_base if self._end is not None else None)
            self.warnings += [said for said in self._copier.warnings if said not in self.warnings]
            self._copier.close()
            self._output.close()
            self._output = None
            self._amend()
            if self._external is not None:
                self._external.close()
            if self._seal is not None:
                self._seal(self.temporary)
            commit_file(self.temporary, self.path, self._replace)

    def abort(self) -> None:
        """Forget everything: neither the output nor its unfinished beginnings are left."""
        output, self._output = self._output, None
        if self._external is not None:
            self._external.close()
        # Unlinked first: closing writes the index, and rewriting a large file for it would take its time.
        with contextlib.suppress(OSError):
            self.temporary.unlink()
        if self._copier is not None:
            self._copier.close()
        if output is not None:
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                output.close()
        with contextlib.suppress(OSError):  # where an open file cannot be unlinked
            self.temporary.unlink()

    @contextlib.contextmanager
    def _cleaning_up(self) -> Iterator[None]:
        try:
            opens = not self._begun  # the first of these opens the encoder
            with writing(self.path), ordinary_priority() if opens else contextlib.nullcontext():
                yield
        except BaseException:
            self.abort()
            raise


def _is_milliseconds(info: MediaInfo) -> bool:
    return (info.time_base * 1000).denominator == 1
