"""Which encoder of an ffmpeg program keeps a clip what it is; see :mod:`videdit.media.encode.ffmpeg_process`."""

from __future__ import annotations

import contextlib
import functools
import io
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from videdit.errors import MediaError
from videdit.media.encode import alpha, codecs
from videdit.media.encode.codecs import EncodeSettings, VideoEncoder
from videdit.media.encode.ffmpeg_process import ADVICE, External, complaint, find_ffmpeg, raw_encoder, start
from videdit.media.info import MediaInfo
from videdit.media.pixel_formats import target_formats

_TRIED = 3  # frames of a trial: two would do for an encoder that looks ahead by one
_ON_DEVICE = ("vaapi", "vulkan")  # encoders that take pictures only from the memory of a GPU
_SEMI_PLANAR = {"yuv420p": "nv12", "yuv420p10le": "p010le"}


def choose_external(info: MediaInfo, container: str, settings: EncodeSettings) -> VideoEncoder:
    """As :func:`videdit.media.encode.choose.choose_encoder`, of all that an ffmpeg program offers.

    Raises:
        MediaError: there is no program, or it has no such encoder, or none holds the planes exactly in this container.
    """
    refused = None
    program = find_ffmpeg()
    wanted = list(_wanted(program, info, container, settings))
    for name, family in wanted:
        # Numbers meant for one encoder mean nothing to another.
        own = settings if (name, family) == wanted[0] else replace(settings, crf=None, preset=None)
        for planar in codecs.with_and_without_alpha(info.planar):
            if alpha.is_beside(name, planar):  # NUT brings packets without what lies beside them
                continue
            for pix_fmt in _layouts(program, name, planar):
                options = _options(name, info, planar, own)
                external, words = _tried(
                    _command(program, name, pix_fmt, options, info, settings.threads), pix_fmt, info
                )
                if external is None:
                    refused = refused or words
                    continue
                if reason := _unmuxable(external, container):
                    raise MediaError(f"{container} files hold no {name} video ({reason}); choose another container")
                beside = alpha.is_beside(name, info.planar)
                dropped = planar != info.planar and not beside
                said = codecs.losses(info, container, wanted[0][1], family, name, pix_fmt, dropped)
                if beside:
                    said = ("the transparency is dropped: leave out --encoder-backend ffmpeg to keep it", *said)
                if settings.codec in codecs.HARDWARE and name != settings.codec:
                    said = (f"{settings.codec} does not work here ({refused}); {name} is used", *said)
                return VideoEncoder(name, family, pix_fmt, planar, options, said, external)
    asked = settings.codec or "no encoder"
    raise MediaError(
        f"{asked} of {program} cannot encode this clip: {refused}"
        if refused
        else f"{asked} of {program} does not keep {info.pix_fmt} video; choose another codec (ffv1 in .mkv keeps all)"
    )


def _wanted(program: str, info: MediaInfo, container: str, settings: EncodeSettings) -> Iterator[tuple[str, str]]:
    """(encoder, family) of all that could be meant, best first."""
    there = encoders(program)
    asked = settings.codec
    if asked in there and not (asked in codecs.HARDWARE and settings.lossless):
        yield asked, there[asked]
        if asked not in codecs.HARDWARE:
            return
    if asked and asked not in codecs.HARDWARE and all(asked not in (f, *names) for f, names in codecs.ENCODERS.items()):
        raise MediaError(f"{program} has no encoder '{asked}'; `ffmpeg -encoders` lists those that it has")
    for family in codecs.families(info, settings):
        if family in codecs.CONTAINERS[container]:
            known = [name for name in codecs.ENCODERS[family] if name in there]
            software = [name for name, of in there.items() if of == family and name not in codecs.HARDWARE]
            yield from ((name, family) for name in (known or software))


@functools.cache
def encoders(program: str) -> dict[str, str]:
    """The video encoders of a program and their codecs. Raises MediaError: it does not run."""
    found = {}
    for line in _asked(program, "-encoders").splitlines():
        words = line.split()
        if len(words) > 1 and len(words[0]) == 6 and words[0][0] == "V" and words[1] != "=":
            found[words[1]] = line.rpartition("(codec ")[2].rstrip(")") if "(codec " in line else words[1]
    return found


@functools.cache
def _layouts_of(program: str, name: str) -> tuple[str, ...]:
    """The pixel formats that an encoder takes, as it says; none where it does not say."""
    for line in _asked(program, "-h", f"encoder={name}").splitlines():
        if "Supported pixel formats:" in line:
            return tuple(line.partition(":")[2].split())
    return ()


def _layouts(program: str, name: str, planar: str) -> list[str]:
    """What of its formats holds exactly what a planar picture holds."""
    taken = _layouts_of(program, name)
    exact = target_formats(planar, shallower=name.startswith("prores"))
    if set(taken) & set(_ON_DEVICE):
        return [_SEMI_PLANAR[planar]] if planar in _SEMI_PLANAR else []
    return [layout for layout in exact if layout in taken or not taken]


