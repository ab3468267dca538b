"""decode: a file -> frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from videdit.datatypes import Frame
from videdit.media.decode.hwaccel import choose_decoder
from videdit.media.decode.read import VideoReader, read_image
from videdit.media.exr.read import ExrReader
from videdit.media.info import MediaInfo
from videdit.media.kinds import pages


class Decode:
    """The first stage: hands on the frames of a clip between two times, or the one frame of a picture.

    ``coded.rotation`` says how many degrees clockwise a viewer turns the picture; ``warnings`` says, after the last
    frame, what was odd about the file.
    """

    name = "decode"

    def __init__(
        self,
        info: MediaInfo,
        start: float | None = None,
        end: float | None = None,
        first: int | None = None,
        decoder: str = "cpu",
    ) -> None:
        """start, end: seconds from the clip's first frame, None for all of it; first: a pts to begin at instead.

        decoder: see :func:`videdit.media.decode.hwaccel.choose_decoder`.
        """
        self.info, self.start, self.end, self.first, self.decoder = info, start, end, first, decoder
        self.warnings: list[str] = []

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames of the clip, whatever comes in. Raises MediaError: it cannot be read, or gives no frame."""
        if self.info.kind == "image" and self.info.container != "exr":
            if (count := pages(self.info.path)) > 1:
                self.warnings = [f"{self.info.path} holds {count} pictures; only the first is edited and kept"]
            yield self._turned(read_image(self.info))
            return
        device, said = choose_decoder(self.info, self.decoder)
        self.warnings = [said] if said else []
        with self._reader(device) as reader:
            for frame in reader:
                yield self._turned(frame)
            self.warnings += reader.warnings

    def _reader(self, device: str | None) -> VideoReader | ExrReader:
        if self.info.container == "exr":
            return ExrReader(self.info, self.start, self.end, self.first)
        return VideoReader(self.info, self.start, self.end, first=self.first, device=device)

    def _turned(self, frame: Frame) -> Frame:
        return replace(frame, coded=replace(frame.coded, rotation=self.info.rotation))
