"""Soft masks of the face and its parts, drawn from the 468-point mesh in crop coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np

from videdit.geometry.box_window import box_mask
from videdit.geometry.warp import polygon_mask

# Mesh indices of closed outlines. Left and right are the image's, not the subject's.
REGIONS: dict[str, tuple[int, ...]] = {
    "oval": (
        10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
    ),
    "lips": (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    "mouth": (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
    "eye_left": (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    "eye_right": (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    "brow_left": (46, 53, 52, 65, 55, 107, 66, 105, 63, 70),
    "brow_right": (276, 283, 282, 295, 285, 336, 296, 334, 293, 300),
}  # fmt: skip
BORDER = 0.05  # of the crop's side: nothing is ever changed nearer to its border
INSIDE = 0.85  # of the outline's distance from its middle: there the mesh may be trusted to lie on the face
INNER = 0.7  # of the same: an edit that moves outlines shows up to there, and leaves them where they are
LID_WIDTH, LID_HEIGHT = 1.1, 0.75  # half axes of an eye with its lids, in half widths of the eye
# Where beards end on top, from ear to ear: sideburns, cheeks, the base of the nose.
_BEARD_LINE = (227, 147, 187, 206, 98, 2, 327, 426, 411, 376, 447)
# Below both eyes and across the bridge of the nose, from ear to ear: what smiles, without brows and forehead.
_CHEEK_LINE = (227, 116, 117, 118, 119, 120, 121, 197, 350, 349, 348, 347, 346, 345, 447)
_CORNERS = ((33, 133), (263, 362))  # of the eyes
_DRAWN = 256  # masks are soft: they are drawn at this size and enlarged


def region_polygon(mesh: np.ndarray, name: str) -> np.ndarray:
    """The outline [N, 2] of a region of REGIONS, in the mesh's own coordinates. Raises KeyError for other names."""
    return mesh[list(REGIONS[name])]


def face_mask(mesh: np.ndarray, size: int, feather: float = 0.06, grow: float = 0.08) -> np.ndarray:
    """A soft mask of the whole face: oval, cheeks, chin and some forehead above the mesh's upper end.

    mesh: [468, 2] in crop pixels. feather: width of the soft edge, grow: how far the outline is moved out, both as
    fractions of the crop's side. Returns uint8 [size, size], exactly 0 in the outer BORDER of the crop.
    """
    return _oval(mesh, size, grow, 0.25, feather)


def edit_mask(mesh: np.ndarray | None, size: int, regions: Iterable[str]) -> np.ndarray:
    """Where edits may show: the union of soft masks of the parts they name, uint8 [size, size].

    regions: names of EDIT_REGIONS; for "box" the mesh is its outline [4, 2]. Without a mesh the whole crop but its
    border. Raises KeyError for other names.
    """
    if mesh is None:
        mesh, regions = np.zeros((0, 2)), ("crop",)
    masks = [EDIT_REGIONS[name](mesh, size) for name in regions]
    return np.maximum.reduce(masks)


def _oval(mesh: np.ndarray, size: int, grow: float, forehead: float, feather: float) -> np.ndarray:
    """The face's oval moved out by ``grow`` of the crop's side, and up by ``forehead`` of its own half height."""
    oval = region_polygon(mesh, "oval") / size  # [36, 2] in 0..1
    centre = oval.mean(0)
    up = oval[0] - centre  # from the middle to the top of the forehead
    out = oval - centre
    reach = np.linalg.norm(out, axis=1, keepdims=True)
    above = np.clip(out @ up / (up @ up), 0, 1)[:, None]
    return soft_mask([(oval + out / np.maximum(reach, 1e-6) * grow + above * up * forehead) * size], size, feather)


def _inner_face(mesh: np.ndarray, size: int) -> np.ndarray:
    """Eyes, nose and mouth, fading out before the outline of the face."""
    oval = region_polygon(mesh, "oval")
    return soft_mask([oval.mean(0) + INNER * (oval - oval.mean(0))], size, 0.1)


def hull_mask(mesh: np.ndarray, size: int) -> np.ndarray:
    """Where the mesh says that there is a face and nothing else, a little inside its outline: uint8 [size, size]."""
    oval = region_polygon(mesh, "oval")
    return soft_mask([oval.mean(0) + INSIDE * (oval - oval.mean(0))], size, 0.02)


def near_mask(mesh: np.ndarray, size: int) -> np.ndarray:
    """The face and, softer and softer, what is right beside it: uint8 [size, size]."""
    return _oval(mesh, size, grow=0.025, forehead=0.0, feather=0.07)


def _face(mesh: np.ndarray, size: int) -> np.ndarray:
    return _oval(mesh, size, grow=0.07, forehead=0.0, feather=0.07)


def eye_openings(mesh: np.ndarray, size: int) -> np.ndarray:
    """What is between the lids of both eyes: uint8 [size, size]."""
    return soft_mask([region_polygon(mesh, name) for name in ("eye_left", "eye_right")], size, 0.005)


def _eyes(mesh: np.ndarray, size: int) -> np.ndarray:
    """Both eyes with lids and brows."""
    masks = [region_mask(mesh, name, size, feather=0.05, grow=0.035) for name in ("eye_left", "eye_right")]
    return np.maximum(*masks)


