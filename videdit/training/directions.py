"""Derive the edits' directions from the generator alone: codes are sampled, rendered and scored; see derive.py.

Not trained in steps, but it keeps the same promises: it stops at its budget, what is done by then is usable, and
``--resume`` goes on with what is missing, to the same numbers.
"""

from __future__ import annotations

import argparse
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videdit import paths
from videdit.edits.catalogue import SHIPPED
from videdit.edits.direction_files import NUM_LAYERS, read_note, write_directions
from videdit.edits.directions import in_layers
from videdit.errors import UsageError
from videdit.evaluation.sheet import contact_sheet, write_sheet
from videdit.hfgi.loader import load_generator
from videdit.hfgi.population import sample_codes
from videdit.storage.outputs import written_whole
from videdit.training.attributes import Measure
from videdit.training.derive import EditRecipe, Population, Scores, natural_unit, read_recipes, report

SCORES = "scores.npz"
PART = 200  # faces that are scored between two looks at the clock
SHOWN = 6  # faces on a sheet


@dataclass
class Recipe:
    """configs/train/directions.yaml; the defaults are what shipped."""

    samples: int = 20000  # faces to fit on
    population: int = 300  # faces to set lengths and measure attribute leakage on
    probes: int = 96  # of them, for the first guesses of a length
    lengths: str = "units"  # of a strength of 1: "units" by what it moves; "shipped": those that ship keep theirs
    only: str = ""  # edits of configs/edits, joined by commas; the others stay as they ship
    seed: int = 0


def run(recipe: Recipe, out: Path, options: argparse.Namespace) -> None:
    """Make the directions of all recipes (or those named) and write out/directions.safetensors.

    Raises:
        UsageError: there are directions in `out` and they are not to be resumed, or the recipe is none.
    """
    from safetensors.numpy import load_file

    from videdit.training.common import prepare

    if recipe.lengths not in ("units", "shipped"):
        raise UsageError(f"lengths: {recipe.lengths} is neither units nor shipped")
    end = time.monotonic() + options.time_budget
    edits = read_recipes(recipe.only)
    target, shipped = out / SHIPPED, paths.weights_dir() / SHIPPED
    if (target.exists() or (out / SCORES).exists()) and not options.resume:
        raise UsageError(f"{out} holds directions already: add --resume to go on, or choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    device = prepare(options.device, options.threads)
    measure = Measure(load_generator(device)[1], device, options.threads or 1)
    scored = score(out / SCORES, measure, sample_codes(recipe.samples, recipe.seed), end)
    if scored is None:
        return unfinished(f"{recipe.samples} faces are not scored yet")
    scores = Scores(*scored, measure.names)
    kept = load_file(shipped) if recipe.lengths == "shipped" else {}
    directions: dict[str, np.ndarray] = {}
    note: dict[str, Any] = {}
    if target.exists():
        directions, note = load_file(target), read_note(target)
    made = set(note.get("made", ()))
    if recipe.only and not target.exists() and shipped.exists():
        directions, note = load_file(shipped), read_note(shipped)
    population = Population(measure, layered(sample_codes(recipe.population, recipe.seed + 1)))
    for edit in edits:
        if edit.name in made:
            continue
        if time.monotonic() > end:
            return unfinished(f"{len(made)} of {len(edits)} directions are made")
        fitted = scores.direction(edit)
        delta = in_layers(fitted.vector, edit.layers)
        if edit.name in kept:
            delta *= np.linalg.norm(kept[edit.name].astype(float)) / np.linalg.norm(fitted.vector)
        else:
            delta = natural_unit(population, delta, edit, recipe.probes)
        directions[edit.name] = delta[edit.layers[0]].astype(np.float16)
        made.add(edit.name)
        note |= {edit.name: report(population, delta, edit, fitted), "made": sorted(made), "samples": len(scored[0])}
        write_directions(target, directions, note)
        write_sheet(out / "sheets" / f"{edit.name}.png", shown(population, delta, edit))
        print(edit.name, f"length {np.linalg.norm(delta[edit.layers[0]]):.3f}", note[edit.name], flush=True)


def layered(codes: np.ndarray) -> np.ndarray:
    """[N, 512] -> [N, 18, 512]"""
    return np.repeat(codes[:, None], NUM_LAYERS, 1)


def unfinished(words: str) -> None:
    """Tell that the budget ended before the work did."""
    print(f"the time is up: {words}; --resume goes on", file=sys.stderr)


def score(cache: Path, measure: Measure, codes: np.ndarray, end: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Codes [N, 512] and their scores [N, S], kept in `cache` so that they are made once; None where time runs out."""
    known = read_scores(cache, measure.names, codes)
    for part in parts(len(known), len(codes)):
        if time.monotonic() > end:
            return None
        known = np.concatenate((known, measure.scores(measure.images(layered(codes[part])))[0]))
        with written_whole(cache) as written:
            np.savez(written, names=measure.names, codes=codes, scores=known)
        print(f"scored {len(known)} of {len(codes)}", flush=True)
    return codes, known


def read_scores(cache: Path, names: tuple[str, ...], codes: np.ndarray) -> np.ndarray:
    """The scores [n, S] of the first n codes that are in the cache; none where it is of other codes or scores."""
    try:
        with np.load(cache, allow_pickle=False) as file:
            if tuple(file["names"]) == names and np.array_equal(file["codes"], codes):
                return file["scores"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there, or damaged: score anew
    return np.zeros((0, len(names)), np.float32)


def parts(first: int, count: int) -> Iterator[slice]:
    """Slices of PART rows, from `first` up to `count`."""
    for start in range(first, count, PART):
        yield slice(start, min(start + PART, count))


def shown(population: Population, delta: np.ndarray, edit: EditRecipe) -> np.ndarray:
    """Faces without the edit, and with the recommended strength of delta [512] both ways."""
    strengths = (-edit.recommended, 0.0, edit.recommended)
    columns = []
    for strength in strengths:
        images = population.measure.images(population.codes[:SHOWN] + strength * delta).transpose(0, 2, 3, 1)
        columns.append((images * 127.5 + 127.5).clip(0, 255).astype(np.uint8))
    return contact_sheet(list(zip(*columns, strict=True)), [f"{edit.name}={strength:g}" for strength in strengths])
