"""The bench of peers: really run with the two smallest, and what each network is known to have."""

from __future__ import annotations

import os
from functools import partial

import pytest
import torch

from videdit.cli import bench_peers, peer_passes
from videdit.cli.bench_peers import PeerRow, ratios
from videdit.errors import OutOfMemoryError, UsageError
from videdit.models import peers


def test_the_smallest_two_are_run_and_compared(capsys) -> None:
    cache = os.environ["VIDEDIT_CACHE"]
    assert bench_peers.main(["--sizes", "256", "--only", "fran", "--only", "ours", "--runs", "1"]) == 0
    assert os.environ["VIDEDIT_CACHE"] == cache
    _, _, *rows = capsys.readouterr().out.splitlines()
    numbers = [[float(word) for word in row[30:].split()] for row in rows[:3]]
    for size, parameters, gmac, faces, cpu, mib in numbers:
        assert size == 256
        assert min(parameters, gmac, faces, cpu, mib) > 0
    best, standard, unet = numbers
    assert unet[1] == pytest.approx(31.0, abs=0.1)
    assert best[1] == standard[1]
    assert standard[2] < best[2]  # fewer passes
    assert rows[3].startswith("a face of U-Net of FRAN's size at 256 takes as long as ")
    assert len(rows) == 5


# Millions of parameters, where they are told by those who published them.
@pytest.mark.parametrize(
    ("make", "shapes", "parameters", "result"),
    [
        (peers.ReleasedHfgi, [(1, 3, 256, 256)], None, (1, 1024, 1024, 3)),
        (peers.ReagingUNet, [(1, 3, 512, 512), (1, 2, 1, 1)], 31.0, (1, 3, 512, 512)),
        (peers.Gfpgan, [(1, 3, 512, 512)], None, (1, 3, 512, 512)),
        (peers.RealEsrgan, [(1, 3, 256, 256)], 16.70, (1, 3, 1024, 1024)),
    ],
)
def test_networks_are_as_large_as_the_published_ones(make, shapes, parameters, result) -> None:
    with torch.device("meta"):
        network = make().requires_grad_(False).eval()
    network.to("meta")
    assert network(*(torch.zeros(shape, device="meta") for shape in shapes)).shape == result
    if parameters is not None:
        assert bench_peers.parameters(network) == pytest.approx(parameters, abs=0.05)


def test_numbers_of_chance_neither_vanish_nor_explode() -> None:
    network = peers.of_chance(peers.RealEsrgan(blocks=2))
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    result = network(image)
    assert result.isfinite().all()
    assert 1e-3 < float(result.std()) < 1e3


def test_multiplications_are_counted() -> None:
    layer = torch.nn.Conv2d(4, 8, 3, padding=1).requires_grad_(False)
    assert bench_peers.gmac(layer, [(1, 4, 10, 10)]) == pytest.approx(8 * 4 * 9 * 100 / 1e9)


def test_each_is_compared_with_ours_of_its_size() -> None:
    rows = [PeerRow("fran", "U", 256, 1, 1, 9.0, 3.0, 1), PeerRow("ours", "videdit", 256, 1, 1, 1.0, 2.0, 1)]
    rows.append(PeerRow("ours", "videdit", 512, 1, 1, 1.0, 7.0, 1))
    assert list(ratios(rows, "cpu")) == ["a face of U at 256 takes as long as 1.5 of videdit"]
    assert list(ratios(rows, "cuda")) == ["a face of U at 256 takes as long as 9.0 of videdit"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sizes", "256,large"], "write some of 256, 512, 1024"),
        (["--sizes", "300"], "write some of 256, 512, 1024"),
        (["--runs", "0"], "one run is the least"),
        (["--only", "gfpgan", "--sizes", "1024"], "knows none of the sizes"),
    ],
)
def test_words_that_mean_nothing_are_refused(words, told) -> None:
    with pytest.raises(UsageError, match=told):
        bench_peers.main(words)


def die(*words) -> None:
    os._exit(9)


def test_a_process_that_is_ended_is_said_in_a_line(monkeypatch) -> None:
    monkeypatch.setattr(bench_peers, "run", die)
    monkeypatch.setattr(bench_peers, "graph_of", lambda *words: None)
    small = peer_passes.Contestant("small", "a small one", 256, lambda: (small_pass(),))
    with pytest.raises(OutOfMemoryError, match="a small one at 256 px: its process was ended"):
        bench_peers.measured(small, "cpu", "fp32", 1)


def small_pass() -> peer_passes.Pass:
    return peer_passes.Pass("small", partial(torch.nn.Conv2d, 3, 3, 1), ((1, 3, 8, 8),))
