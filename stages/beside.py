"""Files that are written beside the edited clip: its matte, a comparison, a look behind the scenes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from videdit.media.codecs import EncodeSettings
from videdit.media.probe import MediaInfo
from videdit.media.still import write_image
from videdit.media.write import VideoWriter
from videdit.packets import Frame
from videdit.pipeline import Stage


class Beside:
    """One such file, clip or picture as the source is. It takes its name with :meth:`keep`; :meth:`drop` forgets it."""

    def __init__(
        self,
        path: Path,
        info: MediaInfo,
        settings: EncodeSettings | None = None,
        *,
        start: float | None = None,
        end: float | None = None,
        metadata: dict[str, str] | None = None,
        alone: bool = False,
    ) -> None:
        """info: the source, as its pictures are here. start, end: as of Decode. alone: without sound and all else."""
        self.path, self.info, self.settings, self.start, self.end = path, info, settings, start, end
        self.metadata, self.alone = metadata or {}, alone
        self._writer: VideoWriter | None = None
        self._still: Frame | None = None

    def open(self) -> None:
        """Begin the file. Raises MediaError: it cannot be written."""
        if self.info.kind == "video":
            self._writer = VideoWriter(
                self.path,
                self.info,
                self.settings,
                start=self.start,
                end=self.end,
                metadata=self.metadata,
                alone=self.alone,
            )

    def write(self, frame: Frame) -> None:
        """Add a frame; of a picture the only one."""
        if self._writer is not None:
            self._writer.write(frame)
        else:
            self._still = frame

    def keep(self) -> None:
        """Finish the file. Raises MediaError: it cannot be written."""
        if self._writer is not None:
            self._writer.commit()
        elif self._still is not None:
            write_image(self.path, self._still, self.info, self.metadata)

    def drop(self) -> None:
        """Leave nothing behind."""
        if self._writer is not None:
            self._writer.abort()


class InTurn:
    """Several stages as one, under the first one's name."""

    def __init__(self, *stages: Stage) -> None:
        self.stages, self.name = stages, stages[0].name

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for stage in self.stages:
            frames = stage(frames)
        return frames


def before_and_after(stage: Stage, frames: Iterator[Frame]) -> Iterator[tuple[Frame, Frame]]:
    """Frames as they go into a stage and as they come out of it; one comes out for each that goes in."""
    inside: deque[Frame] = deque()

    def entering() -> Iterator[Frame]:
        for frame in frames:
            inside.append(frame)
            yield frame

    for after in stage(entering()):
        yield inside.popleft(), after
