"""Evaluation of an edited clip beside its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

import cv2
import numpy as np

from videdit.datatypes import Face
from videdit.errors import MediaError, NoFaceError
from videdit.evaluation.panel import SIZE, Panel
from videdit.evaluation.report import Evaluation, Value, mean_row
from videdit.evaluation.seam import changed, seam
from videdit.evaluation.sheet import contact_sheet
from videdit.evaluation.temporal import identity_stability, warp_errors
from videdit.faces.detector import FaceDetector, face_size, overlap
from videdit.geometry.ffhq_align import face_matrix
from videdit.geometry.warp import crop
from videdit.media.color import picture_to_rgb
from videdit.media.decode.read import VideoReader
from videdit.media.probe import probe

SHOWN = 6  # moments of a clip on the sheet


@dataclass(frozen=True, slots=True)
class Crops:
    """The same face in a clip and in its edited version, [T, 256, 256, 3] uint8 RGB, aligned by the source's points."""

    source: np.ndarray
    edited: np.ndarray
    masks: np.ndarray  # [T, 256, 256] uint8: the edit's matte, or what was changed where there is none


def evaluate_clips(
    panel: Panel,
    detector: FaceDetector,
    pairs: list[tuple[Path, Path]],
    every: int = 4,
    frames: int | None = None,
    mattes: list[Path] | None = None,
) -> Evaluation:
    """A row a clip, and their mean.

    every: frames from one that counts to the next; frames: of the source, at most; mattes: what --alpha-out wrote, one
    a pair, else the border of an edit is where its change begins.
    """
    rows: list[dict[str, Value]] = []
    shown: list[list[np.ndarray]] = []
    of: Sequence[Path | None] = mattes or [None] * len(pairs)
    for (source, edited), matte in zip(pairs, of, strict=True):
        crops = read_crops(detector, source, edited, every, frames, matte)
        rows.append({"clip": source.stem, **judge_clip(panel, crops)})
        moments = np.linspace(0, len(crops.source) - 1, SHOWN).round().astype(int)
        shown += [list(crops.source[moments]), list(crops.edited[moments])]
    if len(rows) > 1:
        rows.append(mean_row("mean", rows))
    notes = [
        "TL-ID, TG-ID, identity: mobileface; 1 is as steady as the source, and counts only where the edit shows",
        f"every {every}. frame, {SIZE} px crops by the source's landmarks; warp: error along the source's flow, "
        "relative to the source's own; seam: slope across the border of "
        + ("the mattes" if mattes else "what was changed")
        + ", relative to the source's",
    ]
    return Evaluation(rows, contact_sheet(shown), notes)


def judge_clip(panel: Panel, crops: Crops) -> dict[str, Value]:
    """Every figure of one clip."""
    before, after = panel.attributes(list(crops.source)), panel.attributes(list(crops.edited))
    who, whom = panel.identity(list(crops.source)), panel.identity(list(crops.edited))
    steady = {net: identity_stability(who[net], whom[net]) for net in who}
    own, edited = warp_errors(crops.source, crops.source, crops.edited)
    return {
        "frames": str(len(crops.source)),
        "happy": float(before["happy"].mean()),
        "happy after": float(after["happy"].mean()),
        "age": float(before["age"].mean()),
        "age after": float(after["age"].mean()),
        "identity": float((who["mobileface"] * whom["mobileface"]).sum(1).mean()),
        "TL-ID": steady["mobileface"].local,
        "TG-ID": steady["mobileface"].all,
        "TL-ID faceres": steady["faceres"].local,
        "TG-ID faceres": steady["faceres"].all,
        "warp": edited / own if own > 0 else None,
        "seam": seam(crops.source, crops.edited, crops.masks),
    }


def read_crops(
    detector: FaceDetector, source: Path, edited: Path, every: int, frames: int | None = None, matte: Path | None = None
) -> Crops:
    """Crops of the main face (the largest at first, then the same one) of every ``every``-th frame that shows it.

    Raises:
        MediaError: a clip cannot be read, or the two do not have the same frames.
        NoFaceError: fewer than two of the frames show a face.
    """
    face: Face | None = None
    kept: list[list[np.ndarray]] = []
    paths = [source, edited] if matte is None else [source, edited, matte]
    together = zip_longest(*(upright_frames(path, every) for path in paths))
    for pictures in islice(together, None if frames is None else -(-frames // every)):
        a = pictures[0]
        for path, picture in zip(paths, pictures, strict=True):
            if a is None or picture is None or a.shape != picture.shape:
                raise MediaError(f"{path} has not the same frames as {source}: is it edited from it? See --frames")
        found = detector.detect(a)
        if not found:
            continue
        face = max(found, key=face_size) if face is None else _same(face, found)
        matrix = face_matrix(face.points, SIZE)
        kept.append([crop(picture, matrix, SIZE, cv2.INTER_LINEAR) for picture in pictures])
    if len(kept) < 2:
        raise NoFaceError(f"{source} shows a face in {len(kept)} of the frames that were looked at; 2 are needed")
    before, after, *alpha = (np.stack(column) for column in zip(*kept, strict=True))
    return Crops(before, after, alpha[0][..., 0] if alpha else changed(before, after))


def upright_frames(path: Path, every: int) -> Iterator[np.ndarray]:
    """Every ``every``-th frame as a viewer sees it, [H, W, 3] uint8 RGB."""
    info = probe(path)
    with VideoReader(info) as reader:
        for frame in islice(reader, 0, None, every):
            rgb, (wide, high) = picture_to_rgb(frame.picture), frame.picture.square_size
            if frame.picture.aspect != 1:
                rgb = cv2.resize(rgb, (round(wide), round(high)), interpolation=cv2.INTER_CUBIC)
            yield np.ascontiguousarray(np.rot90(rgb, -info.rotation // 90))


def _same(face: Face, found: list[Face]) -> Face:
    """Of the faces found, the one that covers most of where the face was, or is nearest to it."""

    def nearness(other: Face) -> tuple[float, float]:
        return overlap(face, other), -float(np.linalg.norm(face.points.mean(0) - other.points.mean(0)))

    return max(found, key=nearness)
