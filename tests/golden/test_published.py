"""Our modules of the published HFGI networks (FFHQ 1024) compute what the published ones do.

Golden numbers of the whole networks lie beside the repository (../shared/reference, whose README says how they were
made); what needs nothing: the layout, names and shapes, and narrow networks against the plain formulation.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import published
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.models import stylegan2
from videdit.models.stylegan2_plain import Generator

LAYOUT = "b6d8622b79f07979fa2fa3124f03f7b7bcc4382dc589836cb6335c33fee5e844"  # of the published file's names and shapes
GOLDEN = Path(__file__).with_name("published.npz")


@pytest.fixture(scope="module")
def narrow() -> dict[str, Tensor]:
    return published.checkpoint()["state_dict"]


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{prefix}."): value for key, value in state.items() if key.startswith(f"{prefix}.")}


def loaded(network: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def ours(decoder: dict[str, Tensor]) -> stylegan2.Synthesis:
    generator = stylegan2.Synthesis(stylegan2.channels_of(decoder))
    loaded(generator, stylegan2.converted(decoder))
    return generator


def codes(layers: int = 18, count: int = 2) -> Tensor:
    return torch.randn(count, layers, 512, generator=torch.Generator().manual_seed(3)) * 0.5


def test_the_layout_is_the_published_files() -> None:
    with torch.device("meta"):
        listed = published.shapes(published.parts())
    words = "\n".join(f"{name} {list(shape)}" for name, shape in sorted(listed.items()))
    assert len(listed) == 1192
    assert hashlib.sha256(words.encode()).hexdigest() == LAYOUT


@torch.inference_mode()
def test_the_generator_equals_the_plain_formulation(narrow) -> None:
    channels = published.NARROW[:7]  # 256 px: the larger blocks are like the others
    plain = Generator(channels).eval()
    decoder = {name: narrow[f"decoder.{name}"] for name in plain.state_dict()}
    loaded(plain, decoder)
    fast, w = ours(decoder), codes(layers=14)
    condition = tuple(torch.randn(2, 8, 64, 64, generator=torch.Generator().manual_seed(i)) * 0.3 for i in (0, 1))
    for given in (None, condition):
        expected, found = plain(w, given), fast.whole(fast.trunk(w), w, given)
        assert found.shape == (2, 3, 256, 256)
        assert (found - expected).abs().mean() < 1e-6 * expected.std()
    assert torch.equal(fast.render(fast.trunk(w), w, size=64), F.avg_pool2d(fast(w), 4))


@torch.inference_mode()
def test_the_mapping_equals_the_plain_formulation(narrow) -> None:
    decoder = part(narrow, "decoder")
    mapping = loaded(stylegan2.Mapping(), stylegan2.converted_mapping(decoder))
    z = torch.randn(3, 512, generator=torch.Generator().manual_seed(1))
    expected = loaded(Generator(published.NARROW), decoder).style(z)
    assert (mapping(z) - expected).abs().max() < 1e-4 * expected.std()


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_bears_any_scale_of_weights_and_styles(narrow, dtype) -> None:
    """Demodulation cancels the scale of kernels and styles; squares of these would be beyond float16."""
    decoder = part(narrow, "decoder")
    convs = [name for name in decoder if name.startswith(("conv1.conv.", "convs.")) and ".conv." in name]
    scaled = decoder | {name: decoder[name] * 300 for name in convs if "kernel" not in name}
    w = codes(count=1)
    expected, same = ours(decoder)(w), ours(scaled)(w)
    assert (same - expected).abs().mean() < 1e-3 * expected.std()
    half = ours(scaled).to(dtype)(w.to(dtype)).float()
    assert torch.isfinite(half).all()
    assert (half - expected).abs().mean() < (0.02 if dtype == torch.float16 else 0.1) * expected.std()


@pytest.mark.parametrize("name", ["encoder", "grid_align", "residue", "decoder"])
@torch.inference_mode()
def test_nothing_breaks_the_graph_of_torch_compile(narrow, name) -> None:
    network = published.parts(published.NARROW, narrow=True)[name]
    image = torch.zeros(1, 3, 256, 256)
    inputs = {"grid_align": (image, image), "decoder": (codes(count=1),)}.get(name, (image,))
    network = ours(part(narrow, name)) if name == "decoder" else network.eval()
    torch.compile(network, backend="eager", fullgraph=True)(*inputs)


def chain(networks: dict[str, nn.Module], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published network's steps, by the names of the golden numbers. given: x, z, w_delta."""
    generator = networks["decoder"]
    assert isinstance(generator, stylegan2.Synthesis)
    w = networks["mapping"](given["z"])
    e4e = networks["encoder"](given["x"])
    w_plus = w[:, None] + 0.1 * e4e / e4e.std()
    trunk = generator.trunk(w_plus)
    image, low = generator.whole(trunk, w_plus), generator.low(trunk, w_plus)
    edited = w_plus + given["w_delta"]
    trunk = generator.trunk(edited)
    edited_low = generator.low(trunk, edited)
    aligned = networks["grid_align"](given["x"] - low, edited_low)
    scale, shift = networks["residue"](aligned)
    final = generator.whole(trunk, edited, (scale, shift))
    return {
        "mapping_w": w,
        "e4e_codes": e4e,
        "w_plus": w_plus,
        "image_256": low,
        "image_corner_64": image[:, :, :64, :64],
        "image_center_64": image[:, :, 480:544, 480:544],
        "edited_nocond_256": edited_low,
        "ada_aligned": aligned,
        "cond_scale_8x8": F.adaptive_avg_pool2d(scale, 8),
        "cond_shift_8x8": F.adaptive_avg_pool2d(shift, 8),
        "final_256": F.interpolate(final, size=(256, 256), mode="bilinear", align_corners=False),
        "final_corner_64": final[:, :, :64, :64],
        "final_center_64": final[:, :, 480:544, 480:544],
    }


