"""Edits that others released: directions, principal components, and files made to do harm."""

from __future__ import annotations

import collections
import itertools
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.numpy import save_file

from videdit.edits import Directions, Timeline, catalogue, catalogue_table, edit_delta, load_direction, parse_edits
from videdit.edits.direction_files import read_arrays
from videdit.edits.pca_components import Component, component_direction, read_components
from videdit.errors import UsageError
from videdit.jobs.fingerprint import fingerprint
from videdit.jobs.render_job import RenderJob
from videdit.weights import published
from videdit.weights.install import import_file

ROOT = Path(__file__).resolve().parents[2]
RNG = np.random.default_rng(3)
VECTORS = np.linalg.qr(RNG.normal(size=(512, 512)))[0][:60].astype(np.float32)  # orthonormal, [60, 512]
MEAN = RNG.normal(size=(1, 512)).astype(np.float32)
DEVIATIONS = np.linspace(3, 0.3, 60, dtype=np.float32)
CODES = RNG.normal(size=(5, 18, 512)).astype(np.float32)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch) -> Path:
    """An empty folder of one's own edits, and an empty one of installed weights."""
    folder = tmp_path / "edits"
    folder.mkdir()
    monkeypatch.setenv("VIDEDIT_EDITS", str(folder))
    monkeypatch.setenv("VIDEDIT_WEIGHTS", str(tmp_path / "weights"))
    return folder


def components() -> dict[str, np.ndarray]:
    """As the released files hold them: components [N, 1, 512], mean [1, 512], deviations [N]."""
    return {"comp": VECTORS[:, None], "mean": MEAN, "std": DEVIATIONS}


def coordinate(code: np.ndarray, index: int) -> float:
    return float((code[0] - MEAN[0]) @ VECTORS[index] / DEVIATIONS[index])


def problem(words: str) -> str:
    with pytest.raises(UsageError) as error:
        parse_edits(words)
    assert "\n" not in str(error.value)
    return str(error.value)


def save_components(folder: Path, kind: str) -> Path:
    path = folder / f"ffhq_pca{kind.removesuffix('2')}"
    if kind == ".pt":
        torch.save({key: torch.from_numpy(value) for key, value in components().items()}, path)
    elif kind == ".npz":  # GANSpace's own names
        np.savez(path, lat_comp=VECTORS[:, None], lat_mean=MEAN, lat_stdev=DEVIATIONS, act_comp=np.zeros(3))
    elif kind == ".pkl":
        path.write_bytes(pickle.dumps(components()))
    elif kind == ".pkl2":
        path.write_bytes(pickle.dumps(collections.OrderedDict(components()), protocol=2))
    return path


@pytest.mark.parametrize("kind", [".pt", ".npz", ".pkl", ".pkl2"])
def test_components_come_from_any_kind_of_file(tmp_path, kind):
    vectors, mean, deviations = read_components(save_components(tmp_path, kind))
    np.testing.assert_array_equal(vectors, VECTORS.astype(np.float64))
    np.testing.assert_array_equal(mean, MEAN[0])
    np.testing.assert_array_equal(deviations, DEVIATIONS)


@pytest.mark.parametrize(
    ("name", "index", "layers", "place"),
    [("eyes", 54, [7], 20), ("beard", 58, [7, 8], -20), ("lip", 34, [10], 20)],
)
def test_one_unit_is_the_released_edit(own_folder, name, index, layers, place):
    """The formula of the release, (place - coordinate) * deviation * component, written down once more."""
    save_components(own_folder, ".pt")
    (edit,) = parse_edits(f"ganspace_{name}")
    assert edit.strength == 1
    delta = edit_delta([edit], CODES)
    for code, step in zip(CODES, delta, strict=True):
        expected = np.zeros((18, 512))
        expected[layers] = (place - coordinate(code, index)) * DEVIATIONS[index] * VECTORS[index]
        np.testing.assert_allclose(step, expected, atol=2e-4)
    whole = CODES + edit_delta([edit], CODES)
    if 0 not in layers:  # the coordinate of the layers that move, were they the first
        moved = whole[0, layers[0]] - CODES[0, layers[0]] + CODES[0, 0]
        assert coordinate(moved[None], index) == pytest.approx(place, abs=1e-3)


