"""Codes that were worked out before: the encoder sees no crop twice.

A code belongs to a crop's very pixels (their hash), so it does not matter what made the crop what it is: whatever is
found is what the encoder would say. Codes are half precision, found or not, so that both give the same picture.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from videdit.datatypes import LOW
from videdit.hfgi.inverter import Inverter
from videdit.models.sizes import W_DIM
from videdit.storage.outputs import written_whole
from videdit.tracks.analysis_store import Analysis, DamagedError, read_arrays, write_arrays
from videdit.weights import manifest

log = logging.getLogger(__name__)

CHUNK = 128  # frames a file
MOST_BYTES = 1 << 30  # of one clip's codes: about 55,000 faces
_OPEN = 2  # files whose codes are in memory: segments look back a little

Encode = Callable[[list[np.ndarray]], np.ndarray]  # crops [S, S, 3] uint8 -> codes [N, 18, 512] float32


class LatentCache:
    """Crops of frames -> codes, from a folder where they are known; others are put there."""

    def __init__(self, folder: Path | None = None, row: Callable[[int | None], int | None] = lambda pts: pts) -> None:
        """folder: None: nothing is remembered; row: the time stamp of a frame -> its number."""
        self.folder, self.row = folder, row
        self._chunks: dict[int, dict[bytes, np.ndarray]] = {}  # by number: hash -> code [18, 512] float16
        self._new: set[int] = set()  # chunks with more in them than their files
        self._bytes = 0  # of the folder
        if folder is not None and folder.is_dir():
            self._bytes = sum(file.stat().st_size for file in folder.iterdir())

    def __call__(self, crops: Sequence[tuple[int | None, np.ndarray]], encode: Encode) -> list[np.ndarray]:
        """Codes [18, 512] float32 of crops [S, S, 3] uint8, each with its frame's time stamp."""
        keys = [(self._chunk(pts), _digest(crop)) if self.folder else (-1, b"") for pts, crop in crops]
        codes = [self._chunks.get(number, {}).get(digest) for number, digest in keys]
        if missing := [i for i, code in enumerate(codes) if code is None]:
            for i, code in zip(missing, encode([crops[i][1] for i in missing]), strict=True):
                codes[i] = code.astype(np.float16)
                self._keep(*keys[i], codes[i])
        return [code.astype(np.float32) for code in codes if code is not None]

    def flush(self) -> None:
        """Write what is not on disk yet."""
        for number in sorted(self._new):
            self._write(number)

    def _chunk(self, pts: int | None) -> int:
        """The number of the chunk of a frame, which is then in memory; -1 for a frame that nobody knows."""
        row = self.row(pts)
        if row is None:
            return -1
        number = row // CHUNK
        if number not in self._chunks:
            while len(self._chunks) >= _OPEN:
                oldest = min(self._chunks)
                self._write(oldest)
                del self._chunks[oldest]
            self._chunks[number] = self._read(number)
        return number

    def _keep(self, number: int, digest: bytes, code: np.ndarray | None) -> None:
        if number in self._chunks and code is not None and self._bytes < MOST_BYTES:
            self._chunks[number][digest] = code
            self._new.add(number)

    def _path(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{number:06d}.npz"

    def _read(self, number: int) -> dict[bytes, np.ndarray]:
        path = self._path(number)
        if not path.exists():
            return {}
        try:
            arrays = read_arrays(path)
            digests, codes = arrays["digest"], arrays["code"]
            if codes.ndim != 3 or codes.shape[2] != W_DIM or codes.dtype != np.float16:
                raise DamagedError(f"{path.name} holds no codes")
            return {bytes(digest): code for digest, code in zip(digests, codes, strict=True)}
        except (DamagedError, KeyError) as error:
            log.warning("kept codes are damaged (%s); they are made anew", error)
            return {}

    def _write(self, number: int) -> None:
        if number not in self._new:
            return
        self._new.discard(number)
        known, path = self._chunks[number], self._path(number)
        digests = np.frombuffer(b"".join(known), np.uint8).reshape(len(known), -1)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as written:
                write_arrays(written, {"digest": digests, "code": np.stack(list(known.values()))})
                self._bytes += written.stat().st_size - (path.stat().st_size if path.exists() else 0)
        except OSError as error:
            log.warning("cannot keep codes in %s: %s", path.parent, error.strerror)
            self._bytes = MOST_BYTES


def codes_for(inverter: Inverter, analysis: Analysis | None, keep: bool) -> LatentCache:
    """The codes of a clip as this inverter makes them, kept beside its analysis if they are to be kept.

    Those of encoders that do not ship are not: nobody vouches that a file of that name is still the same.
    """
    encoder = inverter.profile.encoder
    if analysis is None or not keep or encoder is None:
        return LatentCache()
    parts = [
        manifest()[encoder].sha256,
        inverter.device,
        inverter.pixels.precision,
        inverter.batch(LOW),
    ]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return LatentCache(analysis.folder / f"codes-{name}", analysis.table.row)


def _digest(crop: np.ndarray) -> bytes:
    return hashlib.blake2b(crop.tobytes(), digest_size=16).digest()
