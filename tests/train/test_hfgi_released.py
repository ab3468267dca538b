"""The paper's own training (hfgi_ffhq, hfgi_car) on random weights: its losses, what learns, and where it goes on."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import published
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from synthetic import ROOT
from torch import Tensor, nn

from videdit.errors import UsageError, WeightsError
from videdit.hfgi.loader import checkpoint_tensors, published_networks
from videdit.models import ada_appendix
from videdit.models.arcface import ArcFace
from videdit.models.lpips import Lpips
from videdit.models.resnet import ResNet50
from videdit.models.stylegan2_plain import Generator
from videdit.training.loop import Budget, train
from videdit.training.perspective import drawn, thrown, warped
from videdit.training.recipe import read_recipe, recipe_module
from videdit.training.training import Setup

CHANNELS = published.NARROW[:7]  # a generator of 256 px: larger ones have further blocks of the same kind
NAMES = ("hfgi_ffhq", "hfgi_car")


def saved(path: Path, network: nn.Module, prefix: str = "") -> str:
    """A file of chance numbers that depend on the tensors' names."""
    torch.manual_seed(zlib.crc32(path.name.encode()))
    state = {f"{prefix}{k}": v for k, v in network.state_dict().items()}
    torch.save({"state_dict": state} if prefix else state, path)
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """By recipe: what --set names."""
    folder = tmp_path_factory.mktemp("files")
    checkpoint = published.checkpoint(CHANNELS)
    for name in list(checkpoint["state_dict"]):
        if name.startswith(("residue.", "grid_align.")):
            del checkpoint["state_dict"][name]  # as e4e's own file
    torch.save(checkpoint, folder / "e4e.pt")
    torch.manual_seed(0)
    lpips = Lpips()
    state = lpips.state_dict()
    torch.save({k: v for k, v in state.items() if k.startswith("features.")}, folder / "alexnet.pth")
    torch.save({k: v.abs() for k, v in state.items() if k.startswith("lin")}, folder / "alex.pth")
    common = {"networks": folder / "e4e.pt", "alexnet": folder / "alexnet.pth", "lpips": folder / "alex.pth"}
    common = {key: str(value) for key, value in common.items()}
    return {
        "hfgi_ffhq": common | {"recogniser": saved(folder / "arcface.pth", ArcFace())},
        "hfgi_car": common | {"recogniser": saved(folder / "moco.pth", ResNet50(), "module.encoder_q.")},
    }


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory, people: list[np.ndarray]) -> Path:
    folder = tmp_path_factory.mktemp("packs")
    faces = np.stack([*people, people[0][:, ::-1]])
    np.save(folder / "ffhq256.npy", faces)
    np.save(folder / "cars192.npy", faces[:, 32:224])
    return folder


@pytest.fixture
def made(files, packs) -> Callable:
    """A training of few pictures; what is given counts in place of the paper's numbers."""

    def make(name: str, **own):
        module = recipe_module(name)
        small = {"batch": "2", "held": "1"} | files[name] | {key: str(value) for key, value in own.items()}
        recipe = read_recipe(module.Recipe, ROOT / "configs" / "train" / f"{name}.yaml", small)
        return module.Training(recipe, Setup(packs, eager=True))

    return make


@pytest.mark.parametrize(("name", "identity"), [("hfgi_ffhq", 0.1), ("hfgi_car", 0.5)])
def test_the_numbers_are_the_papers(name: str, identity: float) -> None:
    recipe = read_recipe(recipe_module(name).Recipe, ROOT / "configs" / "train" / f"{name}.yaml")
    assert recipe == recipe_module(name).Recipe()
    told = (recipe.steps, recipe.batch, recipe.lr, recipe.align, recipe.perceptual, recipe.adversarial)
    assert told == (90_000, 8, 1e-4, 0.1, 0.8, 0.01)
    assert recipe.identity == identity
    assert (recipe.schedule, recipe.warmup, recipe.clip, recipe.ema) == ("constant", 1, 0, 0)


