"""Rates in bits: what is written is read again, at about the entropy, and bounds are where theory has them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from videdit.errors import UsageError
from videdit.evaluation import rate_bits
from videdit.evaluation.entropy_coding import (
    Axes,
    Coder,
    coded_map,
    coded_w,
    coded_w_plus,
    gaussian_rate,
    lossless_bits,
    shannon_bound,
)
from videdit.hfgi.inverter import Inverter

pytest.importorskip("constriction", reason="the extra rate is not installed")


def test_bits_are_about_the_entropy() -> None:
    rng = np.random.default_rng(0)
    for kind, values, entropy in (
        ("normal", rng.normal(size=8192), 0.5 * np.log2(2 * np.pi * np.e)),
        ("laplace", rng.laplace(size=8192), np.log2(2 * np.e)),
    ):
        coder = Coder()
        symbols = np.rint(values / 0.1)
        coder.write(kind, symbols, np.array(10.0))
        (read,), bits = coder.close()
        np.testing.assert_array_equal(read, symbols)
        assert bits / len(values) == pytest.approx(entropy + np.log2(10), abs=0.05)


@pytest.fixture(scope="module")
def axes() -> Axes:
    mixed = np.random.default_rng(1).normal(size=(512, 512)) * np.geomspace(1, 0.01, 512)
    return Axes.of(np.random.default_rng(2).normal(size=(1500, 512)) @ mixed.T)


def test_codes_come_back_as_near_as_their_steps(axes: Axes) -> None:
    rng = np.random.default_rng(3)
    w = axes.coloured(rng.normal(size=512))
    np.testing.assert_allclose(axes.coloured(axes.whitened(w)), w, atol=1e-6)
    code = w + axes.coloured(0.2 * rng.normal(size=(18, 512))) - axes.mean
    before = None
    for step in (1.0, 0.5, 0.25):
        one, few = coded_w(code, axes, step)
        own, many = coded_w_plus(code, axes, step)
        off = (axes.whitened(own) - axes.whitened(code)).std()
        assert off == pytest.approx(step / 12**0.5, rel=0.35 if step == 1 else 0.1)  # a uniform error's
        assert np.ptp(one, axis=0).max() == 0
        assert few < many
        assert before is None or (few > before[0] and many > before[1])
        before = few, many


def test_maps_come_back_as_near_as_their_steps_and_sizes(people) -> None:
    image = people[0].astype(np.float32) / 127.5 - 1
    fine, coarse, small = (coded_map(image, px, step) for px, step in ((256, 0.1), (256, 0.4), (32, 0.1)))
    assert fine[1] > coarse[1] > 0
    assert fine[1] > small[1] > 0
    errors = [np.abs(found - image).mean() for found, _ in (fine, coarse, small)]
    assert errors[0] < errors[1] < 0.1
    assert errors[0] < errors[2]
    assert errors[0] < 0.5 * 0.1


def test_shannons_bound_of_a_source_that_is_known() -> None:
    """Uniform noise: its entropy is 8 bits a number, and no coder does better."""
    rng = np.random.default_rng(4)
    noise = [rng.integers(0, 256, (64, 64, 3)).astype(np.uint8) for _ in range(16)]
    count = noise[0].size
    assert lossless_bits(noise[0]) == pytest.approx(8 * count, rel=0.05)
    distortions = np.array([0.005, 0.02, 0.1, 5.0])
    wanted = np.maximum(8 - np.log2(2 * np.e * 127.5 * distortions), 0)
    np.testing.assert_allclose(shannon_bound(noise, distortions) / count, wanted, atol=0.2)
    # White: 1/2 log2(variance / error) each, by hand; sixteen pictures tell a spectrum to a part in four.
    variance = np.mean([np.square(face / 127.5 - 1).mean() for face in noise])
    error = (0.1 / np.sqrt(2 / np.pi)) ** 2
    assert gaussian_rate(noise, np.array([0.1]))[0] / count == pytest.approx(0.5 * np.log2(variance / error), abs=0.1)


def test_more_bits_are_nearer_to_the_face(people, monkeypatch) -> None:
    monkeypatch.setattr(rate_bits, "CODE_STEPS", (1.0, 0.25))
    monkeypatch.setattr(rate_bits, "MAP_STEPS", (0.4,))
    monkeypatch.setattr(rate_bits, "MAPS", (16, 256))
    monkeypatch.setattr(rate_bits, "POPULATION", 600)
    result = rate_bits.evaluate_bits(Inverter.load(precision="fp32", batch=1), people[:1])
    by_name = {str(row["kept"]): (row["bits"], row["l1"]) for row in result.rows}
    assert len(by_name) == 6
    whole, part = by_name["W+ and a map of 256 px, steps of 0.4"], by_name["W+ and a map of 16 px, steps of 0.4"]
    code, one = by_name["W+: a code, steps of 0.25 sd"], by_name["W: one w, steps of 0.25 sd"]
    assert whole[0] > part[0]
    assert whole[1] < part[1] < min(code[1], one[1])
    assert code[0] > one[0]
    assert result.sheet is not None


def test_without_the_package_it_is_said(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "constriction", None)
    with pytest.raises(UsageError, match=r"videdit\[rate\]"):
        Coder()
