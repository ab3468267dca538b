"""Analyses that are kept: where, under which name, and how many bytes of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from videdit import paths, weights
from videdit._version import __version__
from videdit.media.source_identity import SourceIdentity
from videdit.storage.locks import lock
from videdit.tracks.analysis_store import LAYOUT, forget

log = logging.getLogger(__name__)

MOST_BYTES = 2 << 30  # of all analyses in the user's cache
_NETS = ("facemesh", "mtcnn", "parser")  # the weights that an analysis depends on
_INDEX = "analysis.json"


class Analysed(Protocol):
    """What of a job decides what is found in a clip, and where that is kept: a RenderJob is one."""

    @property
    def cache(self) -> bool:
        """Whether anything is kept from one run to the next."""

    @property
    def analysis(self) -> str | None:
        """A folder for analyses; None: the user's cache."""

    @property
    def start(self) -> float | None:
        """Seconds from the clip's first frame; None: from the beginning."""

    @property
    def video_track(self) -> str | None:
        """Which of the file's videos: a number from 1, or a language; None: the first."""

    @property
    def end(self) -> float | None:
        """Seconds; None: to the end."""

    @property
    def fps(self) -> Fraction | None:
        """Frames a second of numbered pictures, which do not say theirs; None: 25."""

    @property
    def detector(self) -> str:
        """What finds faces: "mtcnn", "insightface" or "insightface:PACK"."""


def home(job: Analysed) -> Path | None:
    """The folder where analyses of a job's clips are kept; None: nowhere."""
    if not job.cache:
        return None
    return paths.expanded(job.analysis) if job.analysis else paths.cache_dir() / "analysis"


def key(source: Path, job: Analysed, device: str) -> str:
    """A name for the analysis of a clip: of its bytes, wherever it lies, and of what decides what is found in it."""
    manifest = weights.manifest()
    parts: dict[str, Any] = {
        "source": SourceIdentity.of(source).content(),
        "cut": [job.start, job.end, str(job.fps), job.video_track],
        "detector": job.detector,
        "nets": [manifest[name].sha256 for name in _NETS],
        "version": [LAYOUT, __version__],
        "device": device.split(":")[0],
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@contextlib.contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Keep an analysis from being thrown away by :func:`trim` of another run, and note that it was of use."""
    with (folder / _INDEX).open("rb") as file:
        lock(file, shared=True)
        os.utime(folder)
        yield


def trim(folder: Path, most: int | None = None) -> None:
    """Throw away the analyses in a folder that have been of no use for longest, until the rest is at most `most` bytes.

    What another run reads stays, and whatever is no analysis.
    """
    kept = sorted((p for p in folder.iterdir() if (p / _INDEX).is_file()), key=lambda p: p.stat().st_mtime)
    sizes = {path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) for path in kept}
    excess = sum(sizes.values()) - (MOST_BYTES if most is None else most)
    for path in kept:
        if excess <= 0:
            return
        with contextlib.suppress(OSError), (path / _INDEX).open("rb") as file:
            lock(file)
            forget(path)
            excess -= sizes[path]
            log.debug("the analysis %s made room", path.name)
