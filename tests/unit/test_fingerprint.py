"""By what finished work is known: whatever decides how an output looks, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from videdit import paths
from videdit.jobs.fingerprint import fingerprint
from videdit.jobs.render_job import RenderJob


@pytest.fixture
def configs(tmp_path, monkeypatch) -> Path:
    """Recipes that a test may change."""
    folder = tmp_path / "configs"
    shutil.copytree(paths.configs_dir(), folder)
    monkeypatch.setattr(paths, "configs_dir", lambda: folder)
    return folder


def now(folder: Path, **words) -> str:
    return fingerprint(folder / "in.mp4", RenderJob(input="in.mp4", **{"edit": "smile=1"} | words))


def change(recipe: Path, **values) -> None:
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(yaml.safe_dump(yaml.safe_load(text) | values), encoding="utf-8")


@pytest.mark.parametrize(
    "values",
    [
        {"regions": ["lips"]},
        {"scale": [1.0, 2.0]},
        {"layers": [0, 3]},
        {"speech": {"eases": 0.1, "opens": 6.4}},
        {"blinks": True},
        {"gapes": False},
    ],
)
@pytest.mark.parametrize("words", [{}, {"edit": "age=5", "per_face": {"0": "smile=1"}}])
def test_another_recipe_at_the_same_version_is_another_render(configs, tmp_path, words, values):
    before = now(tmp_path, **words)
    change(configs / "edits" / "smile.yaml", **values)
    assert now(tmp_path, **words) != before


def test_what_has_no_part_in_a_render_leaves_its_work_done(configs, tmp_path):
    before = now(tmp_path)
    change(configs / "edits" / "smile.yaml", description="another word", experimental="")
    change(configs / "edits" / "age.yaml", regions=["lips"])
    assert now(tmp_path) == before


def test_a_profile_is_known_by_what_it_says(configs, tmp_path):
    before = now(tmp_path)
    change(configs / "profiles" / "mobile.yaml", encoder="hfgi")
    assert now(tmp_path) != before


def test_files_that_any_face_needs_count(tmp_path):
    direction, person = tmp_path / "mine.npy", tmp_path / "ann.png"
    np.save(direction, np.ones(512, np.float32))
    person.write_bytes(b"one face")
    words = {"faces": str(person), "per_face": {"0": f"{direction}=1"}}
    seen = {now(tmp_path, **words)}
    np.save(direction, np.ones((18, 512), np.float32))
    seen.add(now(tmp_path, **words))
    person.write_bytes(b"another face")
    seen.add(now(tmp_path, **words))
    assert len(seen) == 3
