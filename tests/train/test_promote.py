"""Promotion: better weights get in, others change nothing."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from synthetic import ROOT

from videdit import weights
from videdit.cli.train import main
from videdit.errors import VideditError, WeightsError
from videdit.training.promote import MARGIN, RULES, Provenance, check, decide, promote, trial_weights

INVERSION = [
    {"inversion": "encoder only", "psnr_face": 17.0, "perceptual": 0.83, "mobileface": 0.46},
    {"inversion": "HFGI", "psnr_face": 25.0, "perceptual": 0.46, "mobileface": 0.92},
]
EDIT = [{"edit": "smile=1.5", "mean leak": 0.1}, {"edit": "mean", "mean leak": 0.1, "sd": 1.5, "mobileface": 0.8}]


def changed(rows: list[dict], row: str, **values: float) -> list[dict]:
    return [{**r, **(values if row in r.values() else {})} for r in rows]


@pytest.mark.parametrize(
    ("recipe", "row", "values", "better"),
    [
        ("encoder", "encoder only", {}, False),
        ("encoder", "encoder only", {"mobileface": 0.46 + MARGIN / 2}, False),  # chance
        ("encoder", "encoder only", {"mobileface": 0.48}, True),
        ("encoder", "encoder only", {"mobileface": 0.48, "psnr_face": 16.8}, True),  # within its tolerance
        ("encoder", "encoder only", {"mobileface": 0.48, "psnr_face": 16.6}, False),
        ("encoder", "HFGI", {"mobileface": 0.99}, False),  # not what decides on an encoder
        ("hfgi", "HFGI", {"mobileface": 0.93}, True),
        ("hfgi", "HFGI", {"mobileface": 0.93, "perceptual": 0.49}, False),  # lower is better there
        ("hfgi", "HFGI", {"mobileface": 0.93, "perceptual": 0.30}, True),
        ("hfgi", "HFGI", {"mobileface": 0.90}, False),
        ("head256", "HFGI", {"mobileface": 0.93, "psnr_face": 24.99}, False),
        ("directions", "mean", {"mean leak": 0.05}, True),
        ("directions", "mean", {"mean leak": 0.15}, False),
        ("directions", "mean", {"mean leak": 0.05, "sd": 1.0}, False),
        ("directions", "smile=1.5", {"mean leak": 0.0}, False),
    ],
)
def test_what_is_better(recipe: str, row: str, values: dict[str, float], better: bool) -> None:
    rows = EDIT if recipe == "directions" else INVERSION
    verdict = decide(RULES[recipe], changed(rows, row, **values), rows)
    assert verdict.better is better
    assert "\n" not in verdict.words


def test_a_figure_that_is_missing_promotes_nothing() -> None:
    with pytest.raises(VideditError, match="no mobileface"):
        decide(RULES["encoder"], [{"inversion": "encoder only", "mobileface": None}], INVERSION)


@pytest.fixture
def shipped() -> Path:
    return ROOT / "weights" / "encoder.safetensors"


@pytest.mark.parametrize("fault", ["larger", "float32", "fewer", "no file", "text"])
def test_what_cannot_ship_is_refused_before_it_is_judged(tmp_path: Path, shipped: Path, fault: str) -> None:
    path = tmp_path / "encoder.safetensors"
    state = load_file(shipped)
    if fault == "larger":
        state["padding"] = torch.zeros(2 * 2**20, dtype=torch.float16)
    elif fault == "float32":
        state["to_w.bias"] = state["to_w.bias"].float()
    elif fault == "fewer":
        del state["to_w.bias"]
    if fault == "text":
        path.write_text("weights")
    elif fault != "no file":
        save_file(state, path)
    with pytest.raises(WeightsError, match=r"encoder\.safetensors") as caught:
        check(path, shipped, RULES["encoder"])
    assert "\n" not in str(caught.value)
    assert (fault == "larger") == ("MiB" in str(caught.value))


def test_an_encoder_has_at_most_so_many_parameters(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    save_file({"weight": torch.zeros(7_500_001, dtype=torch.float16)}, path)
    with pytest.raises(WeightsError, match="7,500,001 parameters"):
        check(path, path, RULES["encoder"])


def test_directions_may_be_more_but_not_fewer(tmp_path: Path) -> None:
    path, shipped = tmp_path / "directions.safetensors", ROOT / "weights" / "directions.safetensors"
    state = load_file(shipped)
    save_file(state | {"frown": -state["smile"]}, path)
    check(path, shipped, RULES["directions"])
    del state["smile"]
    save_file(state, path)
    with pytest.raises(WeightsError, match="no direction 'smile'"):
        check(path, shipped, RULES["directions"])


@pytest.mark.extra("judges")
def test_worse_weights_stay_out_and_better_ones_get_in(
    tmp_path: Path, people: list[np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    """The encoder that ships and one that is spoilt, on faces of people who do not exist."""
    faces, folder = tmp_path / "faces", tmp_path / "weights"
    faces.mkdir()
    for i, person in enumerate(people):
        cv2.imwrite(str(faces / f"{i}.png"), person[:, :, ::-1])
    shutil.copytree(ROOT / "weights", folder)
    good, spoilt = folder / "encoder.safetensors", tmp_path / "spoilt.safetensors"
    state = load_file(good)
    state["to_w.bias"] = state["to_w.bias"] + 0.3 * torch.randn(512, generator=torch.manual_seed(0)).half()
    save_file(state, spoilt)
    words = ["promote", "encoder", "--faces", str(faces), "--range", "0:2", "--weights", str(folder), "--device", "cpu"]

    before = snapshot(folder)
    assert main([*words, "--candidate", str(spoilt)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "is not promoted" in said
    assert "mobileface" in said
    assert snapshot(folder) == before

    better = tmp_path / "better.safetensors"
    shutil.copy(good, better)
    shutil.copy(spoilt, good)  # now the spoilt ones ship
    weights.record(folder, [good])
    assert main([*words, "--candidate", str(better)]) == 0
    assert "is promoted" in capsys.readouterr().out
    assert good.read_bytes() == better.read_bytes()
    entry = weights.manifest(folder)["encoder"]
    assert entry.sha256 == hashlib.sha256(better.read_bytes()).hexdigest()
    assert entry.licence == weights.manifest(ROOT / "weights")["encoder"].licence
    old, new = (path.read_text() for path in (ROOT / "weights" / "MODEL_CARD.md", folder / "MODEL_CARD.md"))
    assert table_of(new) != table_of(old)
    assert "| exact |" in table_of(new)
    assert new.replace(table_of(new), "") == old.replace(table_of(old), "")  # nothing else in the card


def snapshot(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def table_of(card: str) -> str:
    return card.partition("<!-- videdit eval inversion -->")[2].partition("<!-- end -->")[0]


def test_the_first_of_their_kind_need_their_words_and_only_their_limits(tmp_path: Path, shipped: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(ROOT / "weights", folder)
    weights.forget(folder, ["encoder"])
    (folder / "encoder.safetensors").unlink()
    check(shipped, folder / "encoder.safetensors", RULES["encoder"])
    with pytest.raises(WeightsError, match="--licence"):
        trial_weights(tmp_path, folder, "encoder", shipped, Provenance())
    trial = tmp_path / "trial"
    trial.mkdir()
    trial_weights(trial, folder, "encoder", shipped, Provenance("CC0-1.0", "a test"))
    assert weights.verified("encoder", trial) == trial / "encoder.safetensors"
    assert {file.name for file in trial.iterdir()} == {file.name for file in (ROOT / "weights").iterdir()}
    assert weights.load_state("facemesh", trial).keys() == weights.load_state("facemesh").keys()


@pytest.mark.parametrize("recipe", list(RULES))
def test_every_recipe_can_be_promoted(recipe: str) -> None:
    with pytest.raises(WeightsError, match="not a weight file"):
        promote(recipe, Path("nowhere.safetensors"), ROOT / "weights")
