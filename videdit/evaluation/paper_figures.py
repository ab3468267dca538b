"""The plates of HFGI's paper, from our own networks and any pictures of faces."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from videdit.datatypes import LOW
from videdit.edits import Edit, edit_delta
from videdit.errors import MediaError, NoFaceError, UsageError
from videdit.evaluation.sheet import contact_sheet
from videdit.evaluation.stills import load_face, parsed_crops, pasted, picture_256, released, rendered
from videdit.faces.aligned_folder import aligned_faces, pictures
from videdit.faces.parser import CropParser
from videdit.geometry import warp
from videdit.geometry.box_window import window_matrix
from videdit.hfgi.prealign import Prealigner

if TYPE_CHECKING:
    from videdit.evaluation.report import Evaluation
    from videdit.faces.detector import FaceDetector
    from videdit.hfgi.inverter import Inverter


def load(
    paths: Sequence[Path], detector: FaceDetector, aligned: bool, most: int, subject: str = "face"
) -> list[np.ndarray]:
    """The faces of pictures and folders, aligned, at most so many, [256, 256, 3] uint8 RGB.

    subject: "car" for whole pictures, each in the window that its generator sees.

    Raises:
        UsageError: a path is missing, or `most` is not above zero.
        NoFaceError: none of the pictures shows a face.
        MediaError: a picture that should be aligned is not square, or cannot be read.
    """
    if most < 1:
        raise UsageError("--most is at least 1")
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        files += pictures(path) if path.is_dir() else [path]
    if aligned:
        return [picture_256(load_face(file)) for file in files[:most]]
    if subject != "face":
        return [in_window(file) for file in files[:most]]
    found = aligned_faces(files, detector, lambda said: print(f"videdit: {said}", file=sys.stderr))
    faces = list(itertools.islice(found, most))
    if not faces:
        raise NoFaceError(f"no face in {', '.join(map(str, paths))}")
    return faces


def in_window(file: Path) -> np.ndarray:
    """A picture in the square window of a generator of wide pictures, [256, 256, 3] uint8 RGB.

    Raises:
        MediaError: it cannot be read.
    """
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise MediaError(f"{file} is not a picture that can be read")
    box = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    return warp.crop(np.ascontiguousarray(image[:, :, ::-1]), window_matrix(box, LOW), LOW)


def sweep_plate(
    inverter: Inverter,
    faces: Sequence[np.ndarray],
    meshes: Sequence[np.ndarray | None],
    edits: Sequence[Edit],
    steps: int,
    plain: bool = False,
    prealign: str = "flow",
    consultation: str = "always",
) -> np.ndarray:
    """Each edit of each face a row, from minus to plus its strength, as a clip would show it; -> [H, W, 3] uint8 RGB.

    meshes: [468, 2] of each face, in pixels; where there is none, the edit shows in the whole crop. An edit of the
    strength that its bare name means goes as far as is recommended both ways. plain: by HFGI as it is released.
    prealign: see :func:`videdit.evaluation.stills.rendered`. consultation: of
    :func:`videdit.evaluation.stills.evaluate_edits`.

    Raises:
        UsageError: `steps` is not odd, or below 3; an edit has strength 0, or goes too far the other way.
    """
    if steps < 3 or steps % 2 == 0:
        raise UsageError(f"--steps should be an odd number from 3 on, so that 0 is in the middle, not {steps}")
    rows, parser = [], None if plain else CropParser(inverter.pixels)
    crops = parsed_crops(parser, faces, meshes) if parser else [None] * len(faces)
    parser = parser and parser.alone()
    for face, crop in zip(faces, crops, strict=True):
        codes = inverter.encode([face])
        for edit in edits:
            regions = edit.info.regions
            strengths = np.linspace(-1, 1, steps) * reach(edit)
            several = np.repeat(codes, steps, 0)
            deltas = np.concatenate([edit_delta([replace(edit, strength=float(s))], codes) for s in strengths])
            if crop is None or parser is None:
                images = list(released(inverter, [face] * steps, several, several + deltas))
            else:
                wanted = any(edit.info.consulted)  # a row goes both ways
                chosen = inverter.consulting(inverter.profile.consults(consultation, wanted))
                renderings = rendered(chosen, [face] * steps, several, several + deltas, prealign)
                images = [pasted(parser, crop, rendering, regions) for rendering in renderings]
            shown = [as_picture(image)[slice(*inverter.profile.rows)] for image in images]
            rows.append([labelled(p, f"{edit.name} {s:+.2g}") for p, s in zip(shown, strengths, strict=True)])
    return np.concatenate([np.concatenate(row, 1) for row in rows])


def reach(edit: Edit) -> float:
    """How far a sweep goes. Raises UsageError for 0, and where the other end is out of the edit's limits."""
    info = edit.info
    if edit.strength == 0:
        raise UsageError(f"{edit.name}=0 goes nowhere; say how far the sweep should go")
    if edit.strength == info.recommended:
        return min(-info.range[0], info.range[1])
    if not info.limits[0] <= -edit.strength <= info.limits[1]:
        raise UsageError(f"{edit.name}={-edit.strength:g}, the other end, is out of range: {info.limits[0]:g} at least")
    return abs(edit.strength)


