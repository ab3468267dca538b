"""Frames out of files: planes exactly as the decoder gave them, times exactly as the container holds them."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType

import av
import numpy as np

from videdit.datatypes import Coded, Frame, Picture
from videdit.errors import PicturesChange, RefusedInput, SettingsError
from videdit.media.decode.decoder import Decoded, Decoder, units
from videdit.media.decode.pixel_shape import PixelShape
from videdit.media.info import MediaInfo
from videdit.media.open import CLOCK_RESET
from videdit.media.pixel_formats import planar_name, unpack
from videdit.media.probe import probe
from videdit.threads import CODEC


class VideoReader:
    """A context manager that iterates over the frames of a clip, in presentation order.

    source: a path or what ``probe`` said of it. start, end: seconds from the clip's first frame; frames with
    start <= time < end are given, none is decoded after the last. threads: of the decoder. first: the pts to begin at,
    in place of start. device: where to decode, as
    :func:`videdit.media.decode.hwaccel.choose_decoder` says; what goes wrong there is an error, for it may be the
    device.

    A frame's ``pts`` and ``time_base`` are the container's, ``time`` is seconds from the first frame of the whole clip,
    ``index`` counts what this reader gave. ``coded`` says its duration, and whether it is a key frame or corrupt.

    Packets that cannot be decoded are counted in ``errors``. A frame that is lost with one is replaced by the frame
    before it ("corrupt", counted in ``repeated``), so that their number and times stay; what a decoder patched up
    itself is passed through ("corrupt", counted in ``patched``). ``warnings`` says, in words, what was odd.
    Times that are missing or run backwards are set just after the frame before, and counted in ``repaired``. Where the
    clock is set back, for some frames in a row or by more than a second, as in recordings that were put together, all
    times go on from there (``resets``).

    Raises:
        PicturesChange: they change their size or layout on the way.
        MediaError: the file cannot be opened, or gives no frame (in that span).
    """

    def __init__(
        self,
        source: MediaInfo | str | os.PathLike[str],
        start: float | None = None,
        end: float | None = None,
        threads: int = CODEC,
        *,
        first: int | None = None,
        device: str | None = None,
    ) -> None:
        self.info = source if isinstance(source, MediaInfo) else probe(source)
        if start is not None and end is not None and not start < end:
            raise SettingsError(f"nothing lies between {start:g} s and {end:g} s: the end must come after the start")
        self.start, self.end, self.first = start, end, first
        self.repeated = self.patched = 0
        self.repaired = self.resets = 0
        self._decoder = Decoder(self.info, threads, device)
        self._offset = 0  # pts units by which times go on where the clock was set back
        self._set_back = False  # whether the present frame begins such a stretch, as far as the next one shows

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. An iteration that is under way ends with the next frame."""
        self._decoder.close()

    @property
    def errors(self) -> int:
        """Packets that could not be decoded."""
        return self._decoder.errors

    @property
    def shape(self) -> PixelShape:
        """What is seen of the pixels' shape, as far as the clip was read."""
        return self._decoder.shape

    @property
    def warnings(self) -> list[str]:
        """What the user should hear after the last frame."""
        said = []
        if self.errors:
            said.append(
                f"{self.info.path}: {self.errors} damaged packets could not be decoded; "
                f"{self.repeated} lost frames repeat the one before"
            )
        if self.patched:
            said.append(f"{self.info.path}: {self.patched} damaged frames are as the decoder could patch them")
        if self.resets:
            said.append(f"{self.info.path}: its clock is set back {self.resets} times; the times go on from there")
        if words := self.shape.words(self.info.start_pts, self.info.time_base, self._first(), self.info.sar):
            said.append(f"{self.info.path}: {words}")
        if self._decoder.untimed:
            count = self._decoder.untimed
            said.append(f"{self.info.path}: its first {count} frames have no time; set one before the other")
        if self.repaired:
            said.append(f"{self.info.path}: {self.repaired} frames had no usable time; set just after the one before")
        return said

    def __iter__(self) -> Iterator[Frame]:
        info = self.info
        first = self._first()
        stop = info.start_pts + units(self.end, info) if self.end is not None else None
        count = 0
        for pts, frame, repeats in self._in_order(first):
            if first is not None and pts < first:
                continue
            if stop is not None and pts >= stop:
                break
            yield self._frame(frame, pts, count, repeats)
            count += 1
        if not count:
            cut = self.start is not None or self.end is not None
            raise (SettingsError if cut else RefusedInput)(self._nothing())

    def peek(self) -> av.VideoFrame | None:
        """The first frame, as it is decoded, whatever its size; None where there is none."""
        first = self._first()
        return next((frame for pts, frame, _ in self._in_order(first) if first is None or pts >= first), None)

    def _first(self) -> int | None:
        """The pts to begin at; None: the beginning."""
        if self.first is None and self.start:
            return self.info.start_pts + units(self.start, self.info)
        return self.first

    def _in_order(self, first: int | None) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        """(pts, frame, whether it stands in for a lost one), with times that always grow."""
        last: int | None = None
        good: av.VideoFrame | None = None
        self._offset = 0
        for frame, lost in self._watched(self._decoder.frames(first, meet=self.first is not None)):
            for missing in lost:
                pts = missing + self._offset
                if good is not None and (last is None or pts > last):
                    last = pts
                    yield pts, good, True
            if frame is not None:
                last = self._repair(frame.pts, last)
                yield last, frame, False
                good = frame

    def _frame(self, frame: av.VideoFrame, pts: int, index: int, repeats: bool) -> Frame:
        """A decoded frame, or one that ``repeats`` it at a later time."""
        info = self.info
        corrupt = repeats or frame.is_corrupt
        self.repeated += repeats
        self.patched += frame.is_corrupt and not repeats
        return Frame(
            index=index,
            pts=pts,
            time_base=info.time_base,
            time=float((pts - info.start_pts) * info.time_base),
            picture=self._picture(frame, index, pts),
            coded=Coded(
                duration=None if repeats else frame.duration or None,
                key_frame=bool(frame.key_frame and not repeats),
                corrupt=corrupt,
            ),
        )

    def _nothing(self) -> str:
        if self.start is None and self.end is None:
            return f"{self.info.path} holds no frame that can be decoded; it may be cut off or damaged"
        span = f"from {self.start or 0:g} s" + (f" to {self.end:g} s" if self.end is not None else " on")
        return f"{self.info.path} has no frame {span}; it is {self.info.duration:.2f} s long"

    def _watched(self, frames: Iterator[Decoded]) -> Iterator[Decoded]:
        """The same, with a look ahead: three frames in a row before the last one are a clock that was set back."""
        last: int | None = None
        for (frame, lost), *following in _with_next(frames):
            if frame is not None and frame.pts is not None:
                row = [frame.pts, *(other.pts for other, _ in following if other is not None and other.pts is not None)]
                self._set_back = last is not None and len(row) == 3 and row[0] < row[1] < row[2] <= last
                last = frame.pts if last is None or self._set_back else max(last, frame.pts)
            yield frame, lost

    def _repair(self, pts: int | None, last: int | None) -> int:
        if pts is None:
            self.repaired += 1
            return self.info.start_pts if last is None else last + self.info.frame_step
        pts += self._offset
        if last is None or pts > last:
            return pts
        if (last - pts) * self.info.time_base > CLOCK_RESET or self._set_back:
            self.resets += 1
            self._offset += last + self.info.frame_step - pts
            return last + self.info.frame_step
        self.repaired += 1
        return last + 1

    def _picture(self, frame: av.VideoFrame, index: int, pts: int) -> Picture:
        info = self.info
        at = f"{math.floor((pts - info.start_pts) * info.time_base * 1000) / 1000:g}"
        if (frame.width, frame.height) != (info.width, info.height):
            raise self._change(f"{info.width}x{info.height}", f"{frame.width}x{frame.height}", at, index)
        planar = planar_name(frame.format.name)
        if (planar, info.planar) == ("gbrap", "gbrp"):
            return Picture(unpack(frame)[:3], info.color, info.planar, info.aspect)  # it only seemed transparent
        if planar != info.planar:
            raise self._change(info.pix_fmt, frame.format.name, at, index)
        return Picture(unpack(frame), info.color, planar, info.aspect)

    def _change(self, before: str, now: str, at: str, index: int) -> PicturesChange:
        words = f"{self.info.path} changes from {before} to {now} at {at} s (frame {index}); {self._advice(at)}"
        return PicturesChange(words, None if self.resets or self.repaired else float(at))

    def _advice(self, at: str) -> str:
        """What to do with a clip whose pictures change at a time: seconds, in whole milliseconds."""
        path = self.info.path
        if self.resets or self.repaired:  # a time does not tell its parts from each other
            size = f"{self.info.width}x{self.info.height}"
            one = path.with_name(f"{path.stem}_{size}.mkv")
            scale = f"-vf scale={size.replace('x', ':')},format={self.info.pix_fmt}"
            words = f"ffmpeg -i {shlex.quote(str(path))} {scale} -c:v libx264 -crf 12 -c:a copy {shlex.quote(str(one))}"
            return f"bring it to one size first: {words}"
        since = f"{self.start:g}" if self.start else "0"
        begin, end = f"--start {since} " if self.start else "", f" --end {self.end:g}" if self.end is not None else ""
        return (
            f'edit the parts one by one: {begin}--end {at} -o "{{stem}}_from_{since}{{ext}}", '
            f'and --start {at}{end} -o "{{stem}}_from_{at}{{ext}}"'
        )


