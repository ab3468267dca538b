"""How directions are derived, against populations whose scores are known functions of the code."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from videdit.edits.catalogue import shipped
from videdit.errors import UsageError, VideditError
from videdit.metrics.attributes import POPULATION
from videdit.train.derive import (
    EditRecipe,
    Population,
    cleaned,
    conditional,
    fit,
    in_layers,
    natural_unit,
    read_recipes,
    report,
    sample_codes,
)

NAMES = ("smile", "age", "eyeglasses")


def population(seed: int, count: int = 4000, width: int = 24):
    """Codes with an uneven covariance, and scores that overlap: what an entangled generator looks like."""
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(count, width)) * np.geomspace(2, 0.2, width) @ rng.normal(size=(width, width)) / 3 + 5
    slopes = rng.normal(size=(width, len(NAMES)))
    slopes[:, 2] += 0.8 * slopes[:, 0]  # smiling people wear glasses here
    return codes, codes @ slopes + 0.3 * rng.normal(size=(count, len(NAMES))), slopes


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_step_moves_its_own_score_and_no_other(seed):
    codes, scores, slopes = population(seed)
    for i, name in enumerate(NAMES):
        moved = conditional(fit(codes, scores, NAMES), name) @ slopes / scores.std(0)
        assert moved[i] == pytest.approx(1, abs=0.15)
        assert np.abs(np.delete(moved, i)).max() < 0.15


def test_free_scores_come_along_and_make_the_step_shorter():
    codes, scores, slopes = population(1)
    response = fit(codes, scores, NAMES)
    strict, loose = conditional(response, "smile"), conditional(response, "smile", free=("eyeglasses",))
    assert (loose @ slopes / scores.std(0))[2] > 0.5
    half = conditional(response, "smile", free=("eyeglasses",), freedom=0.5)
    np.testing.assert_allclose(half, (strict + loose) / 2)
    precision = np.linalg.inv(response.covariance)
    assert loose @ precision @ loose < strict @ precision @ strict


def test_second_opinions_do_not_hold_a_score_back():
    codes, scores, slopes = population(2)
    doubled = np.column_stack([scores, scores[:, 1]])
    step = conditional(fit(codes, doubled, (*NAMES, "age_2nd")), "age")
    assert (step @ slopes / scores.std(0))[1] == pytest.approx(1, abs=0.15)


class Bent(Population):
    """Faces whose scores follow the code by slopes that are not those of the fit."""

    def __init__(self, slopes: np.ndarray, spreads: np.ndarray, layers: tuple[int, int]) -> None:
        self.measure = SimpleNamespace(names=NAMES)
        self.codes = np.zeros((500, 18, len(slopes)))
        self.slopes, self.spreads, self.layer = slopes, spreads, layers[0]
        self.scores = np.array([[-1.0], [1.0]]) * [POPULATION[name][1] for name in NAMES]

    def tried(self, delta, strengths):
        moved = strengths[:, None] * (delta[self.layer] @ self.slopes / self.spreads)  # [N, S] standard deviations
        return moved * [POPULATION[name][1] for name in NAMES], np.ones(len(strengths))


def test_what_a_step_drags_along_when_it_is_tried_is_taken_off():
    codes, scores, slopes = population(3)
    response = fit(codes, scores, NAMES)
    bent = slopes + 0.5 * slopes[:, [1, 2, 0]]  # reality is more entangled than the fit
    faces = Bent(bent, scores.std(0), (2, 6))
    edit = EditRecipe("smile", "smile", (), 1, (2, 6), 1.5, 0.2)

    def leaks(step: np.ndarray) -> float:
        moved = step @ bent / scores.std(0)
        return float(np.abs(moved[1:]).max() / moved[0])

    assert leaks(conditional(response, "smile")) > 0.3
    step = cleaned(faces, response, edit)
    assert leaks(step[2]) < edit.allowed + 0.02
    assert not step[:2].any() and not step[7:].any()
    moved = cleaned(faces, response, replace(edit, aims=(("age", -0.3),)))[2] @ bent / scores.std(0)
    assert moved[1] / moved[0] == pytest.approx(-0.3, abs=0.03)
    assert abs(moved[2] / moved[0]) < edit.allowed + 0.02


class Faces(Population):
    """Faces whose score is a known function of the code; it saturates, as those of classifiers do."""

    def __init__(self, slopes: np.ndarray) -> None:
        self.measure = SimpleNamespace(names=tuple(POPULATION))
        self.codes = np.zeros((500, 18, 512))
        self.slopes = slopes  # [18, 512]

    def tried(self, delta, strengths):
        moved = np.tanh(strengths * (delta * self.slopes).sum() / 2) * 2  # [N] in standard deviations
        spreads = np.array([sd for _, sd in POPULATION.values()])
        leak = np.array([{"smile": 1.0, "age": -0.2}.get(name, 0.0) for name in self.measure.names])
        return moved[:, None] * leak * spreads, 1 - 0.1 * np.abs(strengths)


@given(st.floats(0.4, 2.5))
def test_strength_one_is_one_standard_deviation(length):
    slopes = in_layers(np.ones(512) / 512, (3, 6))
    faces = Faces(slopes)
    delta = natural_unit(faces, length * in_layers(np.ones(512), (3, 6)), "smile")
    assert faces.shift(delta, "smile", 500) == pytest.approx(1, abs=0.07)  # local slopes of a bend
    assert not delta[:3].any() and not delta[7:].any()
    with pytest.raises(VideditError, match="hardly moves"):
        natural_unit(faces, in_layers(np.ones(512), (9, 12)), "smile")


def test_what_an_edit_drags_along_is_told():
    (recipe,) = read_recipes("smile")
    faces = Faces(in_layers(np.ones(512) / 512, (3, 6)))
    told = report(faces, in_layers(np.full(512, 0.1), (3, 6)), recipe)
    assert "smile" not in told["drags"] and told["moves"] > 0.3
    assert told["drags"]["age"] == pytest.approx(-0.2 * told["moves"], abs=0.02)
    assert told["drags"]["yaw"] == 0
    assert told["unit"] == POPULATION["smile"][1] and 0.5 < told["identity"] < 1


def test_recipes_are_complete_and_move_scores_that_there_are():
    from videdit.geometry.mask import EDIT_REGIONS

    recipes = read_recipes()
    assert all(region in EDIT_REGIONS for info in shipped().values() for region in info.regions)
    assert {recipe.name for recipe in recipes} == set(shipped())
    assert all(recipe.score in POPULATION for recipe in recipes)
    with pytest.raises(UsageError, match="no recipe 'frown'"):
        read_recipes("frown")


def test_samples_are_the_generators_and_repeatable():
    codes = sample_codes(16, seed=3)
    assert codes.shape == (16, 512) and np.isfinite(codes).all()
    np.testing.assert_array_equal(codes, sample_codes(16, seed=3))
    assert np.abs(codes - sample_codes(16, seed=4)).max() > 0.1


def test_aims_are_scores_that_are_measured():
    recipes = {recipe.name: recipe for recipe in read_recipes()}
    assert dict(recipes["age"].aims)["hair"] < recipes["age"].allowed and recipes["smile"].aims == ()
    assert all(name in POPULATION for recipe in recipes.values() for name, _ in recipe.aims)
