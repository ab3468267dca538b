"""Networks from files in the published layout: whole, in parts, and what is said of those that are none."""

from __future__ import annotations

import published
import pytest
import torch
from safetensors.torch import save_file

from videdit.errors import UsageError, WeightsError
from videdit.hfgi.loader import load_networks
from videdit.hfgi.profile import load_profile
from videdit.models import mobile_stylegan
from videdit.models.e4e import E4eEncoder
from videdit.weights.install import import_file


@pytest.fixture(scope="module")
def whole() -> dict:
    return published.checkpoint()


@pytest.fixture
def own_weights(tmp_path, monkeypatch):
    """A folder of published weights with nothing in it."""
    monkeypatch.setenv("VIDEDIT_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path


def part(file: dict, *prefixes: str) -> dict:
    return {key: value for key, value in file["state_dict"].items() if key.split(".")[0] in prefixes}


def test_a_whole_file_and_its_parts_make_the_same_networks(own_weights, whole) -> None:
    torch.save(whole, own_weights / "ckpt.pt")
    save_file(whole["state_dict"] | {"latent_avg": whole["latent_avg"]}, own_weights / "flat.safetensors")
    generator = {key.removeprefix("decoder."): value for key, value in part(whole, "decoder").items()}
    torch.save({"g_ema": generator, "latent_avg": torch.zeros(512)}, own_weights / "stylegan2.pt")
    e4e = {"state_dict": part(whole, "encoder", "decoder"), "latent_avg": whole["latent_avg"], "opts": {"lr": 1e-4}}
    torch.save(e4e, own_weights / "e4e.pt")
    torch.save({"state_dict": part(whole, "residue", "grid_align")}, own_weights / "hfgi.pt")
    image = torch.linspace(-1, 1, 3 * 256 * 256).reshape(1, 3, 256, 256)
    found, states = [], []
    for files in (["ckpt.pt"], ["flat.safetensors"], ["stylegan2.pt", "e4e.pt", "hfgi.pt"]):
        paths = tuple(str(own_weights / file) for file in files)
        networks = load_networks(load_profile("hfgi-ffhq", paths))
        assert networks.generator.num_layers == 18
        assert networks.rows == (0, 256)
        parts = (networks.encoder, networks.generator, networks.alignment, networks.consultation)
        states.append([(name, value) for network in parts for name, value in network.state_dict().items()])
        with torch.inference_mode():
            codes = networks.encoder(image)
            trunk = networks.generator.trunk(codes)
            low = networks.generator.low(trunk, codes)
            scale, shift = networks.consultation(networks.alignment(image - low, low))
            found.append(torch.cat([x.flatten() for x in (codes, trunk, low, scale, shift)]))
    for other in states[1:]:
        assert [name for name, _ in other] == [name for name, _ in states[0]]
        assert all(torch.equal(a, b) for (_, a), (_, b) in zip(states[0], other, strict=True))
    # What they give may differ in the last bits: a kernel adds up in another order where its numbers lie at other
    # addresses.
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=1e-4, rtol=1e-4)


def test_the_encoder_adds_the_mean_code(own_weights, whole) -> None:
    torch.save(whole, own_weights / "ckpt.pt")
    encoder = load_networks(load_profile("hfgi-ffhq", (str(own_weights / "ckpt.pt"),))).encoder
    with torch.inference_mode():
        image = torch.zeros(1, 3, 256, 256)
        codes = encoder(image)
        encoder.mean = torch.zeros_like(encoder.mean)
        assert torch.allclose(codes, encoder(image) + whole["latent_avg"], atol=1e-6)


def test_installed_files_are_found_by_the_profile(own_weights, whole) -> None:
    with pytest.raises(WeightsError, match="hfgi_ffhq.* is not installed; run `videdit weights fetch.*--checkpoint"):
        load_networks(load_profile("hfgi-ffhq"))
    torch.save(whole, own_weights / "ckpt.pt")
    # Narrow as it is, the published file's list of shapes would refuse it: only the copy is looked for here.
    wide = whole["state_dict"] | {
        "grid_align.conv_layer1.0.weight": torch.zeros(16, 6, 3, 3),
        "decoder.convs.15.conv.weight": torch.zeros(1, 32, 32, 3, 3),
    }
    torch.save({"state_dict": wide, "latent_avg": whole["latent_avg"]}, own_weights / "wide.pt")
    import_file(own_weights / "wide.pt", "hfgi_ffhq")
    with pytest.raises(WeightsError, match="the weights of profile hfgi-ffhq are not in the published layout"):
        load_networks(load_profile("hfgi-ffhq"))