@given(st.floats(-2, 2))
def test_strength_is_a_share_of_it(tmp_path_factory, strength):
    path = save_components(tmp_path_factory.getbasetemp(), ".npz")
    direction = component_direction(path, Component(34, (2, 5), 20.0), 18)
    step = direction.step - (CODES[0, 0] @ direction.probe) * direction.along
    expected = (20 - coordinate(CODES[0], 34)) * DEVIATIONS[34] * VECTORS[34]
    np.testing.assert_allclose(strength * step[3], strength * expected, atol=2e-4)
    assert not step[:2].any()
    assert not step[6:].any()


def test_the_stage_gets_the_same_as_a_batch(own_folder):
    save_components(own_folder, ".pkl")
    edits = parse_edits("smile=1,ganspace_eyes=0.5,ganspace_beard=-1")
    vector = Timeline(edits)
    each = np.stack([vector(0, 0.0, code) for code in CODES])
    np.testing.assert_allclose(each, edit_delta(edits, CODES), atol=1e-5)
    np.testing.assert_array_equal(vector(0, 0.0, torch.from_numpy(CODES[1])), each[1])  # as where pixels are a device's
    parts = sum(edit_delta([edit], CODES) for edit in edits)
    np.testing.assert_allclose(each, parts, atol=1e-3)
    assert not edit_delta(parse_edits("ganspace_eyes=0"), CODES).any()
    with pytest.raises(UsageError, match="depends on the face"):
        load_direction("ganspace_eyes")
    with pytest.raises(UsageError, match="depends on the face"):
        edit_delta(edits)


def test_no_edits_add_nothing():
    assert not Directions([])(np.zeros(0)).any()


def test_released_edits_are_listed_once_their_file_is_there(own_folder):
    assert not any(name.startswith(("ganspace", "interfacegan")) for name in catalogue())
    assert "run `videdit weights fetch ganspace_ffhq`" in problem("ganspace_eyes")
    save_components(own_folder, ".pt")
    assert {"ganspace_eyes", "ganspace_beard", "ganspace_lip"} <= set(catalogue())
    assert "ffhq_pca" not in catalogue()
    assert "ganspace_beard" in catalogue_table()


def test_released_edits_come_from_installed_weights(tmp_path):
    file = tmp_path / "age.pt"
    direction = RNG.normal(size=(1, 512)).astype(np.float32)
    torch.save(torch.from_numpy(direction), file)
    import_file(file)
    assert catalogue()["interfacegan_age"].source == published.find("interfacegan_age")
    np.testing.assert_allclose(edit_delta(parse_edits("interfacegan_age")), np.repeat(3 * direction, 18, 0), rtol=1e-6)
    save_components(tmp_path, ".pt")
    import_file(tmp_path / "ffhq_pca.pt")
    expected = component_direction(tmp_path / "ffhq_pca.pt", Component(34, (10, 10), 20.0), 18)
    (edit,) = parse_edits("ganspace_lip=1")
    np.testing.assert_allclose(edit_delta([edit], 0 * CODES)[0], expected.step, atol=1e-5)


def test_released_files_that_are_dropped_in_have_a_name(own_folder):
    for name in ("age", "smile", "pose"):
        torch.save(torch.ones(1, 512), own_folder / f"{name}.pt")
    assert {"own_age", "own_smile", "pose"} <= set(catalogue())
    assert parse_edits("own_age=2,age=1")[0].strength == 2


def test_recipes_of_ones_own(own_folder):
    np.savez(own_folder / "mine.npz", **components())
    recipe = {
        "file": "mine.npz",
        "component": {"index": 3, "layers": [0, 4], "coordinate": -2},
        "description": "rounder",
    }
    (own_folder / "round.yaml").write_text(yaml.safe_dump(recipe))
    infos = catalogue()
    assert infos["round"].description == "rounder"
    assert "mine" not in infos
    expected = (-2 - coordinate(CODES[0], 3)) * DEVIATIONS[3] * VECTORS[3]
    np.testing.assert_allclose(edit_delta(parse_edits("round=0.5"), CODES)[0, 4], 0.5 * expected, atol=1e-4)
    np.save(own_folder / "plain.npy", np.ones(512))
    (own_folder / "described.yml").write_text(yaml.safe_dump({"file": "plain.npy", "recommended": 2, "range": [-2, 3]}))
    assert parse_edits("described")[0].strength == 2
    assert "plain" not in catalogue()


def test_recipes_by_earlier_keys_are_read(own_folder):
    np.save(own_folder / "mine.npy", np.ones((14, 512), np.float32))
    fields = {"file": "mine.npy", "meaning": "rounder", "hard": [-2, 3], "codes": 14}
    (own_folder / "round.yaml").write_text(yaml.safe_dump(fields))
    info = catalogue()["round"]
    assert (info.description, info.limits, info.num_ws) == ("rounder", (-2, 3), 14)


