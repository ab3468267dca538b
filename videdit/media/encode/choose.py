"""Which encoder keeps a clip what it is: PyAV's, or one of an ffmpeg program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import av

from videdit.errors import MediaError, SettingsError
from videdit.media.encode import alpha
from videdit.media.encode.codecs import (
    CONTAINERS,
    ENCODERS,
    HARDWARE,
    EncodeSettings,
    VideoEncoder,
    configure,
    families,
    losses,
    options_of,
    with_and_without_alpha,
)
from videdit.media.encode.convert import codec_for, converted, delivered
from videdit.media.encode.ffmpeg_codecs import choose_external
from videdit.media.info import MediaInfo
from videdit.media.pixel_formats import geometry, target_formats
from videdit.threads import ordinary_priority

_NO_LOSSLESS_MODE = {"prores": "ffv1 in .mkv, or h264 or hevc"}
X26X = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
_WORST_HEVC = 51  # crf of x265
_PRESETS = {
    "h264": X26X,
    "hevc": X26X,
    "vp9": tuple(str(n) for n in range(9)),
    "av1": tuple(str(n) for n in range(14)),
    "prores": (),
    "ffv1": (),
}


def choose_encoder(info: MediaInfo, container: str, settings: EncodeSettings) -> VideoEncoder:
    """The first encoder, the source's own family first, that holds the planes exactly in this container.

    Where pictures are to be in another layout (:mod:`videdit.media.encode.convert`), one that holds those.

    Raises:
        MediaError: the codec that was asked for is unknown, does not fit, or none does.
    """
    unknown = settings.backend == "ffmpeg" and settings.codec is not None and not _is_known(settings.codec)
    family = "" if unknown else families(info, settings)[0]
    if (target := delivered(info, container, settings, family)) and not (unknown and settings.pix_fmt is None):
        shape, said = converted(info, target[0]), target[1]
        codec = settings.codec if settings.pix_fmt else codec_for(container, settings.codec)
        chosen = _choose(shape, container, replace(settings, codec=codec))
        return replace(chosen, shape=shape, warnings=(*([said] if said else []), *chosen.warnings))
    return _choose(info, container, settings)


def _is_known(codec: str) -> bool:
    return codec in HARDWARE or any(codec == family or codec in names for family, names in ENCODERS.items())


def _choose(info: MediaInfo, container: str, settings: EncodeSettings) -> VideoEncoder:
    if settings.backend == "ffmpeg":
        return choose_external(info, container, settings)
    first, *others = wanted = families(info, settings)
    if first == "ffv1" and settings.codec is None and container != "matroska":  # it is written to be played
        wanted = [*others, first]
    if settings.codec not in HARDWARE:
        _check_words(wanted[0], settings)
    refused = None
    for planar, family, name, pix_fmt in _candidates(info, container, settings, wanted):
        # Numbers meant for one encoder mean nothing to another.
        other = family != wanted[0] or (settings.codec in HARDWARE and name != settings.codec)
        own = replace(settings, crf=None, preset=None) if other else settings
        options = options_of(name, info, planar, own)
        error = _try_open(name, pix_fmt, options, info, settings.threads)
        if error is None:
            said = losses(info, container, first, family, name, pix_fmt, planar != info.planar)
            if settings.codec in HARDWARE and name != settings.codec:
                said = (f"{settings.codec} does not work here or does not keep this picture; {name} is used", *said)
            return VideoEncoder(name, family, pix_fmt, planar, options, said)
        refused = refused or error
    raise MediaError(_no_encoder(info, container, settings, refused))


def _candidates(
    info: MediaInfo, container: str, settings: EncodeSettings, wanted: list[str]
) -> Iterator[tuple[str, str, str, str]]:
    """(planar layout, family, encoder, layout it is fed) of all that could hold the picture, best first."""
    for planar in with_and_without_alpha(info.planar):
        for family in wanted:
            if family not in CONTAINERS[container] or (settings.lossless and family in _NO_LOSSLESS_MODE):
                continue
            for name in _encoders(family, settings):
                if name not in av.codecs_available:
                    continue
                formats = {f.name for f in av.codec.Codec(name, "w").video_formats or ()}
                if name == "ffv1" and container == "mp4" and settings.codec is None and geometry(planar)[3]:
                    continue  # nothing would show it
                if alpha.is_beside(name, planar) and container not in alpha.CONTAINERS:
                    continue
                for pix_fmt in target_formats(planar, shallower=family == "prores"):
                    if pix_fmt in formats:
                        yield planar, family, name, pix_fmt


def _encoders(family: str, settings: EncodeSettings) -> Iterator[str]:
    """Those of a family that this build of FFmpeg has, the one that was asked for first."""
    if settings.codec in HARDWARE and HARDWARE[settings.codec] == family and not settings.lossless:
        yield settings.codec
    yield from ENCODERS[family]


def _check_words(family: str, settings: EncodeSettings) -> None:
    """Refuse a preset or a quality that the family does not have: x265 says no more than that it does not open."""
    known, preset = _PRESETS[family], settings.preset
    if family == "hevc" and settings.crf is not None and settings.crf > _WORST_HEVC:
        raise SettingsError(f"crf {settings.crf:g} is out of range for hevc: 0 to {_WORST_HEVC} is possible")
    if preset is not None and preset not in known:
        choice = f"choose one of {', '.join(known)}" if known else "it has none"
        raise SettingsError(f"unknown preset '{preset}' for {family}: {choice}")


def _try_open(name: str, pix_fmt: str, options: dict[str, str], info: MediaInfo, threads: int) -> str | None:
    """None if the encoder opens for this picture; else why not. Sizes and presets are checked nowhere else."""
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints its settings to the terminal unless told not to
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = info.width, info.height, pix_fmt
    configure(context, info, threads)
    context.options = dict(options)
    try:
        with ordinary_priority():
            context.open()
    except (av.FFmpegError, ValueError):
        words = ", ".join(f"{key} {value}" for key, value in options.items())
        return f"{name} cannot encode {info.width}x{info.height} {pix_fmt} video with {words}"
    return None


def _no_encoder(info: MediaInfo, container: str, settings: EncodeSettings, refused: str | None) -> str:
    codec = settings.codec
    if codec is None:
        advice = "choose --pix-fmt yuv420p" + ("" if container == "matroska" else ", or write to .mkv instead")
        return f"no encoder keeps {info.width}x{info.height} {info.pix_fmt} video in {container} files; {advice}"
    family = families(info, settings)[0]
    if family not in CONTAINERS[container]:
        held = ", ".join(CONTAINERS[container])
        return f"{container} files hold no {codec} video; choose one of {held}, or another container"
    if settings.lossless and family in _NO_LOSSLESS_MODE:
        return f"{codec} has no lossless mode; use {_NO_LOSSLESS_MODE[family]}"
    layout = "yuv422p10le" if family == "prores" else "yuv420p"
    return refused or f"{codec} does not keep {info.pix_fmt} video; choose --pix-fmt {layout}, or ffv1 in .mkv"
