"""How a direction follows from scored codes, and how its length is set.

The scores' linear response to the code and the codes' covariance give, for each edit, the likeliest step that moves its
own score and leaves all others where they are (InterFaceGAN's conditional manipulation, Shen et al. 2020, for any
number of conditions at once). The step is applied to the layers that configs/edits names. Scores are not linear, and
layers do not share them evenly: so it is tried on some faces, and a step against what it drags along is taken off, a
few times over. Its length is set by applying it to 500 faces: strength 1 moves the score by one standard deviation of
the population on average, half of the faces forth, half back. What else it still moves, and how much of the identity it
leaves, is measured at the recommended strength.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import yaml

from videdit import resources
from videdit.edits.directions import in_layers
from videdit.errors import UsageError, VideditError
from videdit.metrics.attributes import POPULATION
from videdit.train.attributes import Measure
from videdit.train.common import load_generator

DUPLICATES = ("happy", "age_2nd")  # follow another score by their nature; second opinions for the report only
RIDGE = 0.02  # of the codes' mean variance, against noise in directions that codes hardly take
STIFFNESS = 0.01  # of a standard deviation squared: how much the other scores may give way


@dataclass(frozen=True)
class EditRecipe:
    """What configs/edits says of how an edit's direction is made."""

    name: str
    score: str  # the score that it moves
    free: tuple[str, ...]  # scores that may move with it
    freedom: float  # how far: 1 is as far as they like
    layers: tuple[int, int]
    recommended: float
    allowed: float  # of the own score's change, which a held one may take: to hold them all still costs likeness
    aims: tuple[tuple[str, float], ...] = ()  # scores, and how far in shares of the own one's change they shall go
    minus: EditRecipe | None = None  # of negative strengths, where these have a direction of their own


@dataclass(frozen=True)
class Response:
    """How codes vary, and how scores follow them; scores in standard deviations."""

    names: tuple[str, ...]
    covariance: np.ndarray  # [512, 512]
    slopes: np.ndarray  # [512, S]


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
        recipe = EditRecipe(
            name,
            values.get("score", name),
            tuple(values.get("free", ())),
            float(values.get("freedom", 1)),
            (values["layers"][0], values["layers"][1]),
            values["recommended"],
            float(values.get("allowed", 0.2)),
            aims_of(values),
        )
        if "minus" in values:
            back = replace(recipe, recommended=-recipe.recommended, aims=aims_of(values["minus"]))
            recipe = replace(recipe, minus=back)
        recipes.append(recipe)
    return recipes


def aims_of(values: dict[str, Any]) -> tuple[tuple[str, float], ...]:
    """What a recipe, or its part for negative strengths, says of other scores."""
    return tuple(values.get("aims", {}).items())


def sample_codes(count: int, seed: int) -> np.ndarray:
    """Codes [count, 512] of the generator's population, truncated by a psi between 0.5 and 1."""
    mapping, _ = load_generator()
    rng = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        w = mapping(torch.randn(count, 512, generator=rng))
        mean = mapping(torch.randn(4096, 512, generator=rng)).mean(0)
        psi = 0.5 + 0.5 * torch.rand(count, 1, generator=rng)
        return (mean + psi * (w - mean)).numpy()


def fit(codes: np.ndarray, scores: np.ndarray, names: tuple[str, ...]) -> Response:
    """Linear regression of the scores [N, S] on the codes [N, 512]."""
    x = codes.astype(np.float64) - codes.mean(0)
    y = (scores - scores.mean(0)) / scores.std(0)
    covariance = x.T @ x / len(x)
    ridge = RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return Response(names, covariance, np.linalg.solve(covariance + ridge, x.T @ y / len(x)))


