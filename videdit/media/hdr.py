"""HDR10's static metadata: the screen a clip was graded on and how bright it gets, from the source to the encoder.

Metadata of single frames (HDR10+, Dolby Vision, closed captions) no encoder here can be given:
:func:`metadata_lost_on_encode`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

_DISPLAY = struct.Struct("=20i2i")  # FFmpeg's AVMasteringDisplayMetadata: ten rationals, has_primaries, has_luminance
_LIGHT = struct.Struct("=2I")  # AVContentLightMetadata
_CARRIERS = ("h264", "hevc", "av1", "vp9", "mpeg2video")
_DOLBY_TAGS = ("dvh1", "dvhe", "dvav", "dva1", "dav1")
_DYNAMIC = {
    "A53_CC": "closed captions",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DOVI_METADATA": "Dolby Vision",
}
_HDR_TRANSFERS = (16, 18)  # PQ and HLG, in H.273


@dataclass(frozen=True, slots=True)
class StaticHdr:
    """SMPTE ST 2086 and CTA-861.3; None where the source is silent."""

    # (x, y) of red, green, blue and white as CIE 1931 chromaticities, then least and most luminance in cd/m2.
    display: tuple[Fraction, ...] | None = None
    light: tuple[int, int] | None = None  # brightest pixel and brightest frame average, cd/m2

    def words(self, display_name: str, light_name: str, decimal: bool = False) -> list[str]:
        """An encoder's own parameters "name=value". decimal: as plain numbers, not in steps of 0.00002 and 0.0001."""
        words = []
        if self.display:
            scale, fine = (1, 1) if decimal else (50000, 10000)

            def number(value: Fraction, unit: int) -> str:
                return f"{float(value):g}" if decimal else str(round(value * unit))

            *points, least, most = self.display
            red, green, blue, white = (f"({number(x, scale)},{number(y, scale)})" for x, y in _pairs(points))
            luminance = f"L({number(most, fine)},{number(least, fine)})"
            words.append(f"{display_name}=G{green}B{blue}R{red}WP{white}{luminance}")
        if self.light:
            words.append(f"{light_name}={self.light[0]},{self.light[1]}")
        return words


def read_hdr(frame: av.VideoFrame) -> StaticHdr | None:
    """What a decoded frame carries; None for an SDR frame or one that carries nothing."""
    if int(frame.color_trc) not in _HDR_TRANSFERS:
        return None
    display = light = None
    try:
        entries: Iterable[Any] = frame.side_data  # PyAV's stubs take it for a mapping only
        for data in entries:
            kind, content = data.type.name, bytes(memoryview(data))
            if kind == "MASTERING_DISPLAY_METADATA" and len(content) >= _DISPLAY.size:
                display = _read_display(content)
            elif kind == "CONTENT_LIGHT_LEVEL" and len(content) >= _LIGHT.size:
                light = _LIGHT.unpack_from(content)
    except (KeyError, ValueError):  # side data of a kind that PyAV has no name for
        return None
    return StaticHdr(display, light) if display or light else None


def metadata_lost_on_encode(frame: av.VideoFrame, codec: str, codec_tag: str) -> tuple[str, ...]:
    """What the first frame of a clip carries that encoding anew loses, by the names that people use.

    codec, codec_tag: of its stream, FFmpeg's name and four letters.
    """
    if codec not in _CARRIERS:  # PyAV cannot list side data of kinds that it has no name for, as pictures have
        return ()
    found = {"Dolby Vision"} if codec_tag in _DOLBY_TAGS else set()
    try:
        entries: Iterable[Any] = frame.side_data
        found |= {_DYNAMIC[data.type.name] for data in entries if data.type.name in _DYNAMIC}
    except (KeyError, ValueError):
        pass
    return tuple(sorted(found))


def _read_display(content: bytes) -> tuple[Fraction, ...] | None:
    *numbers, has_primaries, has_luminance = _DISPLAY.unpack_from(content)
    if not has_primaries or not has_luminance or not all(numbers[1::2]):
        return None
    return tuple(Fraction(above, below) for above, below in _pairs(numbers))


def _pairs(values: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(values[::2], values[1::2], strict=True))
