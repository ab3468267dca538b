"""Mutual information: what is known of normal variables is found again, and never more than there can be."""

from __future__ import annotations

import numpy as np
import pytest

from videdit.errors import UsageError
from videdit.evaluation.information import evaluate_information, lower_bound, phases


def pairs(count: int, rho: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normal x and y, correlated in as many hidden directions as there are rho, seen in 40 mixed ones."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, len(rho)))
    y = np.array(rho) * x + np.sqrt(1 - np.square(rho)) * rng.normal(size=x.shape)
    mixes = [np.linalg.qr(rng.normal(size=(40, len(rho))))[0] for _ in range(2)]
    return x @ mixes[0].T, y @ mixes[1].T


def test_what_is_known_is_found() -> None:
    for rho in ([0.9], [0.8, 0.8, 0.5]):
        truth = -0.5 * float(np.log2(1 - np.square(rho)).sum())
        found = lower_bound(*pairs(3000, rho))
        assert found.bits == pytest.approx(truth, abs=0.12)
        assert found.bits < truth + 2 * found.error + 0.05  # a lower bound
        assert 0 < found.error < 0.1


def test_nothing_is_found_where_nothing_is() -> None:
    x, _ = pairs(400, [0.0, 0.0])
    _, y = pairs(400, [0.0, 0.0], seed=1)
    assert abs(lower_bound(x, y).bits) < 0.05
    assert lower_bound(x, np.zeros((400, 5))).bits == 0  # a variable that does not vary


def test_few_pairs_cannot_say_more_than_their_number() -> None:
    x, _ = pairs(32, [0.5] * 6)
    found = lower_bound(x, x)
    assert 2 < found.bits <= np.log2(16) + 1e-9
    with pytest.raises(UsageError, match="at least 8"):
        lower_bound(x[:6], x[:6])


def test_phases_are_told_only_where_they_are_sure() -> None:
    assert phases([0.0, 2.0, 1.0], [0.1] * 3).startswith("two phases")
    assert phases([0.0, 1.0, 2.0], [0.1] * 3).startswith("no two phases")
    assert phases([0.0, 2.0, 1.9], [0.1] * 3).startswith("no two phases")


def test_a_folder_without_weights_is_told(tmp_path) -> None:
    with pytest.raises(UsageError, match="--snapshot-every"):
        evaluate_information(tmp_path, [])
