"""What was found in a clip, on disk: faces of every frame with their meshes, who is who, and portraits of each track.

A folder of plain arrays (npz, never pickled) and an index in JSON with the checksum of each file. It is written under
another name and takes its own when it is complete, so a folder of that name is whole or damaged from outside. Meshes
are in files of some hundred frames each: whoever reads or writes them needs no more memory for longer clips.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from videdit.datatypes import Face
from videdit.errors import MediaError, VideditError
from videdit.faces.detector import face_size
from videdit.shutdown import half_written
from videdit.storage.hashes import sha256
from videdit.tracks.account import spans
from videdit.tracks.track_table import TrackTable, numbered
from videdit.tracks.tracker import Tracklet, link_tracklets

LAYOUT = 4  # raised when what is written means something else
CHUNK = 512  # faces a file
PORTRAITS, PORTRAIT = 4, 128  # a track at most, and their side in pixels
_TURNS = 2.0  # seconds: which way up faces are is looked up about once in one
_INDEX, _TABLE, _PORTRAITS = "analysis.json", "sightings.npz", "portraits.npz"
_STEPS = 60000  # a mesh is written in so many steps from one side of its box to the other: 0.01 px for a face of 600


class DamagedError(VideditError):
    """What lies on disk is not what was written."""


@dataclass(frozen=True)
class Portrait:
    """An aligned picture of a face, and how good it is."""

    image: np.ndarray  # [128, 128, 3] uint8 RGB
    quality: float
    time: float


class NotKeptError(MediaError):
    """An analysis cannot be written where it is to be kept: there is no room, ..."""


class Recorder:
    """Writes an analysis, frame by frame, and gives it its name with :meth:`commit`. A context manager."""

    def __init__(self, folder: Path) -> None:
        """Raises NotKeptError where the folder cannot be made."""
        self.folder = folder
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            half_written(self._draft)
        except OSError as error:
            raise NotKeptError(f"cannot write the analysis to {folder.parent}: {error.strerror}") from None
        self._frames: list[tuple[int, float, int]] = []  # pts, time, scene
        self._faces: list[tuple[int, int, float, float, float]] = []  # frame, stretch, size, x, yaw
        self._points: list[np.ndarray] = []
        self._waiting: list[Face] = []
        self._portraits: dict[int, list[Portrait]] = {}
        self._files: dict[str, str] = {}  # name -> sha256
        self.unclear: list[float] = []  # times of frames with faces that are left out: which way up cannot be told

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        """Forget what was not committed."""
        shutil.rmtree(self._draft, ignore_errors=True)

    def add(
        self,
        pts: int | None,
        time: float,
        scene: int,
        faces: Sequence[Face],
        stretches: Sequence[int],
        xs: Sequence[float],
    ) -> None:
        """One frame. stretches: that of each face; xs: the places of the faces from the left, 0..1."""
        row = len(self._frames)
        self._frames.append((pts or 0, time, scene))
        for face, stretch, x in zip(faces, stretches, xs, strict=True):
            self._faces.append((row, stretch, face_size(face), x, face.yaw))
            self._points.append(face.points)
            self._waiting.append(face)
        if len(self._waiting) >= CHUNK:
            self._flush()

    def wants(self, stretch: int, quality: float, time: float) -> bool:
        """Whether a portrait of such quality would be kept: the best are, one of each second."""
        kept = self._portraits.setdefault(stretch, [])
        if near := [portrait.quality for portrait in kept if int(portrait.time) == int(time)]:
            return quality > 1.1 * max(near)
        return len(kept) < PORTRAITS or quality > 1.1 * min(portrait.quality for portrait in kept)

    def keep(self, stretch: int, portrait: Portrait) -> None:
        """Keep a portrait that is wanted, in place of those it beats."""
        kept = [other for other in self._portraits[stretch] if int(other.time) != int(portrait.time)]
        self._portraits[stretch] = sorted([*kept, portrait], key=lambda p: -p.quality)[:PORTRAITS]

    def commit(self, stretches: Sequence[Tracklet]) -> Analysis:
        """Name the people, write what is left, and give the folder its name."""
        self._flush()
        stretch_of = np.array([stretch for _, stretch, *_ in self._faces], np.int32)
        table = self._table(np.array(link_tracklets(stretches), np.int32)[stretch_of])
        self._write(_TABLE, {f.name: getattr(table, f.name) for f in fields(TrackTable)})
        self._write(_PORTRAITS, self._albums(table, stretch_of))
        unclear = spans(self.unclear, _TURNS)
        index = {"layout": LAYOUT, "faces": len(self._faces), "files": self._files, "unclear": unclear}
        with self._writing():
            (self._draft / _INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        try:
            os.replace(self._draft, self.folder)
        except OSError:  # another run was faster, or something damaged lies there
            with contextlib.suppress(DamagedError):
                return Analysis(self.folder)
            forget(self.folder)
            os.replace(self._draft, self.folder)
        return Analysis(self.folder)

    def _table(self, track: np.ndarray) -> TrackTable:
        pts, time, scene = zip(*self._frames, strict=True) if self._frames else ((), (), ())
        frame, _, size, x, yaw = zip(*self._faces, strict=True) if self._faces else ((), (), (), (), ())
        return numbered(
            TrackTable(
                np.array(pts, np.int64),
                np.array(time, np.float64),
                np.array(scene, np.int32),
                np.array(frame, np.int32),
                track,
                np.array(size, np.float32),
                np.array(x, np.float32),
                np.array(yaw, np.float32),
                np.array(self._points, np.float64).reshape(-1, 5, 2),
            )
        )

    def _albums(self, table: TrackTable, stretch_of: np.ndarray) -> dict[str, np.ndarray]:
        """The portraits of each track, best first, under its number."""
        albums = {}
        for track in table.tracks:
            own = np.unique(stretch_of[table.track == track])
            found = [portrait for stretch in own for portrait in self._portraits.get(int(stretch), [])]
            best = sorted(found, key=lambda portrait: -portrait.quality)[:PORTRAITS]
            if best:
                albums[str(track)] = np.stack([portrait.image for portrait in best])
        return albums

    def _flush(self) -> None:
        if not self._waiting:
            return
        meshes = np.stack([face.mesh for face in self._waiting if face.mesh is not None])  # [n, 468, 2]
        corner, step = meshes.min(1), np.ptp(meshes, axis=1).max(1) / _STEPS
        packed = np.rint((meshes - corner[:, None]) / np.maximum(step, 1e-9)[:, None, None]).astype(np.uint16)
        values = {
            "mesh": packed,
            "corner": corner.astype(np.float64),
            "step": step.astype(np.float64),
            "score": np.array([face.score for face in self._waiting], np.float32),
            "yaw": np.array([face.yaw for face in self._waiting], np.float64),
        }
        self._write(_chunk(len(self._faces) - len(self._waiting)), values)
        self._waiting.clear()

    def _write(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        with self._writing():
            write_arrays(self._draft / name, arrays)
        self._files[name] = sha256(self._draft / name)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NotKeptError(f"cannot write the analysis to {self.folder.parent}: {error.strerror}") from None


class Analysis:
    """An analysis as it lies on disk."""

    def __init__(self, folder: Path) -> None:
        """Raises DamagedError where it is not as it was written, or by another version."""
        self.folder = folder
        try:
            index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
            if index["layout"] != LAYOUT:
                raise DamagedError("another version wrote it")
            self.files: dict[str, str] = index["files"]
            # When faces are seen of which it cannot be told which way up they are: (first, last) in seconds.
            self.unclear = [(float(first), float(last)) for first, last in index["unclear"]]
            for name, digest in self.files.items():
                if Path(name).name != name or sha256(folder / name) != digest:
                    raise DamagedError(f"{name} has changed")
            self.table = TrackTable(**read_arrays(folder / _TABLE))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedError(" ".join(f"{type(error).__name__}: {error}".split())) from None
        self._starts = sorted(int(name[5:-4]) for name in self.files if name.startswith("faces"))
        self._open: tuple[int, dict[str, np.ndarray]] = (-1, {})

    def faces(self, row: int) -> list[Face]:
        """The faces of a frame, each with its track, in the order of their rows."""
        found = []
        rows = self.table.faces(row)
        for i in range(rows.start, rows.stop):
            start = self._starts[bisect_right(self._starts, i) - 1]
            if self._open[0] != start:
                self._open = start, read_arrays(self.folder / _chunk(start))
            chunk, at = self._open[1], i - start
            mesh = chunk["corner"][at] + chunk["mesh"][at] * chunk["step"][at]
            track = int(self.table.track[i])
            points, score, yaw = self.table.points[i], float(chunk["score"][at]), float(chunk["yaw"][at])
            found.append(Face(points, score, track, mesh, yaw))
        return found

    def unclear_between(self, start: float | None, end: float | None) -> list[tuple[float, float]]:
        """Those of :attr:`unclear` that are seen between two times."""
        first, last = start or 0.0, float("inf") if end is None else end
        return [span for span in self.unclear if span[1] >= first and span[0] < last]

    def portraits(self) -> dict[int, np.ndarray]:
        """Up to four aligned pictures of each track, best first, [P, 128, 128, 3] uint8 RGB."""
        return {int(track): images for track, images in read_arrays(self.folder / _PORTRAITS).items()}


def _chunk(start: int) -> str:
    return f"faces{start:08d}.npz"


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to a file of the npz kind, compressed, the same bytes for the same arrays."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data.getvalue(), zipfile.ZIP_DEFLATED)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file. Raises DamagedError where it is none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedError(f"{path.name}: {error}") from None


def forget(folder: Path) -> None:
    """Remove an analysis; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