def ada_plate(
    inverter: Inverter, faces: Sequence[np.ndarray], edits: Sequence[Edit], prealign: str = "flow"
) -> np.ndarray:
    """Source, inversion by the code, what it lost, the same aligned to the edit, and the edit; -> [H, W, 3] uint8.

    prealign: how the map is carried along before ADA, one of :data:`videdit.hfgi.prealign.KINDS`; "none" shows what ADA
    does alone, as in the paper. Distortion maps are drawn around grey, at their own strength: a difference of the whole
    range is white or black.
    """
    faces = list(faces)
    codes = inverter.encode(faces)
    bases = inverter.low_fidelity(faces, codes, codes + edit_delta(edits, codes))
    flows = Prealigner(inverter.pixels, prealign).memory()([base.low for base in bases], range(len(bases)))
    carried = prealign != "none"
    aligned = inverter.aligned(bases, flows, carried)
    renderings = inverter.high_fidelity(bases, flows, LOW, carried)
    rows = []
    for face, base, carried, rendering in zip(faces, bases, aligned, renderings, strict=True):
        maps = (base.source - base.low[0]) / 2, carried / 2
        images = (base.low[0], *maps, rendering.edit)
        rows.append([face, *map(as_picture, images)])
    words = ",".join(f"{edit.name}={edit.strength:g}" for edit in edits)
    return contact_sheet(rows, ("source", "inversion", "distortion", "aligned distortion", words), tile=LOW)


def rate_plate(inverter: Inverter, faces: Sequence[np.ndarray], json: Path | None, bits: bool = False) -> np.ndarray:
    """Size of the code against reconstruction; the figures are printed, and written to `json`.

    faces: each [S, S, 3] uint8 RGB, aligned. bits: of what is quantised and entropy-coded, and not counts of numbers.
    Returns [H, W, 3] uint8 RGB.
    """
    from videdit.evaluation.rate import evaluate_rate
    from videdit.evaluation.rate_bits import evaluate_bits

    result: Evaluation = evaluate_bits(inverter, faces) if bits else evaluate_rate(inverter, faces)
    print(result)
    if json:
        result.write_json(json)
    assert result.sheet is not None
    return result.sheet


def as_picture(image: np.ndarray) -> np.ndarray:
    """[S, S, 3] float in [-1, 1] -> uint8."""
    return np.clip(np.rint(image * 127.5 + 127.5), 0, 255).astype(np.uint8)


def labelled(picture: np.ndarray, words: str) -> np.ndarray:
    """A copy, [H, W, 3] uint8, with words in its lower left corner, readable on any ground."""
    picture, at = picture.copy(), (6, picture.shape[0] - 8)
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA)
    return picture
