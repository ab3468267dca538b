"""A direction from two folders of pictures: the difference of their faces' mean codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videdit.edits.direction_files import write_directions
from videdit.errors import NoFaceError, UsageError
from videdit.faces.aligned_folder import aligned_faces, pictures

FEWEST = 2  # faces a folder: one alone gives no spread to measure the unit in
BATCH = 16


@dataclass(frozen=True, slots=True)
class Learnt:
    """A direction and how it came about."""

    direction: np.ndarray  # [18, 512] float32: strength 1 is one standard deviation among the faces
    difference: float  # strength that leads from the mean of the one folder to that of the other
    faces: tuple[int, int]  # used of either folder


def learn_direction(
    before: Path, after: Path, profile: str = "mobile", device: str = "auto", warn: Callable[[str], None] = print
) -> Learnt:
    """What tells the faces in the folder `after` from those in `before`.

    Raises:
        UsageError: a folder is missing or holds no picture.
        NoFaceError: fewer than two faces were found in one of them.
    """
    from videdit.faces.detector import FaceDetector
    from videdit.hfgi.inverter import Inverter

    folders = [(folder, pictures(folder)) for folder in (before, after)]
    inverter = Inverter.load(profile, device)
    detector = FaceDetector(inverter.device)
    codes = []
    for folder, paths in folders:
        crops = list(aligned_faces(paths, detector, warn))
        if len(crops) < FEWEST:
            raise NoFaceError(f"{len(crops)} of the pictures in {folder} show a face; at least {FEWEST} are needed")
        codes.append(np.concatenate([inverter.encode(crops[i : i + BATCH]) for i in range(0, len(crops), BATCH)]))
    return difference(*codes)


def difference(before: np.ndarray, after: np.ndarray) -> Learnt:
    """Codes [N, 18, 512] and [M, 18, 512] -> the direction between their means, in its natural unit.

    Raises:
        UsageError: the means are the same.
    """
    step = (after.mean(0) - before.mean(0)).astype(np.float64)  # [18, 512]
    length = float(np.linalg.norm(step))
    if length < 1e-6:
        raise UsageError("the faces of the two folders have the same mean: there is nothing to learn from them")
    along = step / length
    every = np.concatenate((before, after))
    spread = float(np.einsum("nld,ld->n", every, along).std())  # of all faces, so never zero when the means differ
    return Learnt((along * spread).astype(np.float32), length / spread, (len(before), len(after)))


def save_learnt(learnt: Learnt, out: Path, before: Path, after: Path, regions: Sequence[str] = ("face",)) -> None:
    """Write a direction as a file that ``--edit out.safetensors`` takes; a bare name then means the whole difference.

    regions: where it may show, names of :data:`videdit.edits.edit_info.REGIONS`.

    Raises:
        UsageError: it cannot be written.
    """
    reach = max(3.0, 1.5 * learnt.difference)
    note = {
        "description": f"from {before.name} ({learnt.faces[0]} faces) to {after.name} ({learnt.faces[1]} faces)",
        "unit": "one standard deviation among these faces",
        "recommended": round(learnt.difference, 3),
        "range": [round(-reach, 3), round(reach, 3)],
        "regions": list(regions),
    }
    write_directions(out, {"direction": learnt.direction}, note)


def check_output(path: Path) -> None:
    """Before any time is spent: a direction is written as .safetensors, into a folder that exists.

    Raises:
        UsageError: the path is something else, or taken.
    """
    if path.suffix.lower() != ".safetensors":
        raise UsageError(f"a direction is written as .safetensors, not as {path.name}")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists():
        raise UsageError(f"{path} exists already; remove it, or choose another with -o")