def _lids(mesh: np.ndarray, size: int) -> np.ndarray:
    """Both eyes with their lids, as large whether they are open or closed: what opens and closes."""
    outlines = []
    for corners in _CORNERS:
        one, other = mesh[list(corners)]
        axis = (other - one) / 2
        up = np.array([-axis[1], axis[0]]) * LID_HEIGHT
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)[:, None]
        outlines.append((one + other) / 2 + LID_WIDTH * axis * np.cos(angles) + up * np.sin(angles))
    return np.maximum(*(soft_mask([outline], size, 0.025) for outline in outlines))


def _lips(mesh: np.ndarray, size: int) -> np.ndarray:
    """The lips, and what is between them."""
    return region_mask(mesh, "lips", size, feather=0.025, grow=0.01)


def _above(mesh: np.ndarray, size: int, line: tuple[int, ...], feather: float) -> np.ndarray:
    """What is above a line from ear to ear; feather: as of :func:`face_mask`. Returns uint8 [size, size]."""
    points = mesh[list(line)]
    up = 3 * (mesh[2] - mesh[152])  # from the chin past the forehead
    return soft_mask([np.concatenate([points, points[-1:] + up, points[:1] + up])], size, feather)


def _jaw(mesh: np.ndarray, size: int) -> np.ndarray:
    """Where beards grow, lips left out: the face below the base of the nose and the cheeks, up to the ears."""
    return _without(_face(mesh, size), _above(mesh, size, _BEARD_LINE, 0.05), _lips(mesh, size))


def _lower_face(mesh: np.ndarray, size: int) -> np.ndarray:
    """Cheeks, nose, mouth and chin: the face below the eyes, without their lids."""
    return _without(_face(mesh, size), _above(mesh, size, _CHEEK_LINE, 0.09), _lids(mesh, size))


def _without(shape: np.ndarray, *kept: np.ndarray) -> np.ndarray:
    """A mask less others, uint8 [size, size] each."""
    rest = shape.astype(np.uint16) * (255 - np.maximum.reduce(kept))
    return ((rest + 127) // 255).astype(np.uint8)


def _crop(mesh: np.ndarray | None, size: int) -> np.ndarray:
    return soft_mask([np.array([(0.0, 0.0), (size, 0.0), (size, size), (0.0, size)])], size, 0.1)


# The parts that an edit's recipe may name: configs/edits/*.yaml
EDIT_REGIONS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "face": _face,
    "lips": lambda mesh, size: region_mask(mesh, "lips", size, feather=0.03, grow=0.015),
    "eyes": _eyes,
    # What blinks and speaks stays the source's in every frame: a code hardly knows closed lids and round mouths.
    "skin": lambda mesh, size: _without(_face(mesh, size), _lids(mesh, size), _lips(mesh, size)),
    "skin_and_mouth": lambda mesh, size: _without(_face(mesh, size), _lids(mesh, size)),
    "jaw": _jaw,
    "lower_face": _lower_face,
    "round_eyes": lambda mesh, size: _without(_eyes(mesh, size), _lids(mesh, size)),
    "inner_face": _inner_face,
    "head": lambda mesh, size: _oval(mesh, size, grow=0.09, forehead=0.45, feather=0.1),
    "hair": lambda mesh, size: _oval(mesh, size, grow=0.16, forehead=0.7, feather=0.12),
    "crop": _crop,
    "box": box_mask,
}


def region_mask(mesh: np.ndarray, name: str, size: int, feather: float = 0.02, grow: float = 0.0) -> np.ndarray:
    """A soft mask of one region of REGIONS, arguments and result as in :func:`face_mask`."""
    polygon = region_polygon(mesh, name) / size
    out = polygon - polygon.mean(0)
    polygon = polygon + out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6) * grow
    return soft_mask([polygon * size], size, feather)


def _blurred(mask: np.ndarray, sigma: float) -> np.ndarray:
    """A mask [S, S] blurred; much blur is done small, where it costs a tenth and looks the same."""
    if sigma < 4:
        return cv2.GaussianBlur(mask, (0, 0), sigma)
    small = cv2.resize(mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), mask.shape[::-1], interpolation=cv2.INTER_CUBIC)


def soft_mask(polygons: list[np.ndarray], size: int, feather: float) -> np.ndarray:
    """Fill polygons [N, 2] in crop pixels and soften their edges by ``feather`` of the crop's side.

    Returns uint8 [size, size], 0 in the outer BORDER of the crop.
    """
    drawn = polygon_mask([polygon * (_DRAWN / size) for polygon in polygons], _DRAWN)
    sigma = feather * _DRAWN / 2
    soft = _blurred(drawn, sigma) if sigma > 0.3 else drawn
    ramp = np.arange(_DRAWN) + 0.5
    ramp = np.clip((np.minimum(ramp, _DRAWN - ramp) / _DRAWN - BORDER) / BORDER, 0, 1)
    soft = np.rint(soft * np.minimum.outer(ramp, ramp)).astype(np.uint8)
    if size == _DRAWN:
        return soft
    return cv2.resize(soft, (size, size), interpolation=cv2.INTER_LINEAR if size > _DRAWN else cv2.INTER_AREA)
