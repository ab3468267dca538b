"""Opening a user's file, safely: only its own bytes are read, whatever it claims to be."""

from __future__ import annotations

import os
import stat
from fractions import Fraction
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel

from videdit.errors import AwayError, MediaError, RefusedInput, UsageError
from videdit.media.file_kinds import _STILLS
from videdit.media.image_sequence import RATE, files, for_ffmpeg, is_sequence
from videdit.media.kinds import kind_of

MAX_SIDE = 16384  # beyond this a "picture" is a decompression bomb
MAX_PIXELS = 268_435_456
MAX_VIDEO_PIXELS = 67_108_864  # twice 8K: dozens of its frames are in memory at a time
CLOCK_RESET = 1  # second: a time that lies further back than this belongs to another clock

# Demuxers that may open a user's file. Playlists, concat scripts and devices are left out: they make FFmpeg open
# other files or the network.
_DEMUXERS = (
    "3dostr,apng,asf,avi,av1,bmp_pipe,dpx_pipe,dv,exr_pipe,flv,gif,gif_pipe,gxf,h264,hevc,ivf,j2k_pipe,jpeg_pipe,"
    "jpegls_pipe,jpegxl_pipe,m4v,matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,pam_pipe,pbm_pipe,pgm_pipe,"
    "png_pipe,ppm_pipe,qoi_pipe,rm,tiff_pipe,vc1,webm,webp,webp_pipe,yuv4mpegpipe"
)
_OPTIONS = {"max_pixels": str(MAX_PIXELS), "protocol_whitelist": "file", "format_whitelist": _DEMUXERS}
# Streams that are hard to tell, by their kind.
_RAW = {".h264": "h264", ".h265": "hevc", ".mpg": "mpeg", ".m2v": "mpegvideo", ".mpeg4": "m4v"}
_RAW |= {".dv": "dv", ".vc1": "vc1"}
_TOLD_APART = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"))  # of numbered pictures
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# Tags that every container knows, some in capitals.
KNOWN_TAGS = frozenset(
    ("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping")
    + ("lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "creation_time", "timecode")
)


def check_file(path: Path) -> int:
    """The size in bytes of a file, or of all files of a sequence, that can be read.

    Raises:
        MediaError: it does not exist, is a folder or a device, is empty, may not be read, or is of a kind that is not.
    """
    if is_sequence(path):
        return sum(map(_check_numbered, files(path).values()))
    size = _check_one(path)
    if (kind := kind_of(path)) and kind.refused:
        raise RefusedInput(f"{path} {kind.refused}")
    return size


def _check_numbered(path: Path) -> int:
    """FFmpeg chooses the decoder of numbered pictures by their suffix, and takes any other for a damaged one."""
    size, kind = _check_one(path), kind_of(path)
    if kind and kind.suffix in _TOLD_APART and not kind.fits(path.suffix) and path.suffix.lower() in _TOLD_APART:
        raise RefusedInput(
            f"{path} is of kind {kind.suffix}, whatever its name says; convert it to {path.suffix} first"
        )
    return size


def _check_one(path: Path) -> int:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise RefusedInput(f"{path} is a folder, not a video or picture")
        if not stat.S_ISREG(status.st_mode):
            raise RefusedInput(f"{path} is not a regular file; copy it to one first")
        if not status.st_size:
            raise RefusedInput(f"{path} is empty (0 bytes); copy or download it again")
        with path.open("rb"):
            return status.st_size
    except FileNotFoundError:
        raise (MediaError if path.parent.is_dir() else AwayError)(f"no such file: {path}") from None
    except PermissionError:
        raise MediaError(f"{path} may not be read: permission denied") from None
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror or error}") from None