def test_parts_without_consultation_are_said(own_weights, whole, caplog) -> None:
    torch.save({"state_dict": part(whole, "encoder", "decoder"), "latent_avg": torch.zeros(512)}, own_weights / "e.pt")
    networks = load_networks(load_profile("hfgi-ffhq", (str(own_weights / "e.pt"),)))
    assert networks.alignment is None
    assert networks.consultation is None
    assert "no consultation encoder" in caplog.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file["state_dict"].pop("encoder.body.5.res_layer.3.weight"), "body.5.res_layer.3.weight"),
        (lambda file: file["state_dict"].pop("decoder.noises.noise_3"), "noises.noise_3"),
        (lambda file: file.pop("latent_avg"), "latent_avg"),
        (lambda file: [file["state_dict"].pop(key) for key in part(file, "encoder")], "hold no encoder; wanted is"),
        (lambda file: file["state_dict"].update({"residue.conv_layer2.1.res_layer.1.weight": torch.zeros(2)}), "shape"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_one_line(own_weights, change, said) -> None:
    file = published.checkpoint()
    change(file)
    torch.save(file, own_weights / "ckpt.pt")
    with pytest.raises(WeightsError, match=said) as error:
        load_networks(load_profile("hfgi-ffhq", (str(own_weights / "ckpt.pt"),)))
    assert "\n" not in str(error.value)
    assert "profile hfgi-ffhq" in str(error.value)


def test_a_file_that_is_no_checkpoint_is_refused(own_weights) -> None:
    (own_weights / "words.pt").write_text("no tensors")
    with pytest.raises(WeightsError, match="words.pt is"):
        load_networks(load_profile("hfgi-ffhq", (str(own_weights / "words.pt"),)))
    torch.save(torch.zeros(3), own_weights / "one.pt")
    with pytest.raises(WeightsError, match="one.pt holds a Tensor"):
        load_networks(load_profile("hfgi-ffhq", (str(own_weights / "one.pt"),)))


def test_generators_of_another_number_of_layers_are_refused(own_weights) -> None:
    torch.save(published.checkpoint(published.NARROW[:8]), own_weights / "car.pt")
    with pytest.raises(WeightsError, match="of 16 layers, not 18"):
        load_networks(load_profile("hfgi-ffhq", (str(own_weights / "car.pt"),)))


def test_cars_are_seen_in_the_middle_rows(own_weights) -> None:
    torch.save(published.checkpoint(published.NARROW[:8]), own_weights / "car.pt")
    networks = load_networks(load_profile("hfgi-car", (str(own_weights / "car.pt"),)))
    assert networks.rows == (32, 224)
    assert networks.generator.size == 512
    one, other = torch.zeros(2, 1, 3, 256, 256)
    other[:, :, :32], other[:, :, 224:] = 1.0, -1.0  # where nothing is seen
    with torch.inference_mode():
        codes = networks.encoder(one)
        assert codes.shape == (1, 16, 512)
        assert torch.equal(codes, networks.encoder(other))


def test_the_default_profile_takes_no_checkpoint() -> None:
    with pytest.raises(UsageError, match="a checkpoint is for profile hfgi-ffhq"):
        load_profile("mobile", ("ckpt.pt",))


def with_encoder_of(file: dict, layers: int) -> dict:
    """A published file whose encoder has another number of heads."""
    other = published.checkpoint((*published.NARROW, *published.NARROW[-1:])[: layers // 2])
    kept = {key: value for key, value in file["state_dict"].items() if not key.startswith("encoder.")}
    return {"state_dict": kept | part(other, "encoder"), "latent_avg": other["latent_avg"]}


def test_an_encoder_of_18_layers_is_cut_to_the_16_of_cars(own_weights) -> None:
    """As the release does, whose mean code then has 18 rows, or one for all."""
    car = published.checkpoint(published.NARROW[:8])
    long = with_encoder_of(car, 18)
    long["latent_avg"] = torch.arange(18.0)[:, None].expand(18, 512).clone()
    image = torch.linspace(-1, 1, 3 * 256 * 256).reshape(1, 3, 256, 256)
    codes = []
    for name, mean in (("rows", long["latent_avg"]), ("cut", long["latent_avg"][:16]), ("one", torch.zeros(512))):
        torch.save(long | {"latent_avg": mean}, own_weights / f"{name}.pt")
        networks = load_networks(load_profile("hfgi-car", (str(own_weights / f"{name}.pt"),)))
        with torch.inference_mode():
            codes.append(networks.encoder(image))
            trunk = networks.generator.trunk(codes[-1])
            assert networks.generator.low(trunk, codes[-1]).shape == (1, 3, 256, 256)
        assert codes[-1].shape == (1, 16, 512)
    assert torch.equal(codes[0], codes[1])
    torch.testing.assert_close(codes[0], codes[2] + torch.arange(16.0)[:, None])
    # The 18 layers themselves, of which the first 16 are meant.
    whole = E4eEncoder(18, (4, 4, 6, 6, 8), hidden=8, squeeze=2, rows=(32, 224))
    state = {key.removeprefix("encoder."): value for key, value in part(long, "encoder").items()}
    whole.load_state_dict(state | {"mean": long["latent_avg"]})
    with torch.inference_mode():
        torch.testing.assert_close(codes[0], whole.eval()(image)[:, :16])


def test_an_encoder_of_fewer_layers_than_the_generator_is_refused(own_weights) -> None:
    torch.save(with_encoder_of(published.checkpoint(), 16), own_weights / "ckpt.pt")
    with pytest.raises(WeightsError, match="hold an encoder of 16 layers for a generator of 18"):
        load_networks(load_profile("hfgi-ffhq", (str(own_weights / "ckpt.pt"),)))


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_a_generator_that_upsamples_in_groups_makes_the_same_pictures(size: int) -> None:
    """Its channels come in another order, and no number of a picture does."""
    generator = load_networks(load_profile("mobile")).generator
    assert isinstance(generator, mobile_stylegan.Synthesis)
    codes = 0.5 * torch.randn(1, 18, 512, generator=torch.Generator().manual_seed(0))
    quick = mobile_stylegan.grouped(generator)
    with torch.inference_mode():
        torch.testing.assert_close(quick(codes, size), generator(codes, size), atol=1e-5, rtol=0)
    assert all(block.up.groups > 1 for block in quick.blocks)
    assert all(block.up.groups == 1 for block in generator.blocks), "the networks themselves stay as they are"
