"""How a direction follows from scored codes, and how its length is set.

A score y (standardised) is regressed on codes x (centred) of the generator's own samples, with a ridge:

    v = (X'X / n + r I)^-1 X'y / n,   then of unit length

Of the ridges r tried, the largest is taken whose v still tells the score of held-out codes almost as well as the best
does. A larger ridge draws v towards the codes' own principal axes, so that a step along it stays where codes are: its
Mahalanobis length, written beside it, is small. A first set of directions was cleaned of all that it leaked into
instead; they lost their attribute (correlation .34 to .69) and left the codes' manifold (skin turned purple).

What a direction leaks into is taken off only by name (``leaves`` in configs/edits), by projection onto what is
orthogonal to those scores' own directions, and only as far as the correlation with its own score stays above a floor.
The step is applied to the layers that configs/edits names; its length is set by trying it on faces: at the recommended
strength, forth and back, the score moves as far as the edit's unit says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from videdit import paths as resources
from videdit.errors import UsageError, VideditError
from videdit.evaluation.attributes import POPULATION
from videdit.training.attributes import Measure

RIDGES = (0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)  # a code's mean variance is 0.11
SLACK = 0.03  # of correlation that a larger ridge may cost
HELD = 0.15  # share of the scored codes that no direction is fitted on: correlations are theirs
TAILS = (0.5, 99.5)  # percentiles that scores are clipped to: a few faces are scored absurdly


@dataclass(frozen=True)
class EditRecipe:
    """What configs/edits says of how an edit's direction is made."""

    name: str
    score: str  # the score that it moves
    layers: tuple[int, int]
    recommended: float
    step: float  # how far strength 1 moves the score, in the score's own unit
    leaves: tuple[str, ...] = ()  # scores whose directions are taken off, as far as `floor` allows
    floor: float = 0.8  # correlation with the own score that must be left


@dataclass(frozen=True)
class FittedDirection:
    """A direction and what is known of it."""

    vector: np.ndarray  # [512], unit length
    correlation: float  # with its score, over codes that it was not fitted on
    mahalanobis: float  # length of the vector in the codes' principal axes


class Scores:
    """Scored codes of the generator's samples, and the directions that follow from them."""

    def __init__(self, codes: np.ndarray, scores: np.ndarray, names: tuple[str, ...]) -> None:
        """codes: [N, W]; scores: [N, S], one column a name."""
        self.names = names
        x = codes.astype(np.float64) - codes.mean(0)
        y = (scores - scores.mean(0)) / (scores.std(0) + 1e-9)
        y = np.clip(y, *np.percentile(y, TAILS, axis=0)).astype(np.float64)
        fitted = len(x) - max(1, round(HELD * len(x)))
        self._held, self._held_scores = x[fitted:], y[fitted:]
        self.covariance = x[:fitted].T @ x[:fitted] / fitted
        self._moments = x[:fitted].T @ y[:fitted] / fitted  # [W, S]
        floor = 1e-4 * np.trace(self.covariance) / len(self.covariance) * np.eye(len(self.covariance))
        self._precision = np.linalg.inv(self.covariance + floor)
        self._known: dict[str, np.ndarray] = {}

    def ridge(self, name: str) -> np.ndarray:
        """The unit direction [W] of a score, by the largest ridge that costs it no more than SLACK."""
        if name not in self._known:
            moments, eye = self._moments[:, self.names.index(name)], np.eye(len(self.covariance))
            tried = [unit(np.linalg.solve(self.covariance + r * eye, moments)) for r in RIDGES]
            correlations = [self.correlation(vector, name) for vector in tried]
            good = [v for v, c in zip(tried, correlations, strict=True) if c >= max(correlations) - SLACK]
            self._known[name] = good[-1]
        return self._known[name]

    def correlation(self, vector: np.ndarray, name: str) -> float:
        """Of the coordinate along a direction [512] with a score, over held codes."""
        return float(np.corrcoef(self._held @ vector, self._held_scores[:, self.names.index(name)])[0, 1])

    def direction(self, recipe: EditRecipe) -> FittedDirection:
        """The direction of an edit, without what its recipe leaves alone, as far as its floor allows.

        Raises:
            UsageError: a score that the recipe names is not measured.
        """
        for name in (recipe.score, *recipe.leaves):
            if name not in self.names:
                raise UsageError(f"the edit {recipe.name} names the score {name!r}, which is not measured")
        vector = self.ridge(recipe.score)
        if recipe.leaves:
            others = np.linalg.qr(np.stack([self.ridge(name) for name in recipe.leaves], 1))[0]  # [W, n], orthonormal
            along = others @ (others.T @ vector)
            shares = np.linspace(1, 0, 21)  # of it that is taken off
            candidates = [unit(vector - share * along) for share in shares]
            enough = [c for c in candidates if self.correlation(c, recipe.score) >= recipe.floor]
            vector = enough[0] if enough else vector
        return FittedDirection(vector, self.correlation(vector, recipe.score), self.mahalanobis(vector))

    def mahalanobis(self, vector: np.ndarray) -> float:
        """How many standard deviations of the codes a step [512] is long."""
        return float(np.sqrt(vector @ self._precision @ vector))


