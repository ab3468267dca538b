"""Networks captured as CUDA graphs compute what they do kernel by kernel."""

import threading

import pytest
import torch
from torch import Tensor, nn

from videdit.engine.cuda_graph import Network
from videdit.models.mobile_stylegan import NUM_LAYERS, W_DIM, Synthesis
from videdit.weights import load_state

CUDA = torch.device("cuda")


@pytest.fixture(scope="module")
def generator() -> nn.Module:
    module = Synthesis()
    names = ("generator_low", "generator_high", "generator_head256")
    module.load_state_dict({k: v for name in names for k, v in load_state(name).items()})

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.generator = module

        def forward(self, codes: Tensor) -> Tensor:
            return self.generator(codes, size=256)

    return Small()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_graph_is_the_module(generator: nn.Module, precision: str) -> None:
    network = Network(generator, (torch.zeros(2, NUM_LAYERS, W_DIM),), CUDA, precision)
    assert network.captured
    found = []
    for seed in (0, 1):
        codes = torch.randn(2, NUM_LAYERS, W_DIM, generator=torch.Generator().manual_seed(seed)).to(CUDA) * 0.3
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
            wanted = generator(codes).float()
        (image,) = network(codes)
        torch.testing.assert_close(image, wanted, atol=0.05 if precision == "bf16" else 5e-3, rtol=0)
        found.append((image, wanted))
    # What was handed out stays as it was when the graph runs again.
    torch.testing.assert_close(*found[0], atol=0.05 if precision == "bf16" else 5e-3, rtol=0)


def test_what_cannot_be_captured_runs_all_the_same() -> None:
    class Asks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * float(x.sum())  # waits for the device, which a capture forbids

    network = Network(Asks(), (torch.ones(4),), CUDA, "fp32")
    assert not network.captured
    (result,) = network(torch.full((4,), 2.0, device=CUDA))
    assert result.tolist() == [16.0] * 4


def test_captures_and_other_work_do_not_disturb_each_other(generator: nn.Module) -> None:
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            torch.randn(500, 500, device=CUDA).mm(torch.randn(500, 500, device=CUDA)).cpu()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        networks = [Network(generator, (torch.zeros(n, NUM_LAYERS, W_DIM),), CUDA, "fp32") for n in (1, 2, 3)]
    finally:
        over.set()
        worker.join()
    assert all(network.captured for network in networks)
