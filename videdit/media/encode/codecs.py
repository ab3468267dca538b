"""Which encoder keeps a clip what it is, and with which options."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2

from videdit.errors import SettingsError
from videdit.media.encode.ffmpeg_process import External
from videdit.media.info import MediaInfo
from videdit.media.pixel_formats import geometry
from videdit.threads import CODEC

# Containers we write: which codec families each holds so that other programs play it, "ffv1" in MP4 as a last resort.
CONTAINERS = {
    "mp4": ("h264", "hevc", "av1", "vp9", "ffv1"),
    "mov": ("h264", "hevc", "prores"),
    "matroska": ("h264", "hevc", "av1", "vp9", "prores", "ffv1"),
    "webm": ("vp9", "av1"),
}
ENCODERS = {
    "h264": ("libx264", "libx264rgb"),
    "hevc": ("libx265",),
    "av1": ("libsvtav1",),
    "vp9": ("libvpx-vp9",),
    "prores": ("prores_ks",),
    "ffv1": ("ffv1",),
}
# Encoders of the machine, by request only: they are fast, but need more bits for the same picture. Each is tried out,
# and where it does not open the family's own encoder takes over.
HARDWARE = {
    f"{family}_{maker}": family
    for family in ("h264", "hevc", "av1")
    for maker in ("nvenc", "qsv", "amf", "videotoolbox", "vaapi", "mf")
}
# Same family by default; what nobody writes any more becomes H.264, what was lossless stays lossless.
_FAMILY = {"h264": "h264", "hevc": "hevc", "av1": "av1", "vp8": "vp9", "vp9": "vp9", "prores": "prores"}
_LOSSLESS_PICTURES = ("png", "tiff", "bmp", "dpx")
LOSSLESS = ("ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "v210", "qtrle", "magicyuv") + _LOSSLESS_PICTURES
_NO_ALPHA = {"yuva": "yuv", "gbrap": "gbrp", "ya": "gray"}
_INTERLACED_CODING = 0x40000 | 0x20000000  # AV_CODEC_FLAG_INTERLACED_DCT | AV_CODEC_FLAG_INTERLACED_ME
KEEPS_FIELDS = ("libx264", "prores_ks")
_AVX_512 = 13  # as OpenCV numbers what a processor can: AVX-512F
_KEEPS_HDR = ("libx264", "libx265", "libsvtav1")


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """What the user may say about the encoder; None is the source's family at visually lossless quality."""

    codec: str | None = None  # a family ("h264", "hevc", "av1", "vp9", "prores", "ffv1") or an encoder ("libx264")
    crf: float | None = None  # quality, lower is better
    preset: str | None = None  # the encoder's own speed preset (vp9: cpu-used 0..8)
    lossless: bool = False
    threads: int = CODEC
    backend: str = "pyav"  # whose encoders: "pyav", or "ffmpeg" for those of a program beside this one
    pix_fmt: str | None = None  # layout of the pictures, "yuv420p"; None: the source's, or what players show
    transcode: bool = False  # sound and text that the container cannot hold are encoded anew, in place of left out


@dataclass(frozen=True, slots=True)
class VideoEncoder:
    """An encoder that was opened once with these options and works."""

    name: str  # FFmpeg's, e.g. "libx264"
    family: str
    pix_fmt: str  # the layout it is fed
    planar: str  # what of the source's planes it holds; without "a" where alpha is dropped
    options: dict[str, str]
    warnings: tuple[str, ...] = ()
    external: External | None = None  # where it is not one of PyAV's
    shape: MediaInfo | None = None  # the clip as it is encoded, where its pictures are converted first


def versions() -> dict[str, list[int]]:
    """Of FFmpeg's libraries: others may encode the same frames otherwise."""
    return {name: list(version) for name, version in av.library_versions.items()}


def families(info: MediaInfo, settings: EncodeSettings) -> list[str]:
    """Families of codecs to try for a clip, the best first; what was asked for alone."""
    if settings.codec is not None:
        asked = next((f for f, names in ENCODERS.items() if settings.codec == f or settings.codec in names), None)
        asked = asked or HARDWARE.get(settings.codec)
        if asked is None:
            raise SettingsError(
                f"unknown codec '{settings.codec}'; there are {', '.join(ENCODERS)}; --encoder-backend ffmpeg has more"
            )
        return [asked]
    family = _FAMILY.get(info.codec, "ffv1" if info.codec in LOSSLESS else "h264")
    return list(dict.fromkeys([family, "h264", "hevc", "av1", "vp9", "ffv1"]))


def with_and_without_alpha(planar: str) -> list[str]:
    """A planar layout, and the same without its alpha if it has one."""
    for with_alpha, plain in _NO_ALPHA.items():
        if planar.startswith(with_alpha):
            rest = planar.removeprefix(with_alpha)
            return [planar, plain + (rest if with_alpha != "ya" else rest.removeprefix("8"))]
    return [planar]


