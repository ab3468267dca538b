"""Encoders of an ffmpeg program beside this one, for those that PyAV's build lacks: `--encoder-backend ffmpeg`.

Only the encoder is another one. Raw frames go to the program through a pipe, counted and without times; packets come
back through another, get their frames' exact times, and are muxed here as those of PyAV's own encoders are. The program
writes no file: whatever ends this process closes its pipes, and it ends too.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

import av

from videdit.errors import MediaError
from videdit.threads import ordinary_program

ADVICE = 'pip install "videdit[ffmpeg]", and install ffmpeg or name the program in the variable VIDEDIT_FFMPEG'
_END = None  # in a queue of packets


@dataclass(frozen=True, slots=True)
class External:
    """An encoder of an ffmpeg program, tried out."""

    command: tuple[str, ...]
    rate: Fraction  # frames a second that it is told of, and counts by
    sample: bytes  # of what it makes, in NUT: tells muxers all about its packets

    @contextlib.contextmanager
    def template(self) -> Iterator[av.video.stream.VideoStream]:
        """A stream like the one that the encoder makes."""
        with av.open(io.BytesIO(self.sample), format="nut") as container:
            yield container.streams.video[0]


class ExternalEncoder:
    """One run of such an encoder, begun at the first frame; its ``encode`` stands in for that of a PyAV encoder."""

    def __init__(self, external: External) -> None:
        """external: the program with its options, and a sample of what it makes."""
        self._external = external
        self._process: subprocess.Popen[bytes] | None = None
        self._raw: av.VideoCodecContext | None = None
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close
        self._ready: queue.SimpleQueue[av.Packet | Exception | None] = queue.SimpleQueue()
        self._times: list[int] = []  # pts of the frames given
        self._step, self._time_base = 1, Fraction(1, 25)
        self._packets, self._first = 0, 0
        with external.template() as stream:
            self.extradata = bytes(stream.codec_context.extradata or b"")
            self._delay = stream.codec_context.reorder_depth  # places by which packets may come later than shown

    def encode(self, frame: av.VideoFrame | None) -> list[av.Packet]:
        """The packets that are ready after one more frame, or all that are left. Raises MediaError: it failed."""
        if frame is None:
            return self._flush()
        if self._process is None:
            self._start(frame)
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._raw is not None
        assert frame.pts is not None
        self._times.append(frame.pts)
        self._step = frame.duration or self._step
        try:
            for packet in self._raw.encode(frame):
                self._process.stdin.write(memoryview(packet))
        except (OSError, ValueError):
            raise self._failure() from None
        return self._timed(self._waiting())

    def close(self) -> None:
        """End the program, whatever it is at."""
        if self._process is not None:
            self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()  # type: ignore[union-attr]
            self._process.wait()
        self._complaints.close()

    def _start(self, frame: av.VideoFrame) -> None:
        assert frame.time_base is not None
        self._time_base = frame.time_base
        self._raw = raw_encoder(frame.format.name, frame.width, frame.height)
        self._process = start(self._external.command, self._complaints)
        threading.Thread(target=self._read, args=(self._process.stdout,), name="ffmpeg packets", daemon=True).start()

    def _read(self, pipe: IO[bytes]) -> None:
        """Take packets from the program, so that it never waits for us to."""
        try:
            with av.open(pipe, "r", format="nut") as container:
                for packet in container.demux(video=0):
                    if packet.size:
                        self._ready.put(packet)
        except Exception as error:  # no matter which: whoever encodes will hear of it
            self._ready.put(error)
            if self._process is not None:
                self._process.kill()  # or it would wait for somebody to read on, and we for it
        self._ready.put(_END)

    def _waiting(self) -> Iterator[av.Packet]:
        while not self._ready.empty():
            packet = self._ready.get()
            if packet is _END or isinstance(packet, Exception):
                raise self._failure()
            yield packet

    def _flush(self) -> list[av.Packet]:
        if self._process is None:
            return []
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        packets: list[av.Packet] = []
        while (packet := self._ready.get()) is not _END:
            if isinstance(packet, Exception):
                raise self._failure()
            assert packet is not None
            packets.append(packet)
        if self._process.wait():
            raise self._failure()
        timed = self._timed(packets)
        if self._packets != len(self._times):
            raise MediaError(f"ffmpeg made {self._packets} packets of {len(self._times)} frames; use another encoder")
        return timed

    def _timed(self, packets: Iterator[av.Packet] | list[av.Packet]) -> list[av.Packet]:
        """Copies of the program's packets, which count frames, with the frames' own times."""
        return [self._packet(packet) for packet in packets]

    def _packet(self, packet: av.Packet) -> av.Packet:
        assert packet.pts is not None
        if self._packets == 0:  # a key frame, and the first: some muxers shift all times to make room before it
            self._first = packet.pts
        seconds = (packet.pts - self._first) * (packet.time_base or 0)
        place, turn, times = round(seconds * self._external.rate), self._packets, self._times
        if not 0 <= place < len(times) or turn > place + self._delay:
            raise MediaError("ffmpeg's packets are not in an order that can be written; use another encoder")
        timed = av.Packet(bytes(packet))
        timed.pts, timed.time_base, timed.is_keyframe = times[place], self._time_base, packet.is_keyframe
        # As late as can be: see videdit.media.encode.segments.joined.
        run_in = times[self._delay] - times[0] if len(times) > self._delay else self._delay * self._step
        timed.dts = times[turn - self._delay] if turn >= self._delay else times[turn] - run_in
        self._packets += 1
        return timed

    def _failure(self) -> MediaError:
        """What the program itself says, in one line."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        failure = MediaError(f"ffmpeg failed while encoding: {complaint(self._complaints)}")
        failure.may_pass = (self._process.returncode or 0) < 0  # it was killed
        return failure


def raw_encoder(pix_fmt: str, width: int, height: int) -> av.VideoCodecContext:
    """Lays frames out as bytes, planes and lines without padding."""
    context = av.CodecContext.create("rawvideo", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, pix_fmt
    context.time_base = Fraction(1, 25)  # it needs some
    return context


def start(command: tuple[str, ...], complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    """Run ffmpeg in a session of its own: Ctrl-C is ours to answer. Raises MediaError: it does not start."""
    try:
        return ordinary_program(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, start_new_session=True
        )
    except OSError as error:
        raise MediaError(f"cannot run {command[0]}: {error.strerror}") from None


def complaint(stderr: IO[bytes]) -> str:
    """The most telling line of what a program complained about."""
    stderr.seek(0)
    lines = [line.strip() for line in stderr.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[0].split("] ", 1)[-1][:200] if lines else "it ended without a word"


def find_ffmpeg() -> str:
    """The ffmpeg program: of the variable VIDEDIT_FFMPEG, of the PATH, or of the package imageio-ffmpeg.

    Raises:
        MediaError: there is none.
    """
    named = os.environ.get("VIDEDIT_FFMPEG")
    if named:
        if not Path(named).is_file():
            raise MediaError(f"there is no program {named} (VIDEDIT_FFMPEG)")
        return named
    if found := shutil.which("ffmpeg"):
        return found
    with contextlib.suppress(ImportError, RuntimeError):
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    raise MediaError(f"--encoder-backend ffmpeg finds no ffmpeg program: {ADVICE}")