def conditional(response: Response, score: str, free: tuple[str, ...] = (), freedom: float = 1) -> np.ndarray:
    """The likeliest step [512] that raises a score by one standard deviation and moves none but the free ones.

    freedom: from 0, where those are held like all others, to 1, where they go as far as they go by themselves.
    With C the covariance and B the slopes of the scores that count, it is C B (B' C B)^-1 e: the shortest such step in
    the codes' own (Mahalanobis) length, or the mean of codes given those scores.
    """
    if free and freedom < 1:
        return freedom * conditional(response, score, free) + (1 - freedom) * conditional(response, score)
    wanted = {name: 0.0 for name in response.names if name not in (*free, *DUPLICATES)}
    return likeliest(response, wanted | {score: 1.0})


def likeliest(response: Response, wanted: dict[str, float]) -> np.ndarray:
    """The likeliest step [512] that moves these scores so far, in standard deviations, whatever it does to others."""
    counted = [response.names.index(name) for name in wanted]
    slopes = response.slopes[:, counted]
    spread = response.covariance @ slopes  # [512, S']
    gram = slopes.T @ spread + STIFFNESS * np.eye(len(counted))
    return spread @ np.linalg.solve(gram, np.array(list(wanted.values())))


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
        """How far `delta` moves a score on average, in standard deviations: half of the faces forth, half back."""
        signs = np.where(np.arange(count) % 2, -1.0, 1.0)
        change, _ = self.tried(delta, signs)
        return float((signs * change[:, self.measure.names.index(score)]).mean()) / POPULATION[score][1]


def natural_unit(population: Population, step: np.ndarray, score: str, probes: int = 96) -> np.ndarray:
    """A step [18, 512] made so long that it moves its score by one standard deviation.

    Raises:
        VideditError: it does not move it.
    """
    length, power, last = 1.0, 1.0, None
    for count in (probes, probes, probes, len(population.codes)):
        shift = population.shift(length * step, score, count)
        if shift < 0.05:
            raise VideditError(f"the direction of {score} hardly moves its score ({shift:.2f} standard deviations)")
        if last and length != last[0]:  # scores saturate: shift ~ length ** power
            power = float(np.clip(np.log(shift / last[1]) / np.log(length / last[0]), 0.4, 1.5))
        last = length, shift
        length *= float(np.clip(shift ** (-1 / power), 0.3, 3.0))
    return length * step


def cleaned(
    population: Population, response: Response, recipe: EditRecipe, probes: int = 96, rounds: int = 4
) -> np.ndarray:
    """The step [18, 512] of a recipe, without what it drags along beyond what is allowed, or beside its aims."""
    step = conditional(response, recipe.score, recipe.free, recipe.freedom)
    held = [name for name in response.names if name not in (*recipe.free, *DUPLICATES)]
    spreads = population.scores.std(axis=0)
    for _ in range(rounds):
        shift = population.shift(in_layers(step, recipe.layers), recipe.score, probes)
        strength = recipe.recommended / max(shift, 0.1)  # of this step, whose length is not yet set
        change, _ = population.tried(strength * in_layers(step, recipe.layers), np.ones(probes))
        drift = dict(zip(population.measure.names, change.mean(axis=0) / spreads, strict=True))
        own = float(drift[recipe.score])
        limit = recipe.allowed * abs(own)
        moved = {name: float(drift[name] - np.clip(drift[name], -limit, limit)) for name in held}
        moved |= {name: float(drift[name]) - share * own for name, share in recipe.aims}
        step = step - likeliest(response, moved | {recipe.score: 0.0}) / strength
    return in_layers(step, recipe.layers)


def report(population: Population, delta: np.ndarray, recipe: EditRecipe, count: int = 200) -> dict:
    """What the recommended strength does: the other scores' changes in standard deviations, and identity."""
    change, identity = population.tried(delta, np.full(min(count, len(population.codes)), recipe.recommended))
    moved = {
        name: round(float(change[:, population.measure.names.index(name)].mean()) / sd, 2)
        for name, (_, sd) in POPULATION.items()
    }
    own = moved.pop(recipe.score)
    return {
        "unit": POPULATION[recipe.score][1],
        "moves": own,
        "drags": moved if recipe.score == "smile" else {k: v for k, v in moved.items() if k != "happy"},
        "identity": round(float(identity.mean()), 3),
    }
