"""encode: frames -> a file, which appears when it is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from videdit.datatypes import Frame
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.exr.write import ExrWriter
from videdit.media.image_sequence import is_sequence
from videdit.media.info import MediaInfo
from videdit.media.numbered_stills import StillsWriter
from videdit.media.stills.write import write_image


class Encode:
    """The last stage: writes every frame beside the source's other streams, and hands it on.

    ``approve`` is called when the last frame is there, and ``seal`` with the finished file, both before that takes its
    name: what they raise leaves no file. replace: a file that is there by then.
    ``warnings`` says, after the last frame, what could not be kept.
    """

    name = "encode"

    def __init__(
        self,
        path: Path,
        info: MediaInfo,
        settings: EncodeSettings,
        *,
        start: float | None = None,
        end: float | None = None,
        metadata: dict[str, str] | None = None,
        approve: Callable[[], None] = lambda: None,
        seal: Callable[[Path], None] | None = None,
        replace: bool = False,
    ) -> None:
        """What to write, and beside what.

        Args:
            path: the output: a video, a picture, or numbered pictures ("out_%04d.png").
            info: the source, whose kind decides between video and picture, and whose other streams and tags are kept.
            settings: of the encoder; pictures have none.
            start: seconds, as of Decode; None: from the beginning.
            end: the same, None: to the end. The sound is cut to match.
            metadata: tags to add.
            approve: see above; by default nobody objects.
            seal: see above; it may change the file. Numbered pictures are not sealed.
            replace: see above.
        """
        self.path, self.info, self.settings = path, info, settings
        self.start, self.end = start, end
        self.metadata, self.approve, self.seal, self.replace = metadata or {}, approve, seal, replace
        self.warnings: list[str] = []

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames as they come, each when it is written; the file is there after the last one. Raises MediaError."""
        if self.info.kind == "image" and self.info.container != "exr":
            return self._image(frames)
        return self._video(frames)

    def writer(self, temporary: Path | None = None) -> VideoWriter | ExrWriter:
        """The video, or the pictures, that are to be, growing at `temporary`."""
        if self.info.container == "exr":
            return ExrWriter(self.path, self.info, self.metadata, temporary, self.replace)
        if is_sequence(self.path):
            return StillsWriter(self.path, self.info, self.metadata, temporary, self.replace)
        return VideoWriter(
            self.path,
            self.info,
            self.settings,
            start=self.start,
            end=self.end,
            metadata=self.metadata,
            temporary=temporary,
            seal=self.seal,
            replace=self.replace,
        )

    def _video(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        with self.writer() as writer:
            for frame in frames:
                writer.write(frame)
                yield frame
            self.approve()
            writer.commit()
            self.warnings = writer.warnings

    def _image(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.approve()
            write_image(self.path, frame, self.info, self.metadata, self.seal, self.replace)
            yield frame
