"""Edits: the words for them, their catalogue, and directions from files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from videdit.edits import (
    Edit,
    Timeline,
    catalogue,
    catalogue_table,
    cautions,
    edit_delta,
    load_direction,
    parse_edits,
)
from videdit.edits.direction_files import read_direction, write_directions
from videdit.edits.parse import find
from videdit.errors import UsageError, WeightsError
from videdit.paths import weights_dir

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {"smile", "age", "eyes_open", "mouth_open", "yaw", "gender", "beard", "lipstick"}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch) -> Path:
    """An empty folder of one's own directions, so that the developer's own does not matter."""
    folder = tmp_path / "my edits"
    folder.mkdir()
    monkeypatch.setenv("VIDEDIT_EDITS", str(folder))
    return folder


def edit_of(name: str, strength: float) -> Edit:
    return Edit(name, strength, info=catalogue()[name])


def problem(words: str) -> str:
    with pytest.raises(UsageError) as error:
        parse_edits(words)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_catalogue_has_what_is_promised_and_makes_sense():
    infos = catalogue()
    assert set(infos) >= NEEDED
    for info in infos.values():
        assert info.limits[0] <= info.range[0] < 0 < info.recommended <= info.range[1] <= info.limits[1]
        assert 0 <= info.layers[0] <= info.layers[1] <= 17
        assert info.identity is not None
        assert 0.2 < info.identity < 1
        assert len(info.description) > 5
        assert len(info.unit) > 5


def test_a_bare_name_means_the_recommended_strength():
    assert parse_edits("smile") == (edit_of("smile", catalogue()["smile"].recommended),)
    assert parse_edits(" smile = 1.5 , age=-1") == (edit_of("smile", 1.5), edit_of("age", -1.0))


@given(st.lists(st.tuples(st.sampled_from(sorted(NEEDED)), st.floats(-2, 2)), min_size=1, unique_by=lambda e: e[0]))
def test_what_is_written_is_read(edits):
    words = ",".join(f"{name}={strength!r}" for name, strength in edits)
    assert [(edit.name, edit.strength) for edit in parse_edits(words)] == edits


def test_mistakes_are_told_with_a_remedy():
    assert "did you mean 'smile'" in problem("smlie")
    assert "did you mean 'eyes_open'" in problem("eyes-open=1")
    assert "There is: " in problem("xyzzy")
    assert "twice" in problem("smile,age=1,smile=2")
    assert "not a number" in problem("smile=much")
    assert "not a number" in problem("smile=")
    assert "not a number" in problem("smile=1=2")
    assert "out of range" in problem("smile=nan")
    assert "out of range" in problem("age=-1000")
    assert "recommended" in problem("age=inf")
    assert "no name" in problem("")
    assert "no name" in problem("smile,,age")
    assert "no name" in problem("=2")
    assert "does not exist" in problem("no/such/file.npy=1")


def test_beyond_the_recommended_range_is_a_caution():
    top = catalogue()["smile"].range[1]
    assert cautions([edit_of("smile", top), edit_of("age", -8)]) == []
    (caution,) = cautions([edit_of("smile", top + 0.5), edit_of("age", -8)])
    assert caution.startswith("smile=")
    assert "recommended" in caution


def test_the_table_says_what_is_wrong_and_verbose_what_is_known():
    table, known = catalogue_table(), catalogue_table(verbose=True)
    assert "experimental: " in table
    assert "correlation" not in table
    for name, info in catalogue().items():
        if name in NEEDED:
            assert info.correlation > 0.5, name
            assert info.mahalanobis > 0, name
            assert f"correlation with its score {info.correlation:.2f}" in known


def test_a_strength_that_hardly_shows_is_a_caution():
    """Ages were once in steps of twelve years: who still writes age=1 is told that this means one."""
    (caution,) = cautions([edit_of("age", 1)])
    assert caution == "age=1 will hardly be seen: 1 means 1 year, 12 is usual"
    assert cautions([edit_of("age", 0)]) == []


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_directions_stay_within_their_layers(name):
    direction, (first, last) = load_direction(name), catalogue()[name].layers
    assert direction.shape == (18, 512)
    assert direction.dtype == np.float32
    assert np.abs(direction[first : last + 1]).max(1).min() > 0
    assert not direction[:first].any()
    assert not direction[last + 1 :].any()
    recommended = catalogue()[name].recommended * np.linalg.norm(direction, axis=1).max()
    assert 0.5 < recommended < 6  # is neither nothing nor out of this world
    with pytest.raises(ValueError, match="read-only"):
        direction[0, 0] = 1


def test_edits_add_up():
    edits = parse_edits("smile=1.5,yaw=-1")
    delta = edit_delta(edits)
    np.testing.assert_allclose(delta, 1.5 * load_direction("smile") - load_direction("yaw"), atol=1e-6)
    np.testing.assert_array_equal(Timeline(edits)(3, 0.5), delta)
    assert not edit_delta(parse_edits("smile=0")).any()


def test_a_direction_comes_from_any_kind_of_file(tmp_path):
    single = np.random.default_rng(0).normal(size=512).astype(np.float32)
    full = np.broadcast_to(single, (18, 512))
    np.save(tmp_path / "a.npy", single)
    np.save(tmp_path / "b.npy", full[None])
    np.savez(tmp_path / "c.npz", direction=single[None], other=np.zeros(3))
    save_file({"anything": full.astype(np.float16).copy()}, tmp_path / "d.safetensors")
    torch.save(torch.from_numpy(single)[None], tmp_path / "e.pt")
    torch.save({"direction": torch.from_numpy(full.copy())}, tmp_path / "f.pt")
    for path in sorted(tmp_path.glob("*.*")):
        (edit,) = parse_edits(f"{path}=-0.5")
        np.testing.assert_allclose(edit_delta([edit]), -0.5 * full, atol=2e-3)
    assert parse_edits(str(tmp_path / "a.npy"))[0].strength == 1.0


class Evil:
    def __reduce__(self):
        return print, ("run by a file",)


def test_files_that_are_no_directions_are_refused(tmp_path, capsys):
    np.save(tmp_path / "shape.npy", np.ones((4, 512)))
    np.save(tmp_path / "nan.npy", np.full(512, np.nan))
    np.save(tmp_path / "zero.npy", np.zeros(512))
    np.save(tmp_path / "words.npy", np.array(["a"] * 512))
    np.save(tmp_path / "object.npy", np.array([Evil()] * 512, object), allow_pickle=True)
    np.savez(tmp_path / "many.npz", a=np.ones(512), b=np.ones(512))
    torch.save(Evil(), tmp_path / "evil.pt")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "picture.jpg").write_bytes(b"x")
    for path in sorted(tmp_path.glob("*.*")):
        assert path.name in problem(f"{path}=1")
    assert "run by a file" not in capsys.readouterr().out


def test_files_in_ones_own_folder_are_edits(own_folder):
    np.save(own_folder / "freckles.npy", np.ones(512, np.float32))
    assert "freckles" in catalogue()
    assert "freckles" in catalogue_table()
    assert parse_edits("freckles")[0] == edit_of("freckles", 1.0)
    np.testing.assert_array_equal(load_direction("freckles"), np.ones((18, 512)))
    assert "did you mean 'freckles'" in problem("frekles")
    np.save(own_folder / "smile.npy", np.ones(512, np.float32))
    assert load_direction("own_smile")[0, 0] == 1 != load_direction("smile")[0, 0]
    np.savez(own_folder / "freckles.npz", np.ones(512, np.float32))
    assert "rename the file" in problem("age")


def test_a_changed_file_is_read_again(own_folder):
    path = own_folder / "x.npy"
    np.save(path, np.ones(512, np.float32))
    assert read_direction(path)[0, 0] == 1
    np.save(path, np.full(512, 2, np.float32))
    import os

    os.utime(path, ns=(0, 0))
    assert read_direction(path)[0, 0] == 2


def test_the_table_shows_every_edit_with_its_ranges():
    table = catalogue_table()
    for info in catalogue().values():
        assert info.name in table
        assert info.description in table
        assert f"{info.limits[0]:g}..{info.limits[1]:g}" in table


def test_edits_load_no_network():
    code = (
        "import sys; from videdit.edits import catalogue_table, edit_delta, parse_edits\n"
        "catalogue_table(); edit_delta(parse_edits('smile,age=-1'))\n"
        "heavy = {'torch', 'av', 'cv2', 'openvino', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_line_names_another_folder(tmp_path, capsys):
    from videdit.cli.main import run

    folder = tmp_path / "others"
    assert run(["--list-edits", "--edits-dir", str(folder)]) == 2
    folder.mkdir()
    np.save(folder / "dimples.npy", np.ones(512, np.float32))
    assert run(["--list-edits", "--edits-dir", str(folder)]) == 0
    assert "dimples" in capsys.readouterr().out


def test_where_an_edit_of_ones_own_shows_is_said(tmp_path):
    path = tmp_path / "fringe.npy"
    np.save(path, np.ones(512, np.float32))
    (said,) = cautions(parse_edits(f"{path}=1"))
    assert "changes the face alone, not the hair" in said
    assert "regions: [face, hair]" in said
    assert "\n" not in said
    assert cautions(parse_edits(f"{path}=1"), "car") == []
    (tmp_path / "fringe.yaml").write_text(said.split("`")[1])  # as it is advised
    assert cautions(parse_edits(f"{path}=1")) == []
    assert find(str(path)).regions == ("face", "hair")
    for words in ("[hiar]", "hair", "[]", "3"):
        (tmp_path / "fringe.yaml").write_text(f"{{file: fringe.npy, regions: {words}}}")
        with pytest.raises(UsageError, match="fringe.yaml.*regions are a list of face, skin, .*, head, not"):
            parse_edits(f"{path}=1")
    (tmp_path / "fringe.yaml").write_text("{file: other.npy, regions: [hair]}")  # is about something else
    assert find(str(path)).regions == ("face",)


def test_a_learnt_edit_shows_where_it_was_told_to(tmp_path):
    path = tmp_path / "grey.safetensors"
    write_directions(path, {"direction": np.ones(512, np.float32)}, {"regions": ["hair"]})
    assert find(str(path)).regions == ("hair",)
    assert cautions(parse_edits(f"{path}=1")) == []


@pytest.mark.parametrize("keys", [("description", "limits"), ("meaning", "hard")], ids=["now", "before"])
def test_a_file_says_what_it_is_by_the_keys_of_any_version(tmp_path, keys):
    path = tmp_path / "grey.safetensors"
    write_directions(path, {"direction": np.ones(512, np.float32)}, dict(zip(keys, ("greyer", [-4, 5]), strict=True)))
    assert (find(str(path)).description, find(str(path)).limits) == ("greyer", (-4, 5))


def test_a_strength_is_as_many_units_of_the_direction_as_its_recipe_says() -> None:
    """Years are those that a clip shows, upwards and downwards; what is added is even on both sides of nothing."""
    down, up = find("age").scale
    step = load_direction("age")
    np.testing.assert_allclose(edit_delta(parse_edits("age=10")), 10 * up * step, rtol=1e-5)
    np.testing.assert_allclose(edit_delta(parse_edits("age=-10")), -10 * down * step, rtol=1e-5)
    assert not edit_delta(parse_edits("age=0")).any()
    assert find("smile").scale == (1, 1)


@pytest.mark.parametrize("how", ["missing", "swapped", "no manifest"])
def test_an_edit_that_ships_but_whose_file_is_damaged_is_not_unknown(tmp_path, monkeypatch, how):
    shutil.copy(weights_dir() / "published.yaml", tmp_path)
    if how != "no manifest":
        shutil.copy(weights_dir() / "manifest.yaml", tmp_path)
    if how == "swapped":
        shutil.copy(weights_dir() / "mtcnn.safetensors", tmp_path / "directions.safetensors")
    monkeypatch.setenv("VIDEDIT_SHIPPED", str(tmp_path))
    with pytest.raises(WeightsError, match="restore it with"):
        parse_edits("smile")
    with pytest.raises(UsageError, match="unknown edit 'smyle'"):
        parse_edits("smyle")