def unit(vector: np.ndarray) -> np.ndarray:
    """The same, [512], with length 1."""
    return vector / np.linalg.norm(vector)


def read_recipes(only: str = "") -> list[EditRecipe]:
    """The recipes of configs/edits, or those of the names in `only`.

    Raises:
        UsageError: there is no recipe of a name.
    """
    paths = {path.stem: path for path in sorted((resources.configs_dir() / "edits").glob("*.yaml"))}
    names = only.split(",") if only else list(paths)
    recipes = []
    for name in names:
        if name not in paths:
            raise UsageError(f"no recipe {name!r} in configs/edits; there is: {', '.join(paths)}")
        values = yaml.safe_load(paths[name].read_text(encoding="utf-8"))
        score = values.get("score", name)
        recipes.append(
            EditRecipe(
                name,
                score,
                (values["layers"][0], values["layers"][1]),
                float(values["recommended"]),
                float(values.get("step", POPULATION[score][1])),
                tuple(values.get("leaves", ())),
                float(values.get("floor", 0.8)),
            )
        )
    return recipes


class Population:
    """Faces that edits are tried on."""

    def __init__(self, measure: Measure, codes: np.ndarray) -> None:
        """codes: [N, 18, 512], the faces."""
        self.measure, self.codes = measure, codes
        self.scores, self.identity = measure.scores(measure.images(self.codes))

    def tried(self, delta: np.ndarray, strengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores' changes [N, S] and identity cosines [N] of the first N faces, each edited with its own strength."""
        count = len(strengths)
        codes = self.codes[:count] + strengths[:, None, None] * delta
        scores, identity = self.measure.scores(self.measure.images(codes))
        return scores - self.scores[:count], (identity * self.identity[:count]).sum(1)

    def shift(self, delta: np.ndarray, score: str, count: int) -> float:
        """How far `delta` [512] moves a score on average, in the score's unit: half of the faces forth, half back."""
        signs = np.where(np.arange(count) % 2, -1.0, 1.0)
        change, _ = self.tried(delta, signs)
        return float((signs * change[:, self.measure.names.index(score)]).mean())


def natural_unit(population: Population, step: np.ndarray, recipe: EditRecipe, probes: int = 96) -> np.ndarray:
    """A step [18, 512] made so long that the recommended strength of it moves the score as far as its unit says.

    Raises:
        VideditError: it does not move it.
    """
    strength = abs(recipe.recommended)
    wanted = strength * recipe.step
    length, power, last = 3.0 / strength, 1.0, None
    for count in (probes, probes, probes, len(population.codes)):
        share = population.shift(strength * length * step, recipe.score, count) / wanted
        if share < 0.05:
            raise VideditError(f"the direction of {recipe.name} hardly moves its score ({share:.2f} of its unit)")
        if last and length != last[0]:  # scores saturate: share ~ length ** power
            power = float(np.clip(np.log(share / last[1]) / np.log(length / last[0]), 0.4, 1.5))
        last = length, share
        length *= float(np.clip(share ** (-1 / power), 0.3, 3.0))
    return length * step


def report(
    population: Population, delta: np.ndarray, recipe: EditRecipe, fitted: FittedDirection, count: int = 200
) -> dict[str, Any]:
    """What is known of an edit, delta [512]: correlation, length, what the recommended strength does to scores."""
    change, identity = population.tried(delta, np.full(min(count, len(population.codes)), recipe.recommended))
    moved = {
        name: round(float(change[:, population.measure.names.index(name)].mean()) / sd, 2)
        for name, (_, sd) in POPULATION.items()
    }
    own = moved.pop(recipe.score)
    length = float(np.linalg.norm(delta[recipe.layers[0]]))
    return {
        "unit": recipe.step,
        "moves": own,
        "attribute_leakage": moved if recipe.score == "smile" else {k: v for k, v in moved.items() if k != "happy"},
        "identity": round(float(identity.mean()), 3),
        "correlation": round(fitted.correlation, 3),
        "mahalanobis": round(length * fitted.mahalanobis, 4),
    }