def networks_of(state: dict[str, Tensor], channels: tuple[int, ...], narrow: bool) -> dict[str, nn.Module]:
    with torch.device("meta"):
        networks = published.parts(channels, narrow)
        networks["decoder"] = stylegan2.Synthesis(channels)
        networks["mapping"] = stylegan2.Mapping()
    decoder = part(state, "decoder")
    loaded(networks["decoder"], stylegan2.converted(decoder))
    loaded(networks["mapping"], stylegan2.converted_mapping(decoder))
    loaded(networks["encoder"], part(state, "encoder") | {"mean": torch.zeros(2 * len(channels), 512)})
    for name in ("grid_align", "residue"):
        loaded(networks[name], part(state, name))
    return networks


def errors(found: dict[str, Tensor], golden: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean absolute difference in units of each array's standard deviation."""
    wanted = {name: golden[name].astype(np.float64) for name in found}
    return {name: float(np.abs(found[name].numpy() - array).mean() / array.std()) for name, array in wanted.items()}


@torch.inference_mode()
def test_narrow_networks_keep_their_numbers(narrow) -> None:
    """Made when the whole networks were at parity (scripts/make_published_golden.py)."""
    golden = dict(np.load(GOLDEN))
    given = {name: torch.from_numpy(golden[name].astype(np.float32)) for name in ("x", "z", "w_delta")}
    found = chain(networks_of(narrow, published.NARROW, narrow=True), given)
    small = {name: value if value.dim() < 4 else F.adaptive_avg_pool2d(value, 8) for name, value in found.items()}
    assert max(errors(small, golden).values()) < 1e-4


@torch.inference_mode()
def test_the_whole_networks_are_at_parity_with_the_published_ones(shared) -> None:
    folder = shared / "reference"
    if not folder.is_dir():
        pytest.skip(f"no test vectors of the published networks at {folder}")
    listed = json.loads((folder / "hfgi_ffhq_1024.json").read_text())
    state = {
        name: torch.zeros(fill["shape"], dtype=torch.int64)
        if "const" in fill
        else published.filled(name, tuple(fill["shape"]), fill["mean"], fill["std"], listed["salt"])
        for name, fill in listed["tensors"].items()
        if "fixed" not in fill  # the low-pass, which ours know by themselves
    }
    golden = dict(np.load(folder / "hfgi_ffhq_1024.npz"))
    given = {name: torch.from_numpy(golden[name]) for name in ("x", "z", "w_delta")}
    off = errors(chain(networks_of(state, published.FFHQ, narrow=False), given), golden)
    print("\n".join(f"{name:18} {value:.2e}" for name, value in off.items()))
    allowed = {name: 2e-3 if golden[name].dtype == np.float16 else 1e-4 for name in off}
    assert [name for name in off if not off[name] < allowed[name]] == []
