"""The published architecture, narrow and with numbers of chance: captured on a GPU, beside a CPU in float32."""

import copy

import published
import pytest
import torch
from torch import Tensor, nn

from videdit.datatypes import LOW
from videdit.engine.cuda_graph import Network
from videdit.hfgi.loader import Networks, published_networks
from videdit.models.passes import ConsultationPass, LowFidelityPass

CUDA = torch.device("cuda")


@pytest.fixture(scope="module")
def networks() -> Networks:
    found = published.checkpoint()
    loaded = published_networks(found["state_dict"] | {"latent_avg": found["latent_avg"]})
    for network in (loaded.generator, loaded.encoder, loaded.alignment, loaded.consultation):
        assert network is not None
        network.eval().requires_grad_(False)
    return loaded


def error(module: nn.Module, inputs: tuple[Tensor, ...], precision: str) -> float:
    """The largest of the results' mean absolute errors, in units of each one's standard deviation."""
    with torch.inference_mode():
        results = module(*inputs)
    wanted = results if isinstance(results, tuple) else (results,)
    network = Network(copy.deepcopy(module), inputs, CUDA, precision)
    assert network.captured
    found = network(*(value.to(CUDA) for value in inputs))
    return max(float((a.cpu() - b).abs().mean() / b.std()) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(("precision", "most"), [("fp32", 0.01), ("bf16", 0.1)])
def test_the_networks_compute_what_a_cpu_does(networks: Networks, precision: str, most: float) -> None:
    rng = torch.Generator().manual_seed(0)
    generator = networks.generator
    codes = torch.randn(2, generator.num_layers, 512, generator=rng) * 0.5
    picture = torch.rand(2, 3, LOW, LOW, generator=rng) * 2 - 1
    maps = picture.permute(0, 2, 3, 1).contiguous()
    trunk = torch.randn(2, generator.trunk_channels, 64, 64, generator=rng)
    assert error(networks.encoder, (picture,), precision) < most
    assert error(LowFidelityPass(generator), (codes,), precision) < most
    finisher = ConsultationPass(generator, networks.alignment, networks.consultation, 1024)
    assert error(finisher, (trunk, codes, maps, maps), precision) < most