def plain_generator(files: dict[str, str]) -> Generator:
    """The published formulation of the generator, noise buffers and all."""
    tensors = checkpoint_tensors([files["networks"]])
    generator = Generator(CHANNELS)
    decoder = {k.removeprefix("decoder."): v for k, v in tensors.items() if k.startswith("decoder.")}
    generator.load_state_dict(decoder)
    return generator.eval()


def by_hand(files: dict[str, str], training, x: Tensor, rows: slice) -> dict[str, float]:
    """The losses step by step, from the published formulation of the networks; ADA gets the map where it is."""
    generator, model = plain_generator(files), training.model
    codes = training.encoder(x)
    low = F.interpolate(generator(codes).clamp(-1, 1), size=(256, 256), mode="bilinear")[:, :, rows]
    aligned = model.grid_align(x - low, low)
    scale, shift = model.residue(aligned)
    full = []
    for part in (scale, shift):  # nothing is consulted above and below a car
        whole = torch.zeros(len(x), part.shape[1], 64, 64)
        whole[:, :, rows.start // 4 : rows.stop // 4] = part
        full.append(whole)
    images = generator(codes, tuple(full))[:, :, rows]
    distance = 0.0
    for i, (a, b) in enumerate(zip(alexnet(training.perceptual, images), alexnet(training.perceptual, x), strict=True)):
        weights = getattr(training.perceptual, f"lin{i}").model[1].weight[0]  # [C, 1, 1]
        distance += float(((a - b) ** 2 * weights).sum(1).mean((1, 2)).mean())
    alike = F.cosine_similarity(training.recogniser(images), training.recogniser(x))
    logits = training.adversary.net(F.pad(images, (0, 0, rows.start, 256 - rows.stop), value=-1.0))
    return {
        "align": float(torch.mean(torch.abs(aligned - (x - low)))),
        "l2": float(torch.mean((images - x) ** 2)),
        "perceptual": distance,
        "identity": float(torch.mean(1 - alike)),
        "adversarial": float(torch.mean(torch.log1p(torch.exp(-logits)))),
    }


def alexnet(network: Lpips, x: Tensor) -> list[Tensor]:
    """Five levels of unit features, layer by layer."""
    x = (x - torch.tensor([-0.030, -0.088, -0.188])[None, :, None, None]) / torch.tensor([0.458, 0.448, 0.450]).reshape(
        1, 3, 1, 1
    )
    convs, levels = [layer for layer in network.features if isinstance(layer, nn.Conv2d)], []
    for i, conv in enumerate(convs):
        x = F.relu(F.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding))
        levels.append(x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10))
        if i < 2:
            x = F.max_pool2d(x, 3, 2)
    return levels


