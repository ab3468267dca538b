"""Let trained weights ship if they are better than those that do.

Candidate and shipped weights are judged alike, each by ``videdit eval`` with a folder of weights of its own, on the
validation faces, which no training saw. What decides is never what the network was trained against: identity is
mobileface's, where trainings look at faceres.

A candidate is better if the deciding figure of its rule improves by more than ``MARGIN``, and each figure that it must
keep gets worse by no more than its tolerance.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from videdit import paths, weights
from videdit.errors import VideditError, WeightsError
from videdit.evaluation.card import put_table
from videdit.evaluation.report import Value, mean_row
from videdit.storage.outputs import written_whole

CARD = "MODEL_CARD.md"
MARGIN = 0.002  # what a deciding figure must gain: less is chance
MEAN = "mean"  # the row that is added to an evaluation: its columns' means


@dataclass(frozen=True)
class Figure:
    """A figure of an evaluation, and by how much it may get worse."""

    row: str
    column: str
    tolerance: float = 0.0
    better: int = 1  # 1: higher is better, -1: lower


@dataclass(frozen=True)
class Rule:
    """How one recipe's candidates are judged."""

    part: str  # of videdit eval, and of the model card
    decides: Figure
    keeps: tuple[Figure, ...]
    parameters: int | None = None  # at most


RULES = {
    "encoder": Rule(
        "inversion",
        Figure("encoder only", "mobileface"),
        # The networks that come after it were trained with its predecessor, so they may lose a little.
        (Figure("encoder only", "psnr_face", 0.3), Figure("HFGI", "mobileface", 0.01)),
        parameters=7_500_000,
    ),
    "hfgi": Rule(
        "inversion",
        Figure("HFGI", "mobileface"),
        (Figure("HFGI", "psnr_face", 0.2), Figure("HFGI", "perceptual", 0.02, -1)),
    ),
    "head256": Rule(
        "inversion",
        Figure("HFGI", "mobileface"),
        (Figure("HFGI", "psnr_face", 0.0), Figure("encoder only", "mobileface", 0.005)),
    ),
    "directions": Rule(
        "edit",
        Figure(MEAN, "mean leak", better=-1),
        (Figure(MEAN, "sd", 0.05), Figure(MEAN, "mobileface", 0.01)),
    ),
    "parser": Rule(
        "parser",
        Figure("mean of the 11 common", "IoU"),
        (Figure("mean of all", "IoU", 0.02), Figure("skin", "IoU", 0.005)),
        parameters=1_500_000,
    ),
    "restorer": Rule(
        "restorer",
        Figure("gain", "psnr"),
        (Figure("restorer", "mobileface", 0.0), Figure("restorer", "perceptual", 0.02, -1)),
        parameters=1_500_000,
    ),
}
FILES = {"head256": "generator_head256"}  # where the weights' name is not the recipe's


@dataclass(frozen=True)
class Provenance:
    """What the manifest says of weights; None keeps what it says of those that they replace."""

    licence: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate is better, and why."""

    better: bool
    words: str  # one line


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `promote`."""
    parser.add_argument("what", choices=tuple(RULES), metavar="RECIPE", help=", ".join(RULES))
    parser.add_argument(
        "--candidate",
        type=Path,
        required=True,
        metavar="FILE",
        help="the trained weights, e.g. runs/encoder/encoder.safetensors",
    )
    parser.add_argument(
        "--faces", type=Path, metavar="DIR", help="folder of aligned faces (default: that of videdit eval)"
    )
    parser.add_argument("--range", metavar="A:B", help="which of the faces (default: 950:1000, as videdit eval)")
    parser.add_argument(
        "--weights",
        type=Path,
        default=paths.weights_dir(),
        metavar="DIR",
        help="folder of the weights that ship (default: weights/)",
    )
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="where the networks run: auto (default), cpu, cuda or cuda:N"
    )
    parser.add_argument(
        "--licence", metavar="NAME", help="licence of the weights, SPDX name or words; needed where none ship yet"
    )
    parser.add_argument("--source", metavar="WORDS", help="where the weights come from; needed where none ship yet")


def run(options: argparse.Namespace) -> None:
    """Judge, and promote or not.

    Raises:
        WeightsError: the candidate cannot ship at all.
        VideditError: it is not better, or the evaluation failed. weights/ is untouched then.
    """
    words = ["--device", options.device]
    words += ["--faces", str(options.faces)] if options.faces else []
    words += ["--range", options.range] if options.range else []
    provenance = Provenance(options.licence, options.source)
    verdict = promote(options.what, options.candidate, options.weights, words, provenance)
    if not verdict.better:
        raise VideditError(f"{options.candidate} is not promoted: {verdict.words}")
    print(f"{options.candidate} is promoted: {verdict.words}")


