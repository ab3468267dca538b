"""Reduces an edit's strength with what a face does: a smile of constant strength would close a mouth that sings.

Among the faces that a generator learnt from, who smiles shows teeth, so a wide open mouth plus a smile becomes a grin.
An edit's recipe may say (``speech: {eases: E, opens: O}``) that of its strength s, where a mouth is open by x,

    s (1 - E r(x)) of the edit's own direction and s O (x - STILL) of mouth_open's

are added, x > STILL, r going from 0 at STILL to 1 at WIDE. Minus strengths stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from videdit.datatypes import Crop, Expression

OPENER = "mouth_open"  # the edit whose direction opens mouths
STILL, WIDE = 0.08, 0.3  # openness of a mouth that is at rest, or says "m"; and of one that sings
# From where on a mouth is so wide open that more than the usual smile breaks around it, and where it surely does.
GAPING = (0.15, 0.25)
TORN = (0.25, 0.3)  # the same of any: wider than the generator's smiles open, with a second pair of lips around it
PURSED, SPREAD = 2.35, 2.6  # widths of lips over the height of both, where they are pursed, and where not at all
# Heights of a mouth's corners over its middle, over the distance of the eyes: from where it smiles, and fully does.
LIFTED = (0.055, 0.085)
HELD = 0.09  # seconds before and after closed lids or pursed lips, for which edits are out of the way
FADED = 0.06  # seconds: sigma of how they fade there
LEFT = 0.3  # of a smile's strength where it smiles already
CLOSED, OPEN = 0.22, 0.32  # heights of eyes over their widths, where lids are as good as closed, and open
_LIDS = ((33, 133, 159, 145), (263, 362, 386, 374))  # of the mesh: each eye's corners, its upper and its lower lid
_CORNERS, _OUTER = (61, 291), (0, 17)  # of the mesh: the corners of the mouth, the lips' outer middles
_LIPS, _EYES = (13, 14), (33, 263)  # of the mesh: the lips' inner middles, the eyes' outer corners


@dataclass(frozen=True, slots=True)
class Speech:
    """How much an edit eases (0..1), and how much of OPENER comes in, both by how open the mouth is."""

    eases: float
    opens: float

    def __call__(self, strength: float, openness: float) -> tuple[float, float]:
        """(strength of the edit, strength of OPENER) where a mouth is that open."""
        if strength <= 0 or openness <= STILL:
            return strength, 0.0
        wide = min(1.0, (openness - STILL) / (WIDE - STILL))
        return strength * (1 - self.eases * wide), strength * self.opens * (openness - STILL)


AT_REST = Expression()


def expression(mesh: np.ndarray | None) -> Expression:
    """What a face does, by its mesh [468, 2]; at rest where none is known."""
    return Expression(openness(mesh), lids_open(mesh), lips_spread(mesh), smiling(mesh))


def expression_of(crop: Crop) -> Expression:
    """What a crop's face does: steadied over time where it is known, else by its mesh alone."""
    return crop.expression or expression(crop.mesh)


def steadied(times: np.ndarray, seen: Sequence[Expression], now: int) -> Expression:
    """What a face does at a moment, of moments before and after it: an edit that it reduces does not come and go.

    Where lids close or lips are pursed for a moment, the edit is out of the way HELD seconds before and after, and
    fades within about 2 FADED on either side. How wide the mouth is open is the moment's own: lips follow speech.

    times: [T] seconds, growing, up to 0.25 before and after the moment. seen: [T]. now: which of them is the moment.
    """
    apart = np.abs(times[:, None] - times)
    weights = np.exp(-0.5 * (apart[now] / FADED) ** 2)
    weights /= weights.sum()
    lids, spread, smiles = np.array([(each.lids, each.spread, each.smiling) for each in seen]).T
    near = apart <= HELD + 1e-9
    least_lids, least_spread = (np.where(near, values, 1.0).min(1) for values in (lids, spread))
    return Expression(seen[now].gap, *(float(weights @ values) for values in (least_lids, least_spread, smiles)))


def gaping(face: Expression) -> float:
    """How far a mouth is wide open, 0 (it speaks) to 1 (it calls, sings or yawns)."""
    return _reached(face.gap, GAPING)


def torn(face: Expression) -> float:
    """How far a mouth is open more widely than any smile that the generator knows, 0 to 1."""
    return _reached(face.gap, TORN)


def _reached(value: float, span: tuple[float, float]) -> float:
    """How far a value has come from one to another, 0 to 1."""
    return min(max((value - span[0]) / (span[1] - span[0]), 0.0), 1.0)


def openness(mesh: np.ndarray | None) -> float:
    """The gap between the lips over the distance of the eyes' outer corners; 0 where a mesh [468, 2] is not known."""
    if mesh is None or len(mesh) <= max(*_LIPS, *_EYES):
        return 0.0
    gap, unit = (float(np.linalg.norm(mesh[a] - mesh[b])) for a, b in (_LIPS, _EYES))
    return gap / unit if unit else 0.0


def lids_open(mesh: np.ndarray | None) -> float:
    """How far the more closed of two eyes is open, 0 (closed) to 1; 1 where a mesh [468, 2] is not known.

    The generator knows hardly a face with closed lids: what it changes of eyes would be painted over them.
    """
    if mesh is None or len(mesh) <= max(map(max, _LIDS)):
        return 1.0
    ratios = []
    for corner, other, upper, lower in _LIDS:
        width = float(np.linalg.norm(mesh[corner] - mesh[other]))
        ratios.append(float(np.linalg.norm(mesh[upper] - mesh[lower])) / width if width else 1.0)
    return _reached(min(ratios), (CLOSED, OPEN))


def lips_spread(mesh: np.ndarray | None) -> float:
    """How far lips are from being pursed, 0 (a kiss, a whistle) to 1; 1 where a mesh [468, 2] is not known.

    The generator hardly knows pursed lips: a smile would be painted over them. What is between the lips does not count.
    """
    if mesh is None or len(mesh) <= max(*_CORNERS, *_OUTER, *_LIPS):
        return 1.0
    width, outer, gap = (float(np.linalg.norm(mesh[a] - mesh[b])) for a, b in (_CORNERS, _OUTER, _LIPS))
    height = outer - gap
    return _reached(width / height, (PURSED, SPREAD)) if height > 0 else 1.0


def smiling(mesh: np.ndarray | None) -> float:
    """How far a face smiles already, 0 to 1, by how far the corners of the mouth are above its middle.

    0 where a mesh [468, 2] is not known. A smile on top of one would be a grimace.
    """
    if mesh is None or len(mesh) <= max(*_CORNERS, *_LIPS, *_EYES):
        return 0.0
    across = mesh[_EYES[1]] - mesh[_EYES[0]]
    unit = float(np.linalg.norm(across))
    if not unit:
        return 0.0
    down = np.array((-across[1], across[0])) / unit
    lift = float((mesh[list(_LIPS)].mean(0) - mesh[list(_CORNERS)].mean(0)) @ down) / unit
    return _reached(lift, LIFTED)


def parse_speech(fields: Any) -> Speech | None:
    """{"eases": 0.3, "opens": 6.4} -> Speech; None -> None."""
    return None if fields is None else Speech(float(fields["eases"]), float(fields["opens"]))