@pytest.mark.parametrize(("name", "rows"), [("hfgi_ffhq", slice(0, 256)), ("hfgi_car", slice(32, 224))])
def test_losses_are_those_worked_out_by_hand(made, files, name: str, rows: slice) -> None:
    training = made(name, noise=False, probability=0.0)
    (x,) = training.batch(0)
    training.model.eval()  # no statistics of a batch: the reference goes through twice
    # A step of the discriminator comes before its opinion: it must not change it here.
    training.adversary.optimizer.param_groups[0]["lr"] = 0.0
    loss, terms = training.loss((x,), 1, 0.0)
    with torch.no_grad():
        wanted = by_hand(files[name], training, x, rows)
    assert x.shape == (2, 3, rows.stop - rows.start, 256)
    for key, value in wanted.items():
        assert float(terms[key].detach()) == pytest.approx(value, rel=2e-3), key
    recipe = training.recipe
    whole = sum(getattr(recipe, key) * value for key, value in wanted.items())
    assert float(loss.detach()) == pytest.approx(whole, rel=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_frozen_stays_and_all_else_moves(made, tmp_path: Path, name: str) -> None:
    training = made(name, steps=1)
    frozen = (training.generator, training.encoder, training.perceptual, training.recogniser)
    before = [{k: v.clone() for k, v in network.state_dict().items()} for network in frozen]
    own = {k: v.detach().clone() for k, v in training.model.named_parameters()}
    train(name, training, tmp_path / "out", Budget(1e6))
    for network, state in zip(frozen, before, strict=True):
        assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert [key for key, value in training.model.named_parameters() if torch.equal(value, own[key])] == []
    assert {key.split(".")[0] for key in load_file(tmp_path / "out" / f"{name}.safetensors")} == {
        "grid_align",
        "residue",
    }


def test_a_training_that_goes_on_across_a_synchronisation_is_the_same(made, tmp_path: Path) -> None:
    """LookAhead's second step is the slow one: the first run stops before it, with its weights half way there."""
    numbers = {"steps": 3, "lookahead": 2, "lr": 1e-3, "batch": 1}
    train("hfgi_ffhq", made("hfgi_ffhq", **numbers), tmp_path / "whole", Budget(1e6))
    train("hfgi_ffhq", made("hfgi_ffhq", **numbers), tmp_path / "parts", Budget(1e6, steps=1))
    train("hfgi_ffhq", made("hfgi_ffhq", **numbers), tmp_path / "parts", Budget(1e6), resume=True)
    one, other = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["parts"] for name in ("whole", "parts")
    )
    assert one["optimizer"]["steps"] == other["optimizer"]["steps"] == 3
    assert_same(one, other)


def assert_same(one, other) -> None:
    if isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


def test_what_was_trained_is_a_checkpoints_part(made, files, tmp_path: Path) -> None:
    """With e4e's file it makes up HFGI; both layouts of ADA are known by their tensors."""
    for layout in ("released", "appendix"):
        training = made("hfgi_ffhq", steps=1, alignment=layout, adversarial=0.0)
        train("hfgi_ffhq", training, tmp_path / layout, Budget(1e6))
        both = [files["hfgi_ffhq"]["networks"], str(tmp_path / layout / "hfgi_ffhq.safetensors")]
        found = published_networks(checkpoint_tensors(both))
        assert found.alignment is not None
        assert found.consultation is not None
        given = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 3, 256, 256)
        with torch.no_grad():
            wanted = training.model.eval().grid_align(*given)
            off = (found.alignment.eval()(*given) - wanted).abs().mean() / wanted.std()
        assert off < 2e-2  # the file is of half precision