def promote(
    recipe: str, candidate: Path, folder: Path, words: Sequence[str] = (), provenance: Provenance | None = None
) -> Verdict:
    """Judge a candidate against what `folder` holds, and put it there if it is better: file, manifest, model card.

    Where `folder` holds no such weights yet, any that can ship are better. words: more options for ``videdit eval``.
    """
    rule, name = RULES[recipe], FILES.get(recipe, recipe)
    check(candidate, folder / f"{name}.safetensors", rule)
    with tempfile.TemporaryDirectory() as trial_folder:
        trial = trial_weights(Path(trial_folder), folder, name, candidate, provenance or Provenance())
        found = evaluate(rule.part, trial, words)
        verdict = Verdict(True, f"{rule.decides.row}, {rule.decides.column}: {number(found, rule.decides):.4f}")
        if (folder / f"{name}.safetensors").exists():
            verdict = decide(rule, found, evaluate(rule.part, folder, words))
        if verdict.better:
            # All three files are whole before the first is put in place.
            put_table(trial / CARD, rule.part, [row for row in found if MEAN not in row.values()])
            for file in (f"{name}.safetensors", weights.MANIFEST, CARD):
                install(trial / file, folder)
    return verdict


def check(candidate: Path, shipped: Path, rule: Rule) -> None:
    """What any candidate has to be.

    Raises:
        WeightsError: it is too large, has too many parameters, is not fp16, or not the network that it replaces.
    """
    found = tensors(candidate)
    wanted = tensors(shipped) if shipped.exists() else found
    if (size := candidate.stat().st_size) > weights.LARGEST:
        raise WeightsError(f"{candidate} has {size / 2**20:.1f} MiB; a weight file has at most {weights.LARGEST >> 20}")
    if rule.part != "edit" and found != wanted:
        different = sorted(k for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k))
        raise WeightsError(f"{candidate} is not of the kind of {shipped.name}: {different[0]} differs")
    if rule.part == "edit" and (missing := sorted(wanted.keys() - found.keys())):
        raise WeightsError(f"{candidate} has no direction {missing[0]!r}, which ships")
    total = sum(count for _, _, count in found.values())
    if rule.parameters and total > rule.parameters:
        raise WeightsError(f"{candidate} has {total:,} parameters; at most {rule.parameters:,} ship")


def tensors(path: Path) -> dict[str, tuple[str, tuple[int, ...], int]]:
    """Type, shape and count of numbers of every tensor of a file. Raises WeightsError where it is no weight file."""
    found = {}
    try:
        with safe_open(path, framework="numpy") as file:
            for key in file.keys():  # noqa: SIM118 - it is no mapping
                part = file.get_slice(key)
                shape = tuple(part.get_shape())
                found[key] = (part.get_dtype(), shape, math.prod(shape))
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} is not a weight file ({' '.join(str(error).split())[:100]})") from None
    return found


def trial_weights(trial: Path, folder: Path, name: str, candidate: Path, provenance: Provenance) -> Path:
    """A folder of weights like `folder`, with the candidate in its place."""
    copied = (weights.MANIFEST, CARD)
    for file in folder.iterdir():
        if file.name in copied:
            shutil.copyfile(file, trial / file.name)
        elif file.name != f"{name}.safetensors":
            (trial / file.name).symlink_to(file.resolve())
    shutil.copyfile(candidate, trial / f"{name}.safetensors")
    weights.record(trial, [trial / f"{name}.safetensors"], provenance.licence, provenance.source)
    return trial


def install(file: Path, folder: Path) -> None:
    """Put a file into a folder, whole or not at all."""
    try:
        with written_whole(folder / file.name) as written:
            shutil.copyfile(file, written)
    except OSError as error:
        raise WeightsError(f"cannot write {folder / file.name}: {error.strerror}") from None


def evaluate(part: str, folder: Path, words: Sequence[str]) -> list[dict[str, Value]]:
    """The rows of ``videdit eval <part>`` with the weights of a folder, and the row of their means."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "rows.json"
        command = [sys.executable, "-m", "videdit", "eval", part, "--json", str(out), *words]
        environment = os.environ | {"VIDEDIT_SHIPPED": str(folder.resolve())}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no word why"])[-1]
            raise VideditError(f"the weights in {folder} could not be judged: {said}")
        rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    for row in rows:  # JSON has no infinity: the PSNR of equal pictures
        row.update({key: math.inf for key in ("psnr", "psnr_face") if key in row and row[key] is None})
    return [*rows, mean_row(MEAN, rows)] if part == "edit" else rows


def decide(rule: Rule, found: Sequence[Mapping[str, Value]], shipped: Sequence[Mapping[str, Value]]) -> Verdict:
    """Whether the rows of a candidate are better than those of what ships."""
    new, old = number(found, rule.decides), number(shipped, rule.decides)
    words = f"{rule.decides.row}, {rule.decides.column}: {old:.4f} -> {new:.4f}"
    if (new - old) * rule.decides.better <= MARGIN:
        return Verdict(False, f"{words}, where it must gain more than {MARGIN}")
    for figure in rule.keeps:
        new, old = number(found, figure), number(shipped, figure)
        kept = f"{figure.row}, {figure.column}: {old:.4f} -> {new:.4f}"
        if (old - new) * figure.better > figure.tolerance:
            return Verdict(False, f"{words}, but {kept}, where it may lose {figure.tolerance}")
        words += f"; {kept}"
    return Verdict(True, words)


def number(rows: Sequence[Mapping[str, Value]], figure: Figure) -> float:
    """A figure's value. Raises VideditError where the evaluation has none."""
    for row in rows:
        value = row.get(figure.column)
        if next(iter(row.values())) == figure.row and isinstance(value, (int, float)):
            return float(value)
    raise VideditError(f"the evaluation has no {figure.column} of {figure.row!r}")
