"""What a session keeps of frames, and how it finds what of them is still to be worked out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from videdit.datatypes import Array, Frame, bare_picture
from videdit.hfgi.latent_cache import Encode, LatentCache
from videdit.rendering.byte_cache import ByteCache
from videdit.rendering.preview_request import Request


def kept_frames(
    cache: ByteCache,
    request: Request,
    key: tuple,
    rows: range,
    make: Callable[[Request, range], Iterator[Frame]],
) -> list[Frame]:
    """Frames of rows by a key, those that are not kept made in as few runs as there are gaps."""
    pts = [None if request.source.info.kind == "image" else int(request.table.pts[row]) for row in rows]
    found = {at: cache.get((*key, at)) for at in pts}
    missing = [row for row, at in zip(rows, pts, strict=True) if found[at] is None]
    for run in _runs(missing):
        wanted = {pts[row - rows.start] for row in run}
        for frame in make(request, run):
            if frame.pts in wanted:
                found[frame.pts] = frame
                cache.put((*key, frame.pts), frame, crops_bytes(frame))
    return [frame for frame in found.values() if frame is not None]


class KeptCodes(LatentCache):
    """Codes of crops from a session's memory; what is not there is looked up, or worked out, as by another cache."""

    def __init__(self, cache: ByteCache, key: tuple, other: LatentCache) -> None:
        """key: what codes depend on beside the crop's pixels. other: what is asked for codes that are not in memory."""
        super().__init__()
        self._memory, self._key, self._other = cache, key, other

    def __call__(self, crops: Sequence[tuple[int | None, np.ndarray]], encode: Encode) -> list[Array]:
        """Codes [18, 512] of crops [S, S, 3] uint8, each with its frame's pts, in their order."""
        keys = [(*self._key, hashlib.blake2b(crop.tobytes(), digest_size=16).digest()) for _, crop in crops]
        codes = [self._memory.get(key) for key in keys]
        if missing := [i for i, code in enumerate(codes) if code is None]:
            for i, code in zip(missing, self._other([crops[i] for i in missing], encode), strict=True):
                codes[i] = code
                self._memory.put(keys[i], code)
        return codes

    def flush(self) -> None:
        """Write what the other cache has not written yet; memory needs no writing."""
        self._other.flush()


def hollow(frame: Frame) -> Frame:
    """The frame without the pixels of its picture, whose size and kind stay known."""
    return replace(frame, picture=bare_picture(frame.picture), stored=False, faces=())


def crops_bytes(frame: Frame) -> int:
    """Bytes that a frame without its picture holds on to."""
    return frame.nbytes - frame.picture.nbytes + 8192  # meshes and what holds them


def _runs(rows: Sequence[int]) -> Iterator[range]:
    """Rows in order -> stretches of rows that follow each other."""
    start = 0
    for i in range(1, len(rows) + 1):
        if i == len(rows) or rows[i] != rows[i - 1] + 1:
            yield range(rows[start], rows[i - 1] + 1)
            start = i
