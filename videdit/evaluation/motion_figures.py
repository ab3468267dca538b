"""The plates of HFGI's appendix about edits that move a face: figures 22 to 24.

Film strips of a clip, edits of viewpoint with and without pre-alignment, and how landmarks carry a distortion map:
triangles on the edited face, and the X and Y coordinates that each pixel had before the edit (appendix C.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from videdit.datatypes import LOW, Flow
from videdit.edits import Edit, edit_delta
from videdit.errors import NoFaceError, UsageError
from videdit.evaluation.paper_figures import as_picture, labelled
from videdit.evaluation.sheet import contact_sheet
from videdit.evaluation.stills import rendered
from videdit.faces.detector import FaceDetector
from videdit.geometry.delaunay_flow import flow_between
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.prealign import POINTS

VIEW_KINDS = ("none", "flow", "auto", "landmarks")


def viewpoint_plate(inverter: Inverter, faces: Sequence[np.ndarray], edits: Sequence[Edit]) -> np.ndarray:
    """Figure 23: each edit of each face a row: the source, the edit at low fidelity, and HFGI after each pre-alignment.

    No detail returns into these: they are the generator's own pictures. -> [H, W, 3] uint8 RGB.
    """
    rows = []
    for face in faces:
        codes = inverter.encode([face])
        for edit in edits:
            edited = codes + edit_delta([edit], codes)
            found = {kind: rendered(inverter, [face], codes, edited, kind)[0] for kind in VIEW_KINDS}
            low = found["none"].edit_low
            name = f"{edit.name}={edit.strength:g}"
            rows.append([face, labelled(as_picture(low), name), *(as_picture(r.edit) for r in found.values())])
    return contact_sheet(rows, ("source", "low fidelity", "ADA alone", *VIEW_KINDS[1:]), tile=LOW)


def landmark_plate(
    inverter: Inverter, detector: FaceDetector, faces: Sequence[np.ndarray], edits: Sequence[Edit]
) -> np.ndarray:
    """Figure 24: landmarks before and after the edit, triangles, X and Y coordinate maps, the map before and after.

    faces: each [S, S, 3] uint8 RGB, aligned. Returns [H, W, 3] uint8 RGB.

    Raises:
        NoFaceError: no face is found in any of the renders.
    """
    rows = []
    for face in faces:
        codes = inverter.encode([face])
        (base,) = inverter.low_fidelity([face], codes, codes + edit_delta(edits, codes))
        low = [as_picture(image) for image in base.low]
        before, after = (detector.aligned(image) for image in low)
        if before is None or after is None or before.mesh is None or after.mesh is None:
            continue
        here, there = after.mesh[POINTS], before.mesh[POINTS]
        displacement = flow_between(here, there, LOW)
        distortion = base.source - base.low[0]
        warped = inverter.pixels.warp_distortion_map(distortion, Flow(displacement, np.ones((LOW, LOW), np.float32)))
        maps = (as_picture(image / 2) for image in (distortion, warped))
        points = (dotted(image, at) for image, at in zip(low, (there, here), strict=True))
        rows.append([face, *points, triangulated(low[1], here), *coordinate_maps(displacement), *maps])
    if not rows:
        raise NoFaceError("no face is found in these renders: there are no landmarks to show")
    words = ",".join(f"{edit.name}={edit.strength:g}" for edit in edits)
    titles = (
        "source",
        "inversion",
        words,
        "triangles",
        "X before the edit",
        "Y before the edit",
        "distortion",
        "warped",
    )
    return contact_sheet(rows, titles, tile=LOW)


def coordinate_maps(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel was before the edit, across and down, [S, S, 3] uint8: black at the left and the top."""
    size = flow.shape[0]
    y, x = np.mgrid[:size, :size] + 0.5
    found = (np.clip((at + flow[..., i]) / size * 255, 0, 255).astype(np.uint8) for i, at in enumerate((x, y)))
    across, down = (np.repeat(grey[..., None], 3, -1) for grey in found)
    return across, down


def triangulated(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The Delaunay triangles of points [N, 2], and of the picture's corners, drawn on a copy."""
    from scipy.spatial import Delaunay

    size = picture.shape[0]
    corners = np.array([[0, 0], [size - 1, 0], [size - 1, size - 1], [0, size - 1]], float)
    every = np.concatenate((points, corners))
    drawn = picture.copy()
    for triangle in Delaunay(every).simplices:
        cv2.polylines(drawn, [np.rint(every[triangle] - 0.5).astype(np.int32)], True, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


def dotted(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [N, 2] drawn on a copy."""
    drawn = picture.copy()
    for x, y in np.rint(points - 0.5).astype(int).tolist():
        cv2.circle(drawn, (x, y), 2, (80, 255, 80), -1, cv2.LINE_AA)
    return drawn


def strip_plate(clip: Path, edits: Sequence[str], moments: int, method: str = "auto", tile: int = LOW) -> np.ndarray:
    """Figure 22: film strips of a clip, the source's above one of each edit's; -> [H, W, 3] uint8 RGB.

    edits: each as --edit takes it. moments: evenly over the clip; each frame is edited by itself, and cut to a square
    around its middle.

    Raises:
        UsageError: there are fewer than two moments.
    """
    from videdit.media.probe import probe
    from videdit.rendering.session import Session

    if moments < 2:
        raise UsageError("--moments is at least 2")
    duration = probe(clip).duration
    times = [duration * (i + 0.5) / moments for i in range(moments)]
    rows: list[list[np.ndarray]] = []
    with Session() as session:
        for words in edits:
            found = [
                session.preview({"input": str(clip), "edit": words, "method": method}, time, tier="draft")
                for time in times
            ]
            if not rows:
                rows.append([labelled(squared(one.before, tile), f"{one.time:.2f} s") for one in found])
            rows.append([labelled(squared(one.after, tile), words) for one in found])
    return np.concatenate([np.concatenate(row, 1) for row in rows])


def squared(picture: np.ndarray, size: int) -> np.ndarray:
    """The square in the middle of a picture [H, W, 3], at a size."""
    side = min(picture.shape[:2])
    y, x = ((whole - side) // 2 for whole in picture.shape[:2])
    part = picture[y : y + side, x : x + side]
    return cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC)