def options_of(name: str, info: MediaInfo, planar: str, settings: EncodeSettings) -> dict[str, str]:
    """An encoder's options for a clip, in its own words."""
    crf = settings.crf
    options: dict[str, str] = {}
    if name in ("libx264", "libx264rgb"):
        # At crf 16 "fast" has .1 dB less than "medium" at most, for .75 to .9 of the work; "faster" up to .6 less.
        options = {"preset": settings.preset or "fast"}
        options |= {"qp": "0"} if settings.lossless else {"crf": f"{16 if crf is None else crf:g}"}
        words = info.hdr.words("mastering-display", "cll") if info.hdr else []
        # Its AVX-512 code for mb-tree reads beyond what it has computed. What lay in memory before then shows in the
        # packets, and a segment that is encoded again must be the same.
        if cv2.checkHardwareSupport(_AVX_512):
            words.append("asm=AVX2")
        options |= {"x264-params": ":".join(words)} if words else {}
    elif name == "libx265":
        options = {"preset": settings.preset or "medium", "crf": f"{18 if crf is None else crf:g}"}
        # x265 starts a thread for every core and talks to the terminal unless it is told not to.
        words = [f"pools={settings.threads}", "frame-threads=1", "log-level=none"]
        words += info.hdr.words("master-display", "max-cll") if info.hdr else []
        options["x265-params"] = ":".join([*words, "lossless=1"] if settings.lossless else words)
    elif name == "libvpx-vp9":
        options = {"deadline": "good", "row-mt": "1", "cpu-used": settings.preset or "4"}
        options |= {"lossless": "1"} if settings.lossless else {"crf": f"{18 if crf is None else crf:g}"}
    elif name == "libsvtav1":
        options = {"preset": settings.preset or "8", "crf": f"{20 if crf is None else crf:g}"}
        words = ["lossless=1"] if settings.lossless else []
        words += info.hdr.words("mastering-display", "content-light", decimal=True) if info.hdr else []
        options |= {"svtav1-params": ":".join(words)} if words else {}
    elif name == "prores_ks":
        options = {"profile": "4" if "444" in planar else "3", "vendor": "apl0"}
    elif name == "ffv1":
        slices = "4" if min(info.width, info.height) >= 64 else "1"  # of at least a few lines each
        options = {"level": "3", "slicecrc": "1", "slices": slices, "g": "1"}
    elif name in HARDWARE:
        options = _hardware_options(name, settings)
    if info.chroma_location not in (None, "left"):  # "left" is what silence means
        options["chroma_sample_location"] = str(info.chroma_location)
    return options


def _hardware_options(name: str, settings: EncodeSettings) -> dict[str, str]:
    """Constant quality, in each maker's own words; at the same number it is a little worse than x264's."""
    quality = f"{18 if settings.crf is None else settings.crf:g}"
    words = {
        "nvenc": {"rc": "vbr", "cq": quality, "preset": settings.preset or "p6", "b": "0"},
        "qsv": {"global_quality": quality, "preset": settings.preset or "slower"},
        "amf": {"rc": "cqp", "qp_i": quality, "qp_p": quality, "quality": settings.preset or "quality"},
        "videotoolbox": {"q:v": f"{max(1, 100 - 2 * float(quality)):g}"},
        "vaapi": {"rc_mode": "CQP", "qp": quality},
        "mf": {"rate_control": "quality", "quality": f"{max(1, 100 - 2 * float(quality)):g}"},
    }
    return words[name.split("_")[1]]


def configure(context: av.VideoCodecContext, info: MediaInfo, threads: int) -> None:
    """Give an encoder everything about the picture that is not in its options."""
    if info.interlaced and context.name in KEEPS_FIELDS:
        context.flags |= _INTERLACED_CODING
        context.field_order = info.field_order
    context.bit_rate = 0  # FFmpeg's default of 200 kb/s would override the quality asked for
    context.time_base = info.time_base
    context.framerate = info.fps or Fraction(25)
    tag(context, info)
    context.thread_type = "FRAME"  # sliced threads, the binding's default, cost quality in x264
    context.thread_count = threads


def tag(context: av.VideoCodecContext, info: MediaInfo) -> None:
    """Say in what colours and pixels the picture is."""
    context.sample_aspect_ratio = info.sar
    color_range, primaries, transfer, matrix = info.color_tags
    context.color_range = color_range or (2 if info.color.full_range else 0)
    context.color_primaries, context.color_trc, context.colorspace = primaries, transfer, matrix


def losses(
    info: MediaInfo, container: str, wanted: str, family: str, name: str, pix_fmt: str, dropped_alpha: bool
) -> tuple[str, ...]:
    """What an encoder cannot keep of a clip, a line each."""
    said = []
    if family != wanted and wanted not in CONTAINERS[container]:
        said.append(f"the video becomes {family}: {container} files hold no {wanted}")
    elif family != wanted == "ffv1":
        said.append(f"what was stored without loss becomes {family}, which players show; write to .mkv to keep it all")
    elif family != wanted:
        said.append(f"the video becomes {family}: {wanted} cannot hold {info.width}x{info.height} {info.pix_fmt} here")
    if family == "ffv1" and container == "mp4":
        said.append("few players show ffv1 in mp4; write to .mkv, or choose another layout: --pix-fmt yuv420p10le")
    if dropped_alpha:
        said.append("the transparency is dropped: no codec of this container keeps it; write prores or ffv1 to keep it")
    if info.hdr and name not in _KEEPS_HDR:
        said.append(f"the mastering display of HDR10 is not kept in {family}; use --codec hevc to keep it")
    for lost in info.dynamic_metadata:
        captions = lost == "closed captions"
        advice = "extract them to a subtitle file first" if captions else "the picture without it is"
        said.append(f"{lost} inside the video {'are' if captions else 'is'} not kept; {advice}")
    if geometry(pix_fmt)[0] < info.color.depth:
        said.append(f"{info.color.depth} bits become {geometry(pix_fmt)[0]}: the {family} encoder takes no more")
    if info.interlaced and name not in KEEPS_FIELDS:
        said.append("the clip is interlaced and its fields become whole frames; deinterlace it first for best results")
    if name == "libx264rgb":
        said.append("the video stays RGB in H.264, which few players show; choose --codec ffv1 for editing")
    return tuple(said)
