"""What is known of a media file: one frozen :class:`MediaInfo`."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from videdit.datatypes import Color
from videdit.media.hdr import StaticHdr
from videdit.media.orientation import mirrors
from videdit.media.viewing import Viewing

_WIDEST = 10  # times as wide as it is high, or the other way: what says more of a pixel is a mistake


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream beside the video that is edited."""

    index: int  # position in the file
    kind: str  # "audio", "subtitle", "data", "attachment", "video" (a second angle or a cover picture)
    codec: str  # FFmpeg's name, "unknown" where it has none
    language: str | None = None
    title: str | None = None
    duration: float = 0.0  # seconds, 0 where the file does not say
    cover: bool = False  # a cover picture, not a video
    time_base: Fraction | None = None  # seconds a unit of its times


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A video file or still picture, as its first frame and its container describe it."""

    path: Path
    kind: str  # "video" or "image"
    container: str  # FFmpeg's demuxer, narrowed where one serves several: "mp4", "mov", "matroska", "webm", "avi", ...
    width: int  # of the coded picture, before rotation
    height: int
    rotation: int  # degrees (0, 90, 180, 270) to turn the coded picture clockwise to see it upright
    sar: Fraction  # width of a pixel / its height
    fps: Fraction  # average; 0 for stills
    frame_count: int  # as the container says or as rate and duration suggest: an estimate; 1 for stills
    duration: float  # seconds of video, 0 for stills
    time_base: Fraction  # seconds a pts unit
    start_pts: int  # pts of the first frame shown
    pix_fmt: str  # as decoded, e.g. "nv12"
    planar: str  # as our planes hold it, e.g. "yuv420p"
    color: Color
    color_tags: tuple[int, int, int, int]  # range, primaries, transfer, matrix as H.273 numbers, untouched
    hdr: StaticHdr | None  # HDR10's static metadata, as the first frame carries it
    # Metadata of single frames, which encoding anew loses: "HDR10+", "Dolby Vision", "closed captions".
    dynamic_metadata: tuple[str, ...]
    chroma_location: str | None  # the stream's own word: "left", "center", "topleft", "top" or None
    display_matrix: tuple[int, ...] | None  # nine numbers, rotation and mirroring as the container holds them
    interlaced: bool
    field_order: int  # FFmpeg's: 0 unknown, 1 progressive, 2 top field first, 3 bottom field first, ...
    codec: str  # FFmpeg's name, e.g. "h264"
    bit_rate: int  # bits a second of the video (of the file where unknown), 0 for unknown
    size: int  # bytes of the file
    video_index: int  # which stream of the file is edited
    streams: tuple[StreamInfo, ...]  # all others
    chapters: int
    tags: dict[str, str]  # of the file: title, comment, creation_time, ...; a still's own notes
    viewing: Viewing = field(default_factory=Viewing)  # stereo, projection, clean aperture

    @property
    def has_audio(self) -> bool:
        """Whether any stream beside the video is sound."""
        return any(stream.kind == "audio" for stream in self.streams)

    @property
    def mirrored(self) -> bool:
        """Whether a viewer sees the picture, after rotation, with left and right swapped."""
        return self.display_matrix is not None and mirrors(self.display_matrix)

    @property
    def other_tracks(self) -> list[int]:
        """The videos of the file that are not edited, by their numbers for --video-track; covers are none."""
        films = [stream.index for stream in self.streams if stream.kind == "video" and not stream.cover]
        return [i for i, index in enumerate(sorted([*films, self.video_index]), 1) if index != self.video_index]

    @property
    def aspect(self) -> float:
        """Width of a pixel / its height, as viewers show it: of stills they know no other than 1, but in EXR."""
        plausible = 1 / _WIDEST <= self.sar <= _WIDEST
        return float(self.sar) if plausible and (self.kind == "video" or self.container == "exr") else 1.0

    @property
    def display_size(self) -> tuple[int, int]:
        """(width, height) as a viewer sees it in square pixels, after rotation."""
        width, height = max(1, round(self.width * self.sar)), self.height
        return (height, width) if self.rotation in (90, 270) else (width, height)

    @property
    def frame_step(self) -> int:
        """The usual distance of two frames in pts units, at least 1."""
        return max(1, round(1 / (self.fps * self.time_base))) if self.fps else 1
