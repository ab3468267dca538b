"""Edited clips as numbered pictures: PNG, TIFF, JPEG, WebP, BMP, one for each frame."""

from __future__ import annotations

import os
from pathlib import Path

from videdit.datatypes import Frame
from videdit.media.exr.write import ExrWriter
from videdit.media.failures import writing
from videdit.media.image_sequence import is_sequence
from videdit.media.info import MediaInfo
from videdit.media.stills.image_tags import ImageTags, read_tags
from videdit.media.stills.write import still_bytes


class StillsWriter(ExrWriter):
    """Writes "out_%04d.png": numbered as the source where that is numbered, else from 1 on.

    Each picture carries what its source did (EXIF, ICC profile, XMP), as single pictures do.
    """

    def __init__(
        self,
        path: Path,
        info: MediaInfo,
        metadata: dict[str, str] | None = None,
        temporary: Path | None = None,
        replace: bool = False,
    ) -> None:
        """Takes and raises what :class:`videdit.media.exr.write.ExrWriter` does."""
        super().__init__(path, info, metadata, temporary, replace)
        if info.streams:
            kinds = sorted({"sound" if stream.kind == "audio" else stream.kind for stream in info.streams})
            self.warnings.append(f"numbered pictures hold nothing beside the picture: {', '.join(kinds)} left out")

    def put(self, frame: Frame, folder: Path) -> Path:
        """Write one frame's picture into `folder`, on disk before this returns; gives its path. Raises MediaError."""
        numbered = is_sequence(self.info.path)
        number = self._numbers[frame.pts or 0] if numbered else frame.index + 1
        tags = read_tags(self._sources[number]) if numbered else ImageTags()
        target = folder / self._target(number).name
        with writing(self.path):
            target.write_bytes(still_bytes(target, frame, self.info, tags.with_notes(self.metadata)))
            with target.open("rb+") as file:
                os.fsync(file.fileno())
        return target

    def _numbered(self, info: MediaInfo) -> dict[int, Path]:
        return super()._numbered(info) if is_sequence(info.path) else {1: info.path}
