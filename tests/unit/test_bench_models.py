"""The bench of networks: its table, without the networks that take minutes."""

from __future__ import annotations

import pytest

from videdit.cli import bench_models
from videdit.cli.bench_models import ModelRow, totals
from videdit.engine.compile import eager
from videdit.errors import UsageError


def test_a_whole_edit_is_the_sum_of_its_networks_where_all_were_timed() -> None:
    rows = [
        ModelRow("a", 1, 3.0),
        ModelRow("b", 1, 4.0),
        ModelRow("a", 4, 2.0),
        ModelRow("b", 4, 3.0),
        ModelRow("a", 16, 1.0),
    ]
    assert totals(rows) == [ModelRow("whole edit", 1, 7.0), ModelRow("whole edit", 4, 5.0)]


def test_every_network_is_timed_at_every_batch(monkeypatch) -> None:
    import published

    from videdit.hfgi.loader import published_networks
    from videdit.models.stylegan2_plain import Generator

    file = published.checkpoint()
    networks = published_networks(file["state_dict"] | {"latent_avg": file["latent_avg"]})
    for part in (networks.generator, networks.encoder, networks.alignment, networks.consultation):
        part.eval().requires_grad_(False)
    plain = Generator(published.NARROW).eval().requires_grad_(False)
    monkeypatch.setattr(bench_models, "networks_of_chance", lambda: (networks, plain))
    monkeypatch.setattr(bench_models, "RUNS", 1)
    monkeypatch.setattr(bench_models, "load_networks", lambda profile: networks)

    class Eager:
        device = "cpu"

        def compile(self, module, inputs):
            return eager(module)

        def put(self, array):
            return array

    lines = list(bench_models.bench(Eager(), (1,)))
    told = [line.split(":")[0] + ":" + line.split(":")[1][:9] for line in lines if ":" in line]
    assert told.count("hfgi-ffhq: encoder ") == 1
    assert told.count("mobile at 256: encoder ") == 1
    assert sum("whole edit" in line and "x the published code" in line for line in lines) == 4
    assert all(float(line.split()[-1]) > 0 for line in lines if line.startswith("published code"))
    assert lines[-1].startswith("mobile at 256 is ")


def test_batches_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="write numbers of images"):
        bench_models.main(["--batch", "1,many"])
