"""Clips as a page sees them: what a folder holds, what a clip is, its frames, and a copy that browsers play."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from videdit import paths
from videdit.errors import Cancelled, MediaError, UsageError, VideditError
from videdit.jobs.output_names import IMAGES, VIDEOS
from videdit.media.encode.playback import plays_as_it_is, write_playback
from videdit.media.frame_times import frame_times
from videdit.media.info import MediaInfo
from videdit.media.probe import probe
from videdit.media.source_identity import SourceIdentity
from videdit.rendering.byte_cache import ByteCache
from videdit.rendering.frames import displayed, frame_at, shown_frames
from videdit.studio.projects import ENDINGS
from videdit.studio.roots import Roots

POSTER = 240  # px, the longer side
PLAYED = 720  # px, the shorter side of a copy to play at most
SMALL = 256 << 20  # bytes: of a larger file not all packets are read just to know when frames are
_MEMORY = 192 << 20
_MOST_ENTRIES = 2000


class Clips:
    """What is known of clips; threads may ask at once."""

    def __init__(self, roots: Roots) -> None:
        """roots: the folders whose files pages may see."""
        self.roots = roots
        self._cache = ByteCache(_MEMORY)
        self._making: dict[Path, threading.Lock] = {}
        self._lock = threading.Lock()

    def folder(self, name: str) -> dict[str, Any]:
        """What a folder holds: folders, then clips and job files. "": the folders of the studio."""
        if not name:
            entries = [
                {"name": folder.name or str(folder), "id": str(number), "kind": "folder"}
                for number, folder in enumerate(self.roots.folders)
            ]
            return {"id": "", "name": "", "parent": None, "entries": entries, "more": 0}
        path = self.roots.path(name)
        if not path.is_dir():
            raise UsageError(f"{path.name} is no folder")
        found = []
        try:
            children = sorted(path.iterdir(), key=lambda child: (not child.is_dir(), child.name.lower()))
        except OSError as error:
            raise MediaError(f"cannot read the folder {path.name}: {error.strerror}") from None
        for child in children:
            kind = _kind(child)
            if kind and not child.name.startswith(".") and (own := self._id(child)):
                facts = child.stat()
                known = {"size": facts.st_size, "changed": facts.st_mtime} if kind != "folder" else {}
                found.append({"name": child.name, "id": own, "kind": kind} | known)
        parent = self.roots.name(path.parent) if path not in self.roots.folders else ""
        rows, more = found[:_MOST_ENTRIES], max(0, len(found) - _MOST_ENTRIES)
        return {"id": name, "name": path.name, "parent": parent, "entries": rows, "more": more}

    def _id(self, path: Path) -> str | None:
        """The name of a path for pages; None where it is a link that leads out."""
        try:
            path.name.encode()  # a name that is no UTF-8 can be told to nobody
            real = path.resolve(strict=True)
        except (OSError, RuntimeError, UnicodeEncodeError):
            return None
        return self.roots.name(real)

    def info(self, path: Path) -> MediaInfo:
        """What a clip is. Raises MediaError."""
        return self._kept(("info", SourceIdentity.of(path)), lambda: probe(path), lambda info: 4096)

    def described(self, name: str) -> dict[str, Any]:
        """The same for a page."""
        path = self.roots.path(name)
        info = self.info(path)
        width, height = info.display_size
        return {
            "id": name,
            "name": path.name,
            "folder": self.roots.name(path.parent),
            "kind": info.kind,
            "width": width,
            "height": height,
            "fps": float(info.fps),
            "frames": info.frame_count,
            "duration": info.duration,
            "codec": info.codec,
            "size": info.size,
            "hdr": info.color.transfer in ("pq", "hlg"),
            "sound": info.has_audio,
            "playable": info.kind == "video",
        }

    def times(self, path: Path) -> list[float]:
        """When each frame is shown, in seconds: exact, but of large files evenly spread. Raises MediaError."""
        info = self.info(path)
        if info.kind == "image":
            return [0.0]
        if self.are_guessed(path):
            return [i * info.duration / max(1, info.frame_count) for i in range(info.frame_count)]
        return self._kept(
            ("times", SourceIdentity.of(path)), lambda: frame_times(info) or [0.0], lambda times: 32 * len(times)
        )

    def are_guessed(self, path: Path) -> bool:
        """Whether :meth:`times` are evenly spread, whatever those of the frames are."""
        info = self.info(path)
        return info.kind == "video" and info.size > SMALL

    def frame(self, path: Path, time: float, side: int | None = None) -> tuple[np.ndarray, float]:
        """The frame [H, W, 3] uint8 that is shown at a time, as displayed, and when it begins.

        side: px; a larger picture is made smaller, so that its longer side is that long.
        """
        key = ("frame", SourceIdentity.of(path), time)

        def read() -> tuple[np.ndarray, float]:
            frame = frame_at(self.info(path), time)
            return displayed(frame), frame.time

        picture, begins = self._kept(key, read, lambda found: found[0].nbytes)
        return smaller(picture, side), begins

    def poster(self, path: Path) -> bytes:
        """A small picture of a clip, JPEG: of its middle, for many begin black."""

        def draw() -> bytes:
            info = self.info(path)
            picture, _ = self.frame(path, info.duration * 0.4 if info.kind == "video" else 0.0)
            return jpeg(smaller(picture, POSTER), 85)

        return self._kept(("poster", SourceIdentity.of(path)), draw, len)

    def playable(
        self,
        path: Path,
        told: Callable[[float | None], None] = lambda share: None,
        cancel: threading.Event | None = None,
    ) -> Path:
        """A file that browsers play: the clip itself, or a copy in the user's cache, made now where it is not there.

        told: called with the share that is made, 0..1. cancel: set it from another thread to stop.
        """
        info = self.info(path)
        if info.kind != "video":
            raise UsageError(f"{path.name} is a picture")
        if plays_as_it_is(info):
            return path
        key = hashlib.sha256(repr((SourceIdentity.of(path), PLAYED, 1)).encode()).hexdigest()[:32]
        copy = paths.cache_dir() / "playback" / f"{key}.mp4"
        with self._lock:
            lock = self._making.setdefault(copy, threading.Lock())
        with lock:
            if not copy.exists():
                with contextlib.suppress(OSError):
                    copy.parent.mkdir(parents=True, exist_ok=True)
                duration = info.duration or 1.0

                def reached(time: float) -> None:
                    if cancel is not None and cancel.is_set():
                        raise Cancelled("nobody waits for the copy any more")
                    told(min(1.0, time / duration))

                write_playback(info, copy, _played(info), reached)
                told(1.0)
        return copy

    def _kept(self, key: tuple, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        found = self._cache.get(key)
        if found is None:
            found = make()
            self._cache.put(key, found, size(found))
        return found


def _played(info: MediaInfo) -> Iterator[tuple[float, np.ndarray]]:
    """Frames as displayed, small, of even sides."""
    for time, picture in shown_frames(info):
        height, width = picture.shape[:2]
        scale = min(1.0, PLAYED / min(width, height))
        size = (max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2))
        if size != (width, height):
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        yield time, picture


def told_times(times: list[float]) -> list[float] | dict[str, float]:
    """The times of frames for a page: those that are evenly spread in two numbers, for there may be a million."""
    if len(times) > 2:
        step = (times[-1] - times[0]) / (len(times) - 1)
        if np.abs(times[0] + step * np.arange(len(times)) - times).max() < 1e-9:
            return {"first": times[0], "step": step, "count": len(times)}
    return times


def smaller(picture: np.ndarray, side: int | None) -> np.ndarray:
    """A picture [H, W, 3] whose longer side has so many pixels at most."""
    height, width = picture.shape[:2]
    if side is None or max(height, width) <= side:
        return picture
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def jpeg(picture: np.ndarray, quality: int = 92) -> bytes:
    """A picture [H, W, 3] uint8 RGB as JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if quality > 90:  # chroma as it is: red lips on skin
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return _encoded(".jpg", picture, options)


def png(picture: np.ndarray) -> bytes:
    """A picture [H, W, 3] uint8 RGB as PNG, quickly."""
    return _encoded(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def _encoded(suffix: str, picture: np.ndarray, options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, np.ascontiguousarray(picture[..., ::-1]), options)
    if not done:
        raise VideditError("a picture could not be encoded")
    return data.tobytes()


def _kind(path: Path) -> str | None:
    """ "folder", "video", "image", "job", or None for what a page does not show."""
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            return "folder"
        if not path.is_file():
            return None
    except OSError:
        return None
    if suffix in VIDEOS:
        return "video"
    if suffix in IMAGES:
        return "image"
    return "job" if path.name.endswith(ENDINGS) else None