def _with_next(frames: Iterator[Decoded]) -> Iterator[list[Decoded]]:
    """Each with the two after it, or what is left."""
    waiting: list[Decoded] = []
    for item in frames:
        waiting.append(item)
        if len(waiting) == 3:
            yield waiting
            del waiting[0]
    while waiting:
        yield waiting
        del waiting[0]


def read_image(source: MediaInfo | str | os.PathLike[str]) -> Frame:
    """A still picture as one Frame (index 0, pts None), planes as decoded: JPEG in its own YUV, PNG as R, G, B(, A).

    The picture is not turned; ``MediaInfo.rotation`` says how it wants to be.

    Raises:
        MediaError: as ``probe``, or the picture is damaged.
    """
    info = source if isinstance(source, MediaInfo) else probe(source)
    with VideoReader(info, threads=1) as reader:
        frame = next(iter(reader))
    picture = frame.picture
    if picture.pix_fmt == "gbrap" and info.pix_fmt in ("pal8", "argb") and bool(np.all(picture.planes[3] == 255)):
        # Palettes and WebP always decode with an alpha channel, mostly an idle one.
        picture = replace(picture, planes=picture.planes[:3], pix_fmt="gbrp")
    return Frame(index=0, pts=None, time_base=info.time_base, time=0.0, picture=picture, coded=frame.coded)
