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
from videdit.edits.directions import in_layers
from videdit.errors import UsageError, VideditError
from videdit.evaluation.attributes import POPULATION
from videdit.hfgi.population import sample_codes
from videdit.training.derive import EditRecipe, FittedDirection, Population, Scores, natural_unit, read_recipes, report

NAMES = ("smile", "age", "eyeglasses")
SMILE = EditRecipe("smile", "smile", (2, 6), 1.5, POPULATION["smile"][1])


def population(seed: int, count: int = 4000, width: int = 24):
    """Codes with an uneven covariance, and scores that overlap: what an entangled generator looks like."""
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(count, width)) * np.geomspace(2, 0.2, width) @ rng.normal(size=(width, width)) / 3 + 5
    slopes = rng.normal(size=(width, len(NAMES)))
    slopes[:, 2] += 0.8 * slopes[:, 0]  # smiling people wear glasses here
    return codes, codes @ slopes + 0.3 * rng.normal(size=(count, len(NAMES))), slopes


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_direction_tells_its_own_score_and_is_no_longer_than_needed(seed):
    codes, values, slopes = population(seed)
    scores = Scores(codes, values, NAMES)
    for name in NAMES:
        fitted = scores.direction(EditRecipe(name, name, (2, 6), 1.0, 1.0))
        assert np.linalg.norm(fitted.vector) == pytest.approx(1)
        assert fitted.correlation > 0.9
        steepest = np.linalg.solve(scores.covariance, scores.covariance @ slopes[:, NAMES.index(name)])
        assert fitted.mahalanobis <= scores.mahalanobis(steepest / np.linalg.norm(steepest)) * 1.01


def test_correlations_are_of_codes_that_nothing_was_fitted_on():
    rng = np.random.default_rng(0)
    scores = Scores(rng.normal(size=(60, 40)), rng.normal(size=(60, 1)), ("smile",))
    assert abs(scores.direction(SMILE).correlation) < 0.9  # noise is learnt by heart, and not found again


def test_what_a_recipe_leaves_alone_is_taken_off_as_far_as_the_floor_allows():
    codes, values, slopes = population(3)
    scores = Scores(codes, values, NAMES)
    others = scores.ridge("eyeglasses")
    plain = scores.direction(SMILE)
    free = scores.direction(replace(SMILE, leaves=("eyeglasses",), floor=-1.0))
    held = scores.direction(replace(SMILE, leaves=("eyeglasses",), floor=plain.correlation - 0.01))
    assert abs(free.vector @ others) < 1e-6 < abs(held.vector @ others) < abs(plain.vector @ others)
    assert held.correlation >= plain.correlation - 0.01 > free.correlation
    impossible = scores.direction(replace(SMILE, leaves=("eyeglasses",), floor=2.0))
    np.testing.assert_array_equal(impossible.vector, plain.vector)
    with pytest.raises(UsageError, match="'frown', which is not measured"):
        scores.direction(replace(SMILE, leaves=("frown",)))


class Faces(Population):
    """Faces whose score is a known function of the code; it saturates, as those of classifiers do."""

    def __init__(self, slopes: np.ndarray) -> None:
        self.measure = SimpleNamespace(names=tuple(POPULATION))
        self.codes = np.zeros((500, 18, 512))
        self.slopes = slopes  # [18, 512]

    def tried(self, delta, strengths):
        moved = np.tanh(strengths * (delta * self.slopes).sum() / 4) * 4  # [N] in standard deviations
        spreads = np.array([sd for _, sd in POPULATION.values()])
        leak = np.array([{"smile": 1.0, "age": -0.2}.get(name, 0.0) for name in self.measure.names])
        return moved[:, None] * leak * spreads, 1 - 0.1 * np.abs(strengths)


@given(st.floats(0.4, 2.5))
def test_the_recommended_strength_moves_its_score_as_its_unit_says(length):
    slopes = in_layers(np.ones(512) / 512, (3, 6))
    faces = Faces(slopes)
    delta = natural_unit(faces, length * in_layers(np.ones(512), (3, 6)), SMILE)
    assert faces.shift(1.5 * delta, "smile", 500) == pytest.approx(1.5 * SMILE.step, rel=0.07)
    assert not delta[:3].any()
    assert not delta[7:].any()
    with pytest.raises(VideditError, match="hardly moves"):
        natural_unit(faces, in_layers(np.ones(512), (9, 12)), SMILE)


def test_what_an_edit_drags_along_is_told():
    (recipe,) = read_recipes("smile")
    faces = Faces(in_layers(np.ones(512) / 512, recipe.layers))
    told = report(faces, in_layers(np.full(512, 0.1), recipe.layers), recipe, FittedDirection(np.ones(512), 0.8, 2.0))
    assert told["correlation"] == 0.8
    assert told["mahalanobis"] == pytest.approx(2 * 0.1 * 512**0.5, abs=1e-3)
    assert "smile" not in told["attribute_leakage"]
    assert told["moves"] > 0.3
    assert told["attribute_leakage"]["age"] == pytest.approx(-0.2 * told["moves"], abs=0.02)
    assert told["attribute_leakage"]["yaw"] == 0
    assert told["unit"] == POPULATION["smile"][1]
    assert 0.5 < told["identity"] < 1


def test_recipes_are_complete_and_move_scores_that_there_are():
    from videdit.geometry.face_regions import EDIT_REGIONS

    recipes = read_recipes()
    assert all(region in EDIT_REGIONS for info in shipped().values() for region in info.regions)
    assert {recipe.name for recipe in recipes} == set(shipped())
    assert all(recipe.score in POPULATION for recipe in recipes)
    with pytest.raises(UsageError, match="no recipe 'frown'"):
        read_recipes("frown")


def test_samples_are_the_generators_and_repeatable():
    codes = sample_codes(16, seed=3)
    assert codes.shape == (16, 512)
    assert np.isfinite(codes).all()
    np.testing.assert_array_equal(codes, sample_codes(16, seed=3))
    assert np.abs(codes - sample_codes(16, seed=4)).max() > 0.1


def test_recipes_leave_alone_only_scores_that_are_measured():
    for recipe in read_recipes():
        assert set(recipe.leaves) <= {*POPULATION, "skin_light", "skin_red", "background"}, recipe.name
        assert recipe.score not in recipe.leaves
    units = {recipe.name: recipe.step for recipe in read_recipes()}
    assert units["age"] == units["yaw"] == 1  # years, degrees
    assert units["smile"] == POPULATION["smile"][1]