def open_input(path: Path, rate: Fraction | None = None, device: HWAccel | None = None) -> av.container.InputContainer:
    """The file, opened by FFmpeg with the network, playlists and oversized pictures shut out.

    rate: frames a second of a sequence of pictures. device: where its video is decoded, in place of the CPU.

    Raises:
        MediaError: it is gone, or nothing that FFmpeg knows.
    """
    if is_sequence(path):
        return _open_sequence(path, rate or RATE)
    try:
        # An absolute path: "concat:a" or "http:" in a file name must not be taken for a protocol.
        return av.open(
            os.path.abspath(path),
            format=_format_of(path),
            options=_OPTIONS,
            metadata_errors="replace",
            hwaccel=device,
        )
    except av.EOFError:
        raise RefusedInput(f"{path} holds no frames: it ends right after its header") from None
    except FileNotFoundError:
        raise MediaError(f"no such file: {path}") from None
    except av.ArgumentError:  # it is of none of the kinds that FFmpeg may try here
        if (kind := kind_of(path)) and kind.form == "sound":
            raise RefusedInput(f"{path} is sound without a picture") from None
        raise RefusedInput(
            f"{path} is not a video or picture of a kind that is read; convert it to PNG or MP4 first"
        ) from None
    except (av.FFmpegError, ValueError, OSError) as error:
        kind_of_error = RefusedInput if isinstance(error, av.InvalidDataError | ValueError) else MediaError
        raise kind_of_error(f"{path} is not a video or picture that can be opened ({reason(error)})") from None


def _open_sequence(path: Path, rate: Fraction) -> av.container.InputContainer:
    options = {"max_pixels": str(MAX_PIXELS), "protocol_whitelist": "file", "format_whitelist": "image2"}
    options |= {"pattern_type": "sequence", "start_number": str(min(files(path))), "framerate": str(rate)}
    try:
        return av.open(for_ffmpeg(path), format="image2", options=options)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise MediaError(f"{path} are no pictures that can be opened ({reason(error)})") from None


def _format_of(path: Path) -> str | None:
    kind = kind_of(path)
    if kind is None:
        return None
    if kind.form == "image" or kind.suffix == ".apng":
        return _STILLS.get(kind.suffix)
    return None if kind.fits(path.suffix) else _RAW.get(kind.suffix)  # FFmpeg would believe the name


def is_exr(path: Path) -> bool:
    """Whether a path is an EXR picture or a sequence of such."""
    if is_sequence(path) or not path.is_file():
        return path.suffix.lower() == ".exr"
    kind = kind_of(path)
    return (path.suffix.lower() if kind is None else kind.suffix) == ".exr"


def normal_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags with the names that all containers share in lower case (Matroska writes COMMENT)."""
    return {key.lower() if key.lower() in KNOWN_TAGS else key: value for key, value in tags.items()}


def main_video(
    container: av.container.InputContainer, path: Path, track: str | None = None
) -> av.video.stream.VideoStream:
    """The stream that is edited: the first video that is no cover picture, or the one that is asked for.

    track: its number among them, from 1, or its language.

    Raises:
        UsageError: there is none of that number or language.
        MediaError: there is no video, or none that can be decoded.
    """
    films = [stream for stream in container.streams.video if not is_cover(stream)]
    if not films:
        cover = ", only a cover picture" if container.streams.video else ""
        raise RefusedInput(f"{path} holds no video stream{cover}")
    if track is not None:
        named = [film for i, film in enumerate(films, 1) if track == str(i) or track == (film.language or "").lower()]
        if not named:
            known = ", ".join(f"{i} ({film.language or 'no language'})" for i, film in enumerate(films, 1))
            raise UsageError(f"{path} has no video track {track}; there is {known}")
        films = named
    if films[0].codec_context is None:
        raise RefusedInput(f"the video in {path} is of a kind that cannot be decoded; convert it to H.264 first")
    return films[0]


def edited_video(container: av.container.InputContainer, index: int) -> av.video.stream.VideoStream:
    """The stream of a number in its file, which a probe has chosen."""
    stream = container.streams[index]
    assert isinstance(stream, av.video.stream.VideoStream)
    return stream


def decoder_of(stream: av.video.stream.VideoStream) -> av.VideoCodecContext:
    """What decodes a stream. FFmpeg's own decoders of VP8 and VP9 drop their transparency: libvpx keeps it."""
    own = stream.codec_context
    name = _WITH_ALPHA.get(own.codec.canonical_name, "")
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if tags.get("alpha_mode") != "1" or name not in av.codecs_available:
        return own
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, av.VideoCodecContext)
    return context


def is_cover(stream: av.stream.Stream) -> bool:
    """Whether a stream is a picture of the clip and not the clip."""
    return bool(stream.disposition & (av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails))


def reason(error: BaseException) -> str:
    """FFmpeg's words without Python's decoration."""
    return str(getattr(error, "strerror", None) or error).split("[Errno")[-1].strip(" .]") or type(error).__name__