def test_another_recipe_is_another_render(own_folder, tmp_path):
    """What is finished of a clip must not be gone on with under another recipe of the same file."""
    np.savez(own_folder / "mine.npz", **components())
    recipe = {"file": "mine.npz", "component": {"index": 3, "layers": [0, 4], "coordinate": -2}}
    (own_folder / "round.yaml").write_text(yaml.safe_dump(recipe))

    def now() -> str:
        return fingerprint(tmp_path / "x.mp4", RenderJob(input="x.mp4", edit="round"))

    before = now()
    assert now() == before
    recipe["component"]["coordinate"] = -3
    (own_folder / "round.yaml").write_text(yaml.safe_dump(recipe))
    assert now() != before


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"file": "mine.npz", "component": {"index": 60, "layers": [0, 4], "coordinate": 1}}, "there is none 60"),
        ({"file": "mine.npz", "component": {"index": 1, "layers": [7, 18], "coordinate": 1}}, "layers 7 to 18"),
        ({"file": "mine.npz", "component": {"index": 1, "layers": 3, "coordinate": 1}}, "is not an edit"),
        ({"file": "mine.npz", "component": {"index": 1}}, "is not an edit"),
        ({"file": "none.npz", "component": {"index": 1, "layers": [0, 1], "coordinate": 1}}, "none.npz"),
        ({"file": "mine.npz", "komponent": 1}, "unknown setting 'komponent'"),
        ({"file": "mine.npz"}, "holds 3 arrays"),
        ([1, 2], "is not an edit"),
    ],
)
def test_recipes_that_make_no_sense_are_told(own_folder, recipe, said):
    np.savez(own_folder / "mine.npz", **components())
    (own_folder / "odd.yaml").write_text(yaml.safe_dump(recipe))
    assert said in problem("odd=1")


def test_edits_of_other_codes_are_refused_before_anything_is_opened(own_folder, tmp_path):
    np.save(own_folder / "car.npy", np.ones((16, 512)))
    np.savez(own_folder / "cars_pca.npz", **components())
    clip = tmp_path / "in.mp4"
    clip.touch()

    def refused(edit: str) -> str:
        with pytest.raises((ValidationError, UsageError)) as error:
            RenderJob(input=str(clip), edit=edit)
        return str(error.value)

    assert "codes of 16 layers; those of profile mobile have 18" in refused("car")
    assert "codes of 16 layers" in refused("ganspace_car_color")
    assert Directions(["car", "ganspace_car_color"], 16)(np.ones(2), CODES[0]).shape == (16, 512)


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_a_hostile_pickle_is_refused_and_does_not_run(own_folder, tmp_path):
    marker = tmp_path / "ran"
    attacks = {
        "call": pickle.dumps(Evil(marker)),
        "inside": pickle.dumps({"direction": np.ones(512), "x": Evil(marker)}),
        "object_array": pickle.dumps(np.array([Evil(marker)] * 512, object)),
        "old": pickle.dumps(Evil(marker), protocol=0),
        "builtin": b'cbuiltins\neval\n(S\'__import__("os").mkdir("' + str(marker).encode() + b"\")'\ntR.",
        "codec": b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
        "attribute": b"cnumpy\nload\n(S'/etc/passwd'\ntR.",
        "nested": b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        "persistent": b"Pabc\n.",
        "cut": pickle.dumps(np.ones(512))[:-20],
    }
    for name, data in attacks.items():
        (own_folder / f"{name}.pkl").write_bytes(data)
        said = problem(name)
        assert f"{name}.pkl" in said, said
        assert ("refused" in said) == (name != "cut"), said
    assert not marker.exists()
    pickle.loads(attacks["inside"])
    assert marker.is_dir()  # it would have
    torch.save(Evil(tmp_path / "other"), own_folder / "torch.pkl")
    assert "refused" in problem("torch")
    assert not (tmp_path / "other").exists()


def test_a_pickle_of_arrays_is_a_direction(own_folder):
    (own_folder / "x.pkl").write_bytes(pickle.dumps(np.ones((18, 512))))
    assert load_direction("x")[17, 511] == 1
    values = {"a": np.float32(2), "b": [np.ones(3), "word", None, True]}
    (own_folder / "y.pkl").write_bytes(pickle.dumps(values))
    assert read_arrays(own_folder / "y.pkl")["a"] == 2


