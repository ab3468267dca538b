"""The whole pipeline on a GPU: the tests of tests/e2e/test_device.py where `--device auto` would run it."""

import pytest
from test_device import *  # noqa: F403

from videdit.cli.bench import bench_clip
from videdit.imaging.device import DevicePixels
from videdit.imaging.memory import pixels_for
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.rendering.renderer import Renderer


@pytest.fixture(scope="module")
def device() -> tuple[Renderer, str]:
    return Renderer(), "cuda"


def test_a_gpu_keeps_its_own_pixels() -> None:
    assert isinstance(pixels_for("cuda"), DevicePixels)


def test_bench_tells_of_the_gpu(source, tmp_path) -> None:
    words = {"input": str(source), "output": str(tmp_path / "out.mp4"), "edit": "smile"}
    (clip,) = make_plan([RenderJob.model_validate(words)]).clips
    measured = bench_clip(clip)
    assert measured.usage.device
    assert measured.usage.device_peak_bytes > 0
    assert 0 < measured.device_seconds < measured.result.seconds * 1.05
    print(measured)