def test_noise_is_drawn_anew_and_of_its_strength(made, files) -> None:
    training = made("hfgi_ffhq")
    codes = training.encoder(training.batch(0)[0])
    rng = torch.Generator().manual_seed(0)
    one, other, kept = (training.image(codes, None, chance) for chance in (rng, rng, None))
    assert not torch.equal(one, other)
    with torch.no_grad():
        plain = plain_generator(files["hfgi_ffhq"])
        assert (kept - plain(codes)).abs().mean() < 1e-5 * kept.std()
        rng = torch.Generator().manual_seed(0)
        for i in range(2 * len(CHANNELS) - 1):  # in the order of the generator's layers
            size = 4 if i == 0 else 8 * 2 ** ((i - 1) // 2)
            setattr(plain.noises, f"noise_{i}", torch.randn(2, 1, size, size, generator=rng))
        assert (one - plain(codes)).abs().mean() < 1e-5 * one.std()


def test_the_networks_have_the_published_ones_size_and_names() -> None:
    with torch.device("meta"):
        sizes = {type(n).__name__: sum(p.numel() for p in n.parameters()) for n in (ResNet50(), ArcFace(), Lpips())}
        assert sizes == {"ResNet50": 25_557_032 - 2_049_000, "ArcFace": 43_797_696, "Lpips": 2_469_696 + 1152}
        assert "layer1.0.downsample.0.weight" in ResNet50().state_dict()
        assert "body.0.res_layer.5.fc1.weight" in ArcFace().state_dict()
        assert {"features.10.weight", "lin4.model.1.weight"} <= Lpips().state_dict().keys()


def test_corners_go_inward_and_the_rest_with_them() -> None:
    rng = torch.Generator().manual_seed(0)
    corners = np.stack([drawn(256, 192, 0.15, rng) for _ in range(2000)])
    inward = np.abs(corners - [[0, 0], [255, 0], [255, 191], [0, 191]])
    assert inward.min() == 0
    assert inward[..., 0].max() == 19
    assert inward[..., 1].max() == 14
    np.testing.assert_allclose(inward.mean((0, 1)), [9.5, 7.0], atol=0.2)
    still = [torch.equal(thrown(x, 0.15, 0.9, rng), x) for x in torch.rand(1000, 1, 1, 16, 16)]
    assert 0.06 < np.mean(still) < 0.2  # a tenth; some of 16 px hardly move
    # A map that says where its pixels are: after the warp each corner's own lies where the corner went.
    y, x = torch.meshgrid(torch.arange(192.0), torch.arange(256.0), indexing="ij")
    where = np.array([[10, 5], [240, 8], [250, 180], [3, 188]])
    moved = warped(torch.stack((x, y))[None], where)[0]
    for (cx, cy), (sx, sy) in zip(where, [[0, 0], [255, 0], [255, 191], [0, 191]], strict=True):
        inner = (int(np.clip(cy, 8, 183)), int(np.clip(cx, 8, 247)))
        off = np.abs(moved[:, inner[0], inner[1]].numpy() - (sx, sy))
        assert (off < 14).all()
    assert (moved[:, 0, 0] == 0).all()  # black outside


def test_ada_of_the_appendix_is_its_string() -> None:
    """Read off the network as it runs: channels, strides and enlargements of each layer's picture."""
    network = ada_appendix.Alignment()
    words: list[str] = []
    sizes = [64]
    for layer in network.layers:

        def seen(module: nn.Module, given: tuple, out: Tensor) -> None:
            before, after = sizes[-1], out.shape[-1]
            if isinstance(module, ada_appendix.Residual):
                words.append(f"Res{out.shape[1]}")
            elif after > before:
                words.append(f"D{out.shape[1]},{after // before}")
            else:
                words.append(f"C{out.shape[1]},{before // after}")
            sizes.append(after)

        layer.register_forward_hook(seen)
    given = torch.randn(1, 3, 64, 64), torch.randn(1, 3, 64, 64)
    out = network(*given)
    assert out.shape == (1, 3, 64, 64)
    assert "-".join(words) == ("C16,1-C32,2-Res32-C48,2-Res48-C64,2-Res64-D64,2-Res64-D48,2-Res48-D32,2-Res32-C3,1")
    out.square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())
    # Skips: what the first layer finds reaches the last one, not only through the bottleneck.
    widths = [next(layer.parameters()).shape[1] for layer in network.layers]
    assert [w for w, word in zip(widths, words, strict=True) if word[0] == "D"] == [64 + 48, 64 + 32, 48 + 16]


@pytest.mark.parametrize(
    ("own", "error", "said"),
    [
        ({"networks": ""}, UsageError, "networks: name the file"),
        ({"lpips": ""}, UsageError, "lpips: name the file"),
        ({"alignment": "mine"}, UsageError, "neither of released, appendix"),
        ({"pack": "cars192.npy"}, UsageError, "not of"),
        ({"held": 3}, UsageError, "cannot be held back"),
        ({"recogniser": "alexnet"}, WeightsError, "does not hold a ArcFace"),
    ],
)
def test_mistakes_are_one_line(made, files, own, error, said) -> None:
    if own.get("recogniser"):
        own = {"recogniser": files["hfgi_ffhq"]["alexnet"]}
    with pytest.raises(error, match=said) as caught:
        made("hfgi_ffhq", **own)
    assert "\n" not in str(caught.value)