def _asked(program: str, *words: str) -> str:
    try:
        done = subprocess.run([program, "-hide_banner", *words], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MediaError(f"cannot run {program}: {getattr(error, 'strerror', None) or 'it does not answer'}") from None
    return done.stdout.decode(errors="replace")


def _options(name: str, info: MediaInfo, planar: str, settings: EncodeSettings) -> dict[str, str]:
    """What we say to the encoders that we know; to others what the user says, or bits enough to see no loss."""
    crf, preset = settings.crf, settings.preset
    if name in codecs.HARDWARE or any(name in names for names in codecs.ENCODERS.values()):
        known = codecs.options_of(name, info, planar, settings)
        return {"b:v": "0"} | {{"b": "b:v"}.get(key, key): value for key, value in known.items()}
    if settings.lossless and name not in codecs.LOSSLESS:
        raise MediaError(f"no lossless mode of {name} is known; use {', '.join(codecs.LOSSLESS[:3])} or libx264")
    if name == "libaom-av1":
        return {"crf": f"{20 if crf is None else crf:g}", "b:v": "0", "cpu-used": preset or "6", "row-mt": "1"}
    if name in ("mpeg4", "mpeg2video", "mjpeg", "libxvid"):
        return {"q:v": f"{2 if crf is None else max(1, crf):g}"}
    if name == "dnxhd":
        return {"profile": "dnxhr_hqx" if info.color.depth > 8 else "dnxhr_hq"}
    words = {"preset": preset} if preset else {}
    if crf is not None:
        return words | {"crf": f"{crf:g}", "b:v": "0"}
    bits = 0.25 * info.width * info.height * float(info.fps or 25)
    return words | ({} if name in codecs.LOSSLESS else {"b:v": f"{max(bits, 500_000):.0f}"})


def _command(
    program: str, name: str, pix_fmt: str, options: dict[str, str], info: MediaInfo, threads: int
) -> tuple[str, ...]:
    """ffmpeg: raw frames from its standard input -> packets in NUT on its standard output."""
    try:
        import ffmpeg
    except ImportError as error:
        raise MediaError(f"--encoder-backend ffmpeg does not load ({error}): {ADVICE}") from None
    color_range, primaries, transfer, matrix = info.color_tags
    color_range = color_range or (2 if info.color.full_range else 0)
    size = f"{info.width}x{info.height}"
    frames = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt=pix_fmt, s=size, r=str(info.fps or 25)).video
    tags = {"range": color_range, "color_primaries": primaries, "color_trc": transfer, "colorspace": matrix}
    frames = frames.filter("setparams", **tags)
    if info.sar and info.sar != 1:
        frames = frames.filter("setsar", f"{info.sar.numerator}/{info.sar.denominator}")
    fields = {}
    if info.interlaced and name in codecs.KEEPS_FIELDS:
        frames = frames.filter("setparams", field_mode="bff" if info.field_order in (3, 5) else "tff")
        fields = {"flags": "+ildct+ilme"}
    device = name.rpartition("_")[2]
    if device in _ON_DEVICE:
        frames = frames.filter("hwupload")
    else:
        fields["pix_fmt"] = pix_fmt
    words = options | fields | {"c:v": name, "threads": threads, "strict": "experimental", "f": "nut"}
    colors = {"color_range": color_range, "color_primaries": primaries, "color_trc": transfer, "colorspace": matrix}
    command = frames.output("pipe:1", **words, **colors).compile(cmd=program)
    quiet = ["-hide_banner", "-nostats", "-loglevel", "error"]
    hardware = ["-init_hw_device", f"{device}=hw", "-filter_hw_device", "hw"] if device in _ON_DEVICE else []
    return (command[0], *quiet, *hardware, *command[1:])


@functools.lru_cache(maxsize=16)
def _trial(command: tuple[str, ...], pix_fmt: str, width: int, height: int) -> tuple[bytes, str]:
    """What an encoder makes of a few grey frames, and what it complains about."""
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane in frame.planes:
        plane.update(np.full(plane.buffer_size, 128, np.uint8).tobytes())
    frame.pts = 0
    picture = b"".join(bytes(packet) for packet in raw_encoder(pix_fmt, width, height).encode(frame))
    with tempfile.TemporaryFile() as complaints:
        process = start(command, complaints)
        try:
            sample, _ = process.communicate(picture * _TRIED, timeout=120)
        except subprocess.TimeoutExpired:
            sample = b""
        finally:
            process.kill()
            process.wait()
        return (b"" if process.returncode else sample), complaint(complaints)


def _tried(command: tuple[str, ...], pix_fmt: str, info: MediaInfo) -> tuple[External | None, str | None]:
    """The encoder if it works for this picture, else why not."""
    sample, words = _trial(command, pix_fmt, info.width, info.height)
    return (External(command, info.fps or Fraction(25), sample), None) if sample else (None, words)


def _unmuxable(external: External, container: str) -> str | None:
    """Why a container does not hold such packets; None if it does."""
    output = av.open(io.BytesIO(), "w", format=container)
    try:
        with external.template() as stream:
            output.add_stream_from_template(stream, opaque=True)
        output.start_encoding()
        return None
    except (av.FFmpegError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    finally:
        with contextlib.suppress(av.FFmpegError, ValueError):
            output.close()
