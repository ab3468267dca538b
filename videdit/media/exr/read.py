"""OpenEXR pictures, one or numbered: floating point planes in linear light."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from videdit.datatypes import Frame, Picture
from videdit.errors import RefusedInput, SettingsError
from videdit.media.exr.file import open_file, read
from videdit.media.image_sequence import RATE, files, is_sequence
from videdit.media.info import MediaInfo
from videdit.media.open import check_file

PIX_FMT = "gbrpf32le"
NOTES = "comments"  # the attribute that programs show


def probe_exr(path: Path, rate: Fraction | None = None) -> MediaInfo:
    """What :func:`videdit.media.probe.probe` says of an EXR picture or a sequence of such ("shot_%04d.exr").

    Raises:
        MediaError: OpenEXR is not installed, or the first picture cannot be used.
    """
    size = check_file(path)
    numbered = is_sequence(path)
    numbers = list(files(path)) if numbered else [0]
    first = files(path)[numbers[0]] if numbered else path
    image = read(first)
    height, width = image.shape
    fps = (rate or Fraction(image.header.get("framesPerSecond", RATE)).limit_denominator(1001)) if numbered else 0
    return MediaInfo(
        path=path,
        kind="video" if numbered else "image",
        container="exr",
        width=width,
        height=height,
        rotation=0,
        sar=Fraction(image.header.get("pixelAspectRatio", 1.0)).limit_denominator(1000),
        fps=Fraction(fps),
        frame_count=len(numbers),
        duration=float(len(numbers) / fps) if fps else 0.0,
        time_base=1 / Fraction(fps) if fps else Fraction(1, 1000),
        start_pts=0,
        pix_fmt=PIX_FMT,
        planar=PIX_FMT,
        color=image.color,
        color_tags=(2, 2, 8, 0),
        hdr=None,
        dynamic_metadata=(),
        chroma_location=None,
        display_matrix=None,
        interlaced=False,
        field_order=1,
        codec="exr",
        bit_rate=0,
        size=size,
        video_index=0,
        streams=(),
        chapters=0,
        tags=_tags(image.header),
    )


def notes(path: Path) -> dict[str, str]:
    """The notes of a picture. Raises MediaError: it cannot be opened."""
    return _tags(open_file(path, header_only=True).header())


class ExrReader:
    """The frames of an EXR picture or sequence: a context manager that iterates, as a ``VideoReader`` is."""

    def __init__(
        self, info: MediaInfo, start: float | None = None, end: float | None = None, first: int | None = None
    ) -> None:
        """start, end: seconds from the first picture; frames with start <= time < end are given.

        first: a pts to begin at instead.
        """
        self.info, self.start, self.end, self.first = info, start or 0.0, end, first or 0
        self.warnings: list[str] = []

    def __enter__(self) -> ExrReader:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        """Raises MediaError: a picture is damaged or another size, or none lies in that span."""
        info, count = self.info, 0
        paths = list(files(info.path).values()) if info.kind == "video" else [info.path]
        for pts, path in enumerate(paths):
            time = float(pts * info.time_base)
            if pts < self.first or time < self.start - 1e-9 or (self.end is not None and time >= self.end - 1e-9):
                continue
            image = read(path)
            if image.shape != (info.height, info.width):
                size, other = f"{info.width}x{info.height}", f"{image.shape[1]}x{image.shape[0]}"
                raise RefusedInput(f"{info.path} changes from {size} to {other} at {path.name}; edit the parts")
            planes = Picture(image.planes(), info.color, PIX_FMT, info.aspect)
            yield Frame(count, pts if info.kind == "video" else None, info.time_base, time, planes)
            count += 1
        if not count:
            raise SettingsError(f"{info.path} has no frame from {self.start:g} s on; it is {info.duration:.2f} s long")


def _tags(header: dict[str, Any]) -> dict[str, str]:
    found = {"comment": header.get(NOTES), "artist": header.get("owner"), "creation_time": header.get("capDate")}
    return {key: value for key, value in found.items() if isinstance(value, str)}
