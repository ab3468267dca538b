"""Exact pairs for the student: what an edit may not paint is equal in both pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import ROOT

from videdit.edits.catalogue import shipped
from videdit.models.face_parts import PARTS
from videdit.models.sizes import EDITS
from videdit.training.pairs import DRAWN, FILES, PairPlan, bearded, draw_strengths, make_pairs, painted


def test_pairs_are_made_once_and_differ_only_where_the_edit_paints(tmp_path: Path) -> None:
    encoder = ROOT / "weights" / "encoder.safetensors"
    assert make_pairs(tmp_path, PairPlan(8, 1, seed=3), None, encoder) == 8
    base, edited, strengths, mesh = (np.load(tmp_path / name) for name in FILES)
    assert base.shape == (8, 256, 256, 3)
    assert edited.shape == (8, 1, 256, 256, 3)
    assert mesh.shape == (8, 468, 2)
    regions = [shipped()[name].regions for name in EDITS]
    for before, after, given in zip(base, edited[:, 0], strengths[:, 0], strict=True):
        assert given.any()
        names = {region for e in np.flatnonzero(given) for region in regions[e]}
        corner = np.abs(before[:24, :24].astype(int) - after[:24, :24]).max()
        assert corner <= 1 or names & {"head", "hair"}
    changed = np.abs(base.astype(int) - edited[:, 0]).max((1, 2, 3))
    assert (changed > 20).sum() >= 5
    stamp = (tmp_path / "base.npy").stat().st_mtime_ns
    assert make_pairs(tmp_path, PairPlan(8, 1, seed=3), None, encoder) == 8
    assert (tmp_path / "base.npy").stat().st_mtime_ns == stamp


def test_strengths_are_of_one_to_three_edits_within_their_ranges() -> None:
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_strengths(rng) for _ in range(400)])
    assert set(np.unique((drawn != 0).sum(1))) <= {1, 2, 3}
    assert (drawn != 0).any(0).all()
    for name, (_, low, high) in DRAWN.items():
        column = drawn[:, EDITS.index(name)]
        assert low <= column.min() < 0 < column.max() <= high


def test_new_glasses_are_not_painted() -> None:
    parts = np.zeros((2, len(PARTS), 128, 128), np.float32)
    parts[:, list(PARTS).index("face"), 32:96, 32:96] = 1
    meshes = np.full((2, 468, 2), 0.5)
    assert painted(meshes, parts, ["face"])[128, 128] == pytest.approx(1)
    parts[1, list(PARTS).index("face"), 56:72, 40:88] = 0
    parts[1, list(PARTS).index("glasses"), 56:72, 40:88] = 1
    mask = painted(meshes, parts, ["face"])
    assert mask[128, 128] < 0.05
    assert mask[170, 128] > 0.9
    assert mask[10, 10] == 0


def test_a_beard_keeps_the_light_of_its_face() -> None:
    base = np.full((256, 256, 3), 150, np.float32)
    darker = base * 0.6
    darker[180:] = 20
    parts, mesh = np.zeros((len(PARTS), 128, 128), np.float32), np.full((468, 2), 0.5)
    parts[0, 30:, 20:108] = 1
    picture, mask = bearded(base, darker, parts, mesh, np.ones((256, 256, 1), np.float32))
    np.testing.assert_allclose(picture[100, 128], 150, rtol=1e-3)
    assert picture[200, 128].max() < 60
    assert mask[100, 128] == 0
    assert mask[200, 128] == 1
