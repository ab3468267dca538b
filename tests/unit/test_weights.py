"""Weights: what the manifest says is what gets loaded, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from videdit import weights
from videdit.errors import WeightsError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    """A weights folder of one file, with the manifest that the script writes for it."""
    save_file({"a": torch.arange(6).half(), "n": torch.tensor([3])}, tmp_path / "tiny.safetensors")
    update(tmp_path, tmp_path / "tiny.safetensors", "--licence", "CC0-1.0", "--source", "a test")
    return tmp_path


def update(folder, *args):
    script = ROOT / "scripts" / "update_manifest.py"
    subprocess.run(
        [sys.executable, script, "--folder", folder, *args],
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_half_precision_is_widened_and_integers_stay(folder):
    state = weights.load_state("tiny", folder)
    assert state["a"].dtype == torch.float32
    assert state["a"].tolist() == [0, 1, 2, 3, 4, 5]
    assert state["n"].dtype == torch.int64


def test_an_entry_tells_licence_source_and_size(folder):
    (entry,) = weights.manifest(folder).values()
    assert (entry.name, entry.licence, entry.source) == ("tiny", "CC0-1.0", "a test")
    assert entry.bytes == entry.path.stat().st_size


def test_updating_keeps_the_words_and_records_the_new_bytes(folder):
    before = weights.manifest(folder)["tiny"]
    save_file({"a": torch.zeros(100)}, folder / "tiny.safetensors")
    update(folder)
    after = weights.manifest(folder)["tiny"]
    assert after.licence == before.licence
    assert after.sha256 != before.sha256
    assert torch.equal(weights.load_state("tiny", folder)["a"], torch.zeros(100))


def test_a_missing_file_is_one_line(folder):
    (folder / "tiny.safetensors").unlink()
    with pytest.raises(WeightsError, match="tiny.safetensors is missing; restore it") as error:
        weights.load_state("tiny", folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_file_is_refused(folder, damage):
    file = folder / "tiny.safetensors"
    data = bytearray(file.read_bytes())
    data = data[:-1] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1])
    file.write_bytes(data)
    with pytest.raises(WeightsError, match="sha256|bytes") as error:
        weights.verified("tiny", folder)
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_the_known(folder):
    with pytest.raises(WeightsError, match="no weights named 'big'.*tiny"):
        weights.verified("big", folder)


def test_a_missing_or_broken_manifest_is_one_line(tmp_path):
    with pytest.raises(WeightsError, match="no weights manifest"):
        weights.manifest(tmp_path)
    (tmp_path / "manifest.yaml").write_text("tiny: {file: x}\nbad: [")
    with pytest.raises(WeightsError, match="not a weights manifest") as error:
        weights.manifest(tmp_path)
    assert "\n" not in str(error.value)


def test_the_environment_names_another_folder(folder, monkeypatch):
    monkeypatch.setenv("VIDEDIT_SHIPPED", str(folder))
    assert list(weights.manifest()) == ["tiny"]


def test_what_ships_is_what_the_manifest_says():
    files = weights.manifest(ROOT / "weights")
    for entry in files.values():
        weights.verified(entry.name, ROOT / "weights")
        assert entry.bytes <= 15 << 20  # what fits into a repository that people clone
    on_disk = {path.name for path in (ROOT / "weights").glob("*.safetensors")}
    assert on_disk == {entry.path.name for entry in files.values()}
