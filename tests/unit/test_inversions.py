"""HFGI beside optimisation: every method at work on every profile, a step each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import published
import pytest
import torch

from videdit.edits import parse_edits
from videdit.evaluation.compare import PAPERS, Counts, Optimisers, differentiable, evaluate_compare
from videdit.evaluation.panel import Panel
from videdit.hfgi.inverter import Inverter

pytestmark = pytest.mark.extra("judges")
ONE = Counts(latent=1, pivot=1, tune=1, domain=1, clip=1)


def test_the_papers_counts() -> None:
    assert (PAPERS.latent, PAPERS.pivot, PAPERS.tune, PAPERS.domain) == (5000, 450, 350, 100)


@pytest.mark.parametrize("profile", ["mobile", "hfgi-ffhq"])
def test_every_method_inverts_and_edits(profile: str, people: list[np.ndarray], tmp_path: Path) -> None:
    files: tuple[str, ...] = ()
    if profile != "mobile":
        torch.save(published.checkpoint(), tmp_path / "ckpt.pt")
        files = (str(tmp_path / "ckpt.pt"),)
    inverter = Inverter.load(profile, precision="fp32", batch=1, checkpoint=files)
    generator, encoder, mean = differentiable(inverter)
    found = evaluate_compare(
        inverter, Panel(), people[:1], Optimisers(generator, encoder, mean, ONE), parse_edits("smile")
    )
    names = [str(row["inversion"]).partition(",")[0] for row in found.rows]
    wanted = ["encoder only", "HFGI", "latent optimisation", "pivotal tuning", "in-domain"]
    assert names == [*wanted, "HFGI"] if profile == "mobile" else names == wanted
    assert "1 + 1 steps" in str(found.rows[3]["inversion"])
    assert all(np.isfinite(float(row["edited, mobileface"] or 0)) for row in found.rows)
    assert found.sheet is not None
    assert found.sheet.shape == (2 * 256 + 16, 256 * (len(names) + 1), 3)
    tiles = [found.sheet[16:272, 256 * i : 256 * i + 256].astype(int) for i in range(len(names) + 1)]
    below = [found.sheet[272:, 256 * i : 256 * i + 256].astype(int) for i in range(len(names) + 1)]
    assert np.array_equal(tiles[0], people[0])
    assert np.array_equal(below[0], people[0])
    for above, edit in zip(tiles[1:], below[1:], strict=True):
        assert np.abs(above - edit).mean() > 0.1  # each is edited
    # One step from an encoder's code changes it, and little.
    assert 0 < np.abs(tiles[5] - tiles[1]).mean() < 30
