"""Every recipe as it is run where nothing is installed but what training needs: a few steps, stopped and resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file
from synthetic import ROOT

from videdit.hfgi.population import sample_codes
from videdit.models.sizes import EDITS
from videdit.training.attributes import FullScorer
from videdit.training.log import read_log
from videdit.training.recipe import RECIPES, read_recipe, recipe_module

pytestmark = pytest.mark.extra("judges")
# What videdit itself depends on but training must not, and what one might reach for.
ABSENT = ("openvino", "av", "scipy", "pydantic", "psutil", "PIL", "matplotlib", "skimage")
# Runs the command line again and again in one process; an import of what is absent fails there.
RUNNER = """
import importlib.abc, json, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ImportError(f"{{name}} is not installed here")

sys.meta_path.insert(0, Absent())
from videdit.cli.train import main
for words in json.loads(sys.argv[1]):
    if code := main(words):
        sys.exit(code)
"""
TINY = {
    "head256": {"pool": 2, "drawn": 1, "batch": 1, "real": True},
    "encoder": {"samples": 2, "pictured": 1, "faces": 1, "release": 0.9},
    "hfgi": {"faces": 2, "adversarial": 0.01, "sharp_every": 2},
    "parser": {"batch": 3, "taught": 2},
    "student": {"bases": 6, "each": 2, "held_bases": 2, "pairs": 2, "judged": 1, "judged_from": 0.0},
    "restorer": {"small": 2, "large": 1, "large_every": 2, "judged": 1},
}


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory, people: list[np.ndarray]) -> Path:
    """Six faces, the last one of which is for validation, and six samples that are no such thing."""
    folder = tmp_path_factory.mktemp("packs")
    faces = np.stack([people[0], people[1], people[0][:, ::-1], people[1][:, ::-1], *people])
    np.save(folder / "real256.npy", faces)
    np.save(folder / "masks256.npy", (faces[..., 1] // 14).astype(np.uint8))  # classes 0 to 18, wherever
    np.save(folder / "bank256.npy", faces)
    np.save(folder / "bank_codes.npy", sample_codes(6, 0).astype(np.float16))
    pairs = folder / "pairs"
    pairs.mkdir()
    rng = np.random.default_rng(0)
    for name, array in {
        "base": faces,
        "edited": np.stack([faces, faces[:, :, ::-1]], 1),
        "strengths": rng.normal(size=(6, 2, len(EDITS))).astype(np.float32),
        "mesh": rng.uniform(0.3, 0.7, (6, 468, 2)).astype(np.float32),
    }.items():
        np.save(pairs / f"{name}.npy", array)
    (pairs / "done.txt").write_text("6")
    return folder


def call(*runs: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RUNNER.format(absent=ABSENT), json.dumps(runs)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500)


@pytest.mark.parametrize("name", list(TINY))
def test_a_recipe_stopped_and_resumed_equals_straight_on(name: str, packs: Path, tmp_path: Path) -> None:
    config = tmp_path / "recipe.yaml"
    config.write_text(yaml.safe_dump(TINY[name] | {"steps": 2, "held": 1}))
    common = [name, "--config", str(config), "--data", str(packs), "--eager", "--threads", "1", "--device", "cpu"]
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    again = [*common, "--out", str(broken), "--time-budget", "10m", "--resume"]  # the same command both times
    done = call([*common, "--out", str(straight)], [*again, "--max-steps", "1"], again)
    assert done.returncode == 0, done.stderr
    assert "going on from step 1" in done.stderr
    file = recipe_module(name).Training.file
    assert (straight / file).read_bytes() == (broken / file).read_bytes()
    if (ROOT / "weights" / file).exists():
        trained, shipped = load_file(straight / file), load_file(ROOT / "weights" / file)
        assert {k: v.shape for k, v in trained.items()} == {k: v.shape for k, v in shipped.items()}
        assert any(not torch.equal(trained[k], shipped[k]) for k in trained)  # it starts there, and moves
    judged = [e["step"] for e in read_log(broken / "log.jsonl") if any(key.startswith("val_") for key in e)]
    assert sorted(set(judged)) == [1, 2]
    for picture in ("sheets/000001.png", "sheets/000002.png", "curves.png"):
        assert cv2.imread(str(broken / picture)) is not None


def test_directions_go_on_from_the_scores_that_there_are(packs: Path, tmp_path: Path) -> None:
    """Scores are made up, along the direction of the smile that ships: the face must then really smile."""
    out, config = tmp_path / "out", tmp_path / "recipe.yaml"
    out.mkdir()
    numbers = {"samples": 2000, "population": 6, "probes": 4, "only": "smile"}
    config.write_text(yaml.safe_dump(numbers))
    codes, names = sample_codes(2000, 0), FullScorer().names
    along = load_file(ROOT / "weights" / "directions.safetensors")["smile"].float().numpy()
    scores = np.random.default_rng(0).normal(size=(len(codes), len(names)))
    scores[:, names.index("smile")] = codes @ along
    np.savez(out / "scores.npz", names=names, codes=codes, scores=scores)
    words = ["directions", "--config", str(config), "--data", str(packs), "--out", str(out)]
    words += ["--threads", "1", "--device", "cpu"]
    refused = call(words)
    assert refused.returncode == 2
    assert refused.stderr.strip().endswith("or choose another --out")
    done = call([*words, "--resume"])
    assert done.returncode == 0, done.stderr
    with safe_open(out / "directions.safetensors", "numpy") as file:
        note, made = json.loads(file.metadata()["videdit"]), file.get_tensor("smile").astype(np.float32)
    assert note["made"] == ["smile"]
    assert note["smile"]["moves"] > 0.2
    assert made @ along / np.linalg.norm(made) / np.linalg.norm(along) > 0.2
    assert cv2.imread(str(out / "sheets" / "smile.png")) is not None


def test_the_configs_that_ship_are_read() -> None:
    read = 0
    for path in (ROOT / "configs" / "train").glob("*.yaml"):
        name = max((name for name in RECIPES if path.stem.startswith(name)), key=len)
        assert read_recipe(recipe_module(name).Recipe, path)
        read += 1
    assert read >= len(RECIPES)


def test_our_long_preset_keeps_the_papers_numbers_and_our_additions() -> None:
    ours = read_recipe(recipe_module("hfgi").Recipe, ROOT / "configs" / "train" / "hfgi_adversarial.yaml")
    told = (ours.steps, ours.faces, ours.lr, ours.align, ours.perceptual, ours.adversarial, ours.identity)
    assert told == (90_000, 8, 1e-4, 0.1, 0.8, 0.01, 0.1)
    assert ours.schedule == "constant"
    assert ours.sharp_every == 4
    assert read_recipe(recipe_module("hfgi").Recipe, ROOT / "configs" / "train" / "hfgi.yaml").adversarial == 0
