"""What the bench makes of its measurements."""

from pathlib import Path

import numpy as np
import pytest
import torch

from videdit import shutdown
from videdit.cli.bench import Bench, Usage, elsewhere
from videdit.engine import profiler
from videdit.engine.compile import compile_module
from videdit.engine.profiler import WAITING, Passes
from videdit.engine.recipe import Halves
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.jobs.result import RenderResult
from videdit.pipeline.executor import StageStats
from videdit.storage.outputs import scratch

GIB = 1 << 30


def bench(passes: dict[str, Passes], device: str = "") -> Bench:
    stages = [
        StageStats("edit", busy=4.0),
        StageStats("paste", busy=9.0, passed=5 << 20),
        StageStats("encode", busy=6.0),
    ]
    result = RenderResult(Path("in.mp4"), Path("out.mp4"), 100, 100, 10.0, stages, look=2.0)
    usage = Usage(10.0, 12.0, 2 * GIB, 2, device, 3 * GIB if device else 0)
    return Bench(result, usage, passes)


def test_on_the_host_the_slowest_stage_counts() -> None:
    measured = bench({"Encoder": Passes(10, 5.0, copied=7 << 20)})
    assert measured.overlap == pytest.approx(0.9)
    assert "network passes       5.00 s; wall / passes 2.00" in str(measured)
    assert "device" not in str(measured)
    lines = str(measured).splitlines()
    assert [line.split()[-1] for line in lines[:4]] == ["MiB", "0", "5", "0"]
    assert next(line for line in lines if line.startswith("Encoder")).split()[-1] == "7"
    assert "processor time       12.00 s" in str(measured)
    assert "first look           2.00 s; the render after it 8.00 s, 4.0 times as long" in str(measured)


@pytest.mark.parametrize(("device_seconds", "overlap"), [(8.5, 0.85), (3.0, 0.6)])
def test_a_device_is_a_stage_and_waiting_for_it_is_none(device_seconds: float, overlap: float) -> None:
    passes = {"LowFidelityPass": Passes(10, device_seconds, on_device=True), "FaceMesh": Passes(9, 1.0)}
    measured = bench(passes | {WAITING: Passes(100, 8.0)}, "a GPU")
    assert measured.overlap == pytest.approx(overlap)
    assert f"device busy          {device_seconds:.2f} s" in str(measured)
    assert "a GPU, peak memory 3072 MiB" in str(measured)


def test_an_engine_books_what_it_copies():
    layer = torch.nn.Conv2d(1, 2, 1)
    engine = compile_module(layer, [(1, 1, 4, 4)], precision="fp32")
    profiler.reset_passes()
    engine(np.ones((1, 1, 4, 4), np.float32))
    assert profiler.passes()["Conv2d"].copied == 4 * 2 * 16  # what came out
    engine(np.ones((1, 1, 4, 4), np.uint8))
    assert profiler.passes()["Conv2d"].copied == 4 * (2 * 2 * 16 + 16)  # again, and what went in
    profiler.reset_passes()
    assert "Conv2d" not in profiler.passes()


def test_what_waits_between_passes_is_converted_within_them():
    layer = torch.nn.Conv2d(1, 2, 1)
    image = np.random.default_rng(0).normal(size=(1, 1, 4, 4)).astype(np.float16)
    (wanted,) = compile_module(layer, [image.shape], precision="fp32")(image)
    engine = compile_module(layer, [image.shape], precision="fp32", halves=Halves((0,), (0,)))
    profiler.reset_passes()
    (found,) = engine(image)
    assert profiler.passes()["Conv2d"].copied == 2 * 2 * 16  # what came out, and nothing of what went in
    assert found.dtype == np.float16
    assert np.array_equal(found, wanted.astype(np.float16))
    profiler.reset_passes()


def test_what_a_bench_writes_goes_however_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), scratch() as folder:
        (folder / "graph.bin").write_bytes(b"large")
        assert folder in shutdown._unfinished  # what is removed where nobody unwinds
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    assert folder not in shutdown._unfinished


def test_nothing_that_a_bench_writes_goes_where_the_clip_s_own_files_go(tmp_path):
    (tmp_path / "in.mp4").write_bytes(b"not opened here")
    (tmp_path / "in_smile.mp4").write_bytes(b"an earlier edit")  # which is not in its way
    words = {"alpha_out": str(tmp_path / "matte.mkv"), "compare": "side", "debug_video": True}
    (clip,) = make_plan([RenderJob(input=str(tmp_path / "in.mp4"), edit="smile", overwrite=True, **words)]).clips
    assert len(clip.files) == 4
    assert {file.parent for file in elsewhere(clip, tmp_path / "bench").files} == {tmp_path / "bench"}