def test_released_recipes_make_sense():
    for path in (ROOT / "configs" / "released").glob("*.yaml"):
        fields = yaml.safe_load(path.read_text())
        assert fields["weights"] in published.entries()
        assert (
            fields["limits"][0]
            <= fields["range"][0]
            < fields["recommended"]
            <= fields["range"][1]
            <= fields["limits"][1]
        )


def test_safetensors_of_components_are_read(tmp_path):
    save_file({key: np.ascontiguousarray(value) for key, value in components().items()}, tmp_path / "a.safetensors")
    assert len(read_components(tmp_path / "a.safetensors")[0]) == 60
    save_file({"comp": VECTORS, "mean": MEAN, "std": 0 * DEVIATIONS}, tmp_path / "b.safetensors")
    with pytest.raises(UsageError, match="above zero"):
        read_components(tmp_path / "b.safetensors")


def modulated(seed: int = 0) -> dict[str, torch.Tensor]:
    """What of StyleGAN2 1024 turns codes into styles, of chance numbers: names and shapes as published."""
    rng = np.random.default_rng(seed)
    wide = {"conv1": 512, "to_rgb1": 512}
    sizes = [512] * 5 + [256, 128, 64, 32]  # channels at 4, 8, ... 1024 px
    for block, (before, after) in enumerate(itertools.pairwise(sizes)):
        wide |= {f"convs.{2 * block}": before, f"convs.{2 * block + 1}": after, f"to_rgbs.{block}": after}
    return {
        f"{name}.conv.modulation.weight": torch.from_numpy(rng.normal(size=(count, 512)).astype(np.float32))
        for name, count in wide.items()
    }


def install_generator(folder: Path) -> dict[str, torch.Tensor]:
    state = modulated()
    content = {"g_ema": state | {"convs.15.conv.weight": torch.zeros(1, 32, 32, 3, 3)}}
    torch.save(content, folder / "generator.pt")
    import_file(folder / "generator.pt", "stylegan2_ffhq", other_version=True)
    return state


def test_a_direction_of_styles_becomes_one_of_codes(own_folder, tmp_path):
    """Styles that a code's change makes lead back to that change, as far as the damping lets them."""
    state = install_generator(tmp_path)
    change = np.zeros((18, 512))
    change[[0, 4, 8]] = RNG.normal(size=(3, 512))  # layers that feed one convolution, and nothing to RGB
    matrices = {k.removesuffix(".conv.modulation.weight"): v.numpy() / 512**0.5 for k, v in state.items()}
    order = ["conv1", *(f"convs.{i}" for i in range(16))]  # codes 0 to 16
    styles = np.concatenate([matrices[name] @ change[layer] for layer, name in enumerate(order)])
    assert styles.shape == (6048,)
    np.save(own_folder / "clip.npy", styles)
    found = load_direction("clip")
    assert found.shape == (18, 512)
    for layer in (0, 4, 8):
        made = matrices[order[layer]] @ found[layer]
        wanted = matrices[order[layer]] @ change[layer]
        assert np.linalg.norm(made - wanted) < 0.1 * np.linalg.norm(wanted)
        assert np.linalg.norm(found[layer]) < 1.05 * np.linalg.norm(change[layer])
    assert np.abs(np.delete(found, [0, 4, 8], 0)).max() < 1e-6


def test_styles_may_be_cut_into_layers_and_hold_rgb(own_folder, tmp_path):
    install_generator(tmp_path)
    sizes = [512, 512]
    for before, after in itertools.pairwise([512] * 5 + [256, 128, 64, 32]):
        sizes += [before, after, after]
    parts = [RNG.normal(size=size).astype(np.float32) for size in sizes]
    (own_folder / "cut.pkl").write_bytes(pickle.dumps(parts))
    np.save(own_folder / "whole.npy", np.concatenate(parts))
    whole = load_direction("whole")
    np.testing.assert_array_equal(load_direction("cut"), whole)
    only_rgb = [part if i == 25 else 0 * part for i, part in enumerate(parts)]
    np.save(own_folder / "rgb.npy", np.concatenate(only_rgb))
    last = load_direction("rgb")
    assert not last[:17].any()
    assert np.allclose(last[17], whole[17], atol=1e-6)
    assert last[17].any()


def test_styles_without_the_generator_name_what_is_needed(own_folder):
    np.save(own_folder / "clip.npy", np.ones(9088))
    said = problem("clip")
    assert "S space" in said
    assert "videdit weights fetch stylegan2_ffhq" in said
